/**
 * The virtual block: one contiguous range of ports that stands for the port set inside the router.
 *
 * The kernel's source NAT works with one range of ports. It uses that range nearly to the last port, and keeps a
 * source on
 * its port where it can (RFC 4787 REQ-1). A port set consists of many ranges. So NAT is given one block with as many
 * ports
 * as the set has. Outside connection tracking, port i of the block is replaced by port i of the set in outgoing
 * packets, and
 * the other way round in incoming packets.
 */

import type { NatPlan } from "./plan.ts";
import { type PortRange, portRanges } from "./port-set.ts";

/** Ports below are system ports (RFC 6335 s6). Source NAT avoids them, and the block contains none. */
export const FIRST_USER_PORT = 1024;
const LAST_PORT = 65_535;

/** The block, and the ports of the set that it stands for. */
export interface VirtualBlock {
  /** First port of the block, 1..65535. */
  readonly start: number;
  /** Ports of the set that stand behind the block, ascending: block port `start + i` is `ports[i]`. At least one. */
  readonly ports: readonly number[];
  /** False when the block is the set itself, so that nothing needs rewriting. */
  readonly rewritten: boolean;
}

/** Every port of the set, ascending. */
function setPorts(plan: Pick<NatPlan, "portSet">): number[] {
  const ports: number[] = [];
  for (const [low, high] of portRanges(plan.portSet)) {
    for (let port = low; port <= high; port++) ports.push(port);
  }
  return ports;
}

/** Ports of the set that NAT may give to flows, ascending. */
export function allocatablePorts(plan: Pick<NatPlan, "portSet" | "reservedPorts">): number[] {
  const reserved = new Set(plan.reservedPorts);
  const ports = setPorts(plan).filter((port) => !reserved.has(port));
  if (plan.portSet.offset > 0) return ports;
  // With a = 0 no port is excluded, so a set may contain system ports (RFC 7597 s5.1).
  const user = ports.filter((port) => port >= FIRST_USER_PORT);
  return user.length > 0 ? user : ports;
}

/** Stretches of `first`..65535 between the ports in `taken` (ascending), highest first. */
function gaps(taken: readonly number[], first = FIRST_USER_PORT): PortRange[] {
  const found: PortRange[] = [];
  let low = first;
  for (const port of [...taken.filter((p) => p >= first), LAST_PORT + 1]) {
    if (port > low) found.push([low, port - 1]);
    low = port + 1;
  }
  return found.reverse();
}

/**
 * With k = 0 no set restricts NAT, and no block stands for one: NAT allocates from the longest stretch without a reserved
 * port, from {@link FIRST_USER_PORT} where that can be. `reserved` is ascending.
 *
 * @returns undefined when every port is reserved
 */
export function unreservedRange(reserved: readonly number[]): PortRange | undefined {
  const length = ([low, high]: PortRange) => high - low;
  const longest = (ranges: readonly PortRange[]) =>
    ranges.reduce<PortRange | undefined>(
      (best, range) => (best === undefined || length(range) > length(best) ? range : best),
      undefined,
    );
  return longest(gaps(reserved)) ?? longest(gaps(reserved, 1));
}

/** The kept ports, which NAT does not change: reserved ports, and with a = 0 system ports. Ascending. */
export function keptPorts(plan: NatPlan): number[] {
  const given = new Set(allocatablePorts(plan));
  return setPorts(plan).filter((port) => !given.has(port));
}

/**
 * Chooses the block. It contains no kept port, because then two flows could get the same port. It may overlap the
 * rest of
 * the set, because all those ports are replaced. If possible it lies outside the set, so that listings are easy to
 * read,
 * and high, away from services of the router.
 *
 * If the kept ports leave no gap as long as the set, the longest gap is used, and the last ports of the set stay
 * unused.
 *
 * @returns undefined when there is no port to give: k = 0, or every port is reserved
 */
export function virtualBlock(plan: NatPlan): VirtualBlock | undefined {
  const ports = allocatablePorts(plan);
  const [first] = ports;
  if (first === undefined) return undefined;
  const last = ports.at(-1) ?? first;
  if (last - first + 1 === ports.length) return { start: first, ports, rewritten: false };

  const fits = ([low, high]: PortRange) => high - low + 1 >= ports.length;
  const shared = gaps(keptPorts(plan));
  const gap =
    gaps(setPorts(plan)).find(fits) ??
    shared.find(fits) ??
    shared.reduce((a, b) => (b[1] - b[0] > a[1] - a[0] ? b : a), [LAST_PORT, LAST_PORT]);
  const length = Math.min(ports.length, gap[1] - gap[0] + 1);
  return { start: gap[1] - length + 1, ports: ports.slice(0, length), rewritten: true };
}

/** What others see of a port that the kernel's NAT has given: the port of the set in the place of the block's. */
export function setPort(block: VirtualBlock | undefined, port: number): number {
  return block?.ports[port - block.start] ?? port;
}

/** Ascending ports as ranges. */
export function asRanges(ports: readonly number[]): PortRange[] {
  const ranges: [number, number][] = [];
  for (const port of ports) {
    const open = ranges.at(-1);
    if (open !== undefined && open[1] === port - 1) open[1] = port;
    else ranges.push([port, port]);
  }
  return ranges;
}
