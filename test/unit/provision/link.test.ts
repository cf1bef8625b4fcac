import { describe, expect, test } from "vitest";
import { formatIpv6, formatIpv6Prefix } from "../../../src/ip/text.ts";
import { decodeLinkStatus, entries } from "../../../src/provision/link.ts";

const prefixes = (status: object) => decodeLinkStatus(status).prefixes.map(formatIpv6Prefix);
const address = (status: object) => {
  const { address: found } = decodeLinkStatus(status);
  return found === undefined ? undefined : formatIpv6(found);
};

test("what netifd tells of a link", () => {
  expect(
    decodeLinkStatus({
      up: true,
      l3_device: "pppoe-wan",
      device: "eth1",
      "ipv6-address": [{ address: "2001:db8::5", mask: 128 }],
      "ipv6-prefix": [{ address: "2001:db8:12:3400::", mask: 56 }],
      data: { passthru: "005f0000" },
      more: 1,
    }),
  ).toEqual({
    up: true,
    device: "pppoe-wan",
    prefixes: [
      { address: 0x20010db8_00123400_00000000_00000000n, length: 56 },
      { address: 0x20010db8_00000000_00000000_00000000n, length: 64 },
    ],
    onLink: [{ address: 0x20010db8_00000000_00000000_00000000n, length: 64 }],
    address: 0x20010db8_00000000_00000000_00000005n,
    passthru: "005f0000",
  });
});

describe("lifetimes", () => {
  const [old, fresh] = [
    { address: "2001:db8:12::", mask: 56 },
    { address: "2001:db8:13::", mask: 56 },
  ];
  const [OLD, FRESH] = ["2001:db8:12::/56", "2001:db8:13::/56"];
  test.each([
    ["a deprecated prefix comes last", { ...old, preferred: 0, valid: 7_200 }, fresh, [FRESH, OLD]],
    ["the other way round", { ...old, preferred: 60 }, { ...fresh, preferred: 0 }, [OLD, FRESH]],
    ["as netifd has it while it removes one", { ...old, preferred: 0, valid: -1 }, fresh, [FRESH]],
    ["no longer valid", { ...old, valid: 0 }, fresh, [FRESH]],
    ["one second left", { ...old, preferred: 1, valid: 1 }, fresh, [OLD, FRESH]],
    ["all deprecated: in their order", { ...old, preferred: 0 }, { ...fresh, preferred: 0 }, [OLD, FRESH]],
    [
      "lifetimes that are no numbers count for nothing",
      { ...old, preferred: {}, valid: "x" },
      fresh,
      [OLD, FRESH],
    ],
  ])("%s", (_title, first, second, expected) => {
    expect(prefixes({ "ipv6-prefix": [first, second] })).toEqual(expected);
  });

  test("an address that is deprecated is used where there is no other", () => {
    const addresses = [
      { address: "2001:db8::1", mask: 128, preferred: 0 },
      { address: "2001:db8::2", mask: 128, preferred: 10 },
    ];
    expect(address({ "ipv6-address": addresses })).toBe("2001:db8::2");
    expect(address({ "ipv6-address": addresses.slice(0, 1) })).toBe("2001:db8::1");
    expect(address({ "ipv6-address": [{ ...addresses[1], valid: -1 }] })).toBeUndefined();
    expect(prefixes({ "ipv6-prefix": [null, 3, "x", fresh] })).toEqual([FRESH]);
  });
});

