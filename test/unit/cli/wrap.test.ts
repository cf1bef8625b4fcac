import { expect, test } from "vitest";
import { wrapWords } from "../../../src/cli/wrap.ts";

test.each([
  [14, "ports: 1-2 3-4\n  5-6"],
  [13, "ports: 1-2\n  3-4 5-6"],
  [10, "ports: 1-2\n  3-4 5-6"],
  [9, "ports:\n  1-2 3-4\n  5-6"],
  [8, "ports:\n  1-2\n  3-4\n  5-6"],
  [1, "ports:\n  1-2\n  3-4\n  5-6"],
])("lines of %i columns", (columns, text) => {
  expect(wrapWords("ports:", ["1-2", "3-4", "5-6"], 2, columns)).toBe(text);
});
