/** The doctor's findings: each row changes one thing of a healthy router. Their texts are in golden/doctor.txt. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { doctorHelp, runDoctor } from "../../../src/cli/doctor.ts";
import { chain } from "../../../src/doctor/diagnose.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import {
  both,
  digits,
  doctor,
  dump,
  file,
  firewall,
  flowRule,
  healthy,
  link,
  makeRouter,
  natTable,
  noReply,
  options,
  program,
  reply,
  rule,
  shown,
  states,
  stateText,
  uci,
  uciText,
  type World,
} from "./doctor-world.ts";

type By = "module" | "tunnel";

type Row = readonly [title: string, by: By, world: World, found: string, words?: readonly string[]];

const state = (by: By, change: Readonly<Record<string, string>>) =>
  file("/var/run/mapmin/wan.state", stateText({ ...states[by], ...change }));
const linked = (change: object): World => {
  const changed = { ...link, ...change };
  return {
    ubus: {
      "network.interface dump": { interface: [changed, shown] },
      "network.interface status wan6": changed,
    },
  };
};
const typed = (by: By, change: Readonly<Record<string, string>>) =>
  uci({ ...rule, ...options[by], ...change });
const asked = { proto: "dhcpv6", reqopts: "21 48879" };
const fromLease = { proto: "map", tunlink: "wan6" };
const option48879 = (value: string) =>
  linked({ data: { passthru: `beef${(value.length / 2).toString(16).padStart(4, "0")}${value}` } });
const TABLE = "/etc/mapmin/rules.json";
/** The rule of the tunnel in a table, where DHCPv6 brings none. */
const tabled = (change: object) => {
  const { peeraddr, maptype: _, ...others } = options.tunnel;
  const row = {
    ruleIpv6Prefix: "2001:db8::/40",
    ruleIpv4Prefix: "192.0.2.0/24",
    eaLength: 16,
    br: peeraddr,
    ...change,
  };
  return both(
    uci({ ...others, tunlink: "wan6", rules: TABLE }),
    file(TABLE, JSON.stringify({ rules: [row] })),
  );
};
const changedFile = (by: By, path: string, from: string | RegExp, to: string) =>
  file(path, String(healthy(by).files[path]).replace(from, to));
const chains = (prio: number, family = "ip", table = "mine") =>
  JSON.stringify({
    nftables: [
      { chain: { family, table, name: "early", type: "nat", hook: "postrouting", prio, policy: "accept" } },
      { chain: { family, table, name: "other", type: "filter", hook: "postrouting", prio: 0 } },
      { chain: { family, table, name: "called" } },
    ],
  });
const mine = (chain: string, ...expr: readonly object[]) => ({
  rule: { family: "ip", table: "mine", chain, expr },
});
const oifname = (right: unknown) => ({ match: { op: "==", left: { meta: { key: "oifname" } }, right } });
const earlier = (prio: number, ...rules: readonly object[]): World => ({
  programs: {
    "nft -j list chains": chains(prio),
    "nft -j list table ip mine": JSON.stringify({ nftables: rules }),
  },
});
const flow = (port: number, peer = "203.0.113.1", protocol = "tcp 6") =>
  `${protocol} 10 src=192.168.1.2 dst=${peer} sport=4 dport=80 src=${peer} dst=192.0.2.18 sport=80 dport=${port} mark=0\n`;
const flows = (count: number, peer?: string) =>
  Array.from({ length: count }, (_, index) => flow(1_000 + index, peer)).join("");
/** Neither one ping nor two are answered, or they are. */
const noReplies = (...words: readonly string[]): World =>
  both(
    noReply(...words),
    program(`ping -c 2 -W 2 ${words.join(" ")}`, new EffectError("ping", "exit code 1")),
  );
const probing = ["--probe", "203.0.113.10"];
const relay = ["-6", "2001:db8:ffff::1"];
const through = ["-I", "map-wan", "203.0.113.10"];
const large = (mtu: number) => ["-I", "map-wan", "-s", `${mtu - 28}`, "203.0.113.10"];
/** Four of six pings are answered at first, and three of six in the end. */
const partly = (table: string | undefined): World => {
  const lost = new EffectError("ping", "exit code 1");
  const line = (count: number) => `ping -c ${count} -W 2 ${through.join(" ")}`;
  return both(file("/proc/net/nf_conntrack", undefined), {
    programs: {
      [line(1)]: ["", "", lost, "", lost, ""],
      [line(2)]: ["", lost, "", lost, "", lost],
      // At the start, after the first six, after the second six: what was there before does not count.
      ...(table === undefined ? {} : { "conntrack -L": ["", ours(65_286), ours(65_286) + table] }),
    },
  });
};
const ours = (id: number, state = "", from = "192.0.2.18", to = "203.0.113.10") =>
  `ipv4 2 icmp 1 29 src=${from} dst=${to} type=8 code=0 id=${1_000 + id} ${state}src=${to} dst=192.0.2.18 type=0 code=0 id=${id} mark=0 use=1\n`;

const pinged =
  ours(65_285) +
  ours(65_290, "[UNREPLIED] ") +
  ours(65_289, "[UNREPLIED] ") +
  ours(65_300, "", "192.168.1.2") +
  ours(65_301, "", "192.0.2.18", "203.0.113.11") +
  "icmp 1 29 src=192.0.2.18 dst=203.0.113.10\nnonsense\n";
const control = "/proc/net/nat46/control";
const failed = "interface=wan\nstate=failed\nsince=2026-01-02T03:04:05Z\n";

