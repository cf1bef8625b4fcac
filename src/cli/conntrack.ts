/** How many ports of a set are in use, from the kernel's table of flows. */

/** How many ports of our address are in use. */
export interface PortUse {
  /** Different ports or ids in use, by protocol. */
  readonly used: { readonly tcp: number; readonly udp: number; readonly icmp: number };
  /** Number of flows. */
  readonly flows: number;
}

/**
 * Counts the flows that were given a port of `ipv4` (dotted), in the text of /proc/net/nf_conntrack or `conntrack -L`.
 * The port is the destination of the reply direction, the second one of a line; for ICMP its id.
 */
export function countPorts(table: string, ipv4: string): PortUse {
  const ports = { tcp: new Set<number>(), udp: new Set<number>(), icmp: new Set<number>() };
  let flows = 0;
  for (const line of table.split("\n")) {
    const protocol = /(?:^|\s)(tcp|udp|icmp)\s/.exec(line)?.[1] as keyof typeof ports | undefined;
    if (protocol === undefined) continue;
    const reply = line.slice(line.lastIndexOf(" src="));
    if (!reply.includes(` dst=${ipv4} `)) continue;
    const port = (protocol === "icmp" ? / id=(\d{1,5})/ : / dport=(\d{1,5})/).exec(reply)?.[1];
    if (port === undefined) continue;
    flows++;
    ports[protocol].add(Number(port));
  }
  return { used: { tcp: ports.tcp.size, udp: ports.udp.size, icmp: ports.icmp.size }, flows };
}
