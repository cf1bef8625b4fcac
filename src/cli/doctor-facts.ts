/**
 * Gathers what `mapminctl doctor` judges: files of /proc, /sys and our own, calls over ubus, programs with a time limit.
 * Nothing is changed. What cannot be had is a fact of its own.
 */

import type { Fact, Facts, Ping, Probes, ShownDevice, Volley } from "../doctor/facts.ts";
import { known, told, unknown } from "../doctor/facts.ts";
import { earlierChains, parseFirewall, sourceNatIn } from "../doctor/firewall.ts";
import { busiestPeers, pingedIds } from "../doctor/flows.ts";
import {
  parseDefaultRoutes,
  parseIpv6Addresses,
  parseIpv6Routes,
  parseLocalAddresses,
  parseSilentNeighbours,
} from "../doctor/kernel-tables.ts";
import { decodeDump, optionOf, parseUci, type Section } from "../doctor/netifd-dump.ts";
import { rulesText } from "../engine/rules-file.ts";
import {
  decodeState,
  interfacesOf,
  relayPath,
  type SavedState,
  STATE_DIRECTORY,
  stateDamage,
  statePath,
} from "../engine/state.ts";
import { type InterfaceName, isDeviceName, isInterfaceName } from "../ip/names.ts";
import { deviceName, tableName } from "../map/plan.ts";
import { decodeLinkStatus } from "../provision/link.ts";
import { decodeNeighbours } from "../provision/network.ts";
import { decodeConfig, flagWords } from "../provision/request.ts";
import { TABLE_LIMIT } from "../provision/table-text.ts";
import { CONTROL_PATH, linesOf, MODULE_MARK } from "../render/control.ts";
import { addressInterfaces, NETWORK } from "../render/netifd.ts";
import { parseTable } from "../render/readback.ts";
import type { Bus, System } from "../system/system.ts";
import { MapminError } from "../wire/errors.ts";
import { readFlows } from "./conntrack.ts";

/** What the gathering needs of the system. */
export type DoctorSystem = Pick<System, "stdout" | "stderr" | "run" | "openBus"> & {
  readonly files: Pick<System["files"], "readText" | "namesIn" | "replaceFile">;
};

/** Longest wait for one answer of ubus and for one program, ms. */
export const LIMIT_MS = 10_000;
/** Longest wait for an answer to a ping, s, and how many are sent side by side. */
const PING = { seconds: 2, volley: 6 } as const;
/** Of the chain that does our source NAT (render/nft.ts: `srcnat - 10`, and srcnat is 100). */
const OUR_PRIORITY = 90;
const ENGINE_FILE = "/usr/lib/mapmin/engine";
const HANDLER_SCRIPT = "/lib/netifd/proto/map.sh";
/** Octets of an IPv4 header and of an ICMP header. */
const PING_HEADERS = 28;

/** Does what may fail; a failure of the world is a fact. */
async function learn<T>(look: () => Promise<T> | T): Promise<Fact<T>> {
  try {
    return known(await look());
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    return unknown(error.message);
  }
}

/** What a look gives, or what is wrong with what was configured. */
function orRefusal<T>(look: () => T): T | MapminError {
  try {
    return look();
  } catch (error) {
    if (error instanceof MapminError) return error;
    throw error;
  }
}

function then<T, U>(fact: Fact<T>, use: (value: T) => U): Fact<U> {
  return fact.known ? known(use(fact.value)) : fact;
}

/** What is the same for every interface, asked once. */
export interface Surroundings {
  readonly bus: Bus;
  readonly dump: Fact<unknown>;
  readonly uci: Fact<ReadonlyMap<string, Section>>;
  /** Of every MAP interface that has a state file. */
  readonly states: readonly InterfaceName[];
}

export async function lookAround(system: DoctorSystem, bus: Bus): Promise<Surroundings> {
  const { files } = system;
  const states = await learn(() => files.namesIn(STATE_DIRECTORY));
  return {
    bus,
    dump: await learn(() => bus.call(NETWORK, "dump", {}, LIMIT_MS)),
    uci: await learn(async () =>
      parseUci(await system.run("uci", ["-q", "show", "network"], { limitMs: LIMIT_MS })),
    ),
    states: states.known ? interfacesOf(states.value).filter(isInterfaceName) : [],
  };
}

