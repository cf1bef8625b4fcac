/** What the doctor gathers: from files, programs and ubus that answer well, not at all, or with what nobody expects. */

import { describe, expect, test } from "vitest";
import {
  gather,
  lookAround,
  mapInterfaces,
  probe,
  type Surroundings,
  type Targets,
} from "../../../src/cli/doctor-facts.ts";
import { type Facts, known, type Probes, unknown } from "../../../src/doctor/facts.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { parseIpv4, parseIpv6 } from "../../../src/ip/text.ts";
import { EffectError, InputError } from "../../../src/wire/errors.ts";
import {
  type Answer,
  both,
  dump,
  file,
  link,
  makeRouter,
  options,
  program,
  rule,
  shown,
  states,
  stateText,
  uci,
  type World,
} from "./doctor-world.ts";

type By = "module" | "tunnel";

const STATE = "/var/run/mapmin/wan.state";
const ENGINE = "/usr/lib/mapmin/engine";
const TABLE = "/etc/mapmin/rules.json";
const denied = new EffectError("it", "Permission denied");
const offered = dump(link, { ...shown, dynamic: true });

async function gathered(by: By, world: World, name = "wan") {
  const router = makeRouter(by, world);
  const { system, bus } = router;
  const iface = parseInterfaceName(name, "iface");
  return { ...router, facts: await gather(iface, await lookAround(system, bus), system) };
}

/** Those facts that are expected to be something, and nothing of the others. */
async function factsLike(expected: Partial<Facts>, ...[by, world, name]: Parameters<typeof gathered>) {
  const { facts } = await gathered(by, world, name);
  return Object.fromEntries(Object.keys(expected).map((name) => [name, facts[name as keyof Facts]]));
}

type Row = readonly [title: string, by: By, world: World, facts: Partial<Facts>];

