/** A router as `mapminctl doctor` sees it: files, programs, netifd. RFC 7597's example 1, and a test changes a part of it. */

import { runDoctor } from "../../../src/cli/doctor.ts";
import type { DoctorSystem } from "../../../src/cli/doctor-facts.ts";
import type { LivelyScreen } from "../../../src/cli/lively.ts";
import type { SavedState } from "../../../src/engine/state.ts";
import { rulesPrint } from "../../../src/render/control.ts";
import type { Bus } from "../../../src/system/system.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { makeTerminal } from "./terminal.ts";

/** A text that is an Error is what the program, the file or ubus fails with. */
export type Answer = string | Error | undefined;

export interface World {
  /** By path; undefined takes a file away. A directory has none, or fails. */
  readonly files?: Readonly<Record<string, Answer>>;
  /** By command line; several answers are given one after the other, and the last one again and again. */
  readonly programs?: Readonly<Record<string, Answer | readonly Answer[]>>;
  /** By object and method, and the interface that is asked for. */
  readonly ubus?: Readonly<Record<string, object | Error>>;
}

/** The eight groups of an address in full, as /proc prints it. */
export const digits = (...groups: readonly string[]) =>
  groups
    .map((group) => group.padStart(4, "0"))
    .join("")
    .padEnd(32, "0");

const MAPPED = digits("2001", "db8", "12", "3400", "0", "c000", "212", "34");
const GATEWAY = digits("fe80", "0", "0", "0", "0", "0", "0", "1");
const NOWHERE = "0".repeat(32);
const route6 = (destination: string, length: string, gateway: string, flags: string, device: string) =>
  `${destination} ${length} ${NOWHERE} 00 ${gateway} 00000400 00000001 00000000 ${flags} ${device}\n`;

export const rules = [
  "config map-wan transport translate lowest-ipv6-mtu 1500",
  "config map-wan nat.mode ports",
];

const common = {
  interface: "wan",
  state: "up" as const,
  since: "2026-01-02T03:04:05Z",
  tunlink: "wan6",
  device: "map-wan",
  ipv4: "192.0.2.18/32",
  map_address: "2001:db8:12:3400:0:c000:212:34",
  offset: "6",
  psid_length: "8",
  psid: "52",
  source: "the interface's options",
};

export const states: Readonly<Record<"module" | "tunnel", SavedState>> = {
  module: { ...common, transport: "map-t", mtu: "1480", carrier: "module", rules: rulesPrint(rules) },
  tunnel: {
    ...common,
    transport: "map-e",
    mtu: "1460",
    carrier: "tunnel",
    table: "mapmin_wan",
    reserved_ports: "1232",
    address_interfaces: "wan_",
  },
};

export const stateText = (state: SavedState | Readonly<Record<string, string>>) =>
  Object.entries(state)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");

/** The options of the interface, as uci shows them. */
export const options = {
  module: { proto: "map", maptype: "map-t", peeraddr: "2001:db8:ffff::/64" },
  tunnel: {
    proto: "map",
    maptype: "map-e",
    peeraddr: "2001:db8:ffff::1",
    nat: "nftables",
    reserved_ports: "1232",
  },
} as const;

export const rule = {
  tunlink: "wan6",
  ipaddr: "192.0.2.0",
  ip4prefixlen: "24",
  ip6prefix: "2001:db8::",
  ip6prefixlen: "40",
  ealen: "16",
} as const;

export const uciText = (
  section: Readonly<Record<string, string>>,
  link: Readonly<Record<string, string>> = { proto: "dhcpv6" },
) =>
  [
    ["wan6", link],
    ["wan", section],
  ]
    .flatMap(([name, values]) => [
      `network.${name}=interface`,
      ...Object.entries(values as object).map(([option, value]) => `network.${name}.${option}='${value}'`),
    ])
    .join("\n");

const jump = (chain: string, key: string, devices: readonly string[], target: string) => ({
  rule: {
    family: "inet",
    table: "fw4",
    chain,
    expr: [
      {
        match: {
          op: "==",
          left: { meta: { key } },
          right: devices.length === 1 ? devices[0] : { set: devices },
        },
      },
      { jump: { target } },
    ],
  },
});
const bare = (chain: string, ...expr: readonly object[]) => ({
  rule: { family: "inet", table: "fw4", chain, expr },
});

