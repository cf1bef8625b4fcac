import { describe, expect, test } from "vitest";
import { formatHex, parseHex, Reader } from "../../../src/wire/reader.ts";
import { Writer } from "../../../src/wire/writer.ts";

describe("hexadecimal text", () => {
  test.each([
    ["", []],
    ["00", [0]],
    ["09aFFa90", [0x09, 0xaf, 0xfa, 0x90]],
  ])("%j", (text, octets) => {
    expect(Array.from(parseHex(text))).toEqual(octets);
    expect(formatHex(Uint8Array.from(octets))).toBe(text.toLowerCase());
  });

  test.each([
    ["0", "1 digits are not whole octets"],
    ["000", "3 digits are not whole octets"],
    ["0g", '"g" at position 1 is not a hexadecimal digit'],
    ["/0", '"/" at position 0 is not a hexadecimal digit'],
    ["0:", '":" at position 1 is not a hexadecimal digit'],
    ["@a", '"@" at position 0 is not a hexadecimal digit'],
    ["00 01", '" " at position 2 is not a hexadecimal digit'],
    ["0x00", '"x" at position 1 is not a hexadecimal digit'],
  ])("%j is refused", (text, reason) => {
    expect(() => parseHex(text)).toThrow(expect.objectContaining({ field: "hex", reason }));
    expect(() => parseHex(text, "passthru")).toThrow(expect.objectContaining({ field: "passthru" }));
  });
});

describe("reader", () => {
  const octets = Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc, 0x01);

  test.each([
    [1, 0xff],
    [2, 0xfffe],
    [3, 0xfffefd],
    [4, 0xfffefdfc],
  ])("a number of %i octets is unsigned, its highest octet first", (size, value) => {
    const reader = new Reader(octets, "");
    expect(reader.uint(size, "n")).toBe(value);
    expect([reader.position, reader.remaining]).toEqual([size, 5 - size]);
  });

  test("a slice sees its octets alone, and its positions are those of the whole input", () => {
    const reader = new Reader(octets, "A");
    reader.uint(1, "n");
    const slice = reader.slice(3, "A/B", "len");
    expect([slice.path, slice.position, slice.remaining]).toEqual(["A/B", 1, 3]);
    expect([reader.position, reader.remaining]).toEqual([4, 1]);
    expect(slice.bytes(3, "b")).toEqual(Uint8Array.of(0xfe, 0xfd, 0xfc));
    expect(() => slice.uint(1, "n")).toThrow("A/B/n at octet 4: truncated: 1 octets needed, 0 left");
  });

  test("a copy reads on by itself, to the same end", () => {
    const slice = new Reader(octets, "A").slice(2, "A/B", "len");
    slice.uint(1, "n");
    const copy = slice.copy();
    expect(copy.uint(1, "n")).toBe(0xfe);
    expect([copy.path, copy.remaining, slice.position, slice.remaining]).toEqual(["A/B", 0, 1, 1]);
  });

  test("nothing is read beyond the end, and what cannot be read moves nothing", () => {
    const reader = new Reader(octets.subarray(0, 2), "");
    expect(() => reader.uint(4, "n")).toThrow("n at octet 0: truncated: 4 octets needed, 2 left");
    expect(() => reader.bytes(3, "b")).toThrow("b at octet 0: truncated: 3 octets needed, 2 left");
    expect(() => reader.slice(3, "s", "len")).toThrow("len at octet 0: truncated: 3 octets needed, 2 left");
    expect(reader.bytes(2, "b")).toEqual(Uint8Array.of(0xff, 0xfe));
    expect(reader.bytes(0, "b")).toHaveLength(0);
  });

  test.each([
    ["A", "b", "A/b at octet 9: no"],
    ["A", "", "A at octet 9: no"],
    ["", "b", "b at octet 9: no"],
  ])("a fault in %j, field %j, names both where they are", (path, field, message) => {
    expect(() => new Reader(octets, path).fail(field, "no", 9)).toThrow(new RegExp(`^${message}$`));
  });
});

describe("writer", () => {
  test("numbers of 1 to 4 octets, the highest first, up to the largest", () => {
    const writer = new Writer().uint(0, 1).uint(255, 1).uint(0x1234, 2).uint(65535, 2).uint(0xfedcba98, 4);
    expect(formatHex(writer.uint(0xffffffff, 4).done())).toBe("00ff1234fffffedcba98ffffffff");
  });

  test("an IPv6 address, or the first of its octets", () => {
    const address = 0x20010db8_00112233_44556677_8899aabbn;
    expect(formatHex(new Writer().ipv6(address).done())).toBe("20010db800112233445566778899aabb");
    expect(formatHex(new Writer().ipv6(address, 5).ipv6(address, 0).done())).toBe("20010db800");
  });

  test.each([
    [256, 1],
    [65536, 2],
    [2 ** 32, 4],
    [-1, 4],
    [0.5, 1],
    [Number.NaN, 1],
  ])("%d does not fit %i octets", (value, size) => {
    expect(() => new Writer().uint(value, size)).toThrow(
      new RangeError(`${value} does not fit ${size} octets`),
    );
  });
});
