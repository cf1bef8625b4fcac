import { describe, expect, test } from "vitest";
import { parseDeviceName, parseInterfaceName } from "../../../src/ip/names.ts";
import {
  formatIpv4Prefix,
  formatIpv6,
  formatIpv6Prefix,
  parseIpv6,
  parseIpv6Prefix,
} from "../../../src/ip/text.ts";
import { provision, type Surroundings } from "../../../src/provision/choose.ts";
import { decodeLinkStatus, type LinkStatus } from "../../../src/provision/link.ts";
import { decodeNeighbours } from "../../../src/provision/network.ts";
import type { InterfaceConfig } from "../../../src/provision/request.ts";
import { MapminError } from "../../../src/wire/errors.ts";

const wan = parseInterfaceName("wan_map", "interface");
const pd = parseIpv6Prefix("2001:db8:12:3400::/56");
const link: LinkStatus = { up: true, device: parseDeviceName("eth1", "device"), prefixes: [pd] };
const around: Surroundings = {
  tunlink: parseInterfaceName("wan6", "tunlink"),
  link,
  linkMtu: undefined,
  neighbours: [],
};
const uci: InterfaceConfig = {
  ip6prefix: "2001:db8::/40",
  ipaddr: "192.0.2.0/24",
  ealen: 16,
  peeraddr: "2001:db8:ffff::1",
};
const rule =
  "type=map-e,ipv4prefix=198.51.100.0,prefix4len=24,ipv6prefix=2001:db8::,prefix6len=40,ealen=16,br=2001:db8:ffff::1";
/** Containers 94 and 95 with the same rule. */
const mapE = "005e00250059000d001018c00002002820010db800005a001020010db8ffff00000000000000000001";
const mapT = "005f001e0059000d001018c00002002820010db800005b00094020010db8ffff0000";

/** What comes out, or the code and the message of the refusal. */
function made(config: InterfaceConfig, changes: Partial<Surroundings> = {}) {
  try {
    const { plan, remarks, source } = provision(wan, config, { ...around, ...changes });
    return { plan, remarks: remarks.map(({ text }) => text), source, ipv4: formatIpv4Prefix(plan.ipv4) };
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    return { refused: `${error.code}: ${error.message}`, cause: error.cause };
  }
}
const withOption = (passthru: string): Partial<Surroundings> => ({ link: { ...link, passthru } });

describe("where the rule comes from", () => {
  test("the option `rule` before the other options, these before DHCPv6", () => {
    expect(made({ ...uci, rule }, withOption(mapE))).toMatchObject({
      source: "the option `rule`",
      ipv4: "198.51.100.18/32",
    });
    expect(made(uci, withOption(mapT))).toMatchObject({
      source: "the interface's options",
      plan: { transport: "map-e" },
      ipv4: "192.0.2.18/32",
    });
    expect(made({}, withOption(mapT))).toMatchObject({ source: "DHCPv6", plan: { transport: "map-t" } });
  });

  test.each(["", "0", "12"])("a `rule` of '%s' is stock's number and says nothing", (text) => {
    expect(made({ rule: text }, withOption(mapE))).toMatchObject({ source: "DHCPv6" });
  });

  test.each(["1x", "x1", "1 2"])("a `rule` of '%s' is a text that is wrong", (text) => {
    expect(made({ rule: text }, withOption(mapE))).toMatchObject({
      refused: expect.stringMatching(/^INVALID_MAP_RULE: /),
    });
  });

  test.each([
    [{ ipaddr: "192.0.2.0/24" }, "ip6prefix: is not set"],
    [{ ip6prefix: "2001:db8::/40" }, "ipaddr: is not set"],
    [{ peeraddr: "2001:db8::1" }, "ip6prefix: is not set"],
  ])("%j alone is an attempt at a rule", (config, text) => {
    expect(made(config, withOption(mapE))).toMatchObject({ refused: expect.stringContaining(text) });
  });

  test("nowhere", () => {
    expect(made({})).toMatchObject({
      refused: expect.stringMatching(/^NO_RULE: no rule is configured/),
    });
  });
});

