/**
 * A table of rules as text, JSON or CSV (RFC 4180), taken apart into rows. What the fields hold is for table.ts. The handler
 * has all of this: it is kept short.
 */

import { InputError } from "../wire/errors.ts";
import { type Fields, isFields } from "../wire/schema.ts";
import { fieldName } from "./values.ts";

/** Largest table that is read, octets. */
export const TABLE_LIMIT = 2 * 1024 * 1024;
/** Most rows of a table. One more may be read: it tells that there are too many. */
export const ROW_LIMIT = 20_000;

/** Fields that rows without them take from the head of the table, by the names that `mapminctl calc` has. */
const DEFAULTS = ["eaLength", "psidOffset", "transport", "br", "dmr", "legacy", "mtu"] as const;
/** Fields of a row. `comment` is for people. */
const FIELDS = [
  ...DEFAULTS,
  "ruleIpv6Prefix",
  "ruleIpv4Prefix",
  "psid",
  "psidLength",
  "fmr",
  "comment",
] as const;
export type Field = (typeof FIELDS)[number];

/** How much of a name that is not known an error quotes. */
const QUOTED = 60;

/** One row. A field that is empty or null counts as not given. */
export interface TableRow {
  /** `rules[17]`, or `line 18`. */
  readonly where: string;
  readonly fields: Fields;
  /** What is wrong with the row as a whole. */
  readonly fault?: InputError | undefined;
}

export interface TableText {
  readonly defaults: TableRow;
  readonly rows: readonly TableRow[];
}

/** Where a field is: `rules[17].psid`, or `line 18, psid`. */
export function placeOf(where: string, field: string): string {
  return `${where}${where.startsWith("line") ? ", " : "."}${field.slice(0, QUOTED)}`;
}

function twice(where: string, field: string): InputError {
  return new InputError(placeOf(where, field), "is given twice");
}

/** @param fault what is already known to be wrong */
function rowOf(
  where: string,
  entries: readonly (readonly [string, unknown])[],
  names: readonly string[],
  fault?: InputError,
): TableRow {
  const fields: Record<string, unknown> = {};
  let found = fault;
  for (const [written, value] of entries) {
    const name = fieldName(written);
    if (!names.includes(name)) found ??= new InputError(placeOf(where, written), "is not known");
    else if (name in fields) found ??= twice(where, name);
    else if (value !== null && value !== "") fields[name] = value;
  }
  return { where, fields, fault: found };
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}[\],]/g;

/**
 * The fields that an object of a table has twice, by where it is: JSON.parse takes the last one without a word, and the
 * other one could be meant.
 *
 * @param text valid JSON
 */
function repeatedFields(text: string): ReadonlyMap<string, InputError> {
  const repeated = new Map<string, InputError>();
  /** Of the objects that we are in: of the table, of its head or its list, of a row, of what is deeper. */
  const seen = [0, 1, 2, 3].map(() => new Set<string>());
  let depth = 0;
  let index = 0;
  for (const [token, colon] of text.matchAll(TOKEN)) {
    if (colon !== undefined) {
      const name = fieldName(JSON.parse(token.slice(0, -colon.length)));
      const where = ["", "table", "defaults", `rules[${index}]`][depth] ?? "";
      if (seen[depth]?.has(name) === true) repeated.set(where, twice(where, name));
      seen[depth]?.add(name);
    } else if (token === "{" || token === "[") {
      depth++;
      seen[depth]?.clear();
      if (depth === 2) index = 0;
    } else if (token === "}" || token === "]") depth--;
    else if (token === "," && depth === 2) index++;
  }
  return repeated;
}

/** @throws InputError for a text that is not a table */
function readJson(text: string): TableText {
  let table: unknown;
  try {
    table = JSON.parse(text);
  } catch {
    // The engines have words of their own for where it is not.
    throw new InputError("table", "is not JSON");
  }
  const repeated = repeatedFields(text);
  const row = (where: string, value: unknown, names: readonly string[]) =>
    isFields(value)
      ? rowOf(where, Object.entries(value), names, repeated.get(where))
      : { where, fields: {}, fault: new InputError(where, "is not an object") };
  const { fields, fault } = row("table", table, ["defaults", "rules"]);
  const { defaults = {}, rules } = fields;
  if (fault !== undefined) throw fault;
  if (!Array.isArray(rules)) throw new InputError("rules", "is not a list");
  return {
    defaults: row("defaults", defaults, DEFAULTS),
    rows: rules.slice(0, ROW_LIMIT + 1).map((rule, i) => row(`rules[${i}]`, rule, FIELDS)),
  };
}

/** One cell and what ends it. No two parts of it can begin alike, so that a line is looked through once. */
const CELL = /[ \t]*(?:"([^"]*(?:""[^"]*)*)"[ \t]*|((?:[^", \t][^",]*)?))(,|$)/y;

/** The cells of a line; undefined where a quote is not closed, or stands inside a cell. */
function cellsOf(line: string): readonly string[] | undefined {
  if (!line.includes('"')) return line.split(",");
  const cells: string[] = [];
  CELL.lastIndex = 0;
  for (;;) {
    const cell = CELL.exec(line);
    if (cell === null) return undefined;
    cells.push(cell[1]?.replaceAll('""', '"') ?? cell[2] ?? "");
    if (cell[3] === "") return cells;
  }
}

/** @throws InputError for a text that is not a table */
function readCsv(text: string): TableText {
  const defaults: [string, string][] = [];
  const rows: TableRow[] = [];
  let columns: readonly string[] | undefined;
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    if (rows.length > ROW_LIMIT) break;
    // A spreadsheet writes an empty row as commas.
    if (/^[\s,]*$/.test(line)) continue;
    const where = `line ${index + 1}`;
    if (line.startsWith("#")) {
      const [, name, value = ""] = /^#\s*([\w-]+)\s*=(.*)$/.exec(line) ?? [];
      if (name !== undefined) defaults.push([name, value.trim()]);
      continue;
    }
    const cells = cellsOf(line);
    // The prefix may be readable all the same, which tells whom a bad row is for.
    const found = (cells ?? line.replaceAll('"', "").split(",")).map((cell) => cell.trim());
    const names: readonly string[] = columns ?? found;
    const bad =
      cells === undefined
        ? "a quote is not closed, or stands inside a cell"
        : `${found.length} cells are not ${names.length}, one for each column`;
    const isGood = cells !== undefined && found.length === names.length;
    const row = rowOf(
      where,
      names.map((name, i) => [name, found[i] ?? ""]),
      FIELDS,
      isGood ? undefined : new InputError(where, bad),
    );
    if (columns !== undefined) rows.push(row);
    else if (row.fault !== undefined) throw row.fault;
    columns = names;
  }
  return { defaults: rowOf("defaults", defaults, DEFAULTS), rows };
}

/**
 * Takes a table apart. What begins with a brace or a bracket is JSON.
 *
 * @throws InputError for a text that is not a table, as opposed to one with bad rows
 */
export function readTable(text: string): TableText {
  // Some editors put a byte order mark in front of what they write.
  const bare = text.replace(/^\ufeff/, "");
  return /^\s*[{[]/.test(bare) ? readJson(bare) : readCsv(bare);
}
