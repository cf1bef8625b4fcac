/** How the ports of a set are in use, from the kernel's table of flows. */

import {
  busiestHosts,
  type Flow,
  flowsOf,
  fullestRemotes,
  type Host,
  type Protocol,
  type Remote,
} from "../doctor/flows.ts";
import type { PortSet } from "../map/model.ts";
import { countByCell } from "../map/port-picture.ts";
import { contains, portRanges, rangeIndex } from "../map/port-set.ts";
import { setPort, type VirtualBlock } from "../map/virtual-block.ts";
import type { System } from "../system/system.ts";

/** Most remote ends, and most hosts, that are listed. */
const LISTED = 20;

/** The kernel's table of flows, from its file or from `conntrack`. @throws EffectError when there is neither */
export async function readFlows(
  { files, run }: Pick<System, "run"> & { readonly files: Pick<System["files"], "readText"> },
  limits?: Parameters<System["run"]>[2],
): Promise<string> {
  return files.readText("/proc/net/nf_conntrack") ?? run("conntrack", ["-L"], limits);
}

/** An address of ours, and its ports. */
export interface Owned {
  /** Dotted. */
  readonly ipv4: string;
  /** Undefined where it is not known: then every flow of the address counts. */
  readonly portSet: PortSet | undefined;
  /** What stands for the set in the kernel's table, where nftables do the NAT. */
  readonly block: VirtualBlock | undefined;
  /** How many ports NAT has for flows towards each remote end. */
  readonly towardsEach: number | undefined;
}

/** How the ports of our address are in use. */
export interface PortUse {
  /** Different ports or ids in use, by protocol. */
  readonly used: Readonly<Record<Protocol, number>>;
  /** Number of flows. */
  readonly flows: number;
  /** Different ports and ids in use, whatever the protocol. */
  readonly ports: number;
  /** The same for each range of the set. */
  readonly ranges: readonly number[];
  /** The same for each 1,024 of the 65,536 ports. */
  readonly cells: readonly number[];
  /** The remote ends towards which most ports are in use; `of`: how many there are. At most {@link LISTED}. */
  readonly remotes: readonly (Remote & { readonly of: number | null })[];
  /** Ports in use towards the remote end with most of them, by protocol. */
  readonly fullest: Readonly<Record<Protocol, number>>;
  /** Remote ends that are not listed. */
  readonly moreRemotes: number;
  /** Who uses most ports. At most {@link LISTED}. */
  readonly hosts: readonly (Host & { readonly router: boolean })[];
  /** Hosts that are not listed. */
  readonly moreHosts: number;
}

/** The flows of the set, with the ports that others see. */
function flowsOfSet(table: string, { ipv4, portSet, block }: Owned): readonly Flow[] {
  const flows: Flow[] = [];
  for (const flow of flowsOf(table, ipv4)) {
    const port = setPort(block, flow.port);
    if (portSet === undefined || contains(portSet, port)) flows.push({ ...flow, port });
  }
  return flows;
}

/** Reads the text of /proc/net/nf_conntrack or of `conntrack -L`. */
export function portUse(table: string, owned: Owned): PortUse {
  const { ipv4, portSet, towardsEach } = owned;
  const flows = flowsOfSet(table, owned);
  const used = { tcp: new Set<number>(), udp: new Set<number>(), icmp: new Set<number>() };
  for (const { protocol, port } of flows) used[protocol].add(port);
  const ports = new Set(flows.map(({ port }) => port));
  const ranges = portSet === undefined ? [] : portRanges(portSet).map(() => 0);
  for (const port of ports) {
    const index = portSet && rangeIndex(portSet, port);
    if (index !== undefined) ranges[index] = (ranges[index] ?? 0) + 1;
  }
  const remotes = fullestRemotes(flows);
  const hosts = busiestHosts(flows);
  const fullest = (protocol: Protocol) => remotes.find((remote) => remote.protocol === protocol)?.ports ?? 0;
  return {
    used: { tcp: used.tcp.size, udp: used.udp.size, icmp: used.icmp.size },
    flows: flows.length,
    ports: ports.size,
    ranges,
    cells: countByCell(ports),
    remotes: remotes.slice(0, LISTED).map((remote) => ({ ...remote, of: towardsEach ?? null })),
    fullest: { tcp: fullest("tcp"), udp: fullest("udp"), icmp: fullest("icmp") },
    moreRemotes: Math.max(0, remotes.length - LISTED),
    hosts: hosts.slice(0, LISTED).map((host) => ({ ...host, router: host.address === ipv4 })),
    moreHosts: Math.max(0, hosts.length - LISTED),
  };
}
