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

  test("of a long text too", () => {
    const long = `${"a".repeat(100_000)}é`;
    expect(decode(encode(long))).toBe(long);
  });
});
