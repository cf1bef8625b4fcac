import { expect, test } from "vitest";
import { runStatus, statusHelp } from "../../../src/cli/status.ts";
import type { Refusal } from "../../../src/cli/status-report.ts";
import { rulesPrint } from "../../../src/render/control.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { makeTerminal } from "./terminal.ts";

const rules = ["config map-wan transport encapsulate", "config map-wan nat.mode ports nat.reserved -"];
const control = ["add map-wan", ...rules, ""].join("\n");

const counters = ["drop_no_route 1", "nat_flows 99", "nat_exhausted 12", "drop_fragment 0"]
  .map((row) => `map-wan ${row}\n`)
  .join("");

/** RFC 7597 example 1 by the module. */
const state: Readonly<Record<string, string>> = {
  interface: "wan",
  state: "up",
  since: "2026-01-02T03:04:05Z",
  transport: "map-e",
  tunlink: "wan6",
  device: "map-wan",
  ipv4: "192.0.2.18/32",
  map_address: "2001:db8:12:3400:0:c000:212:34",
  offset: "6",
  psid_length: "8",
  psid: "52",
  mtu: "1460",
  source: "DHCPv6",
  carrier: "module",
  nat_by: "the kernel module",
  reserved_ports: "1232",
  remarks: "padded",
  rules: rulesPrint(rules),
};
const text = (of: Readonly<Record<string, string | undefined>>) =>
  Object.entries(of)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");

interface World {
  readonly states?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly programs?: Readonly<Record<string, string | Error>>;
  readonly isTerminal?: boolean;
}

async function status(
  argv: readonly string[],
  { states = {}, files = {}, programs = {}, isTerminal = false }: World = {},
) {
  const terminal = makeTerminal();
  const disk: Record<string, string> = {
    "/proc/net/mapmint/counters": counters,
    "/sys/class/net/map-wan/mtu": "1500\n",
    "/proc/net/nat46/control": control,
    ...files,
  };
  for (const [name, content] of Object.entries(states)) disk[`/var/run/mapmin/${name}`] = content;
  const asked: string[] = [];
  const code = await runStatus(argv, {
    ...terminal,
    isTerminal,
    environment: { LANG: "C.UTF-8" },
    files: {
      readText: (path) => (disk[path] === "" ? undefined : disk[path]),
      namesIn: () => Object.keys(states),
    },
    run: async (file, words) => {
      asked.push([file, ...words].join(" "));
      const answer = programs[file] ?? new EffectError(file, "not installed");
      if (typeof answer !== "string") throw answer;
      return answer;
    },
  });
  return { code, out: terminal.out(), err: terminal.err(), asked };
}

const flow = (port: number) =>
  `tcp 6 10 src=192.168.1.2 dst=203.0.113.1 sport=4 dport=80 src=203.0.113.1 dst=192.0.2.18 sport=80 dport=${port} mark=0\n`;

test("all rows of an interface whose module does the NAT", async () => {
  const told = await status([], {
    states: { "wan.state": text(state), "wan.lock": "" },
    programs: { conntrack: flow(1233) },
  });
  expect(told).toEqual({
    code: 0,
    err: "",
    asked: ["conntrack -L"],
    out: `wan: up
  since           2026-01-02T03:04:05Z
  transport       map-e
  over            wan6
  device          map-wan, IPv4 MTU 1460
  rule from       DHCPv6
  IPv4            192.0.2.18/32
  MAP address     2001:db8:12:3400:0:c000:212:34
  PSID            52 (0x34), 8 bits, offset 6
  ports           252 in 63 ranges: 1232-1235, 2256-2259, 3280-3283, 4304-4307, ...
  reserved ports  1232
  in use          TCP 1, UDP 0, ICMP 0 of 252 ports; 1 flow
  fullest ranges  1232-1235 1/4
  towards         TCP 203.0.113.1 port 80: 1 of 251 ports
  used by         192.168.1.2: 1 port, 1 flow
  NAT             loaded
  NAT by          the kernel module
  refused         12 packets: no port was free towards the destination (nat_exhausted)
                  1 packet: no IPv6 route to the border relay (drop_no_route)
  remarks         padded
  last error      none
`,
  });
});

