import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseDeviceName, parseInterfaceName } from "../../../src/ip/names.ts";
import { specialIpv4, specialIpv6 } from "../../../src/ip/special.ts";
import { formatIpv4Prefix, formatIpv6Prefix, parseIpv6Prefix } from "../../../src/ip/text.ts";
import { provision } from "../../../src/provision/choose.ts";
import { decodeLink, decodeNeighbours, decodeOffered } from "../../../src/provision/network.ts";
import type { InterfaceConfig } from "../../../src/provision/request.ts";
import { SetupError } from "../../../src/wire/errors.ts";

/** `network.interface dump` of a router with a LAN, as netifd answers it; ours is up already. */
const dump = {
  interface: [
    {
      interface: "loopback",
      proto: "static",
      "ipv4-address": [{ address: "127.0.0.1", mask: 8 }],
      "ipv6-address": [{ address: "::1", mask: 128 }],
    },
    {
      interface: "lan",
      proto: "static",
      "ipv4-address": [{ address: "203.0.113.1", mask: 24 }],
      "ipv6-address": [],
      "ipv6-prefix-assignment": [
        {
          address: "2001:db8:12:3401::",
          mask: 64,
          "local-address": { address: "2001:db8:12:3401::1", mask: 64 },
        },
      ],
    },
    {
      interface: "wan6",
      proto: "dhcpv6",
      "ipv4-address": [],
      "ipv6-address": [{ address: "2001:db8:ffff::5", mask: 64 }],
      "ipv6-prefix": [{ address: "2001:db8:12:3400::", mask: 56 }],
    },
    { interface: "wan_map", proto: "map", "ipv4-address": [{ address: "192.0.2.18", mask: 32 }] },
    {
      interface: "wan_map_",
      proto: "static",
      "ipv6-address": [{ address: "2001:db8:12:34ff::1", mask: 128 }],
    },
    { interface: "other_map", proto: "map", "ipv4-address": [{ address: "192.0.2.18", mask: 32 }] },
  ],
};

const wanMap = parseInterfaceName("wan_map", "interface");
const around = {
  tunlink: parseInterfaceName("wan6", "tunlink"),
  link: {
    up: true,
    device: parseDeviceName("eth1", "device"),
    prefixes: [parseIpv6Prefix("2001:db8:12:3400::/56")],
  },
  linkMtu: 1500,
  neighbours: decodeNeighbours(dump, ["wan_map", "wan_map_"]),
};

/** A whole address at the end-user prefix, so that the rule's address is the CE's. */
const mapE: InterfaceConfig = {
  maptype: "map-e",
  ipaddr: "192.0.2.18",
  ip6prefix: "2001:db8:12:3400::",
  ip6prefixlen: 56,
  peeraddr: "2001:db8:ffff::1",
};
const mapT: InterfaceConfig = { ...mapE, maptype: "map-t", peeraddr: "2001:db8:ffff:1::/64" };

function refusal(
  config: InterfaceConfig,
  surroundings: Parameters<typeof provision>[2] = around,
): SetupError {
  try {
    provision(wanMap, config, surroundings);
  } catch (error) {
    if (error instanceof SetupError) return error;
    throw error;
  }
  return expect.fail("a plan was made");
}

