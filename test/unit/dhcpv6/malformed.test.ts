import { expect, test } from "vitest";
import { fuzzOptions } from "../../support/malformed-options.ts";

// `test/run decoder-fuzz` tries as many as it is given time for.
test("3,000 random and mutated options raise nothing but the declared errors", () => {
  expect(() => fuzzOptions(3_000, 20_240_607)).not.toThrow();
});