/** Title, router, what is changed, the code that is found; the words of the command line when they are not `--offline`. */
const rows: readonly Row[] = [
  ["the engine's file", "tunnel", file("/usr/lib/mapmin/engine", "/opt/node\nx"), "ENGINE_MISSING"],
  ["no map.sh", "tunnel", file("/lib/netifd/proto/map.sh", undefined), "HANDLER_MISSING"],
  ["another map.sh", "tunnel", file("/lib/netifd/proto/map.sh", "proto_map_setup() {"), "HANDLER_FOREIGN"],
  [
    "no netifd",
    "tunnel",
    {
      ubus: {
        "network.interface dump": new EffectError("ubus call network.interface dump", "CONNECTION_FAILED"),
      },
    },
    "NETIFD_SILENT",
  ],
  [
    "netifd is older than the package",
    "tunnel",
    { ubus: { "network get_proto_handlers": { static: {} } } },
    "PROTOCOL_UNKNOWN",
  ],
  ["kmod-nat46", "tunnel", file(control, ""), "NAT46_LOADED"],
  [
    "no module, which was there",
    "module",
    both(file(control, undefined), file("/proc/net/mapmint/counters", undefined)),
    "MODULE_MISSING",
  ],
  [
    "no module, and never was",
    "tunnel",
    both(
      typed("tunnel", options.module),
      file("/var/run/mapmin/wan.state", `${failed}error=NO_KERNEL_MODULE: x\n`),
    ),
    "MODULE_MISSING",
  ],
  ["no forwarding", "module", file("/proc/sys/net/ipv4/ip_forward", "0\n"), "FORWARDING_OFF"],
  ["no ip6_tunnel", "tunnel", file("/sys/module/ip6_tunnel/initstate", undefined), "TUNNEL_UNSUPPORTED"],
  [
    "no nft",
    "tunnel",
    program(
      "nft -j list table ip mapmin_wan",
      new EffectError("nft -j list table ip mapmin_wan", "not installed"),
    ),
    "NFT_MISSING",
  ],
  ["no such link", "tunnel", dump(shown), "NO_LINK"],
  ["a link that is down", "tunnel", linked({ up: false }), "LINK_DOWN"],
  ["a link without a device", "tunnel", file("/sys/class/net/eth1/mtu", undefined), "LINK_DEVICE_MISSING"],
  ["a link whose name is none", "tunnel", linked({ l3_device: "$(x)" }), "LINK_DEVICE_MISSING"],
  ["a link's device set down", "tunnel", file("/sys/class/net/eth1/flags", "0x1002\n"), "LINK_DEVICE_DOWN"],
  ["an MTU too small for IPv6", "tunnel", file("/sys/class/net/eth1/mtu", "1279\n"), "LINK_MTU_TOO_SMALL"],
  ["no prefix", "tunnel", linked({ "ipv6-prefix": [] }), "NO_PREFIX"],
  ["no option, asked for", "tunnel", uci(fromLease, asked), "OPTION_NOT_RECEIVED"],
  ["no option, not asked for", "tunnel", uci(fromLease), "OPTION_NOT_REQUESTED"],
  [
    "an option cut short",
    "tunnel",
    both(uci(fromLease, asked), option48879("0042020d0d18c000")),
    "OPTION_MALFORMED",
  ],
  ["an option of the interface", "tunnel", typed("tunnel", { ealen: "49" }), "OPTION_INVALID"],
  [
    "a prefix that is too short",
    "tunnel",
    linked({ "ipv6-prefix": [{ address: "2001:db8::", mask: 48 }] }),
    "PREFIX_TOO_SHORT",
  ],
  [
    "a prefix of another rule",
    "tunnel",
    linked({ "ipv6-prefix": [{ address: "2001:db9::", mask: 56 }] }),
    "PREFIX_NOT_IN_RULE",
  ],
  ["an unknown type", "tunnel", typed("tunnel", { maptype: "map-x" }), "TYPE_UNKNOWN"],
  [
    "another type than the option's",
    "tunnel",
    both(
      uci({ ...fromLease, maptype: "map-t" }),
      option48879("01" + "4202000d18c000020010002820010db800" + "420300118020010db8ffff00000000000000000001"),
    ),
    "NO_RULE_OF_TYPE",
  ],
  ["a bad row of a table", "tunnel", tabled({ eaLength: "x" }), "RULE_REFUSED"],
  ["a private address in a table", "tunnel", tabled({ ruleIpv4Prefix: "10.0.0.0/24" }), "RULE_REFUSED"],
  ["a table for other prefixes", "tunnel", tabled({ ruleIpv6Prefix: "2001:db9::/40" }), "PREFIX_NOT_IN_RULE"],
  [
    "a table that cannot be read",
    "tunnel",
    both(tabled({}), { files: { [TABLE]: new EffectError(TABLE, "is not a regular file") } }),
    "RULE_REFUSED",
  ],
  ["a table that is not there", "tunnel", both(tabled({}), file(TABLE, undefined)), "RULE_REFUSED"],
  ["a private address, typed", "tunnel", typed("tunnel", { ipaddr: "10.0.0.0" }), "RULE_REFUSED"],
  [
    "a private address, from the provider",
    "tunnel",
    both(
      uci(fromLease),
      option48879("01" + "4202000d180a00000010002820010db800" + "420300118020010db8ffff00000000000000000001"),
    ),
    "RULE_REFUSED",
  ],
  [
    "few ports",
    "tunnel",
    both(
      typed("tunnel", { ipaddr: "192.0.2.18", ip4prefixlen: "32", ealen: "14", psidlen: "14", offset: "0" }),
      state("tunnel", {
        psid: "1165",
        psid_length: "14",
        offset: "0",
        map_address: "2001:db8:12:3400:0:c000:212:48d",
        reserved_ports: "",
      }),
      file(
        "/proc/net/if_inet6",
        `${digits("2001", "db8", "12", "3400", "0", "c000", "212", "48d")} 03 80 00 80 eth1\n`,
      ),
      program("nft -j list table ip mapmin_wan", natTable(0)),
    ),
    "FEW_PORTS",
  ],
  ["netifd has it not", "tunnel", dump(link), "NOT_IN_NETIFD"],
  [
    "a failed setup",
    "tunnel",
    file("/var/run/mapmin/wan.state", `${failed}error="SETUP_FAILED: nft: x"\n`),
    "SETUP_FAILED",
  ],
  [
    "an error of netifd's",
    "tunnel",
    both(
      dump(link, { ...shown, up: false, errors: [{ code: "NO_ENGINE", data: [] }] }),
      file("/var/run/mapmin/wan.state", undefined),
    ),
    "SETUP_FAILED",
  ],
  ["taken down", "tunnel", dump(link, { ...shown, up: false, autostart: false }), "TAKEN_DOWN"],
  ["a setup that does not end", "tunnel", state("tunnel", { state: "starting" }), "SETUP_UNFINISHED"],
  [
    "no setup, no reason",
    "tunnel",
    both(dump(link, { ...shown, up: false }), file("/var/run/mapmin/wan.state", undefined)),
    "NOT_SET_UP",
  ],
  ["a damaged state file", "tunnel", file("/var/run/mapmin/wan.state", "nonsense"), "STATE_DAMAGED"],
  [
    "another prefix since setup",
    "tunnel",
    linked({ "ipv6-prefix": [{ address: "2001:db8:12:3500::", mask: 56 }] }),
    "SETUP_OUTDATED",
  ],
  [
    "another MTU of the link since setup",
    "module",
    file("/sys/class/net/eth1/mtu", "1400\n"),
    "SETUP_OUTDATED",
  ],
  ["no MAP device", "tunnel", file("/sys/class/net/map-wan/mtu", undefined), "DEVICE_MISSING"],
  ["a MAP device of somebody else", "module", file(control, "add map-other\n"), "DEVICE_FOREIGN"],
  [
    "other rules",
    "module",
    changedFile("module", control, "nat.mode ports", "nat.mode off"),
    "RULES_CHANGED",
  ],
  ["a MAP device that is down", "module", file("/sys/class/net/map-wan/flags", "0x90\n"), "DEVICE_DOWN"],
  ["no IPv4 address", "module", file("/proc/net/fib_trie", "Local:\n"), "IPV4_ADDRESS_MISSING"],
  ["no MAP address", "tunnel", file("/proc/net/if_inet6", ""), "MAP_ADDRESS_MISSING"],
  ["no default route", "tunnel", file("/proc/net/route", "Iface\n"), "DEFAULT_ROUTE_MISSING"],
  [
    "a default route that rejects",
    "tunnel",
    changedFile("tunnel", "/proc/net/route", "0001", "0201"),
    "DEFAULT_ROUTE_MISSING",
  ],
  [
    "a better default route",
    "tunnel",
    changedFile(
      "tunnel",
      "/proc/net/route",
      /map-wan.*\n/,
      "map-wan 00000000 00000000 0001 0 0 20 00000000 0 0 0\nppp0 00000000 0101A8C0 0003 0 0 10 00000000 0 0 0\n",
    ),
    "DEFAULT_ROUTE_ELSEWHERE",
  ],
  [
    "no route to the MAP address",
    "module",
    changedFile(
      "module",
      "/proc/net/ipv6_route",
      / 80 .*\n/g,
      " 7f ".concat(`${"0".repeat(32)} 00 ${"0".repeat(32)} 00000400 0 0 00000001 lo\n`),
    ),
    "MAP_ROUTE_MISSING",
  ],
  [
    "no route to the relay",
    "tunnel",
    changedFile("tunnel", "/proc/net/ipv6_route", /^.*eth1\n/, ""),
    "NO_ROUTE_TO_RELAY",
  ],
  [
    "the next router",
    "tunnel",
    program("ip -6 neigh show dev eth1", "fe80::1  FAILED\nnonsense FAILED\nfe80::2 FAILED\n"),
    "NEXT_HOP_SILENT",
  ],
  [
    "another MTU of the MAP device",
    "module",
    file("/sys/class/net/map-wan/mtu", "1280\n"),
    "DEVICE_MTU_CHANGED",
  ],
  [
    "an MTU that does not fit",
    "tunnel",
    both(
      typed("tunnel", { mtu: "1500" }),
      state("tunnel", { mtu: "1500" }),
      file("/sys/class/net/map-wan/mtu", "1500\n"),
    ),
    "MTU_TOO_LARGE",
  ],
  [
    "no table",
    "tunnel",
    program("nft -j list table ip mapmin_wan", new EffectError("nft", "Error: No such file or directory")),
    "NAT_MISSING",
  ],
  [
    "a chain less",
    "tunnel",
    program("nft -j list table ip mapmin_wan", natTable(251, ["translate", "incoming"])),
    "NAT_CHANGED",
  ],
  ["masquerading before", "tunnel", earlier(50, mine("early", { masquerade: null })), "NAT_NOT_FIRST"],
  [
    "source NAT before, in a chain that is called",
    "tunnel",
    earlier(
      90,
      mine("early", oifname({ set: ["eth0", "map-*"] }), { jump: { target: "called" } }),
      mine("called", { snat: { addr: "1.1.1.1" } }),
      mine("called", { goto: { target: "early" } }),
    ),
    "NAT_NOT_FIRST",
  ],
  ["no zone", "module", program("nft -j list table inet fw4", firewall([], [])), "ZONE_MISSING"],
  [
    "the LAN's zone",
    "module",
    program("nft -j list table inet fw4", firewall([], ["map-wan"])),
    "ZONE_WRONG",
  ],
  [
    "a zone that nobody is forwarded to",
    "module",
    program(
      "nft -j list table inet fw4",
      JSON.stringify({
        nftables: [
          mine(
            "forward",
            { match: { op: "==", left: { meta: { key: "iifname" } }, right: "map-wan" } },
            { goto: { target: "forward_vpn" } },
          ),
        ],
      }),
    ),
    "ZONE_WRONG",
  ],
  [
    "flow offload",
    "tunnel",
    program("nft -j list table inet fw4", firewall(["map-wan"], [], flowRule)),
    "FLOW_OFFLOAD",
  ],
  [
    "464xlat",
    "module",
    dump(link, shown, { interface: "wan6_x", proto: "464xlat", up: true }),
    "RIVAL_INTERFACE",
  ],
  [
    "ds-lite",
    "module",
    dump(link, shown, { interface: "wan6_4", proto: "dslite", up: true }),
    "RIVAL_INTERFACE",
  ],
  [
    "mwan3",
    "module",
    both(
      file("/var/run/mwan3/iface_state/wan", "online"),
      program("uci -q show mwan3", "mwan3.wan_b=interface\nmwan3.wan_b.enabled='1'\nmwan3.p=policy\n"),
    ),
    "RIVAL_MWAN3",
  ],
  [
    "the same ports",
    "module",
    file("/var/run/mapmin/old.state", stateText({ ...states.module, interface: "old" })),
    "SAME_PORT_SET",
    ["wan", "--offline"],
  ],
  [
    "ports nearly used up",
    "tunnel",
    file("/proc/net/nf_conntrack", flows(226) + flows(9, "203.0.113.2")),
    "PORTS_NEARLY_USED_UP",
  ],
  ["the relay does not answer", "tunnel", noReply(...relay), "RELAY_SILENT", []],
  [
    "neither the relay nor the address answers",
    "tunnel",
    both(noReply(...relay), noReplies(...through)),
    "RELAY_SILENT",
    probing,
  ],
  ["the relay alone answers", "tunnel", noReplies(...through), "NO_ANSWER_THROUGH_RELAY", probing],
  ["MAP-T: the address does not answer", "module", noReplies(...through), "NO_ANSWER_THROUGH_RELAY", probing],
  ["some ids are not answered", "tunnel", partly(pinged), "PORT_SET_DOUBTFUL", probing],
  [
    "some ids are not answered, which ones is not known",
    "module",
    partly(undefined),
    "PORT_SET_DOUBTFUL",
    probing,
  ],
  ["large packets", "tunnel", both(reply(...through), noReply(...large(1460))), "FULL_SIZE_LOST", probing],
];

