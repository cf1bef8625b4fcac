/** The texts of kernel, nft, netifd and uci as the doctor reads them: what they give, and what is refused. */

import { describe, expect, test } from "vitest";
import {
  appliesTo,
  earlierChains,
  isForwardedTo,
  offloads,
  parseFirewall,
  sourceNatIn,
  takesInput,
  zoneOf,
} from "../../../src/doctor/firewall.ts";
import {
  busiestHosts,
  busiestPeers,
  flowsOf,
  fullestRemotes,
  type Protocol,
  peerName,
  pingedIds,
} from "../../../src/doctor/flows.ts";
import {
  parseDefaultRoutes,
  parseIpv6Addresses,
  parseIpv6Routes,
  parseLocalAddresses,
  parseSilentNeighbours,
  routeOf,
} from "../../../src/doctor/kernel-tables.ts";
import { decodeDump, optionOf, parseUci } from "../../../src/doctor/netifd-dump.ts";
import { parseIpv6 } from "../../../src/ip/text.ts";
import { refusal } from "../../support/refusal.ts";

const ZERO = "0".repeat(32);
const hex = (address: string) => parseIpv6(address).toString(16).padStart(32, "0");

describe("routes", () => {
  const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

  test.each([
    ["", []],
    [head, []],
    [`${head}a 00000000 00000000 0001 0 0 5 00000000 0 0 0\n`, [{ device: "a", metric: 5 }]],
    [`${head}\n  a 00000000 00000000 0001 0 0 50 00000000 0 0 0\n \t\n`, [{ device: "a", metric: 50 }]],
    // Half of the address space is no default route; nor is one that is down, or rejects.
    [`${head}a 00000000 00000000 0001 0 0 0 00000080 0 0 0\n`, []],
    [`${head}a 00000000 00000000 0000 0 0 0 00000000 0 0 0\n`, []],
    [`${head}a 00000000 00000000 0201 0 0 0 00000000 0 0 0\n`, []],
  ])("IPv4 %#", (text, routes) => {
    expect(parseDefaultRoutes(text)).toEqual(routes);
  });

  test.each([
    "a",
    "a 0 0 1 0 0 0 0",
    "a 00000000 00000000 0001 0 0 x 00000000",
    "a 00000000 00000000 0001 0 0 x5 00000000",
    "a 00000000 00000000 0001 0 0 5x 00000000",
    "a g0000000 00000000 0001 0 0 0 00000000",
    "a 0000000g 00000000 0001 0 0 0 00000000",
  ])("IPv4, malformed: %s", (line) => {
    expect(refusal(() => parseDefaultRoutes(head + line))).toBe(
      "/proc/net/route: is not what the kernel prints",
    );
  });

  const line = (
    to: string,
    length: string,
    from = "::",
    fromLength = "00",
    metric = "00000400",
    flags = "00000001",
    device = "eth1",
  ) =>
    `${hex(to)} ${length} ${hex(from)} ${fromLength} ${ZERO} ${metric} 00000001 00000000 ${flags}     ${device}\n`;

  test("of an IPv6 packet: the longest destination, the longest source, the lowest metric", () => {
    const routes = parseIpv6Routes(
      line("::", "00", "::", "00", "ffffffff", "00200200", "lo") +
        line("::", "00", "::", "00", "00000400", "00000001", "b") +
        line("::", "00", "2001:db8::", "20", "00000800", "00000001", "c") +
        line("2001:db8:ffff::", "30", "::", "00", "00000400", "00000001", "d"),
    );
    const device = (to: string, from: string) => routeOf(routes, parseIpv6(to), parseIpv6(from))?.device;
    expect(device("2001:db9::1", "2001:db9::2")).toBe("b");
    expect(device("2001:db9::1", "2001:db8::2")).toBe("c");
    expect(device("2001:db8:ffff::1", "2001:db8::2")).toBe("d");
    expect(routeOf(routes.slice(3), 1n, 1n)).toBeUndefined();
    const backwards = routes.toReversed();
    for (const [to, from] of [
      ["2001:db9::1", "2001:db9::2"],
      ["2001:db9::1", "2001:db8::2"],
      ["2001:db8:ffff::1", "2001:db8::2"],
    ] as const) {
      expect(routeOf(backwards, parseIpv6(to), parseIpv6(from))?.device).toBe(device(to, from));
    }
    const twins = parseIpv6Routes(
      line("::", "00") + line("::", "00", "::", "00", "00000400", "1".padStart(8, "0"), ""),
    );
    expect(twins.map((route) => routeOf([route, ...twins], 1n, 1n)?.device)).toEqual(["eth1", ""]);
    expect(routes[0]).toMatchObject({ reject: true, metric: 0xffffffff });
  });

  test.each(["x", `${ZERO} 00 ${ZERO} 00 ${ZERO}`, `${ZERO.slice(1)} 00`, `${ZERO} 0x ${ZERO}`])(
    "IPv6, malformed: %s",
    (text) => {
      expect(refusal(() => parseIpv6Routes(text))).toBe(
        "/proc/net/ipv6_route: is not what the kernel prints",
      );
    },
  );
});