/** fw4's table, with these devices in its zones. */
export const firewall = (wan: readonly string[], lan: readonly string[], ...more: readonly object[]) =>
  JSON.stringify({
    nftables: [
      { metainfo: { version: "1.1.1" } },
      jump("input", "iifname", ["br-lan", ...lan], "input_lan"),
      jump("input", "iifname", ["eth1", ...wan], "input_wan"),
      jump("forward", "iifname", ["br-lan", ...lan], "forward_lan"),
      jump("forward", "iifname", ["eth1", ...wan], "forward_wan"),
      bare("input_lan", { jump: { target: "accept_from_lan" } }),
      bare("forward_lan", { jump: { target: "accept_to_wan" } }),
      bare(
        "srcnat_wan",
        { match: { op: "==", left: { meta: { key: "nfproto" } }, right: "ipv4" } },
        { masquerade: null },
      ),
      ...more,
    ],
  });
export const flowRule = bare("forward", { flow: { op: "add", flowtable: "@ft" } });

const object = (kind: string, name: string, more: object = {}) => ({
  [kind]: { family: "ip", table: "mapmin_wan", name, ...more },
});
/** Our table with a port set of 252 ports, of which one is reserved. */
export const natTable = (elements = 251, chains = ["translate", "incoming", "guard"]) =>
  JSON.stringify({
    nftables: [
      ...chains.flatMap((name) => [object("chain", name), object("rule", "", { chain: name })]),
      ...["port_out", "id_out", "port_in", "id_in"].map((name) =>
        object("map", name, { elem: Array.from({ length: elements }, (_, i) => [i, i]) }),
      ),
    ],
  });

export const link = {
  interface: "wan6",
  proto: "dhcpv6",
  up: true,
  l3_device: "eth1",
  "ipv6-address": [],
  "ipv6-prefix": [{ address: "2001:db8:12:3400::", mask: 56 }],
  data: { passthru: "" },
};
export const shown = { interface: "wan", proto: "map", up: true, autostart: true, l3_device: "map-wan" };

const missing = (subject: string) => new EffectError(subject, "Error: No such file or directory");

/** A healthy one, MAP-T by the module or MAP-E by nftables. */
export function healthy(by: "module" | "tunnel") {
  const mtu = by === "module" ? "1500" : "1460";
  const files: Record<string, Answer> = {
    "/lib/netifd/proto/map.sh": "mapmin_exec handler proto\n",
    "/proc/sys/net/ipv4/ip_forward": "1\n",
    "/sys/module/ip6_tunnel/initstate": "live\n",
    "/sys/class/net/eth1/mtu": "1500\n",
    "/sys/class/net/eth1/flags": "0x1003\n",
    "/sys/class/net/map-wan/mtu": `${mtu}\n`,
    "/sys/class/net/map-wan/flags": "0x91\n",
    "/var/run/mapmin/wan.state": stateText(states[by]),
    "/proc/net/fib_trie": "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 192.0.2.18\n        /32 host LOCAL\n",
    "/proc/net/route":
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
      "map-wan\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n" +
      "br-lan\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
    "/proc/net/if_inet6": `${by === "tunnel" ? MAPPED : digits("2001", "db8")} 03 80 00 80     eth1\n`,
    "/proc/net/ipv6_route":
      route6(NOWHERE, "00", GATEWAY, "00450003", "eth1") +
      route6(NOWHERE, "00", NOWHERE, "00200200", "lo").replace("00000400", "ffffffff") +
      (by === "module" ? route6(MAPPED, "80", NOWHERE, "00000001", "map-wan") : ""),
    "/proc/net/nf_conntrack": "",
    ...(by === "module"
      ? {
          "/proc/net/mapmint/counters": "",
          "/proc/net/nat46/control": ["add map-wan", ...rules, ""].join("\n"),
        }
      : {}),
  };
  const programs: Record<string, Answer | readonly Answer[]> = {
    "uci -q show network": uciText({ ...rule, ...options[by] }),
    "nft -j list table ip mapmin_wan": by === "tunnel" ? natTable() : missing("nft"),
    "nft -j list chains": JSON.stringify({ nftables: [] }),
    "nft -j list table inet fw4": firewall(["map-wan"], []),
    "ip -6 neigh show dev eth1": "fe80::1 lladdr 02:00:00:00:00:01 router REACHABLE\n",
    "ping -c 1 -W 2 -6 2001:db8:ffff::1": "2 packets received\n",
  };
  const ubus: Record<string, object | Error> = {
    "network.interface dump": { interface: [link, shown] },
    "network.interface status wan6": link,
    "network get_proto_handlers": { static: {}, map: {} },
  };
  return { files, programs, ubus };
}

