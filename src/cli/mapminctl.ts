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
  upnp            tells miniupnpd which ports it may hand out
  status          what is up, which ports are in use, and by whom
  -s, -r, -q      the options of the original: prints the commands that set a CE up
  help [TOPIC]    what a command takes; "mapminctl help --man" prints the man page
  completion bash  what bash completes of all this
  --version       the version

mapminctl COMMAND --help tells more. Commands exit with 0; with 1 for bad input, or where something is not as it should be; with 2 for a
command line that does not fit; with 70 for a bug in mapmin.
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
  upnp: async () => (await import("./upnp.ts")).runUpnp,
  rules: async () => (await import("./rules.ts")).runRules,
  "-s": async () => (await import("./legacy.ts")).runLegacy,
  help: async () => (await import("./manual.ts")).helpCommand({ help, commands }),
  completion: async () => (await import("./manual.ts")).completionCommand({ help, commands }),
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
  const name = old ? "-s" : first;
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) {
    const known = ["--help", "--version", ...Object.keys(commands)];
    system.stderr(`${unknownWord("command", first, known)}\n\n${help}`);
    return Exit.usage;
  }
  return runCommand(name, load, old ? argv : rest, system);
}