describe("one fact of a router", () => {
  const engine = (content: string | undefined, missing?: string): Row => [
    `an engine of ${JSON.stringify(content)}`,
    "tunnel",
    { files: { [ENGINE]: content, "/opt/node": "", "/opt/mine": "", "/node": "" } },
    { missingEngine: known(missing) },
  ];
  const sysfs = (name: string, mtu: string, flags: string | undefined) => ({
    files: { [`/sys/class/net/${name}/mtu`]: mtu, [`/sys/class/net/${name}/flags`]: flags },
  });
  const noDevice = { silentNeighbours: unknown("the device of the link is not known") };
  const lan = {
    interface: "lan",
    proto: "static",
    "ipv4-address": [{ address: "192.168.1.1", mask: 24 }],
    "ipv6-address": [],
  };
  const lanAddresses = {
    iface: "lan",
    ipv4: [{ address: parseIpv4("192.168.1.1"), length: 24 }],
    ipv6: [],
  };
  const old = { ...states.tunnel, interface: "old" };

  const rows: readonly Row[] = [
    engine(undefined),
    engine(""),
    engine("\n/opt/qjs\n"),
    engine(" \t\n"),
    engine("/opt/node\nof my own"),
    engine(" /opt/node \n"),
    engine("/opt/mine"),
    engine("/opt/node.js", "/opt/node.js"),
    engine("/opt/nod", "/opt/nod"),
    engine("/opt/\n", "/opt/"),
    engine("/node"),
    engine("/qjs", "/qjs"),
    // The shell that starts us would look for it in the directory where it happens to be.
    engine("node", "node"),

    ["a device", "module", {}, { device: known({ up: true, mtu: 1500 }) }],
    [
      "a device that is down",
      "tunnel",
      sysfs("map-wan", "1460\n", "0x1002\n"),
      { device: known({ up: false, mtu: 1460 }) },
    ],
    [
      "a device without flags",
      "tunnel",
      sysfs("map-wan", "1460\n", undefined),
      { device: known({ up: false, mtu: 1460 }) },
    ],
    [
      "a device whose name is a path",
      "tunnel",
      both(
        file(STATE, stateText({ ...states.tunnel, device: "../eth1" })),
        sysfs("../eth1", "1500\n", "0x1003\n"),
      ),
      { device: known(undefined) },
    ],
    [
      "a device that cannot be read",
      "tunnel",
      file("/sys/class/net/map-wan/mtu", denied),
      { device: unknown("it: Permission denied") },
    ],

    ["forwarding", "tunnel", {}, { forwarding: known(true) }],
    ["no forwarding", "tunnel", file("/proc/sys/net/ipv4/ip_forward", " 0\n"), { forwarding: known(false) }],
    [
      "forwarding that is not there",
      "tunnel",
      file("/proc/sys/net/ipv4/ip_forward", undefined),
      { forwarding: unknown("/proc/sys/net/ipv4/ip_forward is not there") },
    ],
    [
      "forwarding that cannot be read",
      "tunnel",
      file("/proc/sys/net/ipv4/ip_forward", denied),
      { forwarding: unknown("it: Permission denied") },
    ],

    [
      "our module",
      "module",
      {},
      {
        module: known("ours"),
        moduleLines: known([
          "config map-wan transport translate lowest-ipv6-mtu 1500",
          "config map-wan nat.mode ports",
        ]),
      },
    ],
    ["no module", "tunnel", {}, { module: known("none"), moduleLines: known(undefined) }],
    [
      "nat46",
      "tunnel",
      file("/proc/net/nat46/control", "add map-wan\n"),
      { module: known("nat46"), moduleLines: known([]) },
    ],

    // What nftables would do is not asked for where the module does it.
    [
      "NAT by the module",
      "module",
      program("nft -j list chains", "nonsense"),
      { table: known(undefined), earlierNat: known([]) },
    ],
    [
      "source NAT of several chains",
      "tunnel",
      {
        programs: {
          "nft -j list chains": JSON.stringify({
            nftables: ["a", "b", "c"].map((table) => ({
              chain: { family: "ip", table, name: "n", type: "nat", hook: "postrouting", prio: 0 },
            })),
          }),
          ...Object.fromEntries(
            ["a", "b", "c"].map((table) => [
              `nft -j list table ip ${table}`,
              JSON.stringify({
                nftables: table === "b" ? [] : [{ rule: { chain: "n", expr: [{ masquerade: null }] } }],
              }),
            ]),
          ),
        },
      },
      {
        earlierNat: known([
          { family: "ip", table: "a", chain: "n" },
          { family: "ip", table: "c", chain: "n" },
        ]),
      },
    ],
    [
      "a table that goes away while it is looked at",
      "tunnel",
      program(
        "nft -j list chains",
        JSON.stringify({
          nftables: [
            { chain: { family: "ip", table: "a", name: "n", type: "nat", hook: "postrouting", prio: 0 } },
          ],
        }),
      ),
      { earlierNat: unknown("nft -j list table ip a: not installed") },
    ],

    [
      "no flows without an address",
      "tunnel",
      both(file(STATE, undefined), file("/proc/net/nf_conntrack", denied)),
      { busiest: known([]) },
    ],
    [
      "flows that cannot be read",
      "tunnel",
      file("/proc/net/nf_conntrack", denied),
      { busiest: unknown("it: Permission denied") },
    ],

    [
      "no mwan3",
      "tunnel",
      program("uci -q show mwan3", "mwan3.wan=interface\n"),
      { mwan3: known(undefined) },
    ],
    [
      "the interfaces of mwan3, and nothing else of it",
      "tunnel",
      both(
        file("/var/run/mwan3/iface_state/wan", "online"),
        program(
          "uci -q show mwan3",
          [
            "mwan3.wan=interface",
            "mwan3.wan.enabled='1'",
            "mwan3.p=policy",
            "mwan3.p.type='interface'",
            "mwan3.p.enabled='1'",
            "mwan3.off=interface",
            "mwan3.off.enabled='0'",
            "mwan3.silent=interface",
            "mwan3.odd=interface",
            "mwan3.odd.enabled='constructor'",
            "mwan3.b=interface",
            "mwan3.b.enabled='on'",
            "",
          ].join("\n"),
        ),
      ),
      { mwan3: known(["wan", "b"]) },
    ],

    ["a link", "tunnel", {}, { linkDevice: known({ up: true, mtu: 1500 }), silentNeighbours: known([]) }],
    [
      "no such link",
      "tunnel",
      dump(shown),
      { link: known(undefined), linkDevice: known(undefined), ...noDevice },
    ],
    [
      "a link that netifd does not tell of",
      "tunnel",
      { ubus: { "network.interface status wan6": denied } },
      { link: unknown("it: Permission denied"), linkDevice: known(undefined), ...noDevice },
    ],
    [
      "who does not answer on the link",
      "tunnel",
      program("ip -6 neigh show dev eth1", "fe80::1 FAILED\nfe80::2 STALE\n$(x) FAILED\n"),
      { silentNeighbours: known([parseIpv6("fe80::1")]) },
    ],

    [
      "nobody else's addresses",
      "tunnel",
      dump(
        lan,
        shown,
        { ...lan, interface: "wan_" },
        { ...lan, interface: "wan__" },
        { ...lan, interface: "wan" },
      ),
      { neighbours: known([lanAddresses]) },
    ],

    [
      "what a lease has brought",
      "tunnel",
      both(offered, file(STATE, undefined)),
      { config: known({ tunlink: parseInterfaceName("wan6", "") }) },
    ],
    [
      "what a lease has brought, by the state file",
      "tunnel",
      both(offered, file(STATE, stateText({ ...states.tunnel, source: "DHCPv6" }))),
      { config: known({ tunlink: parseInterfaceName("wan6", "") }) },
    ],
    [
      "what another program has brought",
      "tunnel",
      offered,
      {
        config: unknown("wan was created with options that netifd does not tell"),
        rulesText: unknown("wan was created with options that netifd does not tell"),
      },
    ],
    [
      "an option that is not valid",
      "tunnel",
      uci({ ...options.tunnel, mtu: "1" }),
      {
        config: known(new InputError("mtu", "expected a whole number from 1280 to 65535")),
        rulesText: known(undefined),
      },
    ],
    [
      "a table of rules",
      "tunnel",
      both(uci({ ...options.tunnel, rules: TABLE }), file(TABLE, "{}")),
      { rulesText: known("{}") },
    ],

    ["routes as they are", "tunnel", {}, { routeOptions: known({ table: undefined, noDefault: false }) }],
    [
      "routes of a table of their own",
      "tunnel",
      uci({ ...rule, ...options.tunnel, ip4table: "100", defaultroute: "0" }),
      { routeOptions: known({ table: "100", noDefault: true }) },
    ],
    [
      "a table of routes without a name",
      "tunnel",
      uci({ ...rule, ip4table: "" }),
      { routeOptions: known({ table: "", noDefault: false }) },
    ],
    ["nothing that the link asks for", "tunnel", {}, { requested: known("") }],
    [
      "what the link asks for",
      "tunnel",
      uci(rule, { proto: "dhcpv6", reqopts: "21 48879" }),
      { requested: known("21 48879") },
    ],

    [
      "a state file",
      "tunnel",
      {},
      { state: known(states.tunnel), stateDamage: undefined, otherStates: known([]) },
    ],
    [
      "a damaged state file",
      "tunnel",
      file(STATE, "nonsense"),
      { state: known(undefined), stateDamage: "it is damaged: the interface counts as not set up" },
    ],
    [
      "state files of others: one is damaged, one is named like a command",
      "tunnel",
      {
        files: {
          "/var/run/mapmin/old.state": stateText(old),
          "/var/run/mapmin/$(reboot).state": stateText(old),
          "/var/run/mapmin/bad.state": "[x]\u0000",
          "/var/run/mapmin/wan6.link": stateText(old),
        },
      },
      { otherStates: known([old]) },
    ],
    [
      "a directory of state files that cannot be read",
      "tunnel",
      file("/var/run/mapmin", denied),
      { state: known(states.tunnel), otherStates: known([]) },
    ],
  ];

  test.each(rows.map((row) => ({ title: row[0], row })))("$title", async ({ row }) => {
    const [, by, world, expected] = row;
    expect(await factsLike(expected, by, world)).toEqual(expected);
  });
});