describe("which domain", () => {
  test.each([
    [{}, "map-e"],
    [{ type: "map-t" }, "map-t"],
    [{ maptype: "map-t" }, "map-t"],
    [{ type: "map-e", maptype: "map-t" }, "map-e"],
  ])("%j of MAP-E and MAP-T: %s", (config, transport) => {
    expect(made(config, withOption(mapE + mapT))).toMatchObject({ plan: { transport } });
  });

  test.each([
    [{ type: "lw4o6" }, mapE, "NO_RULE: DHCPv6 contained no lw4o6 domain"],
    [{}, "00170000", "NO_RULE: DHCPv6 contained no MAP domain"],
    [{ type: "6rd" }, mapE, 'UNSUPPORTED_TYPE: type: "6rd" is not one of map-t, map-e, lw4o6'],
    [{ maptype: "6rd" }, mapE, 'UNSUPPORTED_TYPE: maptype: "6rd" is not one of map-t, map-e, lw4o6'],
  ])("%j of %s", (config, option, refused) => {
    expect(made(config, withOption(option))).toMatchObject({ refused });
  });

  test("a border relay that is the router's own, among other addresses of the interface", () => {
    const ipv6 = [parseIpv6Prefix("2001:db8:5::1/64"), parseIpv6Prefix("2001:db8:ffff::1/64")];
    const lan = {
      iface: "lan",
      ipv4: [],
      ipv6: [ipv6[0], { ...ipv6[1], address: parseIpv6("2001:db8:ffff::1") }],
    };
    expect(made(uci, { neighbours: [lan as Surroundings["neighbours"][number]] })).toMatchObject({
      refused: expect.stringMatching(
        /^INVALID_MAP_RULE: peeraddr: 2001:db8:ffff::1\/128 has an address of the router's, on/,
      ),
    });
  });

  test("an option that is not hexadecimal", () => {
    const result = made({}, withOption("xx"));
    expect(result).toMatchObject({ refused: expect.stringMatching(/^INVALID_OPTION: /) });
    expect(result.cause).toBeInstanceOf(MapminError);
  });

  test("a domain that does not match gives way to the next; the first refusal is told when none does", () => {
    const elsewhere = mapE.replace("2820010db800", "2820010db9ff");
    expect(made({}, withOption(elsewhere + mapT))).toMatchObject({ plan: { transport: "map-t" } });
    const result = made({}, withOption(elsewhere));
    expect(result).toMatchObject({ refused: expect.stringMatching(/^NO_MATCHING_PD: /) });
    expect(result.cause).toBeInstanceOf(MapminError);
    const privates = mapE.replace("c0000200", "c0a80100");
    expect(made({}, withOption(privates + elsewhere))).toMatchObject({
      refused: expect.stringMatching(/^INVALID_MAP_RULE: ipv4-prefix: /),
    });
  });

  test("the BMR is judged by the address that it gives, and is forwarded by", () => {
    const whole =
      "fmr=1,ipv4prefix=0.0.0.0,prefix4len=0,ipv6prefix=2001:db8::,prefix6len=32,ealen=40,br=2001:db8:ffff::1";
    const prefixes = [parseIpv6Prefix("2001:db8:c000:212:3400::/72")];
    const { plan, ipv4 } = made({ rule: whole }, { link: { ...link, prefixes } });
    expect(ipv4).toBe("192.0.2.18/32");
    expect(plan?.module?.fmrs).toHaveLength(1);
  });

  test("rules that the judge refuses are not forwarded by, and a refused BMR is a refusal", () => {
    const second = rule
      .replace("type=map-e,", "")
      .replace("198.51.100.0", "10.0.0.0")
      .replace("2001:db8::", "2001:db8:100::");
    const forwarded = made({ rule: `${rule} fmr=1,${second}` });
    expect(forwarded.remarks).toEqual([
      expect.stringMatching(/^a rule is not forwarded by: 10\.0\.0\.0\/24/),
    ]);
    expect(forwarded.plan?.module?.fmrs).toEqual([]);
    expect(made({ rule: `${rule} ${second}` }).remarks).toEqual([]);
    const good = second.replace("10.0.0.0", "203.0.113.0");
    expect(made({ rule: `${rule} fmr=1,${good}` }).plan?.module?.fmrs).toHaveLength(1);
    expect(made({ rule: `${rule} fmr=1,${second}`, allow_private: true }).plan?.module?.fmrs).toHaveLength(1);
    const refused = rule.replace("198.51.100.0", "10.0.0.0");
    expect(made({ rule: refused })).toMatchObject({
      refused: expect.stringMatching(/^INVALID_MAP_RULE: ipv4prefix: /),
    });
    expect(made({ rule: refused, allow_private: true })).toMatchObject({ ipv4: "10.0.0.18/32" });
  });
});