test("port forwards, one below the other", async () => {
  const forwards = "tcp 1233 192.168.1.10:80, udp 1234 192.168.1.10";
  const states = { "wan.state": text({ ...state, forwards }) };
  expect((await status([], { states })).out).toMatch(
    /^ {2}forwarded +tcp 1233 192\.168\.1\.10:80\n +udp 1234 192\.168\.1\.10$/m,
  );
  expect(JSON.parse((await status(["--json"], { states })).out)).toMatchObject([{ forwards }]);
});

test("the same for programs", async () => {
  const files = { "/proc/net/nf_conntrack": flow(1233) };
  const told = await status(["--json"], { states: { "wan.state": text(state) }, files });
  expect(told.asked).toEqual([]);
  const [entry] = JSON.parse(told.out);
  expect(entry.ranges).toHaveLength(63);
  expect({ ...entry, ranges: entry.ranges[0] }).toStrictEqual({
    interface: "wan",
    up: true,
    state: "up",
    since: "2026-01-02T03:04:05Z",
    transport: "map-e",
    tunlink: "wan6",
    device: "map-wan",
    source: "DHCPv6",
    ipv4: "192.0.2.18/32",
    mapIpv6Address: "2001:db8:12:3400:0:c000:212:34",
    psid: 52,
    psidLength: 8,
    psidOffset: 6,
    ports: 252,
    ranges: [1232, 1235],
    reservedPorts: "1232",
    mtu: 1460,
    inUse: {
      used: { tcp: 1, udp: 0, icmp: 0 },
      flows: 1,
      ports: 1,
      ranges: [1, ...new Array<number>(62).fill(0)],
      cells: [0, 1, ...new Array<number>(62).fill(0)],
      remotes: [{ protocol: "tcp", address: "203.0.113.1", port: 80, ports: 1, of: 251 }],
      fullest: { tcp: 1, udp: 0, icmp: 0 },
      moreRemotes: 0,
      hosts: [{ address: "192.168.1.2", ports: 1, flows: 1, router: false }],
      moreHosts: 0,
    },
    refused: [
      { reason: "nat_exhausted", packets: 12, meaning: "no port was free towards the destination" },
      { reason: "drop_no_route", packets: 1, meaning: "no IPv6 route to the border relay" },
    ],
    nat: { loaded: true, faults: [], packets: {} },
    natBy: "the kernel module",
    remarks: "padded",
    error: null,
  });
});

/** Flows of a host, towards one remote end, on the ports of the set from the first on. */
const flowsOfHost = (host: string, remote: string, protocol: "udp" | "icmp", first: number, count: number) =>
  Array.from({ length: count }, (_, i) => {
    const number = first + i;
    const port = 1_024 * (1 + Math.floor(number / 4)) + 208 + (number % 4);
    const [there, back] =
      protocol === "udp" ? ["sport=4 dport=53", `sport=53 dport=${port}`] : ["id=4", `id=${port}`];
    return `${protocol} 17 25 src=${host} dst=${remote} ${there} src=${remote} dst=192.0.2.18 ${back} mark=0\n`;
  }).join("");

test("a busy interface: at most three ranges, remote ends and hosts; the picture on a terminal", async () => {
  const busy = [
    flowsOfHost("192.168.1.2", "203.0.113.1", "udp", 0, 7),
    flowsOfHost("192.168.1.3", "203.0.113.2", "udp", 7, 3),
    flowsOfHost("192.0.2.18", "203.0.113.3", "icmp", 11, 2),
    flowsOfHost("192.168.1.4", "203.0.113.4", "udp", 20, 1),
  ];
  const told = await status([], {
    states: { "wan.state": text(state) },
    files: { "/proc/net/nf_conntrack": busy.join(""), "/proc/net/mapmint/counters": "" },
    isTerminal: true,
  });
  const lines = told.out.split("\n");
  expect(lines.slice(11, -3)).toEqual([
    "  in use          TCP 0, UDP 11, ICMP 2 of 252 ports; 13 flows",
    "  fullest ranges  1232-1235 4/4, 2256-2259 4/4, 3280-3283 3/4",
    "  towards         UDP 203.0.113.1 port 53: 7 of 251 ports",
    "                  UDP 203.0.113.2 port 53: 3 of 251 ports",
    "                  ICMP 203.0.113.3: 2 of 251 ports",
    "  used by         192.168.1.2: 7 ports, 7 flows",
    "                  192.168.1.3: 3 ports, 3 flows",
    "                  192.0.2.18 (this router): 2 ports, 2 flows",
    `  | ██▓▒░▒${"░".repeat(57)}|`,
    `   0${" ".repeat(58)}65535`,
    "  NAT             loaded",
    "  NAT by          the kernel module",
  ]);
});

