/** Addresses, routes and neighbours as the kernel prints them under /proc/net, and as `ip neigh` does. */

import { contains6, type Ipv6Prefix } from "../ip/prefix.ts";
import { parseIpv6 } from "../ip/text.ts";
import { InputError, MapminError } from "../wire/errors.ts";

/** Of a route's flags (linux/route.h): in use; an answer "unreachable" instead of a way. */
const RTF_UP = 1;
const RTF_REJECT = 0x200;

/** An IPv4 default route of the main table. */
export interface DefaultRoute {
  readonly device: string;
  readonly metric: number;
}

export interface Ipv6Route {
  readonly device: string;
  readonly destination: Ipv6Prefix;
  /** Only packets from these addresses; `::/0` for all. */
  readonly source: Ipv6Prefix;
  /** 0 where the destination is on the link. */
  readonly gateway: bigint;
  readonly metric: number;
  readonly reject: boolean;
}

function rows(text: string): readonly (readonly string[])[] {
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[0] !== "");
}

function hex(word: string | undefined, digits: number, file: string): bigint {
  if (word === undefined || word.length !== digits || !/^[0-9a-fA-F]+$/.test(word)) {
    throw new InputError(file, "is not what the kernel prints");
  }
  return BigInt(`0x${word}`);
}

/** The IPv4 default routes in /proc/net/route, which has those of the main table. @throws InputError */
export function parseDefaultRoutes(text: string): readonly DefaultRoute[] {
  const file = "/proc/net/route";
  return rows(text)
    .slice(1)
    .flatMap(([device = "", destination, , flags, , , metric = "", mask]) => {
      const bits = Number(hex(flags, 4, file));
      const all = hex(destination, 8, file) === 0n && hex(mask, 8, file) === 0n;
      if (!/^\d+$/.test(metric)) throw new InputError(file, "is not what the kernel prints");
      if (!all || (bits & RTF_UP) === 0 || (bits & RTF_REJECT) !== 0) return [];
      return [{ device, metric: Number(metric) }];
    });
}

/** /proc/net/ipv6_route. @throws InputError */
export function parseIpv6Routes(text: string): readonly Ipv6Route[] {
  const file = "/proc/net/ipv6_route";
  return rows(text).map((words) => {
    const prefix = (at: number): Ipv6Prefix => ({
      address: hex(words[at], 32, file),
      length: Number(hex(words[at + 1], 2, file)),
    });
    return {
      destination: prefix(0),
      source: prefix(2),
      gateway: hex(words[4], 32, file),
      metric: Number(hex(words[5], 8, file)),
      reject: (Number(hex(words[8], 8, file)) & RTF_REJECT) !== 0,
      device: words[9] ?? "",
    };
  });
}

/** The route of a packet: the longest destination, then the longest source, then the lowest metric. */
export function routeOf(
  routes: readonly Ipv6Route[],
  destination: bigint,
  source: bigint,
): Ipv6Route | undefined {
  const host = (address: bigint) => ({ address, length: 128 });
  let best: Ipv6Route | undefined;
  for (const route of routes) {
    if (!contains6(route.destination, host(destination)) || !contains6(route.source, host(source))) continue;
    const difference =
      best === undefined
        ? 1
        : route.destination.length - best.destination.length ||
          route.source.length - best.source.length ||
          best.metric - route.metric;
    if (difference > 0) best = route;
  }
  return best;
}

/** The router's own IPv4 addresses, dotted, in /proc/net/fib_trie. */
export function parseLocalAddresses(text: string): readonly string[] {
  const found = new Set<string>();
  let last: string | undefined;
  for (const line of text.split("\n")) {
    const leaf = /\|-- (\d{1,3}(?:\.\d{1,3}){3})\s*$/.exec(line);
    if (leaf !== null) last = leaf[1];
    else if (last !== undefined && /^\s*\/32 host LOCAL\s*$/.test(line)) found.add(last);
  }
  return [...found];
}

/** The router's own IPv6 addresses, in /proc/net/if_inet6. @throws InputError */
export function parseIpv6Addresses(text: string): readonly bigint[] {
  return rows(text).map(([address]) => hex(address, 32, "/proc/net/if_inet6"));
}

/** Those of `ip -6 neigh show` that have not answered. Lines that do not begin with an address are passed over. */
export function parseSilentNeighbours(text: string): readonly bigint[] {
  return rows(text).flatMap((words) => {
    if (!words.includes("FAILED")) return [];
    try {
      return [parseIpv6(words[0] ?? "")];
    } catch (error) {
      if (!(error instanceof MapminError)) throw error;
      return [];
    }
  });
}
