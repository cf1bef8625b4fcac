/** Reads the options of a command line. No other file uses `parseArgs`. */

import { type ParseArgsConfig, parseArgs } from "node:util";
import { MapminError } from "../wire/errors.ts";
import { unknownWord } from "./nearest.ts";

type OptionTable = NonNullable<ParseArgsConfig["options"]>;

/** A command line that does not fit the program's usage; the programs answer with exit code 2. */
export class UsageError extends MapminError {
  override readonly name = "UsageError";

  constructor(message: string, options?: ErrorOptions) {
    super("USAGE", message, options);
  }
}

/** The first option of `argv` that the table does not have. */
function unknownOption(argv: readonly string[], table: OptionTable): string | undefined {
  const letters = new Set(Object.values(table).map((option) => option.short));
  for (const word of argv) {
    if (word === "--") return undefined;
    if (word.startsWith("--")) {
      const [name = ""] = word.slice(2).split("=");
      if (!Object.hasOwn(table, name)) return `--${name}`;
    } else if (/^-[^-]/.test(word) && !letters.has(word[1])) return word.slice(0, 2);
  }
  return undefined;
}

function describe(error: Error, argv: readonly string[], table: OptionTable): string {
  const unknown = unknownOption(argv, table);
  if (unknown === undefined) return error.message;
  if (!unknown.startsWith("--")) return `unknown option "${unknown}"`;
  return unknownWord(
    "option",
    unknown,
    Object.keys(table)
      .filter((name) => name.length > 1)
      .map((name) => `--${name}`),
  );
}

/** Reads `argv` by a table of options. @throws UsageError for an option that is unknown or lacks its value */
export function parseOptions<const T extends OptionTable>(
  argv: readonly string[],
  options: T,
  allowPositionals = false,
) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals, strict: true });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (!String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS")) throw error;
    throw new UsageError(describe(error, argv, options), { cause: error });
  }
}