test("the fullest ranges come first, wherever they are; without flows there are no rows of them", async () => {
  const states = { "wan.state": text(state) };
  const rows = async (world: World) => {
    const { out } = await status([], { states, ...world });
    return out.split("\n").slice(11, -6);
  };
  const flows = [
    flowsOfHost("192.168.1.2", "203.0.113.1", "udp", 0, 1),
    flowsOfHost("192.168.1.2", "203.0.113.1", "udp", 8, 2),
    flowsOfHost("192.168.1.2", "203.0.113.1", "udp", 16, 3),
    flowsOfHost("192.168.1.2", "203.0.113.1", "udp", 20, 1),
  ];
  expect(await rows({ programs: { conntrack: flows.join("") } })).toEqual([
    "  in use          TCP 0, UDP 7, ICMP 0 of 252 ports; 7 flows",
    "  fullest ranges  5328-5331 3/4, 3280-3283 2/4, 1232-1235 1/4",
    "  towards         UDP 203.0.113.1 port 53: 7 of 251 ports",
    "  used by         192.168.1.2: 7 ports, 7 flows",
    "  NAT             loaded",
  ]);
  expect(await rows({ programs: { conntrack: "" } })).toEqual([
    "  in use          TCP 0, UDP 0, ICMP 0 of 252 ports; 0 flows",
    "  NAT             loaded",
  ]);
});

test("where the ports are not known, nor is how many there are towards a remote end", async () => {
  const states = { "wan.state": text({ ...state, psid: undefined }) };
  const { out } = await status([], { states, programs: { conntrack: flow(80) } });
  expect(out.split("\n").slice(8, 12)).toEqual([
    "  reserved ports  1232",
    "  in use          TCP 1, UDP 0, ICMP 0 of all ports; 1 flow",
    "  towards         TCP 203.0.113.1 port 80: 1 port",
    "  used by         192.168.1.2: 1 port, 1 flow",
  ]);
});

test("forwards, a line each, and the ports for miniupnpd", async () => {
  const forwards = "tcp 1233 192.168.1.2:80, udp 1234-1235 192.168.1.3";
  const kept = { reserved_ports: "1232-1235 64720-64723", upnp_ports: "64720-64723", forwards };
  const states = { "wan.state": text({ ...state, ...kept }) };
  const { out } = await status([], { states, programs: { conntrack: "" } });
  expect(out).toContain(`  reserved ports  1232-1235 64720-64723
  for miniupnpd   64720-64723
  forwarded       tcp 1233 192.168.1.2:80
                  udp 1234-1235 192.168.1.3
`);
  const [told] = JSON.parse((await status(["--json"], { states })).out);
  expect(told).toMatchObject({ reservedPorts: kept.reserved_ports, upnpPorts: "64720-64723", forwards });
});

test("the picture of a whole address; of a table that is not known there is none", async () => {
  const states = { "wan.state": text({ ...state, psid_length: "0", psid: "0" }) };
  const whole = await status([], { states, programs: { conntrack: flow(80) }, isTerminal: true });
  expect(whole.out).toContain(`  |▒${"░".repeat(63)}|\n   0`);
  expect((await status([], { states, isTerminal: true })).out).not.toContain("|");
  const without = { "wan.state": text({ ...state, psid: undefined }) };
  expect(
    (await status([], { states: without, programs: { conntrack: "" }, isTerminal: true })).out,
  ).not.toContain("|");
});

test("at most five reasons of refusals, and how many more there are", async () => {
  const names = [
    "nat_exhausted",
    "nat_filtered",
    "drop_ecn",
    "drop_invalid",
    "drop_too_big",
    "drop_fragment",
    "drop_no_memory",
  ];
  const shown = async (count: number) => {
    const rows = names.slice(0, count).map((name, i) => `map-wan ${name} ${i + 1}\n`);
    const files = { "/proc/net/mapmint/counters": rows.join("") };
    const { out } = await status([], { states: { "wan.state": text(state) }, files });
    return out.split("\n").filter((line) => /^ {2}(refused| {2}) /.test(line));
  };
  expect(await shown(5)).toEqual([
    "  refused         5 packets: larger than the link takes (drop_too_big)",
    "                  4 packets: connection tracking calls it invalid (drop_invalid)",
    "                  3 packets: marked for congestion, and not able to say so (drop_ecn)",
    "                  2 packets: from outside to a port in use, by somebody whom nobody here had talked to (nat_filtered)",
    "                  1 packet: no port was free towards the destination (nat_exhausted)",
  ]);
  expect((await shown(6)).slice(4)).toEqual([
    "                  2 packets: from outside to a port in use, by somebody whom nobody here had talked to (nat_filtered)",
    "                  and 1 more reason",
  ]);
  expect((await shown(7)).at(-1)).toBe("                  and 2 more reasons");
});

