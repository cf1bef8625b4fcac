/** Flows of our address in the kernel's table of flows: /proc/net/nf_conntrack, or what `conntrack -L` prints. */

/** The protocols whose flows have a port or an id. */
export const protocols = ["tcp", "udp", "icmp"] as const;
export type Protocol = (typeof protocols)[number];

/** One flow that has a port of ours. */
export interface Flow {
  readonly protocol: Protocol;
  /** Of our address, as others see it; for ICMP the id. */
  readonly port: number;
  /** Who it is with: address and port, or an address. */
  readonly peer: string;
}

/**
 * The flows that were given a port of `ipv4` (dotted). The port is the destination of the reply direction, the second one
 * of a line.
 */
export function* flowsOf(table: string, ipv4: string): Generator<Flow> {
  for (const line of table.split("\n")) {
    const protocol = /(?:^|\s)(tcp|udp|icmp)\s/.exec(line)?.[1] as Protocol | undefined;
    if (protocol === undefined) continue;
    const reply = line.slice(line.lastIndexOf(" src="));
    if (!reply.includes(` dst=${ipv4} `)) continue;
    const port = (protocol === "icmp" ? / id=(\d{1,5})/ : / dport=(\d{1,5})/).exec(reply)?.[1];
    if (port === undefined) continue;
    const address = / src=([0-9.]{7,15}) /.exec(reply)?.[1] ?? "?";
    const sport = / sport=(\d{1,5})/.exec(reply)?.[1];
    yield { protocol, port: Number(port), peer: sport === undefined ? address : `${address} port ${sport}` };
  }
}

/** The ids by which the router itself, `ipv4`, has pinged an address, as they are after NAT, and whether that was answered. */
export function pingedIds(
  table: string,
  ipv4: string,
  address: string,
): readonly { readonly id: number; readonly answered: boolean }[] {
  return table.split("\n").flatMap((line) => {
    const sent = / src=(\S+) dst=(\S+) .* src=\S+ dst=(\S+) .* id=(\d{1,5})/.exec(line);
    if (sent === null || !/(?:^|\s)icmp\s/.test(line)) return [];
    const [, from, to, back, id] = sent;
    if (from !== ipv4 || to !== address || back !== ipv4) return [];
    return [{ id: Number(id), answered: !line.includes("[UNREPLIED]") }];
  });
}

/** The peer of a protocol with which most ports are in use. */
export interface Busiest {
  readonly protocol: Protocol;
  readonly peer: string;
  readonly ports: number;
}

/** Of each protocol that has flows. */
export function busiestPeers(table: string, ipv4: string): readonly Busiest[] {
  const used = new Map<string, { readonly flow: Flow; readonly ports: Set<number> }>();
  for (const flow of flowsOf(table, ipv4)) {
    const key = `${flow.protocol} ${flow.peer}`;
    const entry = used.get(key) ?? { flow, ports: new Set<number>() };
    entry.ports.add(flow.port);
    used.set(key, entry);
  }
  return protocols.flatMap((protocol) => {
    let best: Busiest | undefined;
    for (const { flow, ports } of used.values()) {
      if (flow.protocol !== protocol || ports.size <= (best?.ports ?? 0)) continue;
      best = { protocol, peer: flow.peer, ports: ports.size };
    }
    return best === undefined ? [] : [best];
  });
}
