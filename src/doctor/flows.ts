/** Flows of our address in the kernel's table of flows: /proc/net/nf_conntrack, or what `conntrack -L` prints. */

/** The protocols whose flows have a port or an id. */
export const protocols = ["tcp", "udp", "icmp"] as const;
export type Protocol = (typeof protocols)[number];

/** One flow that was given a port of ours. */
export interface Flow {
  readonly protocol: Protocol;
  /** Of our address, as the kernel's NAT gave it; for ICMP the id. */
  readonly port: number;
  /** Who opened it: a host in the LAN, or the router itself with an address of its own. */
  readonly host: string;
  /** Whom it is with. ICMP has no port there. */
  readonly remote: string;
  readonly remotePort: number | undefined;
}

/** A blank follows each field: a line that was cut short ends in a number that is not whole. */
const FIELDS = {
  src: / src=([0-9.]{7,15}) /,
  sport: / sport=(\d{1,5}) /,
  dport: / dport=(\d{1,5}) /,
  id: / id=(\d{1,5}) /,
};

function portOf(text: string, field: "sport" | "dport" | "id"): number | undefined {
  const port = Number(FIELDS[field].exec(text)?.[1]);
  return port <= 65_535 ? port : undefined;
}

/**
 * The flows that were given a port of `ipv4` (dotted). A line has the addresses of the original direction, then those of
 * the reply, whose destination is what NAT gave. What cannot be read is left out.
 */
export function* flowsOf(table: string, ipv4: string): Generator<Flow> {
  const ours = ` dst=${ipv4} `;
  for (const line of table.split("\n")) {
    const middle = line.lastIndexOf(" src=");
    // Most lines of a busy router are looked at no further, where several interfaces share it.
    if (!line.includes(ours, middle)) continue;
    const protocol = /(?:^|\s)(tcp|udp|icmp)\s/.exec(line)?.[1] as Protocol | undefined;
    if (protocol === undefined) continue;
    const reply = line.slice(middle);
    const port = portOf(reply, protocol === "icmp" ? "id" : "dport");
    const remotePort = protocol === "icmp" ? undefined : portOf(reply, "sport");
    const host = FIELDS.src.exec(line.slice(0, middle + 1))?.[1];
    const remote = FIELDS.src.exec(reply)?.[1];
    if (port === undefined || host === undefined || remote === undefined) continue;
    if (protocol !== "icmp" && remotePort === undefined) continue;
    yield { protocol, port, host, remote, remotePort };
  }
}

/**
 * The ids by which the router itself, `ipv4`, has pinged an address, as they are after NAT, and whether that was answered. `ping` is
 * the id before NAT: another ping may get the same id once the flow of the first has ended.
 */
export function pingedIds(
  table: string,
  ipv4: string,
  address: string,
): readonly { readonly id: number; readonly ping: string | undefined; readonly answered: boolean }[] {
  return table.split("\n").flatMap((line) => {
    const sent = / src=(\S+) dst=(\S+) .* id=(\d+) .*src=\S+ dst=(\S+) .* id=(\d{1,5})/.exec(line);
    if (sent === null || !/(?:^|\s)icmp\s/.test(line)) return [];
    const [, from, to, ping, back, id] = sent;
    if (from !== ipv4 || to !== address || back !== ipv4) return [];
    return [{ id: Number(id), ping, answered: !line.includes("[UNREPLIED]") }];
  });
}

/** A remote end, and how many different ports of ours are in use towards it. */
export interface Remote {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number | undefined;
  readonly ports: number;
}

/** A host in the LAN. */
export interface Host {
  readonly address: string;
  /** Ports in use, counted for each protocol. */
  readonly ports: number;
  readonly flows: number;
}

interface Group {
  readonly first: Flow;
  readonly ports: Set<string>;
  flows: number;
}

/** Flows by what they have in common, those with most ports first; in the order of their names where that is equal. */
function grouped(flows: Iterable<Flow>, nameOf: (flow: Flow) => string): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const flow of flows) {
    const name = nameOf(flow);
    const group = groups.get(name) ?? { first: flow, ports: new Set(), flows: 0 };
    group.ports.add(`${flow.protocol} ${flow.port}`);
    group.flows++;
    groups.set(name, group);
  }
  return [...groups]
    .sort(([a, one], [b, other]) => other.ports.size - one.ports.size || (a < b ? -1 : 1))
    .map(([, group]) => group);
}

/** The remote ends by the ports in use towards each, most first. */
export function fullestRemotes(flows: Iterable<Flow>): readonly Remote[] {
  const name = ({ protocol, remote, remotePort }: Flow) => `${protocol} ${remote} ${remotePort}`;
  return grouped(flows, name).map(({ first: { protocol, remote, remotePort }, ports }) => ({
    protocol,
    address: remote,
    port: remotePort,
    ports: ports.size,
  }));
}

/** Who in the LAN uses most ports, most first. */
export function busiestHosts(flows: Iterable<Flow>): readonly Host[] {
  return grouped(flows, ({ host }) => host).map(({ first, ports, flows: count }) => ({
    address: first.host,
    ports: ports.size,
    flows: count,
  }));
}

/** `203.0.113.1 port 80`; ICMP has no port. */
export function peerName({ address, port }: Pick<Remote, "address" | "port">): string {
  return port === undefined ? address : `${address} port ${port}`;
}

/** The peer of a protocol with which most ports are in use. */
export interface Busiest {
  readonly protocol: Protocol;
  readonly peer: string;
  readonly ports: number;
}

/** Of each protocol that has flows. */
export function busiestPeers(table: string, ipv4: string): readonly Busiest[] {
  const remotes = fullestRemotes(flowsOf(table, ipv4));
  return protocols.flatMap((protocol) => {
    const best = remotes.find((remote) => remote.protocol === protocol);
    return best === undefined ? [] : [{ protocol, peer: peerName(best), ports: best.ports }];
  });
}