describe("what the plan is given", () => {
  test("options only where they are set", () => {
    const bare = made(uci).plan;
    expect(bare?.zone).toBeUndefined();
    expect(bare?.mtu).toBe(1460);
    expect(bare?.module).toMatchObject({ ttl: 64, encaplimit: "ignore" });
    const given = made({
      ...uci,
      zone: "wan",
      mtu: 1400,
      ttl: 9,
      encaplimit: "4",
      nat: "nftables",
      reserved_ports: "4928",
    });
    expect(given.plan).toMatchObject({ zone: "wan", mtu: 1400, tunnel: { ttl: 9, encaplimit: "4" } });
    expect(given.plan?.nat?.reservedPorts).toEqual([4928]);
    expect(given.plan?.natBy).toBe("nftables: option nat asks for it");
  });

  test("the module unless it is not loaded; the link's MTU where it is known", () => {
    expect(made(uci, { moduleLoaded: false }).plan?.natBy).toBe("nftables: the kernel module is not loaded");
    expect(made(uci, { linkMtu: 1400 }).plan?.mtu).toBe(1360);
    expect(made(uci).plan?.natBy).toBe("the kernel module");
  });

  test("a link's own prefix is on link, a delegated one of the same text is not", () => {
    expect(made(uci).plan?.link).toEqual({ iface: "wan6", device: "eth1", mtu: 1500, onLink: false });
    expect(made(uci, { link: { ...link, onLink: [pd] } }).plan?.link.onLink).toBe(true);
    expect(made(uci, { link: { ...link, onLink: [{ ...pd }] } }).plan?.link.onLink).toBe(false);
  });

  test("a border relay alone takes the link's address", () => {
    const relay = "005e0014005a001020010db8ffff00000000000000000001";
    const address = parseIpv6("2001:db8:12:3400::5");
    const b4 = made({ reserved_ports: "80" }, { link: { ...link, address, onLink: [pd], passthru: relay } });
    expect(b4).toMatchObject({ plan: { transport: "map-e", link: { address, onLink: false } }, remarks: [] });
    expect(made({}, withOption(relay))).toMatchObject({
      refused: "INVALID_MAP_RULE: a tunnel needs an IPv6 address of our own on the link",
    });
  });

  test("ports for miniupnpd are the last of the set, and half of it at most", () => {
    const { upnp, remarks } = provision(wan, { ...uci, upnp_ports: 2 }, around);
    expect([upnp, remarks]).toEqual([[64_722, 64_723], []]);
    const many = provision(wan, { ...uci, upnp_ports: 200 }, around);
    expect(many.upnp).toHaveLength(126);
    expect(many.remarks).toEqual([
      {
        code: "upnp-ports",
        path: "upnp_ports",
        text: "200 are more than half of the ports that are free: 126 are given",
      },
    ]);
  });

  test("reserved ports outside the set are told by the name of their option", () => {
    const texts = (config: InterfaceConfig) => {
      const { remarks } = provision(wan, { ...uci, ...config }, around);
      return remarks.map(({ path }) => path);
    };
    expect(texts({ reserved_ports: "80" })).toEqual(["reserved_ports"]);
    expect(texts({ dont_snat_to: "80" })).toEqual(["dont_snat_to"]);
    expect(texts({ reserved_ports: "", dont_snat_to: "80" })).toEqual(["reserved_ports"]);
  });

  test("remarks of the domain come first, then those of the CE", () => {
    const padded = mapT
      .replace("001e", "001f")
      .replace("005b00094020010db8ffff0000", "005b000a4020010db8ffff000000");
    const longer = { ...link, prefixes: [parseIpv6Prefix("2001:db8:12:3401::/64")], passthru: padded };
    expect(made({}, { link: longer }).remarks).toEqual([
      "the prefix is followed by 1 zero octet that should not be there: skipped",
      "the 8 bits behind the EA bits are not zero; the border relay may want zeros",
    ]);
  });

  test("an error that nobody declared is a bug, and goes up as it is", () => {
    const broken = { ...around, link: { ...link, prefixes: undefined as unknown as LinkStatus["prefixes"] } };
    expect(() => provision(wan, uci, broken)).toThrow(TypeError);
    const numeric = withOption(7 as unknown as string);
    expect(() => provision(wan, {}, { ...around, ...numeric })).toThrow(TypeError);
  });
});

