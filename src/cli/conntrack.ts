/** How many ports of a set are in use, from the kernel's table of flows. */

import { flowsOf } from "../doctor/flows.ts";
import type { System } from "../system/system.ts";

/** The kernel's table of flows, from its file or from `conntrack`. @throws EffectError when there is neither */
export async function readFlows(
  { files, run }: Pick<System, "run"> & { readonly files: Pick<System["files"], "readText"> },
  limits?: Parameters<System["run"]>[2],
): Promise<string> {
  return files.readText("/proc/net/nf_conntrack") ?? run("conntrack", ["-L"], limits);
}

/** How many ports of our address are in use. */
export interface PortUse {
  /** Different ports or ids in use, by protocol. */
  readonly used: { readonly tcp: number; readonly udp: number; readonly icmp: number };
  /** Number of flows. */
  readonly flows: number;
}

/** Counts the flows that were given a port of `ipv4` (dotted), in the text of /proc/net/nf_conntrack or `conntrack -L`. */
export function countPorts(table: string, ipv4: string): PortUse {
  const ports = { tcp: new Set<number>(), udp: new Set<number>(), icmp: new Set<number>() };
  let flows = 0;
  for (const { protocol, port } of flowsOf(table, ipv4)) {
    flows++;
    ports[protocol].add(port);
  }
  return { used: { tcp: ports.tcp.size, udp: ports.udp.size, icmp: ports.icmp.size }, flows };
}
