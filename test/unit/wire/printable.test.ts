import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorRequest } from "../../../src/render/netifd.ts";
import { DecodeError, EffectError, InputError, SetupError } from "../../../src/wire/errors.ts";
import { printable, printableLines } from "../../../src/wire/printable.ts";
import { anyCharacter } from "../../support/any-character.ts";

const between = (low: number, high: number) => Array.from({ length: high - low + 1 }, (_, i) => low + i);

/** Code points by their names in the Unicode standard, from its tables of controls and of bidirectional marks. */
const unprintable: readonly number[] = [
  ...between(0x00, 0x1f),
  ...between(0x7f, 0x9f),
  0x061c, // ARABIC LETTER MARK
  0x200e, // LEFT-TO-RIGHT MARK
  0x200f, // RIGHT-TO-LEFT MARK
  0x2028, // LINE SEPARATOR
  0x2029, // PARAGRAPH SEPARATOR
  ...between(0x202a, 0x202e), // embeddings and overrides
  ...between(0x2066, 0x2069), // isolates
  0xfeff, // ZERO WIDTH NO-BREAK SPACE
  0xd800, // halves of surrogate pairs
  0xdc00,
];

/** By Unicode's own properties: controls, halves of pairs, bidirectional controls, separators of lines. */
const forbidden = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\ufeff]/u;

describe("one value", () => {
  test.each(unprintable)("U+%# %d becomes a blank", (code) => {
    expect(printable(`a${String.fromCodePoint(code)}b`)).toBe("a b");
  });

  test.each(["plain text", "0x1b[31m", "Größe, 日本, 😀", "~ \u00a0\u00ff\u2027\u202f\u2065\u206a"])(
    "%s stays as it is",
    (text) => {
      expect(printable(text)).toBe(text);
    },
  );

  test("a run becomes one blank", () => {
    expect(printable("a\r\n\u001b[2J\u009b31m\u202eb")).toBe("a [2J 31m b");
  });

  test("text is cut at the limit, and says so", () => {
    expect(printable("x".repeat(10), 10)).toBe("x".repeat(10));
    expect(printable("x".repeat(11), 10)).toBe("xxxxxxx...");
    expect(printable("x".repeat(1_000_000))).toHaveLength(1000);
    expect(printable(`${"\n".repeat(500)}x`, 100)).toBe(" ...");
    expect(printable(`${"\n".repeat(19)}x`, 10)).toBe(" x");
    expect(printable(`${"\n".repeat(20)}x`, 10)).toBe(" ...");
    expect(printable("😀😀😀😀😀😀", 10)).toBe("😀😀😀...");
  });

  test("nothing unprintable and nothing longer is ever left", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: anyCharacter, maxLength: 60 }),
        fc.integer({ min: 4, max: 40 }),
        (text, limit) => {
          const shown = printable(text, limit);
          expect(shown.length).toBeLessThanOrEqual(limit);
          expect([...shown].filter((character) => forbidden.test(character))).toEqual([]);
        },
      ),
      { numRuns: 500 },
    );
  });
});

test("output of several lines keeps its lines and columns", () => {
  expect(printableLines("a\n\tb\u001b[0m\r\n\u2066c\n")).toBe("a\n\tb [0m \n c\n");
});

describe("every declared error is fit to be shown", () => {
  const hostile = `a\u001b[31m\u009b\u202e\nb${"x".repeat(1_000_000)}`;

  test.each([
    ["input", new InputError("field\u202e", hostile)],
    ["octets", new DecodeError("path", 5, hostile)],
    ["an effect", new EffectError(`nft ${hostile}`, hostile)],
    ["a setup", new SetupError("NO_RULE", hostile)],
  ])("%s", (_title, error) => {
    expect(forbidden.test(error.message)).toBe(false);
    expect(error.message.length).toBeLessThanOrEqual(4_000);
    expect(error.message).toContain("a [31m b");
    const { reason, why } = error as { reason?: string; why?: string };
    for (const part of [reason, why]) expect(forbidden.test(part ?? "")).toBe(false);
  });

  test("as netifd is told", () => {
    const { error } = errorRequest("wan_map", "NO_RULE", hostile);
    expect(error).toEqual(["NO_RULE", expect.stringMatching(/^a \[31m bx+\.\.\.$/)]);
    expect(JSON.stringify(error).length).toBeLessThan(1_100);
  });
});
