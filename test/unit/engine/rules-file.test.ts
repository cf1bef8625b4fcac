/** The file that `option rules` names: its text, none, or why it cannot be read. */

import { expect, test } from "vitest";
import { rulesText } from "../../../src/engine/rules-file.ts";
import { EffectError } from "../../../src/wire/errors.ts";

const failing = (error: Error) => () => {
  throw error;
};

test("its text, by its path; undefined where there is no file, or none is asked for", () => {
  expect(rulesText({ rules: "/t" }, (path) => `text of ${path}`)).toBe("text of /t");
  expect(rulesText({ rules: "/t" }, () => undefined)).toBeUndefined();
  expect(rulesText({}, failing(new TypeError("it is not read")))).toBeUndefined();
});

test("what cannot be read is a wrong option, with its cause; a bug is none", () => {
  const cause = new EffectError("/t", "is not a regular file");
  expect(() => rulesText({ rules: "/t" }, failing(cause))).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", message: "rules: /t: is not a regular file", cause }),
  );
  const bug = new TypeError("a bug");
  expect(() => rulesText({ rules: "/t" }, failing(bug))).toThrow(bug);
});