describe("refused whatever is configured", () => {
  test.each([
    ["a LAN's own address", { ipaddr: "203.0.113.1" }, "ipaddr: 203.0.113.1/32 overlaps 203.0.113.1/24"],
    ["another of its network", { ipaddr: "203.0.113.77" }, "203.0.113.1/24 on the interface lan"],
    [
      "a prefix that holds its network",
      { ipaddr: "203.0.112.0", ip4prefixlen: 20 },
      "ipaddr: 203.0.112.0/20 overlaps 203.0.113.1/24",
    ],
    ["loopback", { ipaddr: "127.0.0.53" }, "ipaddr: 127.0.0.53/32 is in 127.0.0.0/8, loopback"],
    ["link-local", { ipaddr: "169.254.1.1" }, "ipaddr: 169.254.1.1/32 is in 169.254.0.0/16"],
    ["multicast", { ipaddr: "224.0.0.251" }, "multicast"],
    ["this network", { ipaddr: "0.0.0.0" }, "this network"],
    ["class E", { ipaddr: "241.1.2.3" }, "is in 240.0.0.0/4, reserved"],
    ["broadcast", { ipaddr: "255.255.255.255" }, "the broadcast address"],
    [
      "all of IPv4 as one CE's prefix",
      { ipaddr: "0.0.0.0", ip4prefixlen: 0 },
      "ipaddr: 0.0.0.0/0 holds 0.0.0.0/8",
    ],
    ["a loopback relay", { peeraddr: "::1" }, "peeraddr: ::1/128 is in ::1/128, loopback"],
    ["no relay", { peeraddr: "::" }, "peeraddr: ::/128 is in ::/128, the unspecified address"],
    ["a link-local relay", { peeraddr: "fe80::1" }, "peeraddr: fe80::1/128 is in fe80::/10"],
    ["a multicast relay", { peeraddr: "ff02::1" }, "peeraddr: ff02::1/128 is in ff00::/8"],
    [
      "the router itself",
      { peeraddr: "2001:db8:ffff::5" },
      "2001:db8:ffff::5/128 has an address of the router's, on the interface wan6",
    ],
    [
      "the MAP address",
      { peeraddr: "2001:db8:12:3400:0:c000:212:0" },
      "peeraddr: is the MAP address of this router itself",
    ],
    ["the router in its LAN", { peeraddr: "2001:db8:12:3401::1" }, "on the interface lan"],
  ] as const)("MAP-E: %s", (_title, change, text) => {
    for (const allow_private of [false, true]) {
      const error = refusal({ ...mapE, ...change, allow_private });
      expect(error.code).toBe("INVALID_MAP_RULE");
      expect(error.message).toContain(text);
    }
  });

  test.each([
    ["a link-local DMR", { peeraddr: "fe80::/64" }, "peeraddr: fe80::/64 is in fe80::/10"],
    ["a DMR that holds loopback", { peeraddr: "::/96" }, "peeraddr: ::/96 holds ::/128"],
    [
      "a DMR that holds an address of the LAN",
      { peeraddr: "2001:db8:12:3401::/64" },
      "peeraddr: 2001:db8:12:3401::/64 has an address of the router's, on the interface lan",
    ],
  ] as const)("MAP-T: %s", (_title, change, text) => {
    const error = refusal({ ...mapT, ...change, allow_private: true });
    expect(error.code).toBe("INVALID_MAP_RULE");
    expect(error.message).toContain(text);
  });

  test("a link-local rule prefix", () => {
    const link = { ...around.link, prefixes: [parseIpv6Prefix("fe80:1::/56")] };
    const error = refusal({ ...mapE, ip6prefix: "fe80:1::" }, { ...around, link });
    expect(error.message).toContain("ip6prefix: fe80:1::/56 is in fe80::/10");
  });
});

describe("refused unless private addresses are allowed", () => {
  test.each(["10.1.2.3", "172.16.0.1", "172.31.255.1", "192.168.1.1", "100.64.0.1"])("%s", (ipaddr) => {
    const config = { ...mapE, ipaddr };
    expect(refusal(config)).toMatchObject({ code: "INVALID_MAP_RULE" });
    expect(refusal(config).message).toMatch(/^ipaddr: .*`option allow_private '1'`/);
    expect(provision(wanMap, { ...config, allow_private: true }, around).plan.ipv4.length).toBe(32);
  });

  test("a unique local relay, DMR and rule prefix", () => {
    for (const config of [
      { ...mapE, peeraddr: "fd00::1" },
      { ...mapT, peeraddr: "fd00::/64" },
    ]) {
      expect(refusal(config).message).toContain("unique local");
      expect(provision(wanMap, { ...config, allow_private: true }, around).plan.ipv4.length).toBe(32);
    }
    const link = { ...around.link, prefixes: [parseIpv6Prefix("fd00:1::/56")] };
    expect(refusal({ ...mapE, ip6prefix: "fd00:1::" }, { ...around, link }).message).toContain("ip6prefix: ");
  });
});

