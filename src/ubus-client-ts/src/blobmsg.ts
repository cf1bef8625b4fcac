/** blobmsg, the typed and named fields in ubus messages: encoding and decoding of values like those of JSON. */

import { align4, BLOB_HEADER, BlobWriter, EXTENDED, LENGTH_MASK } from "./blob.ts";
import { BlobError } from "./errors.ts";

/** blobmsg types; `int8` is also the boolean. */
export const BlobType = {
  null: 0,
  array: 1,
  table: 2,
  string: 3,
  int64: 4,
  int32: 5,
  int16: 6,
  int8: 7,
  double: 8,
} as const;

export type BlobTypeName = keyof typeof BlobType;

/** A number with a type of its own choice. Made by {@link int8}, {@link int16} and so on. */
export class TypedNumber {
  readonly type: number;
  readonly value: number | bigint;
  constructor(type: number, value: number | bigint) {
    this.type = type;
    this.value = value;
  }
}

/** -128..255. */
export const int8 = (value: number): TypedNumber => new TypedNumber(BlobType.int8, value);
/** -32,768..65,535. */
export const int16 = (value: number): TypedNumber => new TypedNumber(BlobType.int16, value);
/** -2^31..2^32 - 1: ubus sends unsigned ones, such as object ids, in the same 32 bits. */
export const int32 = (value: number): TypedNumber => new TypedNumber(BlobType.int32, value);
/** -2^63..2^64 - 1. */
export const int64 = (value: number | bigint): TypedNumber => new TypedNumber(BlobType.int64, value);
/** Any number, whole ones too. */
export const double = (value: number): TypedNumber => new TypedNumber(BlobType.double, value);

/** A value that can be encoded. A field that is undefined is left out, as in JSON. */
export type BlobValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | TypedNumber
  | readonly BlobValue[]
  | BlobTable;

export interface BlobTable {
  readonly [name: string]: BlobValue | undefined;
}

/**
 * A decoded value. int8 becomes a boolean. int16 and int32 become signed numbers (`>>> 0` makes an id unsigned
 * again). int64
 * becomes a number if a number can hold it exactly, otherwise a bigint. Strings end at their first NUL, and octets
 * that are
 * not UTF-8 become U+FFFD.
 */
export type Decoded = null | boolean | number | bigint | string | Decoded[] | DecodedTable;

export interface DecodedTable {
  [name: string]: Decoded;
}

/**
 * Deepest nesting of arrays and tables, when encoding and when decoding. The JSON parser of the C tools has the same
 * limit.
 */
const MAX_DEPTH = 32;

/** Octets of each integer type. */
const INTEGER_SIZE: Readonly<Record<number, number>> = {
  [BlobType.int8]: 1,
  [BlobType.int16]: 2,
  [BlobType.int32]: 4,
  [BlobType.int64]: 8,
};

const NAME_LENGTH_MAX = 0xffff;

/**
 * Encodes fields as in the attributes DATA and SIGNATURE. A whole number becomes int32 if it fits, otherwise int64,
 * otherwise
 * double; a fraction becomes double; a boolean becomes int8. The C tools convert JSON in the same way.
 * @throws BlobError for a value that blobmsg cannot hold.
 */
export function encodeTable(table: BlobTable): Buffer {
  const writer = new BlobWriter();
  writeTable(writer, table, 0);
  return writer.take();
}

function writeTable(writer: BlobWriter, table: BlobTable, depth: number): void {
  for (const [name, value] of Object.entries(table)) {
    if (value !== undefined) writeField(writer, name, value, depth);
  }
}

function writeField(writer: BlobWriter, name: string, value: BlobValue, depth: number): void {
  const refuse = (why: string): never => {
    throw new BlobError(`field "${name}": ${why}`, writer.length);
  };
  const nameLength = Buffer.byteLength(name);
  if (nameLength > NAME_LENGTH_MAX) refuse(`name of ${nameLength} octets`);

  const put = (type: number, fill?: () => void): void => {
    writer.attribute(EXTENDED | (type << 24), () => {
      const [bytes, at] = writer.reserve(nameHeader(nameLength));
      bytes.writeUInt16BE(nameLength, at);
      bytes.write(name, at + 2);
      fill?.();
    });
  };
  const nested = (type: number, fill: () => void): void => {
    if (depth >= MAX_DEPTH) refuse(`nested deeper than ${MAX_DEPTH}`);
    put(type, fill);
  };
  const integer = (type: number, number: number | bigint): void => {
    const bits = (INTEGER_SIZE[type] ?? 0) * 8;
    if (typeof number === "number" && !Number.isInteger(number)) refuse(`${number} is not a whole number`);
    const big = BigInt(number);
    if (big < -(1n << BigInt(bits - 1)) || big >= 1n << BigInt(bits))
      refuse(`${number} exceeds ${bits} bits`);
    put(type, () => {
      const [bytes, at] = writer.reserve(bits / 8);
      if (bits === 64) bytes.writeBigUInt64BE(BigInt.asUintN(64, big), at);
      else bytes.writeUIntBE(Number(BigInt.asUintN(bits, big)), at, bits / 8);
    });
  };
  const float = (number: number): void =>
    put(BlobType.double, () => {
      const [bytes, at] = writer.reserve(8);
      bytes.writeDoubleBE(number, at);
    });

  if (value === null) put(BlobType.null);
  else if (typeof value === "boolean") integer(BlobType.int8, value ? 1 : 0);
  else if (typeof value === "string") {
    // A C program would see the string end at the NUL, and use half of the value.
    if (value.includes("\0")) refuse("NUL in a string");
    put(BlobType.string, () => writer.text(value));
  } else if (typeof value === "bigint" || Number.isInteger(value)) {
    const number = value as number | bigint;
    if (number >= -0x8000_0000 && number <= 0x7fff_ffff) integer(BlobType.int32, number);
    else if (typeof number === "bigint" || Math.abs(number) < 2 ** 63) integer(BlobType.int64, number);
    else float(number);
  } else if (typeof value === "number") float(value);
  else if (value instanceof TypedNumber) {
    if (value.type === BlobType.double) float(Number(value.value));
    else integer(value.type, value.value);
  } else if (Array.isArray(value)) {
    nested(BlobType.array, () => {
      for (const element of value) writeField(writer, "", element ?? null, depth + 1);
    });
  } else if (typeof value === "object") {
    nested(BlobType.table, () => writeTable(writer, value as BlobTable, depth + 1));
  } else refuse(`a ${typeof value}`);
}

