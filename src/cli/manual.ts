/** `mapminctl help`, and what is made of the same texts: the man page, and what bash completes. */

import type { System } from "../system/system.ts";
import { InputError } from "../wire/errors.ts";
import { FLAG, parseOptions, UsageError } from "./arguments.ts";
import type { Command } from "./command.ts";
import { Exit } from "./io.ts";
import { unknownWord } from "./nearest.ts";

/** Every command by its name, and the text of `mapminctl --help`. */
export interface Manual {
  readonly help: string;
  readonly commands: { readonly [name: string]: () => Promise<Command> };
}

const helpHelp = `usage: mapminctl help [TOPIC | --man]

Prints what a command takes, as "mapminctl TOPIC --help" does.
  --man   prints the man page, for "man -l"
`;

const completionHelp = `usage: mapminctl completion bash

Prints what bash needs to complete the words of mapminctl: eval "$(mapminctl completion bash)". BusyBox's ash cannot be told.
`;

/** Words that an option takes. A test compares them with what the commands take. */
export const OPTION_WORDS = {
  "--transport": ["map-t", "map-e", "lw4o6"],
  "--format": ["hex", "kea", "dnsmasq", "isc-dhcp", "odhcpd"],
} as const;

/** Words that stand right behind a command. */
const NEXT_WORDS: { readonly [name: string]: readonly string[] } = { rules: ["check"], completion: ["bash"] };

/** What a command says of itself. */
async function helpOf(load: () => Promise<Command>, system: System): Promise<string> {
  let text = "";
  const listening: System = Object.create(system, { stdout: { value: (part: string) => (text += part) } });
  await (await load())(["--help"], listening);
  return text;
}

function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("'", "\\(aq").replace(/^\./, "\\&.");
}

/** An option or a command, and behind two blanks or more what it does. */
const ROW = /^ +(\S.*?) {2,}(.+)/;

/** A help text as lines of a man page: its usage as it is, rows of options as tagged paragraphs. */
function manLines(help: string): readonly string[] {
  const [usage = "", ...parts] = help.replace(/^usage: /, "").split("\n\n");
  const lines = [
    ".nf",
    ...usage
      .replaceAll(/^ {7}(?=\S)/gm, "")
      .split("\n")
      .map(roff),
    ".fi",
  ];
  for (const part of parts) {
    let before = true;
    for (const line of part.trimEnd().split("\n")) {
      const row = line.replace(
        ROW,
        (_, tag: string, text: string) => `.TP\n\\fB${roff(tag)}\\fR\n${roff(text)}`,
      );
      if (row !== line) lines.push(row);
      else {
        if (before) lines.push(".PP");
        lines.push(roff(line.trim()));
      }
      before = row !== line;
    }
  }
  return lines;
}

/** `mapminctl help`. */
export function helpCommand(manual: Manual): Command {
  return async (argv, system) => {
    const { commands, help } = manual;
    // `-s` is a topic, too.
    const words = argv.every((word) => Object.hasOwn(commands, word)) ? ["--", ...argv] : argv;
    const { values, positionals } = parseOptions(words, { man: FLAG, help: FLAG }, true);
    const [topic, ...more] = positionals;
    if (values.help === true) system.stdout(helpHelp);
    else if (more.length > 0 || (topic !== undefined && values.man === true)) {
      throw new UsageError("give one topic, or --man");
    } else if (values.man === true) {
      system.stdout(
        ".TH MAPMINCTL 8\n.SH NAME\nmapminctl \\- customer edges of MAP\\-T, MAP\\-E and lw4o6\n.SH SYNOPSIS\n",
      );
      system.stdout(`${manLines(help).join("\n")}\n.SH COMMANDS\n`);
      for (const [name, load] of Object.entries(commands)) {
        system.stdout(`.SS ${roff(name)}\n${manLines(await helpOf(load, system)).join("\n")}\n`);
      }
    } else if (topic === undefined) system.stdout(help);
    else {
      const load = Object.hasOwn(commands, topic) ? commands[topic] : undefined;
      if (load === undefined) throw new UsageError(unknownWord("topic", topic, Object.keys(commands)));
      system.stdout(await helpOf(load, system));
    }
    return Exit.ok;
  };
}

/** The options that a help text tells; what it quotes is about other commands. */
export function optionsIn(help: string): readonly string[] {
  return [...new Set(help.replaceAll(/"[^"]*"/g, "").match(/--[a-z][\w-]*/g))];
}

/** `mapminctl completion`. */
export function completionCommand({ commands }: Manual): Command {
  return async (argv, system) => {
    const { values, positionals } = parseOptions(argv, { help: FLAG }, true);
    const [shell, ...more] = positionals;
    if (values.help === true) {
      system.stdout(completionHelp);
      return Exit.ok;
    }
    if (shell === undefined || more.length > 0) throw new UsageError("name the shell: bash");
    if (shell !== "bash") {
      const why =
        shell === "ash" ? "BusyBox's ash completes names of files alone" : "is not a shell that can be told";
      throw new InputError(shell, `${why}; install bash, and run \`mapminctl completion bash\` there`);
    }
    const row = (pattern: string, words: readonly string[]) =>
      `    ${pattern}) words="${words.join(" ")}" ;;`;
    const rows: string[] = [];
    for (const [name, load] of Object.entries(commands)) {
      const words = name === "help" ? Object.keys(commands) : (NEXT_WORDS[name] ?? []);
      rows.push(row(`*:${name}`, [...words, ...optionsIn(await helpOf(load, system)), "--help"]));
    }
    system.stdout(`# What bash completes of mapminctl's words; made by: mapminctl completion bash
_mapminctl() {
  local words="" word=\${COMP_WORDS[COMP_CWORD]}
  case \${COMP_WORDS[COMP_CWORD-1]} in
${Object.entries(OPTION_WORDS)
  .map(([name, words]) => row(name, words))
  .join("\n")}
    --table|check) ;;
    *) case $COMP_CWORD:\${COMP_WORDS[1]} in
${row("1:*", [...Object.keys(commands), "--help", "--version"])}
${rows.join("\n")}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _mapminctl mapminctl
`);
    return Exit.ok;
  };
}
