import { savedNat, savedPortSet } from "../engine/saved-nat.ts";
import {
  decodeState,
  interfacesOf,
  type SavedState,
  STATE_DIRECTORY,
  stateDamage,
  statePath,
} from "../engine/state.ts";
import { parseInterfaceName } from "../ip/names.ts";
import type { PortSet } from "../map/model.ts";
import { portCount, portRanges } from "../map/port-set.ts";
import { CONTROL_PATH, linesOf, rulesPrint } from "../render/control.ts";
import { type NatCounter, natCounters } from "../render/nft.ts";
import { checkLoaded, parseTable } from "../render/readback.ts";
import { LOG_PATH } from "../system/log.ts";
import type { System } from "../system/system.ts";
import { MapminError } from "../wire/errors.ts";
import { printable } from "../wire/printable.ts";
import { parseOptions } from "./arguments.ts";
import { countPorts, type PortUse, readFlows } from "./conntrack.ts";
import { counted } from "./counted.ts";
import { Exit } from "./io.ts";

export const statusHelp = `usage: mapminctl status [INTERFACE] [--json]

Shows each MAP interface: whether it is up, where its rule came from, its address, PSID and ports, how many of them are
in use, whether its NAT is loaded, and the last error. Exits 0 if all of them are up and no NAT is missing.
`;