describe("the interface that carries the packets", () => {
  const named = (iface: string, dynamic: boolean, tunlink?: string, kept?: string): World =>
    both(
      dump({ interface: iface, proto: "map", dynamic }),
      program(
        "uci -q show network",
        `network.${iface}=interface\n${tunlink === undefined ? "" : `network.${iface}.tunlink='${tunlink}'\n`}`,
      ),
      kept === undefined
        ? {}
        : file(
            `/var/run/mapmin/${iface}.state`,
            stateText({ ...states.tunnel, interface: iface, tunlink: kept }),
          ),
    );

  test.each<[string, string, World]>([
    ["a", "dsl", named("dsl", false, "a", "b")],
    ["b", "dsl", named("dsl", false, undefined, "b")],
    ["b", "wwan_4", named("wwan_4", true, undefined, "b")],
    ["b", "dsl", named("dsl", false, "$(reboot)", "b")],
    ["wan6", "dsl", named("dsl", false, "../x", "a b")],
    ["wan6", "dsl", named("dsl", false)],
    ["wwan", "wwan_4", named("wwan_4", true)],
    ["wan6", "wwan_4", named("wwan_4", false)],
    ["wan6", "_4wwan", named("_4wwan", true)],
    ["wan6", "_4", named("_4", true)],
  ])("is %s for %s (%#)", async (tunlink, iface, world) => {
    expect((await gathered("tunnel", world, iface)).facts.tunlink).toBe(tunlink);
  });
});

