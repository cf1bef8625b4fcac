import { expect, test } from "vitest";
import {
  DecodeError,
  EffectError,
  InputError,
  MapminError,
  messageOf,
  SetupError,
} from "../../../src/wire/errors.ts";

const cause = new TypeError("below");

// error | name, code, message
test.each([
  [new MapminError("X", "words"), "MapminError", "X", "words"],
  [new DecodeError("A/b", 7, "short"), "DecodeError", "MALFORMED", "A/b at octet 7: short"],
  [new InputError("ealen", "no number"), "InputError", "INVALID_OPTION", "ealen: no number"],
  [new SetupError("NO_RULE", "no rule"), "SetupError", "NO_RULE", "no rule"],
  [new EffectError("nft -f -", "exit 1"), "EffectError", "SETUP_FAILED", "nft -f -: exit 1"],
])("%o is named, has a code and a sentence", (error, name, code, text) => {
  expect(error).toBeInstanceOf(MapminError);
  expect({ name: error.name, code: error.code, message: error.message }).toEqual({
    name,
    code,
    message: text,
  });
  expect(String(error)).toBe(`${name}: ${text}`);
});

test("what they were made of can be asked for, and the error below", () => {
  expect(new DecodeError("A/b", 7, "short")).toMatchObject({ path: "A/b", offset: 7, reason: "short" });
  expect(new InputError("ealen", "no number", { cause })).toMatchObject({
    field: "ealen",
    reason: "no number",
    cause,
  });
  expect(new EffectError("ubus call", "not found", { cause, status: 4 })).toMatchObject({
    subject: "ubus call",
    why: "not found",
    status: 4,
    cause,
  });
  expect(new EffectError("nft", "no").status).toBeUndefined();
  expect(new MapminError("X", "words", { cause }).cause).toBe(cause);
});

test.each([
  [cause, "below"],
  ["words", "words"],
  [undefined, "undefined"],
])("the message of %o", (thrown, text) => {
  expect(messageOf(thrown)).toBe(text);
});