test("where the module carries and nftables do the NAT, both refuse; nobody's counters: not known", async () => {
  const states = { "wan.state": text({ ...state, table: "mapmin_wan" }) };
  const counter = (name: string, packets: number) => ({
    counter: { family: "ip", table: "mapmin_wan", name, packets, bytes: 0 },
  });
  const nft = JSON.stringify({ nftables: [counter("out_port", 5), counter("to_domain", 9)] });
  const reasons = async (world: World) => {
    const [entry] = JSON.parse((await status(["--json"], world)).out);
    return entry.refused?.map(({ reason, packets }: Refusal) => `${reason} ${packets}`) ?? entry.refused;
  };
  const files = { "/proc/net/mapmint/counters": "" };
  expect(await reasons({ states, programs: { nft } })).toEqual([
    "nat_exhausted 12",
    "out_port 5",
    "drop_no_route 1",
  ]);
  expect(await reasons({ states })).toEqual(["nat_exhausted 12", "drop_no_route 1"]);
  expect(await reasons({ states, files })).toBeNull();
  const tunnel = { "wan.state": text({ ...state, table: "mapmin_wan", carrier: "tunnel" }) };
  expect(await reasons({ states: tunnel, programs: { nft } })).toEqual(["out_port 5"]);
});

test("a set-up that failed early has few rows", async () => {
  const few = text({ interface: "wan", state: "failed", since: "now", device: "map-wan" });
  const told = await status([], { states: { "wan.state": few } });
  expect([told.code, told.out]).toEqual([
    1,
    "wan: down\n  since           now\n  device          map-wan, IPv4 MTU ?\n  last error      none\n",
  ]);
  const [entry] = JSON.parse((await status(["--json"], { states: { "wan.state": few } })).out);
  expect(entry).toStrictEqual({
    interface: "wan",
    up: false,
    state: "failed",
    since: "now",
    device: "map-wan",
    error: null,
  });
});

test("starting is neither up nor down, and a NAT is not asked for before the end", async () => {
  for (const [phase, word] of [
    ["starting", "starting"],
    ["failed", "down"],
  ]) {
    const told = await status([], { states: { "wan.state": text({ ...state, state: String(phase) }) } });
    expect(told.code).toBe(1);
    expect(told.out).toMatch(new RegExp(`^wan: ${word}\n`));
    expect(told.out).not.toContain("NAT");
  }
});

test("what failed is not told of its device that it is missing", async () => {
  const few = text({ interface: "b", state: "failed", since: "now", device: "map-b" });
  const [entry] = JSON.parse((await status(["--json"], { states: { "b.state": few } })).out);
  expect(entry).toMatchObject({ up: false, error: null });
});

test("a state that names no device is down, and has no NAT", async () => {
  const without = text({ ...state, device: undefined, ipv4: undefined, psid: undefined });
  const files = { "/sys/class/net/undefined/mtu": "1500\n" };
  const { code, out } = await status([], { states: { "wan.state": without }, files });
  expect([code, out]).toEqual([
    1,
    `wan: down
  since           2026-01-02T03:04:05Z
  transport       map-e
  over            wan6
  rule from       DHCPv6
  MAP address     2001:db8:12:3400:0:c000:212:34
  reserved ports  1232
  remarks         padded
  last error      the state file names no device
`,
  ]);
});

test("where the module carries and nftables do the NAT, nft is asked", async () => {
  const states = { "wan.state": text({ ...state, table: "mapmin_wan" }) };
  const { asked, out } = await status([], { states, programs: { nft: '{"nftables":[]}' } });
  expect(asked).toContain("nft -j list table ip mapmin_wan");
  expect(out).toContain("  NAT             NOT LOADED as it should be: chain translate is missing; ");
});

