import type { System } from "../system/system.ts";
import { type Command, runCommand } from "./command.ts";
import { Exit } from "./io.ts";
import { unknownWord } from "./nearest.ts";

const help = `usage: mapminctl COMMAND [ARGUMENT ...]

  explain HEX     what a provider sent, field by field, and the CE that follows
  calc            a CE's address and ports from a rule
  encode          the option that a DHCPv6 server has to send, in the server's words
  domain          for who plans a MAP domain: proposes its numbers, or checks them
  plan            what setting an interface up would do
  rules check     what is wrong with a table of rules, and what each row gives
  doctor          what keeps an interface from working, and what to do
  status          what is up, which ports are in use, and by whom
  -s, -r, -q      the options of the original: prints the commands that set a CE up
  --version

mapminctl COMMAND --help tells more.
`;

/** A command is loaded only when it is called, because start-up takes time on a router. */
const commands: { readonly [name: string]: () => Promise<Command> } = {
  explain: async () => (await import("./explain.ts")).runExplain,
  calc: async () => (await import("./calc.ts")).runCalc,
  plan: async () => (await import("./plan.ts")).runPlan,
  status: async () => (await import("./status.ts")).runStatus,
  doctor: async () => (await import("./doctor.ts")).runDoctor,
  encode: async () => (await import("./encode.ts")).runEncode,
  domain: async () => (await import("./domain.ts")).runDomain,
  rules: async () => (await import("./rules.ts")).runRules,
};

export async function runMapminctl(argv: readonly string[], system: System): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    system.stderr(help);
    return Exit.usage;
  }
  if (first === "--help" || first === "-h") {
    system.stdout(help);
    return Exit.ok;
  }
  const old = /^-[^-]/.test(first);
  const load = old
    ? async () => (await import("./legacy.ts")).runLegacy
    : Object.hasOwn(commands, first)
      ? commands[first]
      : undefined;
  if (load === undefined) {
    const known = [...Object.keys(commands), "--help", "--version"];
    system.stderr(`${unknownWord("command", first, known)}\n\n${help}`);
    return Exit.usage;
  }
  return runCommand(old ? "-s" : first, load, old ? argv : rest, system);
}