test("documentation and benchmarking pass, and the address of another MAP interface", () => {
  for (const ipaddr of ["192.0.2.18", "198.51.100.1", "198.18.0.1", "203.0.112.1"]) {
    expect(provision(wanMap, { ...mapE, ipaddr }, around).remarks).toEqual([]);
  }
  expect(provision(wanMap, { ...mapT, peeraddr: "64:ff9b::/96" }, around).remarks).toEqual([]);
});

describe("rules over DHCPv6", () => {
  const option = (code: number, ...value: readonly string[]) => {
    const hex = value.join("");
    return `${code.toString(16).padStart(4, "0")}${(hex.length / 2).toString(16).padStart(4, "0")}${hex}`;
  };
  const dmr = option(0x4203, "40261000d01208cafe");
  const rule = (flags: string, ipv4: string, ipv6 = "20010db8001234") =>
    option(0x4202, `20${ipv4}00${flags}38${ipv6}`);
  const with48879 = (...rules: readonly string[]) => ({
    ...around,
    link: { ...around.link, passthru: option(48879, "00", ...rules, dmr) },
  });

  test("192.168.1.1 is refused, naming the field of the option", () => {
    const error = refusal({}, with48879(rule("00", "c0a80101")));
    expect(error.code).toBe("INVALID_MAP_RULE");
    expect(error.message).toMatch(/^ipv4-prefix: 192\.168\.1\.1\/32 is in 192\.168\.0\.0\/16, private/);
    expect(
      provision(wanMap, { allow_private: true }, with48879(rule("00", "c0a80101"))).plan.ipv4.address,
    ).toBe(0xc0a80101);
  });

  test("another rule that is refused costs its forwarding only", () => {
    const fmr = rule("01", "c0a80101", "20010db8009999");
    const { plan, remarks } = provision(wanMap, {}, with48879(fmr, rule("01", "c0000212")));
    expect(plan.ipv4.address).toBe(0xc0000212);
    expect(plan.module?.fmrs.map((known) => known.ipv4Prefix.address)).toEqual([0xc0000212]);
    expect(remarks).toEqual([expect.objectContaining({ code: "refused-rule", path: "ipv4-prefix" })]);
  });

  test("another good domain wins", () => {
    const relay = option(90, "20010db8ffff00000000000000000001");
    const lw = option(96, option(92, "c0000212" + "3820010db8001234"), relay);
    const { link } = with48879(rule("00", "7f000001"));
    const both = { ...around, link: { ...link, passthru: `${link.passthru}${lw}` } };
    expect(provision(wanMap, {}, both).plan.transport).toBe("lw4o6");
    expect(refusal({ maptype: "map-t" }, both).code).toBe("INVALID_MAP_RULE");
  });

  test("unreadable port parameters are an invalid option, with path and octet", () => {
    const broken = option(0x4202, "20c00002120000" + "3820010db8001234", option(0x4204, "10000000"));
    const error = refusal({}, with48879(broken));
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toMatch(
      /^OPTION_48879\[0\]\/MAP_RULE\[0\]\/MAP_PORTPARAMS\[0\]\/offset at octet 28: /,
    );
  });
});