/** One file, program, or answer of netifd's that differs; and several differences together. */
export const file = (path: string, content: string | Error | undefined): World => ({
  files: { [path]: content },
});
export const program = (line: string, answer: string | Error): World => ({ programs: { [line]: answer } });
export const dump = (...interfaces: readonly unknown[]): World => ({
  ubus: { "network.interface dump": { interface: interfaces } },
});
export const uci = (
  section: Readonly<Record<string, string>>,
  of?: Readonly<Record<string, string>>,
): World => program("uci -q show network", uciText(section, of));
export const both = (...worlds: readonly World[]): World => ({
  files: Object.assign({}, ...worlds.map(({ files }) => files)),
  programs: Object.assign({}, ...worlds.map(({ programs }) => programs)),
  ubus: Object.assign({}, ...worlds.map(({ ubus }) => ubus)),
});

/** One ping is not answered, or it is. */
export const noReply = (...words: readonly string[]): World => {
  const line = `ping -c 1 -W 2 ${words.join(" ")}`;
  return program(line, new EffectError(line, "exit code 1"));
};
export const reply = (...words: readonly string[]) =>
  program(`ping -c 1 -W 2 ${words.join(" ")}`, "2 received");

/** A router that differs from a healthy one, and what is asked of it. */
export function makeRouter(by: "module" | "tunnel", world: World = {}) {
  const base = healthy(by);
  const files = { ...base.files, ...world.files };
  const programs = { ...base.programs, ...world.programs };
  const ubus = { ...base.ubus, ...world.ubus };
  const terminal = makeTerminal();
  /** Command lines, in order. */
  const asked: string[] = [];
  /** Everything that is waited for, and for how long at most. */
  const waits: string[] = [];
  const written = new Map<string, string>();
  const buses = { open: 0 };
  const give = (answer: Answer) => {
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const bus: Bus = {
    async call(name, method, args, limitMs) {
      const { interface: iface } = args as { interface?: string };
      const key = [name, method, ...(iface === undefined ? [] : [iface])].join(" ");
      waits.push(`${key}: ${limitMs} ms`);
      const answer = ubus[key] ?? new EffectError(`ubus call ${name} ${method}`, "NOT_FOUND", { status: 4 });
      if (answer instanceof Error) throw answer;
      return answer;
    },
    close() {
      buses.open--;
    },
  };
  const system: DoctorSystem & LivelyScreen = {
    ...terminal,
    files: {
      replaceFile: (path, text) => void written.set(path, text),
      readText: (path) => give(files[path]),
      namesIn: (directory) => {
        give(files[directory]);
        const inside = directory.endsWith("/") ? directory : `${directory}/`;
        const found = Object.keys(files).filter(
          (path) => path.startsWith(inside) && files[path] !== undefined,
        );
        return [...new Set(found.map((path) => path.slice(inside.length).split("/")[0] ?? ""))].sort();
      },
    },
    run: async (file, words, limits) => {
      const line = [file, ...words].join(" ");
      asked.push(line);
      waits.push(`${line}: ${limits?.limitMs} ms`);
      const answers = line in programs ? programs[line] : new EffectError(line, "not installed");
      const turn = asked.filter((one) => one === line).length - 1;
      return give(Array.isArray(answers) ? answers[Math.min(turn, answers.length - 1)] : answers) ?? "";
    },
    openBus: () => {
      buses.open++;
      return bus;
    },
  };
  return { system, bus, buses, asked, waits, written, out: terminal.out, err: terminal.err };
}

/** Runs the doctor in a world that differs from a healthy one. */
export async function doctor(by: "module" | "tunnel", argv: readonly string[], world: World = {}) {
  const { system, asked, waits, written, out, err } = makeRouter(by, world);
  const code = await runDoctor(argv, system);
  return { code, out: out(), err: err(), asked, waits, written: [...written] };
}
