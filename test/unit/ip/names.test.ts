import { describe, expect, test } from "vitest";
import { isDeviceName, isInterfaceName, parseDeviceName, parseInterfaceName } from "../../../src/ip/names.ts";
import { InputError } from "../../../src/wire/errors.ts";

// text | a name of an interface, of a device
test.each([
  ["wan", true, true],
  ["WAN6_4", true, true],
  ["_", true, true],
  ["4to6", true, true],
  ["map-wan.7", true, true],
  ["eth0@if2", false, true],
  ["@eth0", false, true],
  ["a".repeat(15), true, true],
  // IFNAMSIZ is 16 with the NUL.
  ["a".repeat(16), true, false],
  ["a".repeat(64), true, false],
  ["a".repeat(65), false, false],
  ["", false, false],
  ["-wan", false, false],
  [".", false, false],
  ["..", false, false],
  ["a/b", false, false],
  ["a b", false, false],
  ["wan\n", false, false],
  ["\nwan", false, false],
  ['a"', false, false],
  ["a;b", false, false],
  ["ä", false, false],
  ["a*", false, false],
])("%j", (text, iface, device) => {
  expect([isInterfaceName(text), isDeviceName(text)]).toEqual([iface, device]);
});

describe("what is no name is refused with its rule", () => {
  test("interface", () => {
    expect(parseInterfaceName("wan6_4", "tunlink")).toBe("wan6_4");
    expect(() => parseInterfaceName("a/b", "tunlink")).toThrow(InputError);
    expect(() => parseInterfaceName("a/b", "tunlink")).toThrow(
      "tunlink: is not the name of an interface: 1 to 64 letters, digits, '_', '-' or '.', the first no '-' or '.'",
    );
  });

  test("device", () => {
    expect(parseDeviceName("eth0@if2", "device")).toBe("eth0@if2");
    expect(() => parseDeviceName("a/b", "device")).toThrow(
      "device: is not the name of a device: 1 to 15 letters, digits, '_', '-', '.' or '@', the first no '-' or '.'",
    );
  });
});
