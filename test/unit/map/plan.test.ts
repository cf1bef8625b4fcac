import { describe, expect, test } from "vitest";
import { parseDeviceName, parseInterfaceName } from "../../../src/ip/names.ts";
import { parseIpv4Prefix, parseIpv6, parseIpv6Prefix } from "../../../src/ip/text.ts";
import { findCustomerEdge } from "../../../src/map/ce.ts";
import type { MapDomain, MapRule } from "../../../src/map/model.ts";
import { deviceName, makePlan, type PlanOptions, tableName } from "../../../src/map/plan.ts";
import { updateRequest } from "../../../src/render/netifd.ts";
import { InputError, SetupError } from "../../../src/wire/errors.ts";

const rule = (ipv4: string, more: Partial<MapRule> = {}): MapRule => ({
  ipv6Prefix: parseIpv6Prefix("2001:db8::/40"),
  ipv4Prefix: parseIpv4Prefix(ipv4),
  eaLength: 16,
  psidOffset: 6,
  forward: false,
  ...more,
});
const bmr = rule("192.0.2.0/24");
const dmr = parseIpv6Prefix("2001:db8:ffff::/64");
const relay = parseIpv6("2001:db8:ffff::1");
const named = (iface: string) => parseInterfaceName(iface, "interface");
const link = { iface: named("wan6"), device: parseDeviceName("eth1", "device"), mtu: 1500 };

const mapT: MapDomain = { transport: "map-t", rules: [bmr], borderRelays: [], dmr, legacyInterfaceId: false };
const mapE: MapDomain = { transport: "map-e", rules: [bmr], borderRelays: [relay], legacyInterfaceId: false };

function plan(domain: MapDomain, options?: PlanOptions, mtu = 1500) {
  const { ce } = findCustomerEdge(domain, [parseIpv6Prefix("2001:db8:12:3400::/56")]);
  return makePlan(named("wan_map"), domain, ce, { ...link, mtu }, options);
}

describe("names", () => {
  test.each([
    ["wan", "map-wan"],
    ["wan6_4", "map-wan6_4"],
    ["elevenchars", "map-elevenchars"],
  ])("the device of %s is %s", (iface, device) => {
    expect(deviceName(named(iface))).toBe(device);
  });

  test("a name that would have 16 octets, which is one too many (IFNAMSIZ counts the NUL), ends with digits", () => {
    const devices = ["twelve_chars", "twelve_charz", "twelve_chars_and_more", "t".repeat(64)].map((iface) =>
      deviceName(named(iface)),
    );
    for (const device of devices) expect(device).toMatch(/^map-t[a-z_]{4}-[0-9a-f]{5}$/);
    expect(new Set(devices).size).toBe(devices.length);
  });

  test.each([
    ["wan", "mapmin_wan"],
    ["WAN6", "mapmin_WAN6"],
    ["wan6_4", "mapmin_wan6__4"],
    ["wan6__4", "mapmin_wan6____4"],
    ["wan.4-x", "mapmin_wan_2e4_2dx"],
  ])("the table of %s is %s", (iface, table) => {
    expect(tableName(named(iface))).toBe(table);
  });
});

const ipv4 = parseIpv4Prefix("192.0.2.18/32");
const portSet = { offset: 6, psidLength: 8, psid: 0x34 };
const local = parseIpv6("2001:db8:12:3400:0:c000:212:34");
const nftables = {
  table: "mapmin_wan__map",
  device: "map-wan_map",
  ipv4,
  portSet,
  reservedPorts: [],
};

test("MAP-T: the module translates and does the NAT; MTU less 20 octets (RFC 7915 s1.4)", () => {
  const made = plan(mapT);
  expect(made.ce).toMatchObject({ ipv4, portSet, mapAddress: local });
  expect(made).toEqual({
    iface: "wan_map",
    transport: "map-t",
    link,
    device: "map-wan_map",
    mtu: 1480,
    ipv4,
    ce: made.ce,
    natBy: "the kernel module",
    module: {
      carries: "translated",
      legacyInterfaceId: false,
      lowestIpv6Mtu: 1500,
      dmr,
      ce: made.ce,
      fmrs: [],
      nat: { reservedPorts: [] },
    },
  });
});

