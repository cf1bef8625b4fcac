/** What `mapminctl status` knows of each MAP interface. */

import { savedNat, savedPortCount, savedPortSet } from "../engine/saved-nat.ts";
import {
  decodeState,
  interfacesOf,
  type SavedState,
  STATE_DIRECTORY,
  stateDamage,
  statePath,
} from "../engine/state.ts";
import type { PortSet } from "../map/model.ts";
import { portCount, portRanges } from "../map/port-set.ts";
import { virtualBlock } from "../map/virtual-block.ts";
import { CONTROL_PATH, linesOf, MODULE_MARK, rulesPrint } from "../render/control.ts";
import { moduleRefusals, parseRefusals } from "../render/module-counters.ts";
import { type NatCounter, natCounters } from "../render/nft.ts";
import { checkLoaded, parseTable } from "../render/readback.ts";
import type { System } from "../system/system.ts";
import { MapminError } from "../wire/errors.ts";
import { type PortUse, portUse, readFlows } from "./conntrack.ts";

/** What looking needs of the system. */
export type LookSystem = Pick<System, "run"> & {
  readonly files: Pick<System["files"], "readText" | "namesIn">;
};

/** Whether the NAT of an interface is loaded as it should be; absent where none should be. */
export interface LoadedNat {
  /** Null where it cannot be told. */
  readonly loaded: boolean | null;
  /** What is wrong, or why it cannot be told. */
  readonly faults: readonly string[];
  /** Packets by counter of the table, where there were any. */
  readonly packets: { readonly [counter: string]: number };
}

/** Packets that were refused for one reason. */
export interface Refusal {
  /** The name of a counter. */
  readonly reason: string;
  readonly packets: number;
  readonly meaning: string;
}

/** Compares what the module's control file says of the device with what it said when the device was set up. */
function moduleNat(device: string, rules: string | undefined, system: LookSystem): LoadedNat {
  const control = system.files.readText(CONTROL_PATH);
  const lines = control === undefined ? undefined : linesOf(control, device);
  const packets = {};
  if (lines === undefined) {
    const fault =
      control === undefined ? "the kernel module is not loaded" : `the module has no device ${device}`;
    return { loaded: false, faults: [fault], packets };
  }
  const same = rulesPrint(lines) === rules;
  return { loaded: same, faults: same ? [] : [`somebody has changed the rules of ${device}`], packets };
}

function moduleCounts(device: string, system: LookSystem): readonly Refusal[] | undefined {
  const text = system.files.readText(MODULE_MARK);
  if (text === undefined) return undefined;
  return Array.from(parseRefusals(text, device), ([reason, packets]) => ({
    reason,
    packets,
    meaning: moduleRefusals[reason],
  }));
}

/** Counters of a table that count no refusal. */
const PASSED: readonly NatCounter[] = ["to_domain"];

interface NatLook {
  readonly nat: LoadedNat | undefined;
  /** Of the table's counters; undefined where it could not be read. */
  readonly refusals: readonly Refusal[] | undefined;
}

/** Asks nft what is loaded, and compares that with what the state file says. */
async function lookAtNat(state: SavedState, system: LookSystem): Promise<NatLook> {
  const { carrier, table, device } = state;
  if (carrier === "module" && table === undefined && device !== undefined)
    return { nat: moduleNat(device, state.rules, system), refusals: undefined };
  const nat = savedNat(state);
  if (nat === undefined) return { nat, refusals: undefined };
  try {
    const text = await system.run("nft", ["-j", "list", "table", "ip", nat.table]);
    const loaded = parseTable(text, nat.table);
    const faults = checkLoaded(nat, loaded);
    const counts = Array.from(loaded.counters, ([name, { packets }]) => [name, packets] as const);
    return {
      nat: {
        loaded: faults.length === 0,
        faults,
        packets: Object.fromEntries(counts.filter(([, packets]) => packets > 0)),
      },
      refusals: counts
        .filter(([name]) => !PASSED.includes(name))
        .map(([reason, packets]) => ({ reason, packets, meaning: natCounters[reason] })),
    };
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    // nft's words for a table that is not there.
    const missing = /No such file or directory/.test(error.message);
    const unread = { refusals: undefined };
    return missing
      ? { nat: { loaded: false, faults: [`the table ip ${nat.table} is missing`], packets: {} }, ...unread }
      : { nat: { loaded: null, faults: [error.message], packets: {} }, ...unread };
  }
}

/** The rows of a port set. */
interface ReportedPorts {
  readonly psid: number;
  readonly psidLength: number;
  readonly psidOffset: number;
  readonly ports: number;
  readonly ranges: readonly (readonly [number, number])[];
}

interface NoPorts {
  readonly psidLength?: undefined;
  readonly ports?: undefined;
  readonly ranges?: undefined;
}