/** Every MAP interface: configured, known to netifd, or set up. */
export function mapInterfaces({ dump, uci, states }: Surroundings): readonly InterfaceName[] {
  const shown = dump.known ? decodeDump(dump.value).filter(({ proto }) => proto === "map") : [];
  const sections = told(uci) ?? new Map<string, Section>();
  const configured = [...sections].filter(
    ([, section]) => optionOf(section, "proto") === "map" && optionOf(section, "disabled") !== "1",
  );
  const names = [...shown.map(({ name }) => name), ...configured.map(([name]) => name), ...states];
  return [...new Set(names)].filter(isInterfaceName).sort();
}

function missingEngine({ files }: DoctorSystem): string | undefined {
  const path = (files.readText(ENGINE_FILE) ?? "").replace(/\n.*/s, "").trim();
  if (path === "") return undefined;
  const at = path.lastIndexOf("/");
  return files.namesIn(path.slice(0, Math.max(at, 1))).includes(path.slice(at + 1)) ? undefined : path;
}

const IFF_UP = 1;

function deviceOf({ files }: DoctorSystem, name: string): ShownDevice | undefined {
  if (!isDeviceName(name)) return undefined;
  const mtu = files.readText(`/sys/class/net/${name}/mtu`);
  if (mtu === undefined) return undefined;
  const flags = Number(files.readText(`/sys/class/net/${name}/flags`));
  return { up: (flags & IFF_UP) !== 0, mtu: Number(mtu) };
}

function stateAt({ files }: DoctorSystem, iface: InterfaceName) {
  const content = files.readText(statePath(iface)) ?? "";
  return { state: decodeState(content), damage: stateDamage(content) };
}

/** The interface that carries the packets: as it was set up, as it is configured, as the hook names what it offers. */
function tunlinkOf(
  iface: InterfaceName,
  state: SavedState | undefined,
  section: Section | undefined,
  offered: boolean,
): InterfaceName {
  const candidates = [
    optionOf(section, "tunlink"),
    state?.tunlink,
    offered && iface.endsWith("_4") ? iface.slice(0, -2) : undefined,
  ];
  return candidates.find((name) => name !== undefined && isInterfaceName(name)) ?? ("wan6" as InterfaceName);
}

async function nftFacts(system: DoctorSystem, iface: InterfaceName, state: SavedState | undefined) {
  const nft = (...argv: string[]) => system.run("nft", ["-j", "list", ...argv], { limitMs: LIMIT_MS });
  /** nft's words for a table that is not there. */
  const orNone = async <T>(look: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await look();
    } catch (error) {
      if (error instanceof MapminError && /No such file or directory/.test(error.message)) return undefined;
      throw error;
    }
  };
  const table = tableName(iface);
  // Where the module does the NAT, what nftables would have done is not asked for.
  const byModule = state?.state === "up" && state.table === undefined;
  return {
    table: byModule
      ? known(undefined)
      : await learn(() => orNone(async () => parseTable(await nft("table", "ip", table), table))),
    earlierNat: await learn(async () => {
      if (byModule) return [];
      const chains = earlierChains(await nft("chains"), table, OUR_PRIORITY);
      const found = chains.map(async (chain) =>
        sourceNatIn(await nft("table", chain.family, chain.table), chain),
      );
      return (await Promise.all(found)).flat();
    }),
    firewall: await learn(() => orNone(async () => parseFirewall(await nft("table", "inet", "fw4")))),
  };
}

async function flowFacts(system: DoctorSystem, ipv4: string | undefined) {
  if (ipv4 === undefined) return known([]);
  return learn(async () =>
    busiestPeers(await readFlows(system, { limitMs: LIMIT_MS }), ipv4.replace(/\/.*/, "")),
  );
}

async function mwan3Facts(system: DoctorSystem) {
  if (system.files.namesIn("/var/run/mwan3").length === 0) return undefined;
  const shown = parseUci(await system.run("uci", ["-q", "show", "mwan3"], { limitMs: LIMIT_MS }));
  // An interface of mwan3's is off unless it says otherwise.
  const isOn = (section: Section) =>
    section[".type"] === "interface" && flagWords[String(section["enabled"])] === true;
  return [...shown].filter(([, section]) => isOn(section)).map(([name]) => name);
}

