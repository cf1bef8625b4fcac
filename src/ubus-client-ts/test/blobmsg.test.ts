import { describe, expect, test } from "vitest";
import {
  BlobError,
  type BlobTable,
  BlobType,
  type DecodedTable,
  decodeTable,
  double,
  encodeTable,
  int8,
  int16,
  int32,
  int64,
  TypedNumber,
} from "../src/index.ts";

const hex = (text: string) => Buffer.from(text.replace(/[\s|]/g, ""), "hex");

/** Octets worked out by hand: id_len, then `namelen name NUL` padded, then data padded. */
const rows: readonly (readonly [string, BlobTable, DecodedTable, string])[] = [
  ["nothing", {}, {}, ""],
  [
    "a string, as in the call of `status` captured from a real ubusd",
    { interface: "wan6" },
    { interface: "wan6" },
    "8300001500 09696e7465726661636500 77616e36000000 00",
  ],
  ["an int32", { a: 1 }, { a: 1 }, "8500000c 00016100 00000001"],
  ["a negative int32", { a: -1 }, { a: -1 }, "8500000c 00016100 ffffffff"],
  ["an int64", { a: 2 ** 32 }, { a: 2 ** 32 }, "84000010 00016100 0000000100000000"],
  [
    "an int64 beyond what numbers hold exactly",
    { a: 2n ** 62n + 1n },
    { a: 2n ** 62n + 1n },
    "84000010 00016100 4000000000000001",
  ],
  ["true", { a: true }, { a: true }, "87000009 00016100 01000000"],
  ["int8", { a: int8(0) }, { a: false }, "87000009 00016100 00000000"],
  ["int16", { a: int16(-2) }, { a: -2 }, "8600000a 00016100 fffe0000"],
  [
    "an unsigned id in int32",
    { a: int32(0xe30f3681) },
    { a: 0xe30f3681 - 2 ** 32 },
    "8500000c 00016100 e30f3681",
  ],
  ["int64 by wish", { a: int64(5) }, { a: 5 }, "84000010 00016100 0000000000000005"],
  ["a fraction", { a: 0.5 }, { a: 0.5 }, "88000010 00016100 3fe0000000000000"],
  ["a whole double", { a: double(1) }, { a: 1 }, "88000010 00016100 3ff0000000000000"],
  ["null", { a: null }, { a: null }, "80000008 00016100"],
  ["an empty string", { a: "" }, { a: "" }, "83000009 00016100 00000000"],
  [
    "an array",
    { a: [1, "x"] },
    { a: [1, "x"] },
    "81000020 00016100 8500000c 00000000 00000001 8300000a 00000000 78000000",
  ],
  ["a table in a table", { a: { b: {} } }, { a: { b: {} } }, "82000010 00016100 82000008 00016200"],
  ["a name of three letters", { abc: null }, { abc: null }, "8000000c 0003616263000000"],
];

describe("blobmsg", () => {
  test.each(rows)("%s", (_title, table, decoded, octets) => {
    expect(encodeTable(table).toString("hex")).toBe(hex(octets).toString("hex"));
    expect(decodeTable(hex(octets))).toEqual(decoded);
  });

  test("what is undefined is left out", () => {
    expect(encodeTable({ a: undefined })).toHaveLength(0);
  });

  test("of two fields of a name the first counts", () => {
    expect(decodeTable(Buffer.concat([encodeTable({ a: 1 }), encodeTable({ a: 2 })]))).toEqual({ a: 1 });
  });

  test("a field called __proto__ is a field", () => {
    const table = decodeTable(encodeTable(Object.fromEntries([["__proto__", 1]])));
    expect(Object.keys(table)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(table)).toBe(Object.prototype);
  });

  test("attributes that are no fields are passed over", () => {
    expect(decodeTable(hex("05000008 00000000 8500000c 00016100 00000001"))).toEqual({ a: 1 });
  });

  test.each([
    ["less than a header", "8500", 0],
    ["a length below 4", "85000003 00016100", 0],
    ["a length past the end", "8500000d 00016100 00000001", 0],
    ["padding past the end", "87000009 00016100 01", 0],
    ["a field without a name header", "85000004", 4],
    ["a name past the end of its field", "85000008 00056100", 4],
    ["a name without a NUL", "85000008 00016161", 7],
    ["an int32 of three octets", "8500000b 00016100 00000100", 8],
    ["a string without a NUL", "8300000a 00016100 78790000", 8],
    ["an empty string field", "83000008 00016100", 8],
    ["an unknown type", "89000008 00016100", 8],
    ["a damaged field in a table", "8200000c 00016100 85000003", 8],
  ])("%s is refused with its offset", (_title, octets, offset) => {
    const decode = () => decodeTable(hex(octets));
    expect(decode).toThrow(BlobError);
    expect(decode).toThrow(`at offset ${offset}`);
  });

  test("33 levels are refused both ways, 32 are not", () => {
    const nest = (levels: number): BlobTable => (levels === 0 ? {} : { a: nest(levels - 1) });
    expect(decodeTable(encodeTable(nest(32)))).toEqual(nest(32));
    expect(() => encodeTable(nest(33))).toThrow(BlobError);
    let octets = Buffer.alloc(0);
    for (let level = 0; level < 33; level++) {
      const head = hex("82000000 00016100");
      head.writeUInt32BE(0x82000008 + octets.length);
      octets = Buffer.concat([head, octets]);
    }
    expect(() => decodeTable(octets)).toThrow("nested deeper than 32");
  });

  test.each([
    ["a NUL in a string", { a: "x\0y" }],
    ["an int8 of 256", { a: int8(256) }],
    ["an int16 of -32769", { a: int16(-32_769) }],
    ["an int32 of 2^32", { a: int32(2 ** 32) }],
    ["an int64 of 2^64", { a: int64(2n ** 64n) }],
    ["a fraction as an integer", { a: int32(0.5) }],
    ["a bigint beyond 64 bits", { a: 2n ** 70n }],
    ["a name of 65,536 octets", { ["x".repeat(65_536)]: 1 }],
    ["a function", { a: (() => 1) as unknown as null }],
  ])("%s cannot be encoded", (_title, table) => {
    expect(() => encodeTable(table)).toThrow(BlobError);
  });

  test("types have the protocol's numbers", () => {
    expect(BlobType).toMatchObject({
      null: 0,
      array: 1,
      table: 2,
      string: 3,
      int64: 4,
      int32: 5,
      int16: 6,
      int8: 7,
      double: 8,
    });
    expect(int8(1)).toBeInstanceOf(TypedNumber);
  });
});
