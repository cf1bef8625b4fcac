/** Decoded options as a tree: what `explain` prints, what rules are made from, and what encode takes. */

import type { Ipv6Prefix } from "../ip/prefix.ts";
import type { DecodeError } from "../wire/errors.ts";
import type { FieldName, OptionRow } from "./options.ts";

/** Port parameters (RFC 7598 s4.5): a = offset 0..15, k = psidLength 0..16, psid 0..2^k - 1, right-aligned. */
export interface PortParams {
  readonly offset: number;
  readonly psidLength: number;
  readonly psid: number;
}

/** A field's value, by the kind of its row: number, flag, address, prefix, port parameters, or codes. */
export type FieldValue = number | boolean | bigint | Ipv6Prefix | PortParams | readonly number[];

export interface FieldNode {
  readonly name: FieldName;
  readonly value: FieldValue;
  /** The value as text for a person. */
  readonly text: string;
  /** Where it stands in the whole input, octets. */
  readonly offset: number;
  readonly length: number;
}

/**
 * An option that the table does not have in this place. It is kept, so that all that was received can be written
 * again.
 */
export interface UnknownOption {
  readonly code: number;
  readonly offset: number;
  readonly octets: Uint8Array;
}

export interface OptionNode {
  readonly row: OptionRow;
  /** E.g. `OPTION_48879/MAP_RULE[0]`. */
  readonly path: string;
  /** Where its value begins in the whole input, octets. */
  readonly offset: number;
  readonly length: number;
  readonly fields: readonly FieldNode[];
  readonly options: readonly OptionNode[];
  readonly unknown: readonly UnknownOption[];
  /**
   * Why port parameters inside, or in a DMR or border relay inside, cannot be used: they cannot be decoded, they do not belong
   * where they are, or the rest of a series cannot be decoded and may be them. Undefined where there are none of these.
   */
  readonly lostPortParams?: DecodeError | undefined;
}

/** A field's value by name. @throws RangeError when the row has no such field, which is a bug */
export function fieldValue(
  node: {
    readonly row: OptionRow;
    readonly fields: readonly { readonly name: FieldName; readonly value: FieldValue }[];
  },
  name: string,
): FieldValue {
  const field = node.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new RangeError(`${node.row.name} has no field ${name}`);
  return field.value;
}

export function isPrefix(value: FieldValue): value is Ipv6Prefix {
  return typeof value === "object" && "length" in value && "address" in value;
}

export function isPortParams(value: FieldValue): value is PortParams {
  return typeof value === "object" && "psid" in value;
}