describe("codes that LuCI has words for", () => {
  test.each([
    ["a transport that nobody knows", { ...mapE, maptype: "6rd" }, around, "UNSUPPORTED_TYPE", "maptype"],
    ["the same by its other name", { ...mapE, type: "6rd" }, around, "UNSUPPORTED_TYPE", "type"],
    ["the same over DHCPv6", { maptype: "6rd" }, around, "UNSUPPORTED_TYPE", "maptype"],
    [
      "no prefix",
      mapE,
      { ...around, link: { ...around.link, prefixes: [] } },
      "NO_MATCHING_PD",
      "no prefix has been delegated",
    ],
    [
      "a prefix too short",
      mapE,
      { ...around, link: { ...around.link, prefixes: [parseIpv6Prefix("2001:db8:12::/48")] } },
      "NO_MATCHING_PD",
      "/48",
    ],
    ["psid without psidlen", { ...mapE, psid: 5 }, around, "INVALID_MAP_RULE", "psid: "],
    ["an address that is none", { ...mapE, ipaddr: "192.0.2" }, around, "INVALID_MAP_RULE", "192.0.2"],
    [
      "no hex from netifd",
      {},
      { ...around, link: { ...around.link, passthru: "xyz" } },
      "INVALID_OPTION",
      "passthru",
    ],
    ["nothing at all", {}, around, "NO_RULE", "reqopts"],
  ] as const)("%s", (_title, config, surroundings, code, text) => {
    const error = refusal(config, surroundings);
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
  });
});

test("docs/router.md has every row of the table", () => {
  const page = readFileSync(new URL("../../../docs/router.md", import.meta.url), "utf8");
  for (const { prefix, use, clause, allowable } of specialIpv4) {
    const when = allowable ? "unless `allow_private`" : "always";
    expect(page).toContain(`| ${formatIpv4Prefix(prefix)} | ${use} | ${clause} | ${when} |`);
  }
  for (const { prefix, use, clause, allowable } of specialIpv6) {
    const when = allowable ? "unless `allow_private`" : "always";
    expect(page).toContain(`| ${formatIpv6Prefix(prefix)} | ${use} | ${clause} | ${when} |`);
  }
});

test("what a dump holds that is not understood costs that entry", () => {
  expect(decodeNeighbours(undefined, [])).toEqual([]);
  expect(decodeNeighbours({ interface: "lan" }, [])).toEqual([]);
  expect(decodeNeighbours({ interface: [1, null, {}, { interface: 5 }] }, [])).toEqual([]);
  const odd = {
    interface: "lan",
    "ipv4-address": [{ address: "x", mask: 24 }, { address: "192.0.2.1", mask: 0 }, null, { mask: 3 }],
    "ipv6-address": [{ address: "2001:db8::1%eth0", mask: 64 }],
    "ipv6-prefix-assignment": [{ address: "2001:db8::", mask: 64 }, { "local-address": { address: 5 } }],
  };
  expect(decodeNeighbours({ interface: [odd] }, [])).toEqual([
    { iface: "lan", ipv4: [{ address: 0xc0000201, length: 32 }], ipv6: [] },
  ]);
  expect(decodeNeighbours({ interface: [{ ...odd, "ipv4-address": 7 }] }, [])).toEqual([]);
});

describe("what netifd says of one interface, among others that say nothing", () => {
  const wan6 = parseInterfaceName("wan6", "x");
  const odd = [null, 7, {}, { interface: 5 }];

  test("the link's status", () => {
    const dump = { interface: [...odd, { interface: "wan6", up: true }] };
    expect(decodeLink(dump, wan6)?.up).toBe(true);
    expect(decodeLink({ interface: odd }, wan6)).toBeUndefined();
  });

  test("what was offered is a MAP interface and dynamic", () => {
    const dump = {
      interface: [
        ...odd,
        { interface: "wan6_4", proto: "map", dynamic: true },
        { interface: "wan6_6", proto: "dslite", dynamic: true },
        { interface: "home", proto: "map", dynamic: false },
      ],
    };
    expect(decodeOffered(dump, wan6)).toEqual(["wan6_4"]);
  });
});
