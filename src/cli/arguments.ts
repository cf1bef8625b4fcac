/**
 * The options of a command line, as getopt_long has them: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-abc`;
 * what follows `--` is no option. Node's own parser is not there on QuickJS, and its copy as a package may not be part of a
 * GPL-2.0-only program (Apache-2.0).
 */

import { MapminError } from "../wire/errors.ts";
import { unknownWord } from "./nearest.ts";

/** One option. `multiple` gathers the values of an option that is given several times; otherwise the last one counts. */
export interface OptionRow {
  readonly type: "string" | "boolean";
  /** One letter, where the name is not that letter itself. */
  readonly short?: string;
  readonly multiple?: true;
  readonly default?: string;
}

/** The usual kinds of options: these, and not a row each, because what is on the router is to be small. */
export const TEXT = { type: "string" } as const satisfies OptionRow;
export const TEXTS = { type: "string", multiple: true } as const satisfies OptionRow;
export const FLAG = { type: "boolean" } as const satisfies OptionRow;

export type OptionTable = Readonly<Record<string, OptionRow>>;

type ValueOf<Row extends OptionRow> = Row["type"] extends "boolean"
  ? boolean
  : Row extends { readonly multiple: true }
    ? readonly string[]
    : string;

/** The values by the names of the table. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table as Table[Name] extends { default: string } ? Name : never]: ValueOf<
    Table[Name]
  >;
} & {
  readonly [Name in keyof Table as Table[Name] extends { default: string } ? never : Name]?: ValueOf<
    Table[Name]
  >;
};

/** A command line that does not fit the program's usage; the programs answer with exit code 2. */
export class UsageError extends MapminError {
  override readonly name = "UsageError";

  constructor(message: string, options?: ErrorOptions) {
    super("USAGE", message, options);
  }
}

function unknownOption(table: OptionTable, written: string): UsageError {
  if (!written.startsWith("--")) return new UsageError(`unknown option "${written}"`);
  const names = Object.keys(table).filter((name) => name.length > 1);
  return new UsageError(
    unknownWord(
      "option",
      written,
      names.map((name) => `--${name}`),
    ),
  );
}

/** Reads `argv` by a table of options. @throws UsageError for an option that is unknown, or lacks or forbids a value */
export function parseOptions<const Table extends OptionTable>(
  argv: readonly string[],
  table: Table,
  allowPositionals = false,
): { readonly values: OptionValues<Table>; readonly positionals: readonly string[] } {
  const values: Record<string, string | boolean | string[]> = {};
  for (const [name, row] of Object.entries(table)) if (row.default !== undefined) values[name] = row.default;
  const positionals: string[] = [];
  const words = [...argv];

  /** @param written as the user wrote it, for messages. @param glued what stands in the same word, if anything */
  const take = (name: string, row: OptionRow, written: string, glued: string | undefined) => {
    if (row.type === "boolean") {
      if (glued !== undefined) throw new UsageError(`the option "${written}" takes no value`);
      values[name] = true;
      return;
    }
    const value = glued ?? words.shift();
    // A word that looks like an option is one: `--pd --json` lacks the prefix. With "=" anything can be a value.
    if (value === undefined || (glued === undefined && /^-./.test(value))) {
      throw new UsageError(`the option "${written}" needs a value`);
    }
    const before = values[name];
    if (row.multiple !== true) values[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else values[name] = [value];
  };

  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "--") {
      positionals.push(...words.splice(0));
    } else if (word.startsWith("--")) {
      const at = word.indexOf("=");
      const name = word.slice(2, at === -1 ? undefined : at);
      const row = Object.hasOwn(table, name) ? table[name] : undefined;
      if (row === undefined) throw unknownOption(table, `--${name}`);
      take(name, row, `--${name}`, at === -1 ? undefined : word.slice(at + 1));
    } else if (/^-./.test(word)) {
      for (let rest = word.slice(1); rest !== ""; ) {
        const letter = rest.charAt(0);
        rest = rest.slice(1);
        const found = Object.entries(table).find(([name, { short = name }]) => short === letter);
        if (found === undefined) throw unknownOption(table, `-${letter}`);
        const [name, row] = found;
        const glued = row.type === "string" && rest !== "" ? rest : undefined;
        if (glued !== undefined) rest = "";
        take(name, row, `-${letter}`, glued);
      }
    } else positionals.push(word);
  }
  const [first] = positionals;
  if (first !== undefined && !allowPositionals)
    throw new UsageError(`the argument "${first}" is not expected`);
  return { values: values as OptionValues<Table>, positionals };
}