test("MAP-E: the module encapsulates and does the NAT; MTU less 40 octets (RFC 2473 s7)", () => {
  const made = plan(mapE);
  expect(made).toEqual({
    iface: "wan_map",
    transport: "map-e",
    link,
    device: "map-wan_map",
    mtu: 1460,
    ipv4,
    ce: made.ce,
    natBy: "the kernel module",
    module: {
      carries: "encapsulated",
      bound: false,
      legacyInterfaceId: false,
      local,
      remote: relay,
      ttl: 64,
      encaplimit: "ignore",
      ce: made.ce,
      fmrs: [],
      nat: { reservedPorts: [] },
    },
  });
  expect(plan({ ...mapE, transport: "lw4o6" }).module).toMatchObject({ bound: true });
});

// A packet without DF that fits the tunnel's MTU is not cut on its way, and MSS is what remains of it.
test.each([
  ["map-e", undefined, undefined, 1460],
  ["map-e", "ignore", undefined, 1460],
  ["map-e", "0", undefined, 1452],
  ["map-e", "4", undefined, 1452],
  ["map-e", "255", undefined, 1452],
  ["lw4o6", "4", undefined, 1452],
  ["map-e", "4", 1300, 1300],
  // There is no tunnel.
  ["map-t", "4", undefined, 1480],
] as const)(
  "%s, encaplimit %s, mtu %s: %i octets of IPv4 (RFC 2473 s4.1.1, s7)",
  (transport, encaplimit, set, mtu) => {
    const domain = transport === "map-t" ? mapT : { ...mapE, transport };
    const made = plan(domain, { encaplimit, mtu: set, nat: "nftables", moduleLoaded: false });
    expect([made.mtu, made.nat?.mtu]).toEqual([mtu, mtu]);
    const byModule = plan(domain, { encaplimit, mtu: set });
    expect(updateRequest(byModule)["routes"]).toEqual([{ target: "0.0.0.0", netmask: "0", mtu }]);
  },
);

test("MAP-E without the module: netifd's tunnel, and NAT by nftables", () => {
  const made = plan(mapE, { moduleLoaded: false });
  expect(made.module).toBeUndefined();
  expect(made).toMatchObject({
    natBy: "nftables: the kernel module is not loaded",
    tunnel: { local, remote: relay, ttl: 64, encaplimit: "ignore", fmrs: [] },
    nat: { ...nftables, mtu: 1460 },
  });
});

// transport, `option nat`, module loaded | who does the NAT, and why
test.each([
  ["map-t", "auto", true, "module", "the kernel module"],
  ["map-t", "auto", false, "module", "the kernel module"],
  ["map-t", "module", true, "module", "the kernel module: option nat asks for it"],
  ["map-t", "nftables", true, "nft", "nftables: option nat asks for it"],
  ["map-e", "auto", true, "module", "the kernel module"],
  ["map-e", "auto", false, "nft", "nftables: the kernel module is not loaded"],
  ["map-e", "module", false, "module", "the kernel module: option nat asks for it"],
  ["map-e", "nftables", true, "nft", "nftables: option nat asks for it"],
] as const)("%s, nat %s, module loaded %s: %s", (transport, nat, moduleLoaded, by, why) => {
  const made = plan(transport === "map-t" ? mapT : mapE, { nat, moduleLoaded, reservedPorts: [1232] });
  expect(made.natBy).toBe(why);
  expect(made.module?.nat).toEqual(by === "module" ? { reservedPorts: [1232] } : undefined);
  const mtu = transport === "map-t" ? 1480 : 1460;
  expect(made.nat).toEqual(by === "nft" ? { ...nftables, reservedPorts: [1232], mtu } : undefined);
});

test("what a person sets goes before what is computed", () => {
  const options = { mtu: 1300, ttl: 3, zone: "wan", encaplimit: "4" };
  expect(plan(mapE, options)).toMatchObject({ mtu: 1300, zone: "wan", module: { ttl: 3, encaplimit: "4" } });
  expect(plan(mapE, { ...options, nat: "nftables" })).toMatchObject({
    nat: { mtu: 1300 },
    tunnel: { ttl: 3, encaplimit: "4" },
  });
  expect(plan(mapE).zone).toBeUndefined();
});

