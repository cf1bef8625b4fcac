/** Option trees to octets, by the same table. */

import { Writer } from "../wire/writer.ts";
import { type FieldValue, fieldValue, isPortParams, isPrefix, type UnknownOption } from "./node.ts";
import type { Field, FieldName, OptionRow } from "./options.ts";

/** An option to be written: what decoding gives has all of this too. */
export interface OptionTree {
  readonly row: OptionRow;
  readonly fields: readonly { readonly name: FieldName; readonly value: FieldValue }[];
  readonly options?: readonly OptionTree[];
  readonly unknown?: readonly UnknownOption[];
}

function writeField(writer: Writer, field: Field, value: FieldValue): void {
  if (field.kind === "flag") writer.uint(value === true ? 1 : 0, 1);
  else if (field.kind === "uint8" && typeof value === "number") writer.uint(value, 1);
  else if ((field.kind === "uint32" || field.kind === "ipv4") && typeof value === "number")
    writer.uint(value, 4);
  else if (field.kind === "ipv6" && typeof value === "bigint") writer.ipv6(value);
  else if (field.kind === "prefix6" && isPrefix(value)) {
    writer.uint(value.length, 1).ipv6(value.address, Math.ceil(value.length / 8));
  } else if (field.kind === "port-params" && isPortParams(value)) {
    // RFC 7598 s4.5: left-aligned.
    writer
      .uint(value.offset, 1)
      .uint(value.psidLength, 1)
      .uint((value.psid << (16 - value.psidLength)) & 0xffff, 2);
  } else if (field.kind === "uint16-list" && Array.isArray(value)) {
    for (const code of value as readonly number[]) writer.uint(code, 2);
  } else throw new TypeError(`${field.name} cannot hold ${String(value)}`);
}

/** The value of an option, without code and length. @throws RangeError when a value does not fit its field */
export function encodeValue(node: OptionTree): Uint8Array {
  const writer = new Writer();
  for (const field of node.row.fields) writeField(writer, field, fieldValue(node, field.name));
  return writer.bytes(encodeChain(node.options ?? [], node.unknown)).done();
}

/** A series of `code length value`: options we know first, then the others, as received. */
export function encodeChain(
  options: readonly OptionTree[],
  unknown: readonly UnknownOption[] = [],
): Uint8Array {
  const writer = new Writer();
  for (const option of options) {
    const value = encodeValue(option);
    writer.uint(option.row.code, 2).uint(value.length, 2).bytes(value);
  }
  for (const { code, octets } of unknown) writer.uint(code, 2).uint(octets.length, 2).bytes(octets);
  return writer.done();
}
