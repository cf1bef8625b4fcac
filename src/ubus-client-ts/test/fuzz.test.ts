import { expect, test } from "vitest";
import { fuzzFrames } from "../../../test/support/malformed-frames.ts";

test("10,000 random and mutated messages raise nothing but the declared errors", () => {
  expect(() => fuzzFrames(10_000, 20_240_607)).not.toThrow();
});