/** The text of a file that every kernel of ours has. */
async function needFile({ files }: DoctorSystem, path: string): Promise<Fact<string>> {
  const text = await learn(() => files.readText(path));
  if (!text.known) return text;
  return text.value === undefined ? unknown(`${path} is not there`) : known(text.value);
}

async function table<T>(system: DoctorSystem, path: string, parse: (text: string) => T): Promise<Fact<T>> {
  const text = await needFile(system, path);
  return text.known ? learn(() => parse(text.value)) : text;
}

/** Everything that one interface is judged by, but for what probes tell. */
export async function gather(
  iface: InterfaceName,
  { bus, dump, uci, states }: Surroundings,
  system: DoctorSystem,
): Promise<Facts> {
  const { files } = system;
  const own = await learn(() => stateAt(system, iface));
  const state = told(own)?.state;
  const interfaces = then(dump, decodeDump);
  // Who has not answered once is not waited for again.
  const askNetifd = async <T>(look: () => Promise<T>): Promise<Fact<T>> => (dump.known ? learn(look) : dump);
  const shown = interfaces.known ? interfaces.value.find(({ name }) => name === iface) : undefined;
  const dynamic = shown?.dynamic === true;
  const section = told(uci)?.get(iface);
  const tunlink = tunlinkOf(iface, state, section, dynamic);
  const link = await askNetifd(async () => {
    if (interfaces.known && !interfaces.value.some(({ name }) => name === tunlink)) return undefined;
    return decodeLinkStatus(await bus.call(NETWORK, "status", { interface: tunlink }, LIMIT_MS));
  });
  const linkName = link.known ? (link.value?.device ?? "") : "";
  const device = state?.device ?? deviceName(iface);
  const mark = await learn(() => files.readText(MODULE_MARK));
  const control = await learn(() => files.readText(CONTROL_PATH));
  const others = await learn(() =>
    states.flatMap((name) => {
      const other = name === iface ? undefined : stateAt(system, name).state;
      return other === undefined ? [] : [other];
    }),
  );
  const config: Facts["config"] = dynamic
    ? // What another program gave it is not to be had.
      state?.source === undefined || state.source === "DHCPv6"
      ? known({ tunlink })
      : unknown(`${iface} was created with options that netifd does not tell`)
    : section === undefined
      ? unknown(uci.known ? `/etc/config/network has no section ${iface}` : uci.why)
      : known(orRefusal(() => decodeConfig(JSON.stringify(section))));
  return {
    iface,
    tunlink,
    missingEngine: await learn(() => missingEngine(system)),
    script: await learn(() => files.readText(HANDLER_SCRIPT)),
    protocols: await askNetifd(async () =>
      Object.keys((await bus.call("network", "get_proto_handlers", {}, LIMIT_MS)) as object),
    ),
    interfaces,
    neighbours: then(dump, (value) => decodeNeighbours(value, [iface, ...addressInterfaces(iface)])),
    module:
      mark.known && control.known
        ? known(mark.value !== undefined ? "ours" : control.value !== undefined ? "nat46" : "none")
        : unknown(mark.known ? "the control file cannot be read" : mark.why),
    moduleLines: then(control, (text) => (text === undefined ? undefined : linesOf(text, device))),
    forwarding: await table(system, "/proc/sys/net/ipv4/ip_forward", (text) => text.trim() !== "0"),
    tunnelSupport: await learn(() => files.namesIn("/sys/module").includes("ip6_tunnel")),
    config,
    rulesText: then(config, (options) => {
      if (options instanceof MapminError) return undefined;
      return orRefusal(() => rulesText(options, (path) => files.readText(path, TABLE_LIMIT)));
    }),
    relay: await learn(() => files.readText(relayPath(iface))),
    routeOptions: uci.known
      ? known({
          table: optionOf(section, "ip4table"),
          noDefault: optionOf(section, "defaultroute") === "0",
        })
      : uci,
    requested: then(uci, (sections) => optionOf(sections.get(tunlink), "reqopts") ?? ""),
    link,
    linkDevice: await learn(() => deviceOf(system, linkName)),
    state: then(own, (value) => value.state),
    stateDamage: told(own)?.damage,
    otherStates: others,
    device: await learn(() => deviceOf(system, device)),
    addresses4: await table(system, "/proc/net/fib_trie", parseLocalAddresses),
    addresses6: await table(system, "/proc/net/if_inet6", parseIpv6Addresses),
    defaultRoutes: await table(system, "/proc/net/route", parseDefaultRoutes),
    routes6: await table(system, "/proc/net/ipv6_route", parseIpv6Routes),
    silentNeighbours:
      linkName === ""
        ? unknown("the device of the link is not known")
        : await learn(async () =>
            parseSilentNeighbours(
              await system.run("ip", ["-6", "neigh", "show", "dev", linkName], { limitMs: LIMIT_MS }),
            ),
          ),
    ...(await nftFacts(system, iface, state)),
    mwan3: await learn(() => mwan3Facts(system)),
    busiest: await flowFacts(system, state?.ipv4),
    probes: {},
  };
}