describe("prefixes", () => {
  test("delegated ones come first, then those on the link, each in netifd's order", () => {
    expect(
      prefixes({
        "ipv6-address": [
          { address: "2001:db8:a::1", mask: 64 },
          { address: "2001:db8:b::1", mask: 128 },
        ],
        "ipv6-prefix": [
          { address: "2001:db8:2::", mask: 56 },
          { address: "2001:db8:1::", mask: 48 },
        ],
      }),
    ).toEqual(["2001:db8:2::/56", "2001:db8:1::/48", "2001:db8:a::/64", "2001:db8:b::/64"]);
  });

  // The last addresses inside fc00::/7 (RFC 4193) and fe80::/10 (RFC 4291 s2.5.6), and the first beside them.
  test.each([
    ["fbff:ffff::1", true],
    ["fc00::1", false],
    ["fd12:3456::1", false],
    ["fdff:ffff::1", false],
    ["fe00::1", true],
    ["fe7f:ffff::1", true],
    ["fe80::1", false],
    ["febf:ffff::1", false],
    ["fec0::1", true],
    ["7e00::1", true],
    ["3fa0::1", true],
    ["2001:db8::1", true],
  ])("%s counts as global: %s", (text, global) => {
    const status = { "ipv6-address": [{ address: text, mask: 64 }] };
    expect(prefixes(status)).toHaveLength(global ? 1 : 0);
    expect(address(status)).toBe(global ? text : undefined);
  });

  test("the address for a tunnel is the first global one", () => {
    const list = ["fe80::1", "fd00::1", "2001:db8:b::1", "2001:db8:a::1"];
    expect(address({ "ipv6-address": list.map((text) => ({ address: text, mask: 64 })) })).toBe(
      "2001:db8:b::1",
    );
  });

  test.each([
    ["no address", { mask: 64 }],
    ["an address that is none", { address: "2001:db8::/64", mask: 64 }],
    ["an address that is a number", { address: 7, mask: 64 }],
    ["no mask", { address: "2001:db8::" }],
    ["a mask of 129", { address: "2001:db8::", mask: 129 }],
    ["a mask of -1", { address: "2001:db8::", mask: -1 }],
    ["half a mask", { address: "2001:db8::", mask: 0.5 }],
    ["a mask that is text", { address: "2001:db8::", mask: "64" }],
    ["null", null],
    ["text", "2001:db8::/64"],
  ])("an entry with %s is left out, its neighbours count", (_title, entry) => {
    const good = { address: "2001:db8:1::", mask: 48 };
    expect(prefixes({ "ipv6-prefix": [entry, good, entry] })).toEqual(["2001:db8:1::/48"]);
  });

  test("an error that the text did not cause goes up as it is", () => {
    const bug = new TypeError("a bug");
    const parse = () => {
      throw bug;
    };
    expect(() => entries([{ address: "2001:db8::", mask: 64 }], parse)).toThrow(bug);
  });

  test.each([0, 128])("a mask of %i is one", (mask) => {
    expect(decodeLinkStatus({ "ipv6-prefix": [{ address: "::", mask }] }).prefixes).toEqual([
      { address: 0n, length: mask },
    ]);
  });
});

describe("the device", () => {
  test.each([
    [{ l3_device: "eth1.7", device: "eth1" }, "eth1.7"],
    [{ device: "eth1" }, "eth1"],
    [{}, ""],
    [{ l3_device: "eth1; reboot" }, ""],
    [{ l3_device: "a-device-of-16-oc" }, ""],
  ])("of %j is %j", (status, device) => {
    expect(decodeLinkStatus(status).device).toBe(device);
  });
});

test.each([
  [{}, false],
  [{ up: false }, false],
  [{ up: true }, true],
])("%j is up: %s", (status, up) => {
  expect(decodeLinkStatus(status).up).toBe(up);
});

// A status that cannot be is a link of which nothing is known.
test.each([
  null,
  undefined,
  7,
  "up",
  [],
  { up: 1, device: "eth1" },
  { l3_device: 7 },
  { device: [] },
  { "ipv6-address": {} },
  { "ipv6-prefix": "2001:db8::/32" },
  { data: [] },
  { data: { passthru: 7 } },
  { data: { passthru: "0".repeat(200_001) } },
])("%# counts as nothing", (status) => {
  expect(decodeLinkStatus(status)).toEqual({ up: false, device: "", prefixes: [], onLink: [] });
});
