/**
 * The state of the interfaces in Prometheus's text format (version 0.0.4), as the textfile collectors of its node exporters
 * read it.
 */

import { protocols } from "../doctor/flows.ts";
import { printable } from "../wire/printable.ts";
import type { Seen } from "./status-report.ts";

/** A value, and the label beside `interface` where there is one. */
interface Sample {
  readonly value: number;
  readonly label?: readonly [name: string, value: string];
}

interface Metric {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  /** What is not known has no sample. */
  readonly samples: (seen: Seen) => readonly Sample[];
}

function known(value: number | boolean | null | undefined): readonly Sample[] {
  return value === null || value === undefined ? [] : [{ value: Number(value) }];
}

const metrics: readonly Metric[] = [
  {
    name: "mapmin_up",
    type: "gauge",
    help: "Whether the interface is up.",
    samples: ({ report }) => known(report.up),
  },
  {
    name: "mapmin_nat_loaded",
    type: "gauge",
    help: "Whether the NAT is loaded as it should be.",
    samples: ({ report }) => known(report.nat?.loaded),
  },
  {
    name: "mapmin_ports",
    type: "gauge",
    help: "Ports of the set.",
    samples: ({ report }) => known(report.ports),
  },
  {
    name: "mapmin_nat_ports",
    type: "gauge",
    help: "Ports that NAT has for flows towards each remote end: those of the set that are not reserved.",
    samples: ({ natPorts }) => known(natPorts),
  },
  {
    name: "mapmin_ports_used",
    type: "gauge",
    help: "Different ports in use; for ICMP ids.",
    samples: ({ report: { inUse } }) =>
      inUse
        ? protocols.map((protocol) => ({ value: inUse.used[protocol], label: ["protocol", protocol] }))
        : [],
  },
  {
    name: "mapmin_fullest_remote_ports",
    type: "gauge",
    help: "Ports in use towards the remote end with most of them.",
    samples: ({ report: { inUse } }) =>
      inUse
        ? protocols.map((protocol) => ({
            value: inUse.fullest[protocol],
            label: ["protocol", protocol],
          }))
        : [],
  },
  {
    name: "mapmin_flows",
    type: "gauge",
    help: "Flows that have a port of the set.",
    samples: ({ report }) => known(report.inUse?.flows),
  },
  {
    name: "mapmin_refused_packets_total",
    type: "counter",
    help: "Packets that were refused, by the name of the counter.",
    samples: ({ refusals }) =>
      refusals.map(({ reason, packets }) => ({ value: packets, label: ["reason", reason] })),
  },
];

function labels(pairs: readonly (readonly [string, string])[]): string {
  const escaped = (text: string) => printable(text).replaceAll(/["\\]/g, String.raw`\$&`);
  return pairs.map(([name, value]) => `${name}="${escaped(value)}"`).join(",");
}

function family(name: string, type: Metric["type"], help: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/**
 * One family of samples after the other. An interface is labelled by the name of its state file, of which there is one: a
 * collector refuses a text that has a sample twice.
 *
 * @param wanted the interface that was asked for; it is down where it has not been set up.
 */
export function metricsOf(seen: readonly Seen[], wanted: string | undefined): string {
  const rows = metrics.map(({ name, type, help, samples }) => {
    const lines = seen.flatMap((one) =>
      samples(one).map(
        ({ value, label }) =>
          `${name}{${labels([["interface", one.name], ...(label === undefined ? [] : [label])])}} ${value}\n`,
      ),
    );
    if (name === "mapmin_up" && wanted !== undefined && seen.length === 0)
      lines.push(`${name}{${labels([["interface", wanted]])}} 0\n`);
    return family(name, type, help, lines);
  });
  const all = family("mapmin_interfaces", "gauge", "MAP interfaces that have been set up.", [
    `mapmin_interfaces ${seen.length}\n`,
  ]);
  return all + rows.join("");
}
