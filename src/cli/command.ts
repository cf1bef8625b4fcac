/** How a command of mapminctl's is run. */

import type { System } from "../system/system.ts";
import { EffectError, MapminError } from "../wire/errors.ts";
import { UsageError } from "./arguments.ts";
import { Exit } from "./io.ts";

/** Takes what follows its name; gives the exit code. */
export type Command = (argv: readonly string[], system: System) => number | Promise<number>;

/** Runs a command. An error says what to do next. */
export async function runCommand(
  name: string,
  load: () => Promise<Command>,
  argv: readonly string[],
  system: System,
): Promise<number> {
  try {
    return await (await load())(argv, system);
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    const next =
      error instanceof EffectError && name === "status"
        ? "mapminctl doctor looks for what is wrong with the router"
        : `mapminctl ${name} --help tells what it takes`;
    system.stderr(`${error.message}\n(${next})\n`);
    return error instanceof UsageError ? Exit.usage : Exit.badInput;
  }
}