/** Octets of `u16 namelen | name | NUL` with padding. */
const nameHeader = (nameLength: number): number => align4(2 + nameLength + 1);

/** One field of a table or array, not yet decoded. */
export interface BlobField {
  readonly name: string;
  readonly type: number;
  /** Where the attribute, its data, the data's end and the next attribute are. */
  readonly start: number;
  readonly data: number;
  readonly end: number;
  readonly next: number;
}

/**
 * The fields between two offsets. Attributes without the extended bit are not fields and are skipped, as in libubus.
 * @throws BlobError when a length, a name or the padding reaches beyond the end.
 */
export function* fieldsOf(bytes: Buffer, from = 0, to = bytes.length): Generator<BlobField> {
  for (let start = from; start < to; ) {
    if (to - start < BLOB_HEADER) throw new BlobError("less than an attribute's header", start);
    const idLen = bytes.readUInt32BE(start);
    const length = idLen & LENGTH_MASK;
    const next = start + align4(length);
    if (length < BLOB_HEADER) throw new BlobError("length below 4", start);
    if (next > to) throw new BlobError("attribute or its padding past the end", start);
    if (idLen >= EXTENDED) {
      const end = start + length;
      const at = start + BLOB_HEADER;
      if (length < BLOB_HEADER + nameHeader(0)) throw new BlobError("field without a name header", at);
      const nameEnd = at + 2 + bytes.readUInt16BE(at);
      const data = at + nameHeader(nameEnd - at - 2);
      if (data > end) throw new BlobError("name past the end of its field", at);
      if (bytes[nameEnd] !== 0) throw new BlobError("name without a NUL", nameEnd);
      const name = bytes.toString("utf8", at + 2, nameEnd);
      yield { name, type: (idLen >>> 24) & 0x7f, start, data, end, next };
    }
    start = next;
  }
}

/**
 * Decodes fields to a table. If a name occurs twice the first field is used, as in libubus.
 * @throws BlobError for malformed fields and for unknown types.
 */
export function decodeTable(bytes: Buffer): DecodedTable {
  return readTable(bytes, 0, bytes.length, 0);
}

function readTable(bytes: Buffer, from: number, to: number, depth: number): DecodedTable {
  const table: DecodedTable = {};
  for (const field of fieldsOf(bytes, from, to)) {
    const value = readValue(bytes, field, depth);
    if (Object.hasOwn(table, field.name)) continue;
    // Plain assignment to "__proto__" would set the prototype.
    Object.defineProperty(table, field.name, { value, enumerable: true, configurable: true, writable: true });
  }
  return table;
}

function readValue(bytes: Buffer, { type, data, end }: BlobField, depth: number): Decoded {
  const size = INTEGER_SIZE[type] ?? (type === BlobType.double ? 8 : end - data);
  if (end - data !== size) throw new BlobError(`${end - data} octets of data for type ${type}`, data);
  switch (type) {
    case BlobType.null:
      return null;
    case BlobType.int8:
      return bytes[data] !== 0;
    case BlobType.int16:
      return bytes.readInt16BE(data);
    case BlobType.int32:
      return bytes.readInt32BE(data);
    case BlobType.int64: {
      const value = bytes.readBigInt64BE(data);
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    }
    case BlobType.double:
      return bytes.readDoubleBE(data);
    case BlobType.string:
      if (size === 0 || bytes[end - 1] !== 0) throw new BlobError("string without a NUL", data);
      return bytes.toString("utf8", data, bytes.indexOf(0, data));
  }
  if (depth >= MAX_DEPTH) throw new BlobError(`nested deeper than ${MAX_DEPTH}`, data);
  if (type === BlobType.table) return readTable(bytes, data, end, depth + 1);
  if (type !== BlobType.array) throw new BlobError(`unknown type ${type}`, data);
  return Array.from(fieldsOf(bytes, data, end), (field) => readValue(bytes, field, depth + 1));
}
