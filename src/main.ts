/** Composition: runs the program that the first argument names and maps errors to exit codes. */

import { endOf } from "./cli/end.ts";
import { Exit } from "./cli/io.ts";
import { openSystem } from "./system/engine.ts";
import type { System } from "./system/system.ts";

declare const MAPMIN_VERSION: string;

/** One program of those that a file starts. */
export interface Program {
  /** What it does, for the help. */
  readonly about: string;
  run(argv: readonly string[], system: System): Promise<number>;
}

export type Programs = Readonly<Record<string, Program>>;

function help(programs: Programs): string {
  const rows = Object.entries(programs).map(([name, { about }]) => `  ${name.padEnd(12)}${about}\n`);
  return `usage: PROGRAM [ARGUMENT ...]

${rows.join("")}
Each has --help. --version prints ${MAPMIN_VERSION}.
`;
}

async function choose(programs: Programs, system: System): Promise<number> {
  const [name, ...rest] = system.args;
  if (rest[0] === "--version" || name === "--version") {
    system.stdout(`${MAPMIN_VERSION}\n`);
    return Exit.ok;
  }
  const program = name !== undefined && Object.hasOwn(programs, name) ? programs[name] : undefined;
  if (program !== undefined) return program.run(rest, system);
  if (name === "--help" || name === "help") {
    system.stdout(help(programs));
    return Exit.ok;
  }
  system.stderr(name === undefined ? help(programs) : `unknown program "${name}"\n\n${help(programs)}`);
  return Exit.usage;
}

/** Runs one of the programs, to the end of the process. */
export async function main(programs: Programs): Promise<void> {
  const system = await openSystem();
  try {
    system.exit(await choose(programs, system));
  } catch (error) {
    const { text, code } = endOf(error, MAPMIN_VERSION);
    system.stderr(text);
    system.exit(code);
  }
}