test("a rule from a table is as good as one that is typed", async () => {
  const { code, out } = await doctor("tunnel", ["--json", "--offline"], tabled({}));
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject([{ interface: "wan", healthy: true, findings: [] }]);
});

test("our own port forwards before the NAT are no fault", async () => {
  const table = "mapmin_wan_fwd";
  const rule = { family: "ip", table, chain: "early", expr: [{ masquerade: null }] };
  const programs = {
    "nft -j list chains": chains(50, "ip", table),
    [`nft -j list table ip ${table}`]: JSON.stringify({ nftables: [{ rule }] }),
  };
  const { out } = await doctor("tunnel", ["--json", "--offline"], { programs });
  expect(JSON.parse(out)).toMatchObject([{ healthy: true, findings: [] }]);
});

describe("each fault gives its own finding, and no other", () => {
  const golden = fileURLToPath(new URL("golden/doctor.txt", import.meta.url));
  const expected = new Map(
    readFileSync(golden, "utf8")
      .split(/\n(?=\S)/)
      .map((text) => [text.split("\n")[0], `${text.trimEnd()}\n`]),
  );
  const texts = new Map<string, string>();

  test.each(rows.map((row) => ({ title: row[0], row })))("$title", async ({ row }) => {
    const [title, by, world, code, words = ["--offline"]] = row;
    const told = await doctor(by, ["--json", ...words], world);
    const answers: readonly { findings: readonly { code: string; text: string; remedy: string }[] }[] =
      JSON.parse(told.out);
    const findings = answers.flatMap((answer) => answer.findings);
    expect(findings.map((finding) => finding.code)).toEqual([code]);
    expect(told.code).toBe(1);
    const [finding] = findings;
    const text = `${title}\n  ${code}\n  wrong: ${finding?.text}\n  do:    ${finding?.remedy}\n`;
    texts.set(title, text);
    expect(text).toBe(expected.get(title));
  });

  test("in these words, and in no others (`vitest -u` writes the file)", async () => {
    await expect([...texts.values()].join("\n")).toMatchFileSnapshot(golden);
  });

  test("titles differ, and what a check waits for comes before it", () => {
    expect(new Set(rows.map(([title]) => title)).size).toBe(rows.length);
    for (const [index, { after }] of chain.entries()) {
      const before = chain.slice(0, index).map(({ about }) => about);
      expect(before).toEqual(expect.arrayContaining([...after]));
    }
  });
});

