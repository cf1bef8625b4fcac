import { expect, test } from "vitest";
import { custom, object, optional, safeParse, text } from "../../../src/wire/schema.ts";

const schema = object({
  name: text(3),
  even: optional(
    custom<number>(
      (value) => typeof value === "number" && value % 2 === 0,
      (value) => `${value} is not an even number`,
    ),
  ),
});

const problems = (value: unknown) => {
  const { error } = safeParse(schema, value);
  return error?.issues.map(({ path, message }) => `${path.join("/")}: ${message}`);
};

test.each([
  [{ name: "" }, { name: "" }],
  [
    { name: "abc", even: 2, more: true },
    { name: "abc", even: 2 },
  ],
  [
    { name: "abc", even: undefined },
    { name: "abc", even: undefined },
  ],
])("%j is taken, without keys that are not named", (value, data) => {
  expect(safeParse(schema, value)).toEqual({ success: true, data });
});

test.each([
  [{}, ["name: not understood"]],
  [{ name: "abcd" }, ["name: not understood"]],
  [{ name: 1 }, ["name: not understood"]],
  [{ name: null }, ["name: not understood"]],
  [{ name: ["a"] }, ["name: not understood"]],
  [{ name: "abc", even: 1 }, ["even: 1 is not an even number"]],
  [{ name: "abcd", even: 1 }, ["name: not understood", "even: 1 is not an even number"]],
])("%j is refused with the place and the reason", (value, expected) => {
  expect(problems(value)).toEqual(expected);
});

test.each([[null], ["abc"], [7], [undefined]])("%j is no object", (value) => {
  expect(safeParse(schema, value).success).toBe(false);
});
