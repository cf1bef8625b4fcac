/** What `mapminctl status` shows to people. */

import { peerName } from "../doctor/flows.ts";
import { EVERY_PORT, useShades } from "../map/port-picture.ts";
import { natCounters } from "../render/nft.ts";
import { printable } from "../wire/printable.ts";
import type { PortUse } from "./conntrack.ts";
import { counted } from "./counted.ts";
import { pictureLines, type Screen } from "./picture.ts";
import type { Refusal, Report } from "./status-report.ts";

/** Most that are shown: ranges, remote ends and hosts; and reasons of refusals. */
const SHOWN = 3;
const REASONS_SHOWN = 5;

type Rows = readonly (readonly [label: string, value: string | number | undefined])[];

/** The rows of a list: its label stands before the first of them. */
function listed(label: string, values: readonly string[]): Rows {
  return values.map((value, i) => [i === 0 ? label : "", value]);
}

function portRows(report: Report): Rows {
  if (report.psidLength === undefined) return [];
  if (report.psidLength === 0) return [["ports", "all"]];
  const { psid, psidLength, psidOffset, ports, ranges } = report;
  const shown = ranges.slice(0, 4).map(([low, high]) => `${low}-${high}`);
  const more = ranges.length > 4 ? ", ..." : "";
  return [
    ["PSID", `${psid} (0x${psid.toString(16)}), ${psidLength} bits, offset ${psidOffset}`],
    ["ports", `${ports} in ${counted(ranges.length, "range")}: ${shown.join(", ")}${more}`],
  ];
}

/** The ranges of which most ports are in use, `low-high used/all`. */
function fullestRanges({ ranges: bounds }: Report, { ranges }: PortUse): readonly string[] {
  return (bounds ?? [])
    .map(([low, high], i) => ({ low, high, used: ranges[i] ?? 0 }))
    .filter(({ used }) => used > 0)
    .sort((a, b) => b.used - a.used)
    .slice(0, SHOWN)
    .map(({ low, high, used }) => `${low}-${high} ${used}/${high - low + 1}`);
}

function useRows(report: Report): Rows {
  const { inUse } = report;
  if (inUse === undefined) return [];
  if (inUse === null) return [["in use", "not known: neither /proc/net/nf_conntrack nor conntrack is here"]];
  const { used, flows, remotes, hosts } = inUse;
  const total = report.ports ?? "all";
  const full = fullestRanges(report, inUse);
  return [
    [
      "in use",
      `TCP ${used.tcp}, UDP ${used.udp}, ICMP ${used.icmp} of ${total} ports; ${counted(flows, "flow")}`,
    ],
    ["fullest ranges", full.length === 0 ? undefined : full.join(", ")],
    ...listed(
      "towards",
      remotes.slice(0, SHOWN).map((remote) => {
        const { protocol, ports, of } = remote;
        const count = of === null ? counted(ports, "port") : `${ports} of ${of} ports`;
        return `${protocol.toUpperCase()} ${peerName(remote)}: ${count}`;
      }),
    ),
    ...listed(
      "used by",
      hosts.slice(0, SHOWN).map(({ address, router, ports, flows: count }) => {
        const who = router ? `${address} (this router)` : address;
        return `${who}: ${counted(ports, "port")}, ${counted(count, "flow")}`;
      }),
    ),
  ];
}

function refusalRows(refused: readonly Refusal[]): Rows {
  const words = refused
    .slice(0, REASONS_SHOWN)
    .map(({ reason, packets, meaning }) => `${counted(packets, "packet")}: ${meaning} (${reason})`);
  const more = refused.length - REASONS_SHOWN;
  return listed("refused", more > 0 ? [...words, `and ${counted(more, "more reason")}`] : words);
}

function natRows({ nat, natBy, refused }: Report): Rows {
  if (nat === undefined) return [];
  const { loaded, faults, packets } = nat;
  const words = loaded === null ? "not known: " : loaded ? "loaded" : "NOT LOADED as it should be: ";
  const passed = packets["to_domain"];
  return [
    ["NAT", `${words}${faults.join("; ")}`],
    ["NAT by", natBy],
    ...refusalRows(refused ?? []),
    [
      "passed on",
      passed === undefined ? undefined : `${counted(passed, "packet")}: ${natCounters.to_domain}`,
    ],
  ];
}

/** Which ports are ours, and how full they are. */
function picture(report: Report, screen: Screen): readonly string[] {
  const { inUse, ranges, psidLength } = report;
  if (!inUse || psidLength === undefined) return [];
  return pictureLines(screen, () => useShades(psidLength === 0 ? EVERY_PORT : ranges, inUse.cells));
}

/** The rows of one interface. */
export function describe(report: Report, screen: Screen): string {
  const lines = (rows: Rows): readonly string[] =>
    rows.flatMap(([label, value]) =>
      value === undefined ? [] : [`  ${label.padEnd(16)}${printable(String(value))}`],
    );
  const { device, mtu } = report;
  return [
    `${report.interface}: ${report.up ? "up" : report.state === "starting" ? "starting" : "down"}`,
    ...lines([
      ["since", report.since],
      ["transport", report.transport],
      ["over", report.tunlink],
      ["device", device === undefined ? undefined : `${device}, IPv4 MTU ${mtu ?? "?"}`],
      ["rule from", report.source],
      ["IPv4", report.ipv4],
      ["MAP address", report.mapIpv6Address],
      ...portRows(report),
      ["reserved ports", report.reservedPorts],
      ["for miniupnpd", report.upnpPorts],
      ...listed("forwarded", report.forwards?.split(", ") ?? []),
      ...useRows(report),
    ]),
    ...picture(report, screen),
    ...lines([...natRows(report), ["remarks", report.remarks], ["last error", report.error ?? "none"]]),
    "",
  ].join("\n");
}