describe("a router with nothing wrong", () => {
  const fine: readonly (readonly [title: string, by: By, world: World, words?: readonly string[]])[] = [
    ["MAP-T by the module", "module", {}],
    ["MAP-E by nftables", "tunnel", {}],
    [
      "an interface made from a lease",
      "tunnel",
      both(
        dump(link, { ...shown, dynamic: true }),
        uci({}),
        state("tunnel", { source: "DHCPv6", offset: "4" }),
        option48879(
          "01" + "4202000d18c000020010002820010db800" + "420300118020010db8ffff00000000000000000001",
        ),
        program("nft -j list table ip mapmin_wan", natTable(240)),
      ),
    ],
    [
      "a zone of its own, to which the LAN is forwarded",
      "module",
      program(
        "nft -j list table inet fw4",
        firewall(
          [],
          [],
          mine(
            "forward",
            { match: { op: "==", left: { meta: { key: "iifname" } }, right: "map-wan" } },
            { jump: { target: "forward_map" } },
          ),
          mine("forward_lan", { jump: { target: "accept_to_map" } }),
        ),
      ),
    ],
    [
      "source NAT before ours for another device",
      "tunnel",
      earlier(50, mine("early", oifname("eth9"), { masquerade: null })),
    ],
    ["source NAT after ours", "tunnel", program("nft -j list chains", chains(91))],
    [
      "source NAT in a table that nft could not be asked for",
      "tunnel",
      program("nft -j list chains", chains(50, "ip", "x; flush ruleset")),
    ],
    ["IPv6's own source NAT", "tunnel", program("nft -j list chains", chains(50, "ip6"))],
    [
      "flow offload, and the module",
      "module",
      program("nft -j list table inet fw4", firewall(["map-wan"], [], flowRule)),
    ],
    [
      "mwan3 that knows the interface",
      "module",
      both(
        file("/var/run/mwan3/x", ""),
        program("uci -q show mwan3", "mwan3.wan=interface\nmwan3.wan.enabled='1'\n"),
      ),
    ],
    [
      "a rival that is down",
      "module",
      dump(link, shown, { interface: "wan6_4", proto: "dslite", up: false }),
    ],
    [
      "the same address with other ports",
      "module",
      file("/var/run/mapmin/old.state", stateText({ ...states.module, interface: "old", psid: "53" })),
      ["wan", "--offline"],
    ],
    [
      "ports in use towards many",
      "tunnel",
      file("/proc/net/nf_conntrack", flows(200) + flows(200, "203.0.113.2")),
    ],
    [
      "a default route of its own table",
      "module",
      both(typed("module", { ip4table: "100" }), file("/proc/net/route", "Iface\n")),
    ],
    [
      "no default route wanted",
      "module",
      both(typed("module", { defaultroute: "0" }), file("/proc/net/route", "Iface\n")),
    ],
    [
      "a border relay alone, to which DS-Lite's address is taken",
      "tunnel",
      both(
        uci(fromLease),
        option48879("01" + "420300118020010db8ffff00000000000000000001"),
        linked({
          "ipv6-address": [{ address: "2001:db8:12:3400::1", mask: 64 }],
          data: { passthru: "beef001601420300118020010db8ffff00000000000000000001" },
        }),
        file(
          "/var/run/mapmin/wan.state",
          "interface=wan\nstate=up\nsince=x\ntransport=map-e\ndevice=map-wan\nipv4=192.0.0.2/32\nmtu=1460\ncarrier=tunnel\n",
        ),
        changedFile("tunnel", "/proc/net/fib_trie", "192.0.2.18", "192.0.0.2"),
      ),
    ],
    ["the relay answers", "tunnel", {}, []],
    ["MAP-T has no relay to ask", "module", {}, []],
    [
      "the address answers, large packets too",
      "tunnel",
      both(noReply(...relay), reply(...through), reply(...large(1460))),
      probing,
    ],
  ];

  test.each(fine.map((row) => ({ title: row[0], row })))("$title", async ({ row }) => {
    const [, by, world, words = ["--offline"]] = row;
    const told = await doctor(by, ["--json", ...words], world);
    expect(JSON.parse(told.out).flatMap((answer: { findings: object[] }) => answer.findings)).toEqual([]);
    expect(told.code).toBe(0);
  });

  test("probes: none offline, none where something is wrong; at most 20 packets", async () => {
    const pings = (lines: readonly string[]) => lines.filter((line) => line.startsWith("ping "));
    expect(pings((await doctor("tunnel", ["--offline"])).asked)).toEqual([]);
    expect(pings((await doctor("tunnel", probing, file("/proc/net/route", "Iface\n"))).asked)).toEqual([]);
    expect(pings((await doctor("tunnel", [])).asked)).toEqual(["ping -c 1 -W 2 -6 2001:db8:ffff::1"]);
    expect(pings((await doctor("module", [])).asked)).toEqual([]);
    const one = `ping -c 1 -W 2 ${through.join(" ")}`;
    const two = `ping -c 2 -W 2 ${through.join(" ")}`;
    const six = (line: string) => Array.from({ length: 6 }, () => line);
    const toRelay = `ping -c 1 -W 2 ${relay.join(" ")}`;
    const unanswered = (await doctor("tunnel", probing, both(noReplies(...through), noReply(...relay))))
      .asked;
    expect(pings(unanswered)).toEqual([...six(one), ...six(two), toRelay, toRelay]);
    expect(pings((await doctor("module", probing, partly(undefined))).asked)).toEqual([
      ...six(one),
      ...six(two),
    ]);
    const answers = both(reply(...through), reply(...large(1460)));
    expect(pings((await doctor("tunnel", probing, answers)).asked)).toEqual([
      ...six(one),
      "ping -c 1 -W 2 -I map-wan -s 1432 203.0.113.10",
    ]);
  });
});

