import { expect, test } from "vitest";
import { fuzzOptions } from "../../support/malformed-options.ts";

test("10,000 random and mutated options raise nothing but the declared errors", () => {
  expect(() => fuzzOptions(10_000, 20_240_607)).not.toThrow();
});