describe("every MAP interface", () => {
  const around = async (world: World): Promise<Surroundings> => {
    const { system, bus } = makeRouter("tunnel", world);
    return lookAround(system, bus);
  };

  test("of netifd, the configuration and the state files, each once, in the order of names", async () => {
    const world = both(
      dump(
        link,
        { interface: "z", proto: "map" },
        { interface: "m", proto: "map" },
        { interface: "$(x)", proto: "map" },
      ),
      program(
        "uci -q show network",
        "network.c.proto='map'\nnetwork.m.proto='map'\nnetwork.d.proto='map'\nnetwork.d.disabled='1'\n",
      ),
      { files: { "/var/run/mapmin/a.state": "", "/var/run/mapmin/$(x).state": "" } },
    );
    const found = await around(world);
    expect(found.states).toEqual(["a", "wan"]);
    expect(mapInterfaces(found)).toEqual(["a", "c", "m", "wan", "z"]);
  });

  test("what cannot be asked for adds none", async () => {
    const world = both(file("/var/run/mapmin", denied), program("uci -q show network", denied), {
      ubus: { "network.interface dump": denied },
    });
    const found = await around(world);
    expect(found).toMatchObject({
      states: [],
      uci: unknown("it: Permission denied"),
      dump: unknown("it: Permission denied"),
    });
    expect(mapInterfaces(found)).toEqual([]);
  });
});

