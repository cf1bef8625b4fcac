import fc from "fast-check";

/**
 * For `fc.string({ unit: anyCharacter })`: any code point but half surrogates, as `unit: "binary"` has. That one makes a table of
 * them all at its first use, which takes 2 s.
 */
export const anyCharacter = fc
  .oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff }))
  .map((code) => String.fromCodePoint(code));