describe("a fact that is not to be had is said to be unknown", () => {
  const nothing = new EffectError("it", "Permission denied");
  const unknowns: readonly Row[] = [
    [
      "the engine's file",
      "tunnel",
      { files: { "/usr/lib/mapmin/engine": nothing } },
      "engine: it: Permission denied",
    ],
    [
      "map.sh",
      "tunnel",
      { files: { "/lib/netifd/proto/map.sh": nothing } },
      "protocol handler: it: Permission denied",
    ],
    [
      "protocols",
      "tunnel",
      { ubus: { "network get_proto_handlers": nothing } },
      "netifd: it: Permission denied",
    ],
    [
      "the module's mark",
      "tunnel",
      { files: { "/proc/net/mapmint/counters": nothing } },
      "kernel module: it: Permission denied",
    ],
    [
      "the control file",
      "module",
      { files: { [control]: nothing } },
      "kernel module: the control file cannot be read",
    ],
    [
      "forwarding",
      "tunnel",
      file("/proc/sys/net/ipv4/ip_forward", undefined),
      "kernel features: /proc/sys/net/ipv4/ip_forward is not there",
    ],
    ["uci", "tunnel", program("uci -q show network", nothing), "configuration: it: Permission denied"],
    [
      "no section",
      "tunnel",
      program("uci -q show network", "network.wan6=interface\n"),
      "up to date: /etc/config/network has no section wan",
    ],
    [
      "options of another program's",
      "tunnel",
      both(dump(link, { ...shown, dynamic: true })),
      "configuration: wan was created with options that netifd does not tell",
    ],
    [
      "addresses",
      "tunnel",
      file("/proc/net/fib_trie", undefined),
      "addresses: /proc/net/fib_trie is not there",
    ],
    [
      "IPv6 addresses",
      "tunnel",
      file("/proc/net/if_inet6", "x y\n"),
      "addresses: /proc/net/if_inet6: is not what the kernel prints",
    ],
    [
      "IPv4 routes",
      "tunnel",
      file("/proc/net/route", "Iface\nx y\n"),
      "default route: /proc/net/route: is not what the kernel prints",
    ],
    [
      "IPv6 routes",
      "tunnel",
      file("/proc/net/ipv6_route", `${"0".repeat(32)} zz\n`),
      "next router: /proc/net/ipv6_route: is not what the kernel prints",
    ],
    [
      "neighbours",
      "tunnel",
      program("ip -6 neigh show dev eth1", nothing),
      "next router: it: Permission denied",
    ],
    [
      "our table",
      "tunnel",
      program("nft -j list table ip mapmin_wan", nothing),
      "NAT: it: Permission denied",
    ],
    [
      "our table, answered by nonsense",
      "tunnel",
      program("nft -j list table ip mapmin_wan", "[]"),
      "NAT: nft: what it printed has no list `nftables`",
    ],
    [
      "chains",
      "tunnel",
      program("nft -j list chains", "nonsense"),
      "order of NAT: nft: what it printed is not JSON",
    ],
    [
      "another firewall",
      "module",
      program("nft -j list table inet fw4", new EffectError("nft", "No such file or directory")),
      "firewall zone: the table inet fw4 is not loaded",
    ],
    [
      "flows",
      "tunnel",
      file("/proc/net/nf_conntrack", undefined),
      "ports in use: conntrack -L: not installed",
    ],
    [
      "mwan3 chooses",
      "module",
      both(
        file("/var/run/mwan3/x", ""),
        program("uci -q show mwan3", "mwan3.wan=interface\nmwan3.wan.enabled='1'\n"),
      ),
      "default route: mwan3 chooses the way of packets, not the main table of routes",
    ],
    [
      "no ping",
      "tunnel",
      program("ping -c 1 -W 2 -6 2001:db8:ffff::1", nothing),
      "probes: it: Permission denied",
      [],
    ],
    ["a state that says no NAT", "tunnel", state("tunnel", { psid: "none" }), ""],
  ];

  test.each(unknowns.map((row) => ({ title: row[0], row })))("$title", async ({ row }) => {
    const [, by, world, what, words = ["--offline"]] = row;
    const told = await doctor(by, ["--json", ...words], world);
    const [answer] = JSON.parse(told.out);
    const said = answer.unknown.map(({ check, why }: { check: string; why: string }) => `${check}: ${why}`);
    if (what === "") expect(answer.findings[0].code).toBe("SETUP_OUTDATED");
    else expect(said).toContain(what);
  });
});

