import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decode, encode, unfinished } from "../../../../src/system/quickjs/utf8.ts";

/** Any text, surrogates that stand alone among it. */
const texts = fc.string({
  unit: fc.oneof(fc.constantFrom("\ud800", "\udfff", "\u{10ffff}", "é", "\u0800", "\0"), fc.string()),
});
/** Octets of which many are first or following octets of sequences. */
const octets = fc
  .array(
    fc.oneof(
      fc.nat(255),
      fc.constantFrom(
        0x80,
        0xbf,
        0xc0,
        0xc1,
        0xc2,
        0xdf,
        0xe0,
        0xa0,
        0x9f,
        0xed,
        0xef,
        0xf0,
        0x90,
        0x8f,
        0xf4,
        0xf5,
      ),
    ),
  )
  .map((list) => Uint8Array.from(list));

describe("UTF-8", () => {
  test("is written as the Encoding Standard has it", () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect([...encode(text)]).toEqual([...new TextEncoder().encode(text)]);
      }),
      { numRuns: 2_000 },
    );
  });

  test("is read as the Encoding Standard has it, malformed or not", () => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    fc.assert(
      fc.property(octets, (list) => {
        expect(decode(list)).toBe(decoder.decode(list));
      }),
      { numRuns: 5_000 },
    );
  });

  test("may be read in pieces", () => {
    fc.assert(
      fc.property(octets, fc.nat(20), (list, at) => {
        const head = list.subarray(0, at);
        const whole = head.length - unfinished(head);
        const pieces = decode(list.subarray(0, whole)) + decode(list.subarray(whole));
        expect(pieces).toBe(decode(list));
      }),
      { numRuns: 5_000 },
    );
  });

  test("of every character up to U+FFFF, and at the edges of the others", () => {
    let text = "";
    for (let unit = 0; unit <= 0xffff; unit++) text += String.fromCharCode(unit);
    // A surrogate that stands alone is followed by one that does not, and the other way round.
    text += "\ud800\u{10000}\udc00\u{10ffff}\udbff\uffff\ud800";
    const octets = new TextEncoder().encode(text);
    expect(Buffer.compare(encode(text), octets)).toBe(0);
    expect(decode(octets)).toBe(new TextDecoder("utf-8", { ignoreBOM: true }).decode(octets));
  });

  test.each<[number, ...number[][]]>([
    [0, [], [0x61], [0x80], [0xbf], [0x80, 0x80], [0x80, 0x80, 0x80], [0x80, 0x80, 0x80, 0x80]],
    [0, [0xc3, 0xa9], [0xe2, 0x82, 0xac], [0xf0, 0x9f, 0x98, 0x80], [0xf0, 0x9f, 0x98, 0x80, 0x80]],
    [0, [0xc3, 0x61], [0xe2, 0x61], [0xe2, 0x82, 0x61], [0xf0, 0x9f, 0x98, 0x61]],
    [1, [0xc3], [0x61, 0xdf], [0xe0], [0xef], [0xf0], [0xf4], [0xe2, 0x82, 0xc3]],
    [2, [0xe2, 0x82], [0xe0, 0xa0], [0xef, 0xbf], [0x61, 0xf0, 0x9f]],
    [3, [0xf0, 0x9f, 0x98], [0xf4, 0x8f, 0xbf], [0x61, 0x61, 0xf0, 0x9f, 0x98]],
  ])("%i octets at the end may be the beginning of a character", (count, ...lists) => {
    expect(lists.map((list) => unfinished(Uint8Array.from(list)))).toEqual(lists.map(() => count));
  });

  test("of a long text too", () => {
    const long = `${"a".repeat(100_000)}é`;
    expect(decode(encode(long))).toBe(long);
  });
});