describe("the link as netifd tells it", () => {
  const entry = (address: string, mask: unknown) => ({ address, mask });

  test("delegated prefixes first, then the /64 of each global address", () => {
    const found = decodeLinkStatus({
      up: true,
      l3_device: "pppoe-wan",
      device: "eth1",
      "ipv6-prefix": [entry("2001:db8:1::", 56)],
      "ipv6-address": [
        entry("fe80::1", 64),
        entry("febf::1", 64),
        entry("fd00::1", 64),
        entry("fc00::1", 64),
        entry("2001:db8:2:3:4:5:6:7", 128),
        entry("fec0::1", 64),
        entry("fbff::1", 64),
      ],
      data: { passthru: "beef" },
    });
    expect(found.prefixes.map(formatIpv6Prefix)).toEqual([
      "2001:db8:1::/56",
      "2001:db8:2:3::/64",
      "fec0::/64",
      "fbff::/64",
    ]);
    expect(found.onLink).toEqual(found.prefixes.slice(1));
    expect(found).toMatchObject({
      up: true,
      device: "pppoe-wan",
      address: parseIpv6("2001:db8:2:3:4:5:6:7"),
      passthru: "beef",
    });
  });

  test.each([
    [null],
    [7],
    [{ up: "yes" }],
    [{ data: { passthru: "x".repeat(200_001) } }],
    [{ l3_device: 5 }],
  ])("%j counts as absent", (value) => {
    expect(decodeLinkStatus(value)).toStrictEqual({ up: false, device: "", prefixes: [], onLink: [] });
  });

  test("an entry that is damaged costs only itself", () => {
    const list = [
      entry("x", 64),
      entry("2001:db8::1", 129),
      entry("2001:db8::2", -1),
      entry("2001:db8::3", 1.5),
      7,
      null,
    ];
    const found = decodeLinkStatus({
      "ipv6-prefix": [...list, entry("2001:db8::", 0), entry("2001:db8::", 128)],
    });
    expect(found.prefixes.map(({ length }) => length)).toEqual([0, 128]);
    expect(decodeLinkStatus({ device: "a/b" }).device).toBe("");
    expect(decodeLinkStatus({ device: "eth9" }).device).toBe("eth9");
  });
});

describe("the router's other interfaces", () => {
  test("addresses of all but our own and other MAP interfaces; what is damaged costs only itself", () => {
    const address = (text: string, mask: number) => ({ address: text, mask });
    const dump = {
      interface: [
        null,
        { interface: 7 },
        { interface: "wan_map", "ipv4-address": [address("192.0.2.1", 32)] },
        { interface: "other", proto: "map", "ipv4-address": [address("192.0.2.1", 32)] },
        { interface: "bare" },
        {
          interface: "lan",
          proto: "static",
          "ipv4-address": [
            address("10.0.0.1", 1),
            address("10.0.0.2", 32),
            address("10.0.0.3", 0),
            address("10.0.0.4", 33),
          ],
          "ipv6-address": [address("2001:db8::1", 64)],
          "ipv6-prefix-assignment": [null, undefined, {}, { "local-address": address("2001:db8:1::1", 64) }],
        },
      ],
    };
    expect(decodeNeighbours(dump, ["wan_map"])).toEqual([
      { iface: "bare", ipv4: [], ipv6: [] },
      {
        iface: "lan",
        ipv4: [
          { address: 0x0a000001, length: 1 },
          { address: 0x0a000002, length: 32 },
          { address: 0x0a000003, length: 32 },
          { address: 0x0a000004, length: 32 },
        ],
        ipv6: [
          { address: parseIpv6("2001:db8::1"), length: 64 },
          { address: parseIpv6("2001:db8:1::1"), length: 64 },
        ],
      },
    ]);
    for (const nothing of [undefined, {}, { interface: {} }])
      expect(decodeNeighbours(nothing, [])).toEqual([]);
  });
});