describe("what setup has kept", () => {
  const path = "/var/run/mapmin/wan.state";

  test("a state file that cannot be read: nothing that hangs on it is guessed at", async () => {
    for (const by of ["module", "tunnel"] as const) {
      const unreadable = { files: { [path]: new EffectError(path, "Input/output error") } };
      const [answer] = JSON.parse((await doctor(by, ["--json", "--offline"], unreadable)).out);
      expect(answer.findings).toEqual([]);
      expect(answer.unknown).toContainEqual({ check: "interface", why: `${path}: Input/output error` });
      expect(answer.unknown.map(({ check }: { check: string }) => check)).toContain("NAT");
    }
  });

  test("MAP-E by the module is fine too, and its relay is pinged", async () => {
    const encapsulated = both(
      typed("module", { ...options.tunnel, nat: "auto" }),
      state("module", { transport: "map-e", mtu: "1460" }),
    );
    const { code, asked } = await doctor("module", [], encapsulated);
    expect(code).toBe(0);
    expect(asked).toContain("ping -c 1 -W 2 -6 2001:db8:ffff::1");
    expect(asked).not.toContain("nft -j list chains");
  });

  test("a relay on the link itself is its own next router", async () => {
    const onLink = both(
      changedFile("tunnel", "/proc/net/ipv6_route", /fe80000000000000/, "0000000000000000"),
      changedFile("tunnel", "/proc/net/ipv6_route", /fe80[0-9a-f]{28}/, "0".repeat(32)),
      program("ip -6 neigh show dev eth1", "2001:db8:ffff::1  FAILED\n"),
    );
    const [answer] = JSON.parse((await doctor("tunnel", ["--json", "--offline"], onLink)).out);
    expect(answer.findings[0].text).toBe("the next router, 2001:db8:ffff::1 on eth1, does not answer");
  });

  test.each([
    ["state=failed\nerror=", "the last setup failed: no reason is kept"],
    [
      "state=up\n",
      "what wan was set up with is not what the link gives now: transport none instead of map-e",
    ],
  ])("%j", async (lines, text) => {
    const world = file(path, `interface=wan\nsince=x\n${lines.replace(/error=$/, "")}`);
    const [answer] = JSON.parse((await doctor("tunnel", ["--json", "--offline"], world)).out);
    expect(answer.findings[0].text.slice(0, text.length)).toBe(text);
  });

  test.each(["reserved_ports=0", "psid_length=0"])(
    "ports that are in use are not judged with %s",
    async (line) => {
      const [key = "", value = ""] = line.split("=");
      const busy = both(state("module", { [key]: value }), file("/proc/net/nf_conntrack", flows(5_000)));
      const { out } = await doctor("module", ["--json", "--offline"], busy);
      expect(out).not.toContain("PORTS_NEARLY_USED_UP");
    },
  );
});

