/** Values of fields that JSON or text gives: of `mapminctl calc`'s objects, and of a table of rules. */

import { InputError } from "../wire/errors.ts";
import { parseNumber } from "./rule-text.ts";

/** The name of a field, which may be written as an option is: `ea-length` is `eaLength`. */
export function fieldName(written: string): string {
  if (!written.includes("-")) return written;
  return written.replaceAll(/-./g, (dashed) => dashed.slice(1).toUpperCase());
}

/** @throws InputError naming the field */
export function textOf(value: unknown, field: string): string {
  if (typeof value !== "string")
    throw new InputError(field, value === undefined ? "is missing" : "is not text");
  return value;
}

/** A whole number from `low` to `high`, or its digits. @throws InputError naming the field */
export function numberOf(value: unknown, field: string, low: number, high: number): number {
  if (value === undefined || value === null) throw new InputError(field, "is missing");
  if (typeof value === "string") return parseNumber(value, field, low, high);
  if (!Number.isInteger(value) || Number(value) < low || Number(value) > high) {
    // What has parts may have any depth.
    const found = typeof value === "object" ? "what is given" : JSON.stringify(value);
    throw new InputError(field, `${found} is not ${low} to ${high}`);
  }
  return value as number;
}
