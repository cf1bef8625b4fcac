/** What the page takes out of netifd's dump: options and prefixes become arguments of a command. */

import { describe, expect, test } from "vitest";
import { isInterfaceName } from "../../../src/ip/names.ts";
import { load } from "../../luci/load.ts";

const netifd = load<{
  isInterfaceName(name: unknown): boolean;
  mapInterfaces(dump: unknown): readonly object[];
  mapOptions(link: unknown): string | null;
  prefixes(link: unknown): readonly string[];
  errors(entry: unknown): readonly object[];
}>("mapmin.netifd");

const link = (passthru: unknown) => ({ data: { passthru } });

test.each([
  "wan",
  "wan_map",
  "wan.1-a",
  "_",
  "",
  "-a",
  ".a",
  "a b",
  "a;b",
  "a".repeat(64),
  "a".repeat(65),
  "ä",
])("%j is a name of an interface exactly where the handler says so", (name) => {
  expect(netifd.isInterfaceName(name)).toBe(isInterfaceName(name));
});

describe("the options that are about MAP", () => {
  test.each([
    ["none", "001700100000000000000000000000000000000a", null],
    ["one among others", "001700020000BEEF0002abcd00180001ff", "beef0002abcd"],
    ["several, in their order", "005e000101005f0001020011000103", "005e000101005f0001020011000103"],
    ["one that is cut short is kept, so that it is said", "beef00ffabcd", "beef00ffabcd"],
    ["a header that is cut short", "00170000beef0", null],
    ["a code alone", "beef", "beef"],
    ["nothing", "", null],
    ["what is no hexadecimal text", "beef0000; reboot", null],
    ["no text", 7, null],
  ])("%s", (_title, passthru, found) => {
    expect(netifd.mapOptions(link(passthru))).toBe(found);
  });

  test("no link, and no data", () => {
    expect(netifd.mapOptions(undefined)).toBeNull();
    expect(netifd.mapOptions({})).toBeNull();
  });
});

test("prefixes: those that a program takes", () => {
  const good = { address: "2001:db8:12:3400::", mask: 56 };
  const bad = [
    null,
    {},
    { address: "--help", mask: 56 },
    { address: "2001:db8::", mask: "56" },
    { address: "2001:db8::", mask: 129 },
    { address: "2001:db8:: --json", mask: 56 },
  ];
  expect(netifd.prefixes({ "ipv6-prefix": [...bad, good] })).toEqual(["2001:db8:12:3400::/56"]);
  expect(netifd.prefixes({ "ipv6-prefix": "x" })).toEqual([]);
  expect(netifd.prefixes(undefined)).toEqual([]);
});

test("interfaces and errors of a dump that is not as it should be", () => {
  expect(netifd.mapInterfaces([null, {}, { proto: "map" }, { proto: "map", interface: "a" }])).toEqual([
    { proto: "map", interface: "a" },
  ]);
  expect(netifd.mapInterfaces("x")).toEqual([]);
  expect(netifd.errors({ errors: [{ code: "NO_LINK", data: ["a", "b"] }, { data: 5 }] })).toEqual([
    { code: "NO_LINK", text: "a b" },
    { code: "", text: "" },
  ]);
  expect(netifd.errors(undefined)).toEqual([]);
});
