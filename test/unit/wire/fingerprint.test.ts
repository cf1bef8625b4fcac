import { expect, test } from "vitest";
import { fingerprint } from "../../../src/wire/fingerprint.ts";

// Names of devices are made of these digits: a router must find its devices again after an upgrade.
test.each([
  ["", "00000000000000000000000000000000"],
  ["a", "6000572154cd0bfb386b98f7030155e2"],
  ["wan6_4", "2098a0c06ce9b13f047249d742b44fdb"],
  ["\u20ac".repeat(3), "13165846d697ece0d094b89dc1361523"],
])("%j has the same digits for ever", (text, digits) => {
  expect(fingerprint(text)).toBe(digits);
});
