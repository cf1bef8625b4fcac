import { describe, expect, test } from "vitest";
import { isDeviceName, isInterfaceName, parseDeviceName, parseInterfaceName } from "../../../src/ip/names.ts";
import { InputError } from "../../../src/wire/errors.ts";

describe("names of interfaces", () => {
  test.each(["wan6", "wan6_4", "a", "_x", "4", "guest-net.5", "a".repeat(64)])("%s", (text) => {
    expect(isInterfaceName(text)).toBe(true);
    expect(parseInterfaceName(text, "tunlink")).toBe(text);
  });

  test.each([
    ["nothing", ""],
    ["65 characters", "a".repeat(65)],
    ["a slash: a file elsewhere", "../a"],
    ["an option", "-a"],
    ["a hidden file", ".a"],
    ["a blank", "a b"],
    ["a quote", 'a"'],
    ["a line feed", "a\n"],
    ["a device's alias", "@wan6"],
    ["a letter that is not of ASCII", "\u00e4"],
  ])("%s is refused", (_title, text) => {
    expect(isInterfaceName(text)).toBe(false);
    expect(() => parseInterfaceName(text, "tunlink")).toThrow(InputError);
    expect(() => parseInterfaceName(text, "tunlink")).toThrow(
      "tunlink: is not the name of an interface: 1 to 64 letters",
    );
  });
});

describe("names of devices", () => {
  test.each(["eth0", "wan@eth0", "br-lan.5", "map-wan6_4", "a".repeat(15)])("%s", (text) => {
    expect(isDeviceName(text)).toBe(true);
    expect(parseDeviceName(text, "-i")).toBe(text);
  });

  test.each([
    ["nothing", ""],
    ["16 octets", "a".repeat(16)],
    ["the kernel's own refusal", ".."],
    ["an option", "-a"],
    ["nft's pattern", "eth*"],
    ["iptables' pattern", "eth+"],
    ["a slash", "a/b"],
    ["a colon", "eth0:1"],
    ["a shell's word", "$(x)"],
    ["a line feed", "eth0\n"],
  ])("%s is refused", (_title, text) => {
    expect(isDeviceName(text)).toBe(false);
    expect(() => parseDeviceName(text, "-i")).toThrow("-i: is not the name of a device: 1 to 15 letters");
  });
});