/** What `status` needs of the system. */
export type StatusSystem = Pick<System, "stdout" | "stderr" | "run"> & {
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

/** Compares what the module's control file says of the device with what it said when the device was set up. */
function moduleNat(device: string, rules: string | undefined, system: StatusSystem): LoadedNat {
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

/** Asks nft what is loaded, and compares that with what the state file says. */
async function loadedNat(state: SavedState, system: StatusSystem): Promise<LoadedNat | undefined> {
  const { carrier, table, device } = state;
  if (state.state === "up" && carrier === "module" && table === undefined && device !== undefined)
    return moduleNat(device, state.rules, system);
  const nat = state.state === "up" ? savedNat(state) : undefined;
  if (nat === undefined) return undefined;
  try {
    const text = await system.run("nft", ["-j", "list", "table", "ip", nat.table]);
    const loaded = parseTable(text, nat.table);
    const faults = checkLoaded(nat, loaded);
    const counted = [...loaded.counters].filter(([, { packets }]) => packets > 0);
    const packets = Object.fromEntries(counted.map(([name, value]) => [name, value.packets]));
    return { loaded: faults.length === 0, faults, packets };
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    // nft's words for a table that is not there.
    const missing = /No such file or directory/.test(error.message);
    return missing
      ? { loaded: false, faults: [`the table ip ${nat.table} is missing`], packets: {} }
      : { loaded: null, faults: [error.message], packets: {} };
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
}

type Report = (ReportedPorts | NoPorts) & {
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
  readonly mtu?: number;
  readonly inUse?: PortUse | null;
  readonly nat: LoadedNat | undefined;
  /** Who does the NAT, and why. */
  readonly natBy: string | undefined;
  readonly remarks?: string;
  readonly error: string | null;
};

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

function report(
  state: SavedState,
  deviceThere: boolean,
  flows: string | undefined,
  nat: LoadedNat | undefined,
): Report {
  const up = state.state === "up" && deviceThere;
  const missing =
    state.device === undefined ? "the state file names no device" : `the device ${state.device} is missing`;
  const error = state.error ?? (state.state === "up" && !deviceThere ? missing : null);
  return {
    interface: state.interface,
    up,
    state: state.state,
    since: state.since,
    transport: state.transport,
    tunlink: state.tunlink,
    device: state.device,
    source: state.source,
    ipv4: state.ipv4,
    mapIpv6Address: state.map_address,
    ...reportedPorts(savedPortSet(state)),
    ...(state.reserved_ports ? { reservedPorts: state.reserved_ports } : {}),
    ...(state.mtu === undefined ? {} : { mtu: Number(state.mtu) }),
    ...(state.ipv4 === undefined
      ? {}
      : { inUse: flows === undefined ? null : countPorts(flows, state.ipv4.replace(/\/.*/, "")) }),
    nat,
    natBy: state.nat_by,
    ...(state.remarks ? { remarks: state.remarks } : {}),
    error,
  };
}

function describe(entry: Report): string {
  const lines = [`${entry.interface}: ${entry.up ? "up" : entry.state === "starting" ? "starting" : "down"}`];
  const row = (label: string, value: string | number | undefined): void => {
    if (value !== undefined) lines.push(`  ${label.padEnd(16)}${printable(String(value))}`);
  };
  row("since", entry.since);
  row("transport", entry.transport);
  row("over", entry.tunlink);
  row("device", entry.device === undefined ? undefined : `${entry.device}, IPv4 MTU ${entry.mtu ?? "?"}`);
  row("rule from", entry.source);
  row("IPv4", entry.ipv4);
  row("MAP address", entry.mapIpv6Address);
  if (entry.psidLength !== undefined && entry.psidLength > 0) {
    row(
      "PSID",
      `${entry.psid} (0x${entry.psid.toString(16)}), ${entry.psidLength} bits, offset ${entry.psidOffset}`,
    );
    const { ranges } = entry;
    const shown = ranges.slice(0, 4).map(([low, high]) => `${low}-${high}`);
    row(
      "ports",
      `${entry.ports} in ${counted(ranges.length, "range")}: ${shown.join(", ")}${ranges.length > 4 ? ", ..." : ""}`,
    );
  } else if (entry.psidLength === 0) row("ports", "all");
  row("reserved ports", entry.reservedPorts);
  if (entry.inUse === null) row("in use", "not known: neither /proc/net/nf_conntrack nor conntrack is here");
  else if (entry.inUse !== undefined) {
    const { used, flows } = entry.inUse;
    row(
      "in use",
      `TCP ${used.tcp}, UDP ${used.udp}, ICMP ${used.icmp} of ${entry.ports ?? "all"} ports; ${flows} flows`,
    );
  }
  if (entry.nat !== undefined) {
    const { loaded, faults, packets } = entry.nat;
    const words = loaded === null ? "not known: " : loaded ? "loaded" : "NOT LOADED as it should be: ";
    row("NAT", `${words}${faults.join("; ")}`);
    row("NAT by", entry.natBy);
    for (const [name, count] of Object.entries(packets)) {
      row(name, `${count} packets: ${natCounters[name as NatCounter]}`);
    }
  }
  row("remarks", entry.remarks);
  row("last error", entry.error ?? "none");
  return `${lines.join("\n")}\n`;
}

/** Prints the state of one interface, or of all. */
export async function runStatus(argv: readonly string[], system: StatusSystem): Promise<number> {
  const { values, positionals } = parseOptions(
    argv,
    { json: { type: "boolean" }, help: { type: "boolean" } },
    true,
  );
  if (values.help === true) {
    system.stdout(statusHelp);
    return Exit.ok;
  }
  if (positionals.length > 1) {
    system.stderr(statusHelp);
    return Exit.usage;
  }
  const [wanted] = positionals;
  if (wanted !== undefined) parseInterfaceName(wanted, "INTERFACE");
  const known = interfacesOf(system.files.namesIn(STATE_DIRECTORY)).filter(
    (name) => wanted === undefined || name === wanted,
  );
  // Where there is neither the kernel's file nor the program `conntrack`, nobody knows.
  const flows = known.length === 0 ? undefined : await readFlows(system).catch(() => undefined);
  const reports: Report[] = [];
  for (const name of known) {
    const content = system.files.readText(statePath(name)) ?? "";
    const damage = stateDamage(content);
    if (damage !== undefined) system.stderr(`warning: ${statePath(name)}: ${damage}\n`);
    const state = decodeState(content);
    if (state === undefined) continue;
    const deviceThere =
      state.device !== undefined && system.files.readText(`/sys/class/net/${state.device}/mtu`) !== undefined;
    reports.push(report(state, deviceThere, flows, await loadedNat(state, system)));
  }
  if (values.json === true) system.stdout(`${JSON.stringify(reports, null, 2)}\n`);
  else for (const entry of reports) system.stdout(describe(entry));
  if (reports.length === 0) {
    system.stderr(
      `${wanted === undefined ? "no MAP interface has been set up" : `${wanted} has not been set up as a MAP interface`}; see ${LOG_PATH}\n`,
    );
    return Exit.badInput;
  }
  return reports.every((entry) => entry.up && entry.nat?.loaded !== false) ? Exit.ok : Exit.badInput;
}
