import { expect, test } from "vitest";
import { endOf } from "../../../src/cli/end.ts";
import { DecodeError, EffectError, InputError, SetupError } from "../../../src/wire/errors.ts";

test.each([
  [new InputError("mtu", "is not a number"), "mtu: is not a number\n"],
  [new DecodeError("OPTION_48879", 3, "truncated"), "OPTION_48879 at octet 3: truncated\n"],
  [new SetupError("NO_RULE", "no rule"), "no rule\n"],
  [new EffectError("nft -f -", "not installed"), "nft -f -: not installed\n"],
])("%s: its message, exit 1", (error, text) => {
  expect(endOf(error, "9.9.9")).toEqual({ text, code: 1 });
});

test.each([
  new TypeError("x is not a function"),
  new RangeError("Invalid array length"),
  new Error("somebody else's"),
])("%s is a bug of ours: says so, with its stack, exit 70", (error) => {
  const { text, code } = endOf(error, "9.9.9");
  expect(code).toBe(70);
  expect(text.split("\n").slice(0, 2)).toEqual([
    "this is a bug in mapmin 9.9.9, please report it with these lines:",
    `${error.name}: ${error.message}`,
  ]);
  expect(text).toContain("end.test.ts");
});

test.each([
  ["Node, which begins a stack with the message", "TypeError: no\n    at f (x.js:1)\n    at g (x.js:2)"],
  ["QuickJS, which does not", "    at f (x.js:1)\n    at g (x.js:2)\n"],
])("a stack of %s: the message once, then where it was", (_engine, stack) => {
  expect(endOf(Object.assign(new TypeError("no"), { stack }), "9.9.9").text).toBe(
    "this is a bug in mapmin 9.9.9, please report it with these lines:\nTypeError: no\n    at f (x.js:1)\n    at g (x.js:2)\n",
  );
});

test("an error without a stack has its message alone", () => {
  expect(endOf(Object.assign(new TypeError("no"), { stack: undefined }), "9.9.9").text).toBe(
    "this is a bug in mapmin 9.9.9, please report it with these lines:\nTypeError: no\n",
  );
});

test("something thrown that is not an error is a bug, too", () => {
  expect(endOf("oops", "9.9.9")).toEqual({
    text: "this is a bug in mapmin 9.9.9, please report it with these lines:\noops\n",
    code: 70,
  });
});