test("a file that is not a state is not one, whatever its name", async () => {
  const states = { "wan.state": text(state), "wan.check": text(state), "b.state": "" };
  const told = await status([], { states });
  expect([told.err, told.out.match(/^\S.*$/gm)]).toEqual(["", ["wan: up"]]);
});

test.each([
  ["a whole address", { psid_length: "0", psid: "0" }, "ports           all", "of 65535 ports; 0 flows"],
  ["no port set", { psid_length: undefined }, undefined, "of all ports; 0 flows"],
  ["one range", { offset: "0" }, "ports           256 in 1 range: 13312-13567", "of 256 ports; 0 flows"],
  [
    "four",
    { offset: "2", psid_length: "2", psid: "1" },
    "ports           12288 in 3 ranges: 20480-24575, 36864-40959, 53248-57343",
    "of 12288",
  ],
])("%s", async (_title, changes, ports, use) => {
  const states = { "wan.state": text({ ...state, ...changes }) };
  const { out } = await status([], { states, programs: { conntrack: "" } });
  const lines = out.split("\n");
  expect(lines.find((line) => line.startsWith("  ports"))).toBe(
    ports === undefined ? undefined : `  ${ports}`,
  );
  expect(lines.some((line) => line.startsWith("  PSID"))).toBe(ports?.includes("range") === true);
  expect(lines.find((line) => line.startsWith("  in use"))).toContain(use);
});

test("without a table of flows nobody knows the ports in use", async () => {
  const { out } = await status([], { states: { "wan.state": text(state) } });
  expect(out).toContain(
    "  in use          not known: neither /proc/net/nf_conntrack nor conntrack is here\n",
  );
});

test.each([
  ["the module is not loaded", "", "NOT LOADED as it should be: the kernel module is not loaded"],
  [
    "the device is not the module's",
    "add map-other\n",
    "NOT LOADED as it should be: the module has no device map-wan",
  ],
  [
    "other rules",
    control.replace("ports", "off"),
    "NOT LOADED as it should be: somebody has changed the rules of map-wan",
  ],
])("%s", async (_title, found, line) => {
  const files = { "/proc/net/nat46/control": found };
  const told = await status([], { states: { "wan.state": text(state) }, files });
  expect(told.code).toBe(1);
  expect(told.out).toContain(`  NAT             ${line}\n`);
});

test("several interfaces: one that is down is enough for the exit code; other files are not interfaces", async () => {
  const other = text({ ...state, interface: "b", device: "map-b" });
  const states = { "wan.state": text(state), "b.state": other, "c.state.tmp": other };
  const told = await status([], { states });
  expect(told.code).toBe(1);
  expect(told.out.match(/^\S.*$/gm)).toEqual(["wan: up", "b: down"]);
  expect(told.out).toContain("  last error      the device map-b is missing\n");
  expect((await status(["wan"], { states })).code).toBe(0);
  expect((await status(["b"], { states })).out).toMatch(/^b: down/);
});

test("nothing set up: no program is started", async () => {
  expect(await status([])).toMatchObject({ code: 1, asked: [] });
});

test("an error that nobody declared is a bug, and goes up", async () => {
  const states = { "wan.state": text({ ...state, carrier: "tunnel", table: "mapmin_wan" }) };
  const programs = { nft: new TypeError("bug") };
  await expect(status([], { states, programs })).rejects.toThrow(TypeError);
});

test("several faults of one table", async () => {
  const states = {
    "wan.state": text({ ...state, carrier: "tunnel", table: "mapmin_wan", reserved_ports: "" }),
  };
  const { out, asked } = await status([], { states, programs: { nft: '{"nftables":[]}' } });
  expect(asked).toContain("nft -j list table ip mapmin_wan");
  expect(out).toMatch(/NOT LOADED as it should be: chain \w+ is missing; chain \w+ is missing/);
});

test("--help, and too many words", async () => {
  expect(await status(["--help"])).toMatchObject({ code: 0, out: statusHelp });
  expect(statusHelp).toMatch(/^usage: mapminctl status \[INTERFACE\] \[--watch \| --json \| --metrics\]\n\n/);
  expect(statusHelp.match(/^ {2}--\w+ /gm)).toEqual(["  --watch ", "  --json ", "  --metrics "]);
  expect(await status(["a", "b"])).toMatchObject({ code: 2, out: "", err: statusHelp });
});