describe("probes", () => {
  const address = "203.0.113.10";
  const relay = "2001:db8:ffff::1";
  const lost = new EffectError("ping", "exit code 1");
  const broken = new EffectError("ping", "exit code 127");
  const six = (count: number) => `ping -c ${count} -W 2 -I map-wan ${address}`;
  const full = `ping -c 1 -W 2 -I map-wan -s 1432 ${address}`;
  const toRelay = `ping -c 1 -W 2 -6 ${relay}`;
  const flow = (id: number, state = "", before = 1_000 + id) =>
    `icmp 1 29 src=192.0.2.18 dst=${address} type=8 code=0 id=${before} ${state}src=${address} dst=192.0.2.18 type=0 code=0 id=${id} mark=0\n`;
  const silent = { [six(1)]: lost, [six(2)]: lost };
  const some = { [six(1)]: ["", lost, "", "", "", ""], [six(2)]: [lost, "", "", "", lost, ""] };
  const conntrack = (...tables: readonly Answer[]): World =>
    both(file("/proc/net/nf_conntrack", undefined), { programs: { "conntrack -L": tables } });
  const volley = (answered: number, ids: readonly { id: number; ping?: string; answered: boolean }[] = []) =>
    known({
      address,
      sent: 6,
      answered,
      ids: ids.map(({ id, ping = `${1_000 + id}`, ...more }) => ({ id, ping, ...more })),
    });

  const rows: readonly (readonly [
    title: string,
    targets: Partial<Targets>,
    world: World,
    told: Probes,
    lines: readonly string[],
  ])[] = [
    ["nobody to ask", {}, {}, {}, []],
    [
      "a relay",
      { relay },
      { programs: { [toRelay]: "" } },
      { relay: known({ address: relay, answered: true }) },
      [toRelay],
    ],
    [
      "a relay that answers the second time",
      { relay },
      { programs: { [toRelay]: [lost, ""] } },
      { relay: known({ address: relay, answered: true }) },
      [toRelay, toRelay],
    ],
    [
      "a relay that is silent",
      { relay },
      { programs: { [toRelay]: lost } },
      { relay: known({ address: relay, answered: false }) },
      [toRelay, toRelay],
    ],
    [
      "no ping",
      { relay },
      { programs: { [toRelay]: broken } },
      { relay: unknown("ping: exit code 127") },
      [toRelay],
    ],
    [
      "an address that answers everything: the relay is not asked",
      { relay, named: address },
      { programs: { [six(1)]: "", [full]: "" } },
      { named: volley(6), full: known({ address, answered: true, octets: 1460 }) },
      [...Array(6).fill(six(1)), full],
    ],
    [
      "an address that answers small packets alone",
      { relay, named: address },
      { programs: { [six(1)]: "", [full]: lost } },
      { named: volley(6), full: known({ address, answered: false, octets: 1460 }) },
      [...Array(6).fill(six(1)), full, full],
    ],
    [
      "a packet that is lost is no finding",
      { named: address },
      both(conntrack(flow(1)), { programs: { [six(1)]: [lost, ""], [six(2)]: "", [full]: "" } }),
      { named: volley(6), full: known({ address, answered: true, octets: 1460 }) },
      [...Array(6).fill(six(1)), "conntrack -L", ...Array(6).fill(six(2)), full],
    ],
    [
      "some ids: those that were there before the second time are not told",
      { relay, named: address },
      both(conntrack(flow(1) + flow(2), flow(2) + flow(3, "[UNREPLIED] ") + flow(1) + flow(4)), {
        programs: some,
      }),
      {
        named: volley(4, [
          { id: 3, answered: false },
          { id: 4, answered: true },
        ]),
      },
      [...Array(6).fill(six(1)), "conntrack -L", ...Array(6).fill(six(2)), "conntrack -L"],
    ],
    [
      "some ids: one that another ping had before, whose flow has ended, is told",
      { named: address },
      both(conntrack(flow(3) + flow(4), flow(3, "[UNREPLIED] ", 77) + flow(4)), { programs: some }),
      { named: volley(4, [{ id: 3, ping: "77", answered: false }]) },
      [...Array(6).fill(six(1)), "conntrack -L", ...Array(6).fill(six(2)), "conntrack -L"],
    ],
    [
      "some ids, and none was there before",
      { named: address },
      both(conntrack("", flow(3)), { programs: some }),
      { named: volley(4, [{ id: 3, answered: true }]) },
      [...Array(6).fill(six(1)), "conntrack -L", ...Array(6).fill(six(2)), "conntrack -L"],
    ],
    [
      "some ids, and no table of flows",
      { named: address },
      both(file("/proc/net/nf_conntrack", undefined), { programs: some }),
      { named: volley(4) },
      [...Array(6).fill(six(1)), "conntrack -L", ...Array(6).fill(six(2)), "conntrack -L"],
    ],
    [
      "some ids, and no table of flows the second time",
      { named: address },
      both(conntrack("", denied), { programs: some }),
      { named: volley(4) },
      [...Array(6).fill(six(1)), "conntrack -L", ...Array(6).fill(six(2)), "conntrack -L"],
    ],
    [
      "neither the address nor the relay",
      { relay, named: address },
      both(file("/proc/net/nf_conntrack", flow(1)), { programs: { ...silent, [toRelay]: lost } }),
      { named: volley(0), relay: known({ address: relay, answered: false }) },
      [...Array(6).fill(six(1)), ...Array(6).fill(six(2)), toRelay, toRelay],
    ],
    [
      "an address that is silent, and there is no relay",
      { named: address },
      { programs: silent },
      { named: volley(0) },
      [...Array(6).fill(six(1)), ...Array(6).fill(six(2))],
    ],
    [
      "one ping of six that cannot be sent",
      { relay, named: address },
      { programs: { [six(1)]: lost, [six(2)]: ["", "", broken, lost], [toRelay]: "" } },
      { named: unknown("ping: exit code 127"), relay: known({ address: relay, answered: true }) },
      [...Array(6).fill(six(1)), ...Array(6).fill(six(2)), toRelay],
    ],
  ];

  test.each(rows.map((row) => ({ title: row[0], row })))("$title", async ({ row }) => {
    const [, targets, world, told, lines] = row;
    const { system, asked } = makeRouter("tunnel", world);
    const all = {
      relay: undefined,
      named: undefined,
      device: "map-wan",
      ipv4: "192.0.2.18",
      mtu: 1460,
      ...targets,
    };
    expect(await probe(all, system)).toEqual(told);
    expect(asked).toEqual(lines);
  });

  test("nothing is waited for without an end", async () => {
    const world = both(conntrack(""), file("/var/run/mwan3/x", ""), {
      programs: { ...silent, [toRelay]: lost, "uci -q show mwan3": "" },
    });
    const { system, waits } = await gathered("tunnel", world);
    await probe({ relay, named: address, device: "map-wan", ipv4: "192.0.2.18", mtu: 1460 }, system);
    expect([...new Set(waits)].sort()).toEqual(
      [
        "network.interface dump: 10000 ms",
        "network.interface status wan6: 10000 ms",
        "network get_proto_handlers: 10000 ms",
        "uci -q show network: 10000 ms",
        "uci -q show mwan3: 10000 ms",
        "nft -j list chains: 10000 ms",
        "nft -j list table ip mapmin_wan: 10000 ms",
        "nft -j list table inet fw4: 10000 ms",
        "ip -6 neigh show dev eth1: 10000 ms",
        "conntrack -L: 10000 ms",
        // 2 s for each answer, and 3 s for the program itself.
        `${six(1)}: 5000 ms`,
        `${six(2)}: 7000 ms`,
        `${toRelay}: 5000 ms`,
      ].sort(),
    );
  });
});

describe("a bug is not taken for a fault of the router", () => {
  const bug = new TypeError("a bug");

  test.each<[string, World]>([
    ["a file", file("/lib/netifd/proto/map.sh", bug)],
    ["a table of rules", both(uci({ ...options.tunnel, rules: TABLE }), file(TABLE, bug))],
    ["a program", program("nft -j list table inet fw4", bug)],
    ["ubus", { ubus: { "network get_proto_handlers": bug } }],
  ])("in %s", async (_title, world) => {
    await expect(gathered("tunnel", world)).rejects.toThrow(bug);
  });

  test("in a ping", async () => {
    const { system } = makeRouter("tunnel", program("ping -c 1 -W 2 -6 ::1", bug));
    const targets = { relay: "::1", named: undefined, device: "map-wan", ipv4: "192.0.2.18", mtu: 1460 };
    await expect(probe(targets, system)).rejects.toThrow(bug);
  });
});