describe("addresses and neighbours", () => {
  test("the local ones of fib_trie, each once; the same leaf may be a broadcast too", () => {
    const trie = (kind: string) =>
      `     |-- 192.168.1.${kind === "LOCAL" ? 1 : 255}\n        /32 ${kind === "LOCAL" ? "host" : "link"} ${kind}\n`;
    const text = `Main:\n  +-- 0.0.0.0/0 3 0 5\n${trie("LOCAL")}Local:\n${trie("LOCAL")}${trie("BROADCAST")}`;
    expect(parseLocalAddresses(text)).toEqual(["192.168.1.1"]);
    expect(parseLocalAddresses("        /32 host LOCAL\n|-- x\n")).toEqual([]);
  });

  test.each([
    ["|-- 192.0.2.1 \t\n /32 host LOCAL  \n", ["192.0.2.1"]],
    ["|-- 192.0.2.1888\n/32 host LOCAL\n", []],
    ["|-- 192.0.2.1x\n/32 host LOCAL\n", []],
    ["|-- 192.0.2.1\nx /32 host LOCAL\n", []],
    ["|-- 192.0.2.1\n/32 host LOCAL x\n", []],
    ["|-- 192.0.2.1\n/32 host LOCALE\n", []],
  ])("a leaf of fib_trie: %j", (text, addresses) => {
    expect(parseLocalAddresses(text)).toEqual(addresses);
  });

  test("IPv6", () => {
    expect(parseIpv6Addresses(`${hex("fe80::1")} 02 40 20 80 eth1\n`)).toEqual([parseIpv6("fe80::1")]);
    expect(parseIpv6Addresses("")).toEqual([]);
    expect(refusal(() => parseIpv6Addresses("fe80::1 02\n"))).toBe(
      "/proc/net/if_inet6: is not what the kernel prints",
    );
  });

  test("who has not answered", () => {
    const text = "fe80::1 dev eth1  FAILED\nfe80::2 lladdr 02:00:00:00:00:01 STALE\n\nFAILED\nx FAILED\n";
    expect(parseSilentNeighbours(text)).toEqual([parseIpv6("fe80::1")]);
  });
});