/** Sends pings of one id. No answer is an answer; that they could not be sent is not known. */
async function ping(
  system: DoctorSystem,
  address: string,
  options: readonly string[],
  count: number,
): Promise<Fact<Ping>> {
  const { seconds } = PING;
  try {
    const argv = ["-c", `${count}`, "-W", `${seconds}`, ...options, address];
    await system.run("ping", argv, { limitMs: 1_000 * (count * seconds + 3) });
    return known({ address, answered: true });
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    // Exit code 1 without a word on standard error: nobody answered.
    return / exit code 1$/.test(error.message) ? known({ address, answered: false }) : unknown(error.message);
  }
}

/** The same, and once more where that was not answered. */
export async function pingTwice(
  system: DoctorSystem,
  address: string,
  options: readonly string[],
): Promise<Fact<Ping>> {
  const first = await ping(system, address, options, 1);
  return first.known && !first.value.answered ? ping(system, address, options, 1) : first;
}

/** What is probed: the border relay, and an address that the user names. */
export interface Targets {
  readonly relay: string | undefined;
  readonly named: string | undefined;
  readonly device: string;
  /** The router's own IPv4 address, dotted. */
  readonly ipv4: string;
  /** Largest IPv4 packet, octets. */
  readonly mtu: number;
}

/** Several pings side by side. A lost packet is no finding: where some were not answered, each is sent twice. */
async function volley(
  address: string,
  { device, ipv4 }: Targets,
  system: DoctorSystem,
): Promise<Fact<Volley>> {
  const all = (count: number) =>
    Promise.all(Array.from({ length: PING.volley }, () => ping(system, address, ["-I", device], count)));
  const idsNow = async () => {
    const table = await learn(() => readFlows(system, { limitMs: LIMIT_MS }));
    return table.known ? pingedIds(table.value, ipv4, address) : [];
  };
  const isAnswered = (one: Fact<Ping>) => one.known && one.value.answered;
  const sent = PING.volley;
  if ((await all(1)).every(isAnswered)) return known({ address, sent, answered: sent, ids: [] });
  const before = await idsNow();
  const pings = await all(2);
  for (const one of pings) if (!one.known) return one;
  const answered = pings.filter(isAnswered).length;
  const ids =
    answered === sent ? [] : (await idsNow()).filter(({ ping }) => !before.some((old) => old.ping === ping));
  return known({ address, sent, answered, ids });
}

/** At most 20 packets: to the named address from several ids, then large ones; to the relay where that did not answer. */
export async function probe(targets: Targets, system: DoctorSystem): Promise<Probes> {
  const { relay, named, device, mtu } = targets;
  const toRelay = async () => (relay === undefined ? {} : { relay: await pingTwice(system, relay, ["-6"]) });
  if (named === undefined) return toRelay();
  const answers = await volley(named, targets, system);
  if (!answers.known || answers.value.answered === 0) return { named: answers, ...(await toRelay()) };
  if (answers.value.answered < answers.value.sent) return { named: answers };
  const large = await pingTwice(system, named, ["-I", device, "-s", `${mtu - PING_HEADERS}`]);
  return { named: answers, full: then(large, (value) => ({ ...value, octets: mtu })) };
}
