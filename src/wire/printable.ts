/**
 * Text from the network, UCI and other programs, made fit to be shown: the one place where it is decided which
 * characters reach a log, a terminal, `ifstatus` and LuCI.
 */

/** Most characters of one value in a line, unless told otherwise: input that is quoted must not push all else out. */
export const PRINTABLE_LIMIT = 1_000;

/*
 * What moves the cursor, changes colours, ends a line or turns the order of letters round, beside line feeds and tabs: C0
 * controls, DEL and C1 controls (ECMA-48); line and paragraph separators; the directional marks, embeddings, overrides and
 * isolates of the Unicode Bidirectional Algorithm (UAX #9 s2); the invisible byte order mark; and halves of surrogate
 * pairs, which are no characters.
 */
const UNPRINTABLE =
  "\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff\\ud800-\\udfff";
const inLine = new RegExp(`[\\t\\n${UNPRINTABLE}]+`, "gu");
const inLines = new RegExp(`[${UNPRINTABLE}]`, "gu");

/** A value on a line of its own: runs of unprintable characters become one blank, and its end is cut beyond `limit`. */
export function printable(text: string, limit = PRINTABLE_LIMIT): string {
  // Cut first as well: a megabyte need not be looked through to keep its start.
  const clean = text.slice(0, 2 * limit).replace(inLine, " ");
  if (clean.length <= limit && text.length <= 2 * limit) return clean;
  // Without the first half of a pair that the cut went through.
  return `${clean.slice(0, limit - 3).replace(/[\ud800-\udbff]$/, "")}...`;
}

/** Whole output of a program: line ends and tabs stay, any other unprintable character becomes a blank. */
export function printableLines(text: string): string {
  return text.replace(inLines, " ");
}