describe("flows", () => {
  const line = (protocol: string, peer: string, port: number) =>
    `ipv4 2 ${protocol} 6 10 src=192.168.1.2 dst=${peer} sport=4 dport=80 src=${peer} dst=192.0.2.18 sport=80 dport=${port} mark=0`;
  const ping = (id: number) =>
    `icmp 1 29 src=192.168.1.2 dst=203.0.113.1 type=8 code=0 id=4 src=203.0.113.1 dst=192.0.2.18 type=0 code=0 id=${id} mark=0`;

  test("with whom, by protocol; a port that is used twice counts once", () => {
    const table = [
      line("tcp", "203.0.113.1", 1),
      line("tcp", "203.0.113.2", 1),
      line("tcp", "203.0.113.2", 1),
      line("tcp", "203.0.113.2", 2),
      ping(7),
      ping(8),
    ];
    expect(busiestPeers(table.join("\n"), "192.0.2.18")).toEqual([
      { protocol: "tcp", peer: "203.0.113.2 port 80", ports: 2 },
      { protocol: "icmp", peer: "203.0.113.1", ports: 2 },
    ]);
  });

  test("what a flow tells", () => {
    const forwarded = line("udp", "203.0.113.1", 7).replace("dport=80 src", "dport=80 [UNREPLIED] src");
    const own = line("tcp", "203.0.113.1", 65_535).replace("src=192.168.1.2", "src=192.0.2.18");
    const odd = ping(9).replaceAll("type=0", "sport=5 type=0");
    expect([...flowsOf([forwarded, own, odd].join("\n"), "192.0.2.18")]).toEqual([
      { protocol: "udp", port: 7, host: "192.168.1.2", remote: "203.0.113.1", remotePort: 80 },
      { protocol: "tcp", port: 65_535, host: "192.0.2.18", remote: "203.0.113.1", remotePort: 80 },
      { protocol: "icmp", port: 9, host: "192.168.1.2", remote: "203.0.113.1", remotePort: undefined },
    ]);
  });

  test("lines of others, and lines that are none", () => {
    const good = line("udp", "203.0.113.1", 1234);
    const table = [
      "",
      "tcp",
      "tcp 6 src=x dst=192.0.2.18 ",
      line("sctp", "203.0.113.1", 1),
      good.replaceAll("192.0.2.18", "192.0.2.19"),
      good.replaceAll("192.0.2.18", "192.0.2.180"),
      // One direction alone, ours to them or theirs to us.
      "tcp 6 10 src=203.0.113.1 dst=192.0.2.18 sport=80 dport=1234 mark=0",
      // Opened from outside: the port is not one that NAT gave.
      "tcp 6 10 src=203.0.113.1 dst=192.0.2.18 sport=4 dport=1 src=192.168.1.2 dst=203.0.113.1 sport=1 dport=4 mark=0",
      good.replace("src=192.168.1.2", "src=2001:db8::1"),
      good.replaceAll(/ src=\S+/g, ""),
      good.replace("src=203.0.113.1", "src=\u001b[2J"),
      good.replace("sport=80", "sport=99999"),
      good.replace("sport=80 ", ""),
      good.replace("dport=1234", "dport=65536"),
      good.replace("dport=1234", "dport=123456789012345678901234567890"),
      good.replace("dport=1234", "dport=-1"),
      good.replace("dport=1234", "dport=0x10"),
      ping(65_536),
      ping(7).replace("id=7 ", "code=7 "),
    ];
    expect([...flowsOf(table.join("\n"), "192.0.2.18")]).toEqual([]);
  });

  test("the addresses of the original direction may stand right before those of the reply", () => {
    const odd =
      "udp 17 dst=203.0.113.1 sport=4 dport=80 src=192.168.1.2 src=203.0.113.1 dst=192.0.2.18 sport=80 dport=7 ";
    expect([...flowsOf(odd, "192.0.2.18")].map(({ host }) => host)).toEqual(["192.168.1.2"]);
  });

  const pinged = (id: number, more = "") =>
    `icmp 1 29 src=192.0.2.18 dst=203.0.113.1 type=8 code=0 id=4 ${more}src=203.0.113.1 dst=192.0.2.18 type=0 code=0 id=${id}`;

  test("the router's own pings: their ids, and whether they were answered", () => {
    const table = [
      pinged(1),
      `ipv4 2 ${pinged(65_535, "[UNREPLIED] ")} mark=0 use=1`,
      // The provider's gateway may answer for the address.
      pinged(22).replace("src=203.0.113.1", "src=203.0.113.254"),
      pinged(3).replace("src=192.0.2.18", "src=192.168.1.2"),
      pinged(4).replace("dst=203.0.113.1 ", "dst=203.0.113.11 "),
      pinged(5).replace("dst=192.0.2.18", "dst=192.0.2.181"),
      pinged(6).replace("icmp", "icmpv6"),
      pinged(7).replace("icmp", "xicmp"),
      pinged(8).replace("icmp 1", "udp 17"),
      pinged(9).replace(/ src=203.*/, ""),
      pinged(9).replace(/id=9$/, "id=x"),
      "icmp",
      "",
    ];
    expect(pingedIds(table.join("\n"), "192.0.2.18", "203.0.113.1")).toEqual([
      { id: 1, ping: "4", answered: true },
      { id: 65_535, ping: "4", answered: false },
      { id: 22, ping: "4", answered: true },
    ]);
  });

  test("a line that is cut short anywhere is a flow as it was, or none", () => {
    for (const whole of [line("udp", "203.0.113.1", 1234), ping(4_321)]) {
      const [flow] = flowsOf(whole, "192.0.2.18");
      expect(flow).toBeDefined();
      for (let length = 0; length < whole.length; length++) {
        for (const found of flowsOf(whole.slice(0, length), "192.0.2.18")) expect(found).toEqual(flow);
      }
    }
  });

  const flow = (protocol: Protocol, port: number, remote: string, host = "192.168.1.2") => ({
    protocol,
    port,
    host,
    remote,
    remotePort: protocol === "icmp" ? undefined : 443,
  });

  test("the fullest remote ends: by different ports, then by name", () => {
    const flows = [
      flow("udp", 1, "203.0.113.9"),
      flow("tcp", 1, "203.0.113.9"),
      flow("tcp", 1, "203.0.113.8"),
      flow("tcp", 1, "203.0.113.8"),
      { ...flow("tcp", 2, "203.0.113.8"), remotePort: 80 },
      flow("icmp", 1, "203.0.113.7"),
      flow("icmp", 2, "203.0.113.7"),
    ];
    const expected = [
      { protocol: "icmp", address: "203.0.113.7", port: undefined, ports: 2 },
      { protocol: "tcp", address: "203.0.113.8", port: 443, ports: 1 },
      { protocol: "tcp", address: "203.0.113.8", port: 80, ports: 1 },
      { protocol: "tcp", address: "203.0.113.9", port: 443, ports: 1 },
      { protocol: "udp", address: "203.0.113.9", port: 443, ports: 1 },
    ];
    expect(fullestRemotes(flows)).toEqual(expected);
    expect(fullestRemotes(flows.toReversed())).toEqual(expected);
    expect(fullestRemotes([])).toEqual([]);
    expect(expected.slice(0, 2).map(peerName)).toEqual(["203.0.113.7", "203.0.113.8 port 443"]);
  });

  test("the busiest hosts: a port counts once for each protocol", () => {
    const flows = [
      flow("tcp", 1, "203.0.113.1"),
      flow("tcp", 1, "203.0.113.2"),
      flow("tcp", 1, "203.0.113.3"),
      flow("tcp", 1, "203.0.113.1", "192.168.1.3"),
      flow("udp", 1, "203.0.113.1", "192.168.1.3"),
    ];
    expect(busiestHosts(flows)).toEqual([
      { address: "192.168.1.3", ports: 2, flows: 2 },
      { address: "192.168.1.2", ports: 1, flows: 3 },
    ]);
  });
});

