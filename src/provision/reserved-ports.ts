/** Ports that a person wants kept, held against the ports that the CE has. */

import type { PortSet, Remark } from "../map/model.ts";
import { contains, formatRange } from "../map/port-set.ts";
import { allocatablePorts, asRanges, FIRST_USER_PORT } from "../map/virtual-block.ts";

/** Most ranges outside the set that a remark names. */
const NAMED = 4;

/** Ascending ports as a person writes them: `80 5000-5003`. */
export function formatPorts(ports: readonly number[]): string {
  return asRanges(ports).map(formatRange).join(" ");
}

/** The ports of the set next below and above a port that are not in `taken`, in words. */
export function nearestFree(set: PortSet, port: number, taken: ReadonlySet<number>): string {
  const next = (step: number) => {
    for (let near = port; near > 0 && near < 65_536; near += step) {
      if (contains(set, near) && !taken.has(near)) return [near];
    }
    return [];
  };
  return [...next(-1), ...next(1)].join(" and ") || "none";
}

/**
 * The last `count` ports of the set that are not in `taken`, ascending: for who asks for ports by UPnP or PCP. At most half of
 * those that are free, so that the rest of the home has the other half. No system ports.
 */
export function lastPorts(set: PortSet, count: number, taken: readonly number[]): readonly number[] {
  // Nobody asks for one: a router is spared the search.
  if (count === 0) return [];
  const reserved = new Set(taken);
  // No set restricts a whole address, and none lists its ports.
  const ports =
    set.psidLength === 0
      ? Array.from({ length: 64_512 }, (_, i) => FIRST_USER_PORT + i)
      : allocatablePorts({ portSet: set, reservedPorts: taken });
  const free = ports.filter((port) => port >= FIRST_USER_PORT && !reserved.has(port));
  return free.slice(free.length - Math.min(count, free.length >> 1));
}

/**
 * What there is to say of reserved ports, ascending: those outside the set are other subscribers', so that nothing can be
 * reached on them. With k = 0 every port is the CE's.
 */
export function remarkReservedPorts(ports: readonly number[], set: PortSet, path: string): readonly Remark[] {
  const outside = asRanges(ports.filter((port) => !contains(set, port)));
  if (outside.length === 0) return [];
  const named = outside.slice(0, NAMED).map((range) => {
    return `${formatRange(range)} (nearest of the set: ${nearestFree(set, range[0], new Set())})`;
  });
  const more = outside.length - named.length;
  return [
    {
      code: "reserved-outside",
      path,
      text: `not in the port set, so that nothing reaches you there: ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`,
    },
  ];
}