test.each([
  [1500, undefined, 1500],
  [1290, undefined, 1290],
  // RFC 8200 s5: every IPv6 path carries 1280.
  [1280, undefined, 1280],
  [1270, undefined, 1280],
  [1500, 1400, 1420],
  // The length of an IPv6 packet has 16 bits.
  [65535, 65535, 65535],
])("a link of %i octets with mtu %o: IPv4 without DF is cut to %i octets of IPv6", (mtu, set, lowest) => {
  const made = plan(mapT, set === undefined ? {} : { mtu: set }, mtu);
  expect(made.module).toMatchObject({ lowestIpv6Mtu: lowest });
});

test.each([mapT, mapE])(
  "the draft's interface identifier (MAP0) reaches the module: $transport",
  (domain) => {
    expect(plan({ ...domain, legacyInterfaceId: true }).module?.legacyInterfaceId).toBe(true);
  },
);

describe.each([
  ["MAP-T", mapT, {}],
  ["MAP-E", mapE, {}],
  ["MAP-E without the module", mapE, { moduleLoaded: false }],
])("%s: rules to forward by", (_title, domain, options) => {
  const fmrs = (rules: readonly MapRule[]) => {
    const made = plan({ ...domain, rules }, options);
    return (made.module ?? made.tunnel)?.fmrs;
  };

  test("are those with F, longest IPv4 prefix first, however they came", () => {
    const [short, middle, long] = ["198.0.0.0/8", "198.51.0.0/16", "198.51.100.0/24"].map((ipv4) =>
      rule(ipv4, { forward: true, ipv6Prefix: parseIpv6Prefix("2001:db8:f00::/48") }),
    ) as [MapRule, MapRule, MapRule];
    expect(fmrs([bmr, short, middle, long])).toEqual([long, middle, short]);
    expect(fmrs([long, bmr, short, middle])).toEqual([long, middle, short]);
    expect(fmrs([middle, long, short, bmr])).toEqual([long, middle, short]);
  });

  test("have the BMR among them when it has F, and none that is unusable", () => {
    const forward = { ...bmr, forward: true };
    const other = rule("198.51.100.0/24", {
      ipv6Prefix: parseIpv6Prefix("2001:db8:f00::/48"),
      forward: true,
      unusable: new InputError("port-params", "cut short"),
    });
    expect(fmrs([forward, other])).toEqual([forward]);
  });
});

describe("a border relay alone: the provider does the NAT", () => {
  const lw: MapDomain = {
    transport: "lw4o6",
    rules: [],
    borderRelays: [relay, 1n],
    legacyInterfaceId: false,
  };
  const b4 = {
    iface: "wan",
    transport: "lw4o6",
    link: { ...link, address: 5n },
    device: "map-wan",
    mtu: 1460,
    // RFC 6333 s5.7.
    ipv4: parseIpv4Prefix("192.0.0.2/32"),
    natBy: "the provider: there is no rule",
  };
  const ends = { local: 5n, remote: relay, ttl: 64, encaplimit: "ignore", fmrs: [] };

  test("the B4's own address, from the link's, by the module", () => {
    expect(makePlan(named("wan"), lw, undefined, { ...link, address: 5n })).toEqual({
      ...b4,
      module: { ...ends, carries: "encapsulated", bound: true, legacyInterfaceId: false },
    });
  });

  test("and by netifd's tunnel without it", () => {
    const made = makePlan(named("wan"), lw, undefined, { ...link, address: 5n }, { moduleLoaded: false });
    expect(made).toEqual({ ...b4, tunnel: ends });
  });

  test.each([
    ["MAP-T without a DMR", { ...mapT, dmr: undefined }, true, "MAP-T needs a DMR and a rule that matches"],
    ["MAP-T without a CE", mapT, false, "MAP-T needs a DMR and a rule that matches"],
    [
      "no border relay",
      { ...mapE, borderRelays: [] },
      true,
      "MAP-E and lw4o6 need the address of a border relay",
    ],
    ["no address of our own", lw, false, "a tunnel needs an IPv6 address of our own on the link"],
  ])("%s is refused", (_title, domain, withCe, message) => {
    const { ce } = findCustomerEdge(mapE, [parseIpv6Prefix("2001:db8:12:3400::/56")]);
    const act = () => makePlan(named("wan"), domain as MapDomain, withCe ? ce : undefined, link);
    expect(act).toThrow(SetupError);
    expect(act).toThrow(expect.objectContaining({ code: "INVALID_MAP_RULE", message }));
  });
});