describe("nft", () => {
  test.each(["x", "null", "[]", "{}", '{"nftables":7}'])("what it did not print: %s", (text) => {
    expect(refusal(() => parseFirewall(text))).toMatch(
      /^nft: what it printed (is not JSON|has no list `nftables`)$/,
    );
  });

  test("objects that are malformed are passed over", () => {
    const nftables = [
      null,
      7,
      { rule: null },
      { rule: { chain: 7, expr: [] } },
      {
        rule: {
          chain: "forward",
          expr: [null, { match: null }, { match: { op: "==", left: 7, right: "x" } }, { jump: 7 }],
        },
      },
      {
        rule: {
          chain: "forward",
          expr: [
            { match: { op: "!=", left: { meta: { key: "iifname" } }, right: "map" } },
            { jump: { target: "forward_no" } },
          ],
        },
      },
      {
        rule: {
          chain: "forward",
          expr: [
            { match: { op: "==", left: { meta: { key: "iifname" } }, right: { set: [7, "map"] } } },
            { jump: { target: "forward_x" } },
          ],
        },
      },
    ];
    const firewall = parseFirewall(JSON.stringify({ nftables }));
    expect(firewall.rules.map(({ chain, statements }) => [chain, statements.length])).toEqual([
      ["forward", 3],
      ["forward", 2],
      ["forward", 2],
    ]);
    expect([zoneOf(firewall, "map"), zoneOf(firewall, "other")]).toEqual(["x", undefined]);
  });

  const chain = { family: "ip", table: "a", name: "n", type: "nat", hook: "postrouting", prio: 90 };

  test.each<[boolean, string, unknown]>([
    [true, "beside ours", {}],
    [true, "of both families", { family: "inet" }],
    [true, "of a long name", { table: `_${"a-".repeat(31)}0` }],
    [false, "after ours", { prio: 91 }],
    [false, "of an order that is no number", { prio: "x" }],
    [false, "of IPv6", { family: "ip6" }],
    [false, "of bridges", { family: "bridge" }],
    [false, "of another type", { type: "filter" }],
    [false, "at another hook", { hook: "prerouting" }],
    [false, "of our own table", { table: "ours" }],
    [false, "whose family is a number", { family: 7 }],
    [false, "whose table is a list", { table: ["a"] }],
    [false, "whose name is a number", { name: 7 }],
    [false, "of a table that nft would read as more than a name", { table: "a; flush ruleset" }],
    [false, "of a table that begins with a blank", { table: " a" }],
    [false, "of a table with too long a name", { table: "a".repeat(65) }],
  ])("source NAT before ours: %s for a chain %s", (found, _title, change) => {
    const changed = { ...chain, ...(change as object) };
    const { family, table, name } = changed;
    const text = JSON.stringify({ nftables: [{ chain: null }, {}, { chain: changed }] });
    expect(earlierChains(text, "ours", 90)).toEqual(found ? [{ family, table, name }] : []);
  });

  const rulesText = (...rules: readonly (readonly [chain: string, ...expr: readonly object[]])[]) =>
    JSON.stringify({ nftables: rules.map(([name, ...expr]) => ({ rule: { chain: name, expr } })) });
  const meets = (key: string, right: unknown, op = "==") => ({
    match: { op, left: { meta: { key } }, right },
  });
  const jump = (target: string) => ({ jump: { target } });
  const masquerade = { masquerade: null };

  test("source NAT of a chain and of those that it jumps to, with the devices that it is for", () => {
    const text = rulesText(
      ["n", meets("iifname", "lan"), meets("oifname", "a"), masquerade],
      ["n", { counter: null }],
      ["n", { accept: null }, { snat: { addr: "1.1.1.1" } }],
      ["n", meets("oifname", ["b", 7]), jump("called")],
      ["other", masquerade],
      ["called", masquerade],
      ["called", meets("oifname", "c", "!="), meets("oifname", "d"), masquerade],
      ["called", jump("n")],
    );
    const at = { family: "ip", table: "a", chain: "n" };
    expect(sourceNatIn(text, { family: "ip", table: "a", name: "n" })).toEqual([
      { ...at, devices: ["a"] },
      at,
      { ...at, devices: ["b"] },
      { ...at, devices: ["d"] },
    ]);
  });

  test("a zone: who may reach the router from it, and who is forwarded to it", () => {
    const firewall = parseFirewall(
      rulesText(
        ["input", meets("iifname", "map"), jump("forward_no")],
        ["forward", meets("iifname", "map"), jump("handle")],
        ["forward", meets("iifname", "map"), { counter: null }],
        ["forward", meets("oifname", "map"), jump("forward_no")],
        ["forward", jump("forward_no")],
        ["forward", meets("iifname", ["x", "map"]), jump("forward_zone")],
        ["forward", meets("iifname", "lan*"), jump("forward_lan")],
        ["input_lan", jump("accept_from_lan")],
        ["input_zone", jump("reject_from_zone")],
        ["input_other", jump("accept_from_zone")],
        ["forward_lan", jump("accept_to_zone")],
        ["forward_vpn", jump("accept_to_vpn")],
        ["output", jump("accept_to_vpn")],
        ["forward_lan", jump("accept_to_other")],
      ),
    );
    expect(["map", "lan0", "la", "y"].map((device) => zoneOf(firewall, device))).toEqual([
      "zone",
      "lan",
      undefined,
      undefined,
    ]);
    expect(["lan", "zone", "other", "vpn"].map((zone) => takesInput(firewall, zone))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(["lan", "zone", "vpn"].map((zone) => isForwardedTo(firewall, zone))).toEqual([false, true, false]);
  });

  test.each<[boolean, readonly object[]]>([
    [true, [meets("l4proto", "tcp"), { flow: { op: "add", flowtable: "@ft" } }]],
    [false, [meets("l4proto", "tcp"), { counter: null }]],
    [false, []],
  ])("offload of flows: %s (%#)", (offloaded, expr) => {
    expect(offloads(parseFirewall(rulesText(["forward", ...expr])))).toBe(offloaded);
  });

  test("devices, by name and by the beginning of a name", () => {
    const chain = { family: "ip", table: "a", chain: "b" };
    expect(appliesTo(chain, "map")).toBe(true);
    expect(appliesTo({ ...chain, devices: ["eth0", "map-*"] }, "map-wan")).toBe(true);
    expect(appliesTo({ ...chain, devices: ["map-*"] }, "mapwan")).toBe(false);
    expect(appliesTo({ ...chain, devices: ["map"] }, "map-wan")).toBe(false);
  });
});

describe("netifd and uci", () => {
  test.each([
    [null],
    [7],
    [{}],
    [{ interface: 7 }],
    [{ interface: [null, 7, {}, { interface: 7 }, { interface: "x", up: "yes" }] }],
  ])("a dump that is none: %j", (dump) => {
    expect(decodeDump(dump)).toEqual([]);
  });

  test("an interface with an error, and one that says little", () => {
    const errors = [{ subsystem: "map", code: "NO_RULE", data: ["there is", 7] }];
    expect(
      decodeDump({
        interface: [
          { interface: "wan", proto: "map", dynamic: true, autostart: false, errors },
          { interface: "x" },
          { interface: "y", up: true, l3_device: "eth1", errors: [{ code: "NO_ENGINE" }] },
        ],
      }),
    ).toEqual([
      {
        name: "wan",
        proto: "map",
        up: false,
        autostart: false,
        dynamic: true,
        device: "",
        error: { code: "NO_RULE", text: "there is 7" },
      },
      { name: "x", proto: "", up: false, autostart: true, dynamic: false, device: "" },
      {
        name: "y",
        proto: "",
        up: true,
        autostart: true,
        dynamic: false,
        device: "eth1",
        error: { code: "NO_ENGINE", text: "" },
      },
    ]);
  });

  test("sections: types, options, lists, quotes", () => {
    const sections = parseUci(
      "network.wan=interface\nnetwork.wan.a='1'\nnetwork.wan.l='x' 'y z'\nnetwork.wan.q='it'\\''s'\nnetwork.@rule[0]=rule\nnonsense\n network.c=interface\nnetwork.wan.e=''\nnetwork.wan.u='a\u2028b'\nnetwork.wan.__proto__='x'\nnetwork.b.=\n",
    );
    const wan = sections.get("wan");
    expect([...sections.keys()]).toEqual(["wan", "@rule[0]"]);
    expect(["a", "l", "q", ".type", "none", "e", "u"].map((option) => optionOf(wan, option))).toEqual([
      "1",
      "x y z",
      "it's",
      "interface",
      undefined,
      "",
      "a\u2028b",
    ]);
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
});