/** One interface, as --json shows it. */
export type Report = (ReportedPorts | NoPorts) & {
  readonly interface: string;
  readonly up: boolean;
  readonly state: string;
  readonly since: string;
  readonly transport: string | undefined;
  readonly tunlink: string | undefined;
  readonly device: string | undefined;
  readonly source: string | undefined;
  readonly ipv4: string | undefined;
  readonly mapIpv6Address: string | undefined;
  readonly reservedPorts?: string;
  readonly forwards?: string;
  /** Those of {@link reservedPorts} that miniupnpd may hand out. */
  readonly upnpPorts?: string;
  readonly mtu?: number;
  /** Null where the kernel's table of flows cannot be read. */
  readonly inUse?: PortUse | null;
  /** Those that there were, most packets first. Null where no counter can be read. */
  readonly refused?: readonly Refusal[] | null;
  readonly nat: LoadedNat | undefined;
  /** Who does the NAT, and why. */
  readonly natBy: string | undefined;
  readonly remarks?: string;
  readonly error: string | null;
};

/** One interface, with what only some forms show. */
export interface Seen {
  /** Of its state file: each has another. */
  readonly name: string;
  /** Ports that NAT has for flows towards each remote end. */
  readonly natPorts: number | undefined;
  readonly report: Report;
  /** Every counter of refusals, those at 0 too. */
  readonly refusals: readonly Refusal[];
}

/** What one look has found. */
export interface Look {
  readonly seen: readonly Seen[];
  /** What a person should know of the state files, one sentence each. */
  readonly warnings: readonly string[];
}

function reportedPorts(set: PortSet | undefined): ReportedPorts | NoPorts {
  if (set === undefined) return {};
  return {
    psid: set.psid,
    psidLength: set.psidLength,
    psidOffset: set.offset,
    ports: portCount(set),
    ranges: portRanges(set),
  };
}

/** How the ports of a state's address are in use; null where `flows` are not known. */
function useOf(
  state: SavedState,
  ipv4: string,
  natPorts: number | undefined,
  flows: string | undefined,
): PortUse | null {
  if (flows === undefined) return null;
  const nat = savedNat(state);
  return portUse(flows, {
    ipv4: ipv4.replace(/\/.*/, ""),
    portSet: savedPortSet(state),
    block: nat && virtualBlock(nat),
    towardsEach: natPorts,
  });
}

async function see(
  name: string,
  state: SavedState,
  flows: string | undefined,
  system: LookSystem,
): Promise<Seen> {
  const { device, carrier, ipv4 } = state;
  const isThere = device !== undefined && system.files.readText(`/sys/class/net/${device}/mtu`) !== undefined;
  const setUp = state.state === "up";
  const natPorts = savedPortCount(state);
  const missing = device === undefined ? "the state file names no device" : `the device ${device} is missing`;
  const { nat, refusals } = setUp ? await lookAtNat(state, system) : { nat: undefined, refusals: undefined };
  const byModule = carrier === "module" && device !== undefined ? moduleCounts(device, system) : undefined;
  const all = [...(byModule ?? []), ...(refusals ?? [])];
  const refused = all.filter(({ packets }) => packets > 0).sort((a, b) => b.packets - a.packets);
  const report: Report = {
    interface: state.interface,
    up: setUp && isThere,
    state: state.state,
    since: state.since,
    transport: state.transport,
    tunlink: state.tunlink,
    device,
    source: state.source,
    ipv4,
    mapIpv6Address: state.map_address,
    ...reportedPorts(savedPortSet(state)),
    ...(state.upnp_ports ? { upnpPorts: state.upnp_ports } : {}),
    ...(state.forwards ? { forwards: state.forwards } : {}),
    ...(state.reserved_ports ? { reservedPorts: state.reserved_ports } : {}),
    ...(state.mtu === undefined ? {} : { mtu: Number(state.mtu) }),
    ...(ipv4 === undefined ? {} : { inUse: useOf(state, ipv4, natPorts, flows) }),
    ...(nat === undefined
      ? {}
      : { refused: byModule === undefined && refusals === undefined ? null : refused }),
    nat,
    natBy: state.nat_by,
    ...(state.remarks ? { remarks: state.remarks } : {}),
    error: state.error ?? (setUp && !isThere ? missing : null),
  };
  return { name, natPorts, report, refusals: all };
}

/** Looks at one interface, or at all. @throws MapminError for what cannot be read */
export async function look(wanted: string | undefined, system: LookSystem): Promise<Look> {
  const known = interfacesOf(system.files.namesIn(STATE_DIRECTORY)).filter(
    (name) => wanted === undefined || name === wanted,
  );
  // Where there is neither the kernel's file nor the program `conntrack`, nobody knows.
  const flows = known.length === 0 ? undefined : await readFlows(system).catch(() => undefined);
  const seen: Seen[] = [];
  const warnings: string[] = [];
  for (const name of known) {
    const content = system.files.readText(statePath(name)) ?? "";
    const damage = stateDamage(content);
    if (damage !== undefined) warnings.push(`${statePath(name)}: ${damage}`);
    const state = decodeState(content);
    if (state !== undefined) seen.push(await see(name, state, flows, system));
  }
  return { seen, warnings };
}