describe("several border relays", () => {
  const [one, two, three] = ["2001:db8:ffff::1", "2001:db8:ffff::2", "2001:db8:ffff::3"];
  const several: InterfaceConfig = { ...uci, peeraddr: ` ${one}  ${two}\t${three} ` };
  const used = (config: InterfaceConfig, changes: Partial<Surroundings> = {}) => {
    const { plan, relays, remarks } = provision(
      wan,
      { nat: "nftables", ...config },
      { ...around, ...changes },
    );
    return { used: plan.tunnel && formatIpv6(plan.tunnel.remote), relays: relays.map(formatIpv6), remarks };
  };

  test.each<[relay: string | undefined, first: string]>([
    [undefined, one],
    [one, one],
    ["2001:db8:ffff::9", one],
    ["", one],
    [`${two}\n`, one],
  ])("%j: the first is used", (relay, first) => {
    expect(used(several, { relay })).toEqual({ used: first, relays: [one, two, three], remarks: [] });
  });

  test("the one that was chosen is used, and a remark says so", () => {
    const text = `border relay ${two} is used`;
    const remarks = [{ code: "relay", path: "relay", text }];
    expect(used(several, { relay: two })).toEqual({ used: two, relays: [one, two, three], remarks });
  });

  test("so are those of option 94, of a table, and of lw4o6", () => {
    const relay = "005a001020010db8ffff0000000000000000000";
    const option = `005e00390059000d001018c00002002820010db800${relay}1${relay}2`;
    expect(used({}, { ...withOption(option), relay: two })).toMatchObject({ used: two, relays: [one, two] });
    const rulesText = `# br=${one} ${two}\nruleIpv6Prefix,ruleIpv4Prefix,eaLength\n2001:db8::/40,192.0.2.0/24,16\n`;
    expect(used({ rules: "/t" }, { rulesText, relay: two })).toMatchObject({ used: two, relays: [one, two] });
    const bound = {
      maptype: "lw4o6",
      ipaddr: "192.0.2.18",
      ip4prefixlen: 32,
      ip6prefix: "2001:db8:12:3400::",
      ip6prefixlen: 56,
    };
    expect(used({ ...bound, peeraddr: `${one} ${two}` }, { relay: two })).toMatchObject({ used: two });
  });

  test("MAP-T has none, and its prefix is one", () => {
    const mapT = { ...uci, nat: "auto", maptype: "map-t", peeraddr: "2001:db8:ffff::/64" };
    expect(used(mapT, { relay: one })).toEqual({ used: undefined, relays: [], remarks: [] });
    expect(made({ ...mapT, peeraddr: "2001:db8:ffff::/64 2001:db8:fffe::/64" })).toHaveProperty("refused");
  });

  test("one that is not an address is named; the one in use is judged", () => {
    expect(made({ ...uci, peeraddr: `${one} x` })).toMatchObject({
      refused: 'INVALID_MAP_RULE: peeraddr: "x" is not an IPv6 address',
    });
    const bad = { ...uci, peeraddr: `${one} ::1` };
    expect(made(bad)).toMatchObject({ ipv4: "192.0.2.18/32" });
    expect(made(bad, { relay: "::1" })).toMatchObject({
      refused: "INVALID_MAP_RULE: peeraddr: ::1/128 is in ::1/128, loopback (RFC 4291 s2.5.3)",
    });
  });
});