describe("the command", () => {
  test("a finding, for a person: hostile text is shown without controls", async () => {
    const hostile = "\u001b[2J\u202e\nx";
    const world = file(
      "/var/run/mapmin/wan.state",
      `${failed}error=${JSON.stringify(`SETUP_FAILED: nft ${hostile}`)}\n`,
    );
    const { code, out } = await doctor("tunnel", ["--offline"], world);
    expect(code).toBe(1);
    expect(out).toMatchInlineSnapshot(`
      "wan: 1 finding
        SETUP_FAILED
          wrong: the last setup failed: SETUP_FAILED: nft  [2J x
          do:    run \`ifup wan\`
        not looked at, because of the above: up to date, MAP device, addresses,
                                             default route, route to the MAP device,
                                             route to the border relay, next router,
                                             MTU, NAT, order of NAT, firewall zone,
                                             flow offload, ports in use, probes
        right: engine, protocol handler, netifd, kernel features, link, delegated
               prefix, configuration, rule and prefix, port parameters, rivals
      "
    `);
    for (const [, by, one, , words = ["--offline"]] of rows) {
      const told = await doctor(by, words, one);
      for (const line of told.out.split("\n")) expect(line.length).toBeLessThanOrEqual(110);
    }
  });

  test("one that is not known is offered the nearest; two, or both ways of probing, are wrong usage", async () => {
    await expect(doctor("tunnel", ["wam"])).rejects.toThrow(
      'unknown MAP interface "wam"; did you mean "wan"?',
    );
    await expect(doctor("tunnel", ["--ofline"])).rejects.toThrow('did you mean "--offline"?');
    await expect(doctor("tunnel", ["../x"])).rejects.toThrow("INTERFACE: is not the name of an interface");
    await expect(doctor("tunnel", ["--probe", "2001:db8::1"])).rejects.toThrow();
    await expect(doctor("tunnel", ["--probe", "-f"])).rejects.toThrow("needs a value");
    for (const words of [
      ["a", "b"],
      ["--offline", "--probe", "192.0.2.1"],
      ["--offline", "--next-relay"],
    ]) {
      expect(await doctor("tunnel", words)).toMatchObject({ code: 2, out: "", err: doctorHelp });
    }
    expect(await doctor("tunnel", ["--help"])).toMatchObject({ code: 0, out: doctorHelp });
  });

  test("every MAP interface is looked at: configured, in netifd, or set up", async () => {
    const world = both(
      program(
        "uci -q show network",
        "network.b=interface\nnetwork.b.proto='map'\nnetwork.c.proto='map'\nnetwork.c.disabled='1'\nnetwork.d.proto='static'",
      ),
      dump(link, { interface: "a", proto: "map", up: true }, { interface: "../x", proto: "map" }, [7]),
      file("/var/run/mapmin/$(x).state", "x"),
      file("/var/run/mapmin/wan6.link", "x"),
    );
    const { out } = await doctor("tunnel", ["--json", "--offline"], world);
    expect(JSON.parse(out).map((answer: { interface: string }) => answer.interface)).toEqual([
      "a",
      "b",
      "wan",
    ]);
  });

  const none = both(file("/var/run/mapmin/wan.state", undefined), uci({}), dump(link));

  test("no interface at all, for a person", async () => {
    const { code, out } = await doctor("tunnel", ["--offline"], none);
    expect(code).toBe(1);
    expect(out).toMatchInlineSnapshot(`
      "MAP: 1 finding
        NO_INTERFACE
          wrong: no MAP interface is configured, and no lease has offered one
          do:    set \`option reqopts '48879'\` on your IPv6 interface, or add an
                 interface with \`option proto 'map'\` to /etc/config/network
      "
    `);
  });

  test.each([
    [
      "no interface at all",
      none,
      {
        check: "interface",
        code: "NO_INTERFACE",
        text: "no MAP interface is configured, and no lease has offered one",
        remedy:
          "set `option reqopts '48879'` on your IPv6 interface, or add an interface with `option proto 'map'` to /etc/config/network",
      },
    ],
    [
      "and no netifd either",
      both(none, { ubus: { "network.interface dump": new EffectError("ubus", "TIMEOUT") } }),
      {
        check: "netifd",
        code: "NETIFD_SILENT",
        text: "netifd does not answer: ubus: TIMEOUT",
        remedy: "run `service network restart`, and look at `logread -e netifd`",
      },
    ],
  ])("%s, for a program", async (_title, world, finding) => {
    const { code, out } = await doctor("tunnel", ["--json"], world);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual([
      { interface: null, healthy: false, findings: [finding], unknown: [], skipped: [], passed: [] },
    ]);
  });

  test("one of two interfaces that is ill makes the exit code 1, whichever it is", async () => {
    for (const other of ["a", "z"]) {
      const world = both(
        dump(link, shown, { ...shown, interface: other, l3_device: "" }),
        program(
          "uci -q show network",
          `${uciText({ ...rule, ...options.tunnel })}\nnetwork.${other}.proto='map'\n`,
        ),
      );
      const { code, out } = await doctor("tunnel", ["--json", "--offline"], world);
      const healthy = JSON.parse(out).map((answer: { interface: string; healthy: boolean }) => [
        answer.interface,
        answer.healthy,
      ]);
      expect(healthy.sort()).toEqual(
        [
          [other, false],
          ["wan", true],
        ].sort(),
      );
      expect(code).toBe(1);
    }
  });

  test("probes are not sent where it is not known what setup would make", async () => {
    const world = program("uci -q show network", new EffectError("uci", "Permission denied"));
    const { code, asked } = await doctor("tunnel", probing, world);
    expect([code, asked.filter((line) => line.startsWith("ping "))]).toEqual([0, []]);
  });

  /** As a terminal shows it, the controls written out. */
  async function onTerminal(by: By, argv: readonly string[], world: World = {}) {
    const { system, out, buses } = makeRouter(by, world);
    const run = runDoctor(argv, { ...system, isTerminal: true, control: system.stdout });
    const code = await run.catch((error: Error) => `threw ${error.message}`);
    const seen = out()
      .replaceAll("\r\u001b[K", "<wipe>")
      .replaceAll("\u001b[31m", "<red>")
      .replaceAll("\u001b[32m", "<green>")
      .replaceAll("\u001b[m", "<plain>");
    return { code, seen, open: buses.open };
  }

  test("on a terminal: what takes its time is said and wiped away, and colours tell whether all is well", async () => {
    const well = await onTerminal("tunnel", []);
    expect(well).toMatchObject({ code: 0, open: 0 });
    expect(well.seen).toMatchInlineSnapshot(`
      "<wipe>looking at the router<wipe>looking at wan<wipe>sending probes through wan, which takes some seconds<wipe><green>wan: nothing wrong<plain>
        right: engine, protocol handler, netifd, kernel features, link, delegated
               prefix, configuration, rule and prefix, port parameters, interface, up
               to date, MAP device, addresses, default route, route to the border
               relay, next router, MTU, NAT, order of NAT, firewall zone, flow
               offload, rivals, ports in use, probes
      <wipe>"
    `);
    const ill = await onTerminal("tunnel", ["wan"], state("tunnel", { state: "starting" }));
    expect(ill).toMatchObject({ code: 1, open: 0 });
    expect(ill.seen).toMatchInlineSnapshot(`
      "<wipe>looking at the router<wipe>looking at wan<wipe><red>wan: 1 finding<plain>
      <red>  SETUP_UNFINISHED<plain>
          wrong: the setup of wan began at 2026-01-02T03:04:05Z and has not ended
          do:    wait a minute; if nothing changes, run \`ifup wan\`, and see
                 /tmp/map.log
        not looked at, because of the above: up to date, MAP device, addresses,
                                             default route, route to the MAP device,
                                             route to the border relay, next router,
                                             MTU, NAT, order of NAT, firewall zone,
                                             flow offload, ports in use, probes
        right: engine, protocol handler, netifd, kernel features, link, delegated
               prefix, configuration, rule and prefix, port parameters, rivals
      <wipe>"
    `);
  });

  test("on a terminal: what is not known", async () => {
    const world = file("/proc/net/fib_trie", undefined);
    const { code, seen } = await onTerminal("tunnel", ["--offline"], world);
    expect(code).toBe(0);
    expect(seen).toMatchInlineSnapshot(`
      "<wipe>looking at the router<wipe>looking at wan<wipe><green>wan: nothing wrong<plain>
        not known: addresses: /proc/net/fib_trie is not there
        right: engine, protocol handler, netifd, kernel features, link, delegated
               prefix, configuration, rule and prefix, port parameters, interface, up
               to date, MAP device, default route, route to the border relay, next
               router, MTU, NAT, order of NAT, firewall zone, flow offload, rivals,
               ports in use
      <wipe>"
    `);
  });

  test.each<[string, World, string]>([
    ["a wrong name", {}, 'threw unknown MAP interface "wam"; did you mean "wan"?'],
    ["a bug", { ubus: { "network.interface dump": new TypeError("a bug") } }, "threw a bug"],
  ])("%s leaves neither words on the terminal nor an open bus", async (_title, world, code) => {
    expect(await onTerminal("tunnel", ["wam"], world)).toEqual({
      code,
      seen: "<wipe>looking at the router<wipe>",
      open: 0,
    });
  });
});
