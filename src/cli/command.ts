/** How a command of mapminctl's is run. */

import type { System } from "../system/system.ts";
import { UsageError } from "./arguments.ts";
import { Exit } from "./io.ts";

/** Takes what follows its name; gives the exit code. */
export type Command = (argv: readonly string[], system: System) => number | Promise<number>;

/** Runs a command. A command line that does not fit is answered by where to read more. */
export async function runCommand(
  name: string,
  load: () => Promise<Command>,
  argv: readonly string[],
  system: System,
): Promise<number> {
  try {
    return await (await load())(argv, system);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    system.stderr(`${error.message}\n(mapminctl ${name} --help tells what it takes)\n`);
    return Exit.usage;
  }
}
