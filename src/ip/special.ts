/**
 * THE table of prefixes with a meaning of their own, which no mapping rule may hand to a CE: the judgement, `explain` and
 * docs/router.md read it. Documentation and benchmarking prefixes (RFC 5737, 3849, 2544, 5180) are absent on purpose:
 * laboratories use them.
 */

import { contains4, contains6, type Ipv4Prefix, type Ipv6Prefix } from "./prefix.ts";
import { formatIpv4Prefix, formatIpv6Prefix, parseIpv4Prefix, parseIpv6Prefix } from "./text.ts";

interface Special {
  /** What it is for, as a noun: "10.0.0.1 is in 10.0.0.0/8, private" is how it is said. */
  readonly use: string;
  /** The document and clause that say so. */
  readonly clause: string;
  /** Some providers use it, so `allow_private` lets it pass; all else is refused whatever is configured. */
  readonly allowable: boolean;
}

export type SpecialIpv4 = Special & { readonly prefix: Ipv4Prefix };
export type SpecialIpv6 = Special & { readonly prefix: Ipv6Prefix };

/** Makes a row; `parse` reads its prefix. */
function rowBy<P>(parse: (prefix: string) => P) {
  return (prefix: string, use: string, clause: string, allowable = false) => ({
    prefix: parse(prefix),
    use,
    clause,
    allowable,
  });
}

const ipv4 = rowBy(parseIpv4Prefix);
const ipv6 = rowBy(parseIpv6Prefix);

/** No two overlap but the broadcast address and 240.0.0.0/4; the first that fits is named. */
export const specialIpv4: readonly SpecialIpv4[] = [
  ipv4("0.0.0.0/8", "this network", "RFC 1122 s3.2.1.3"),
  ipv4("127.0.0.0/8", "loopback", "RFC 1122 s3.2.1.3"),
  ipv4("169.254.0.0/16", "link-local", "RFC 3927 s1.2"),
  ipv4("224.0.0.0/4", "multicast", "RFC 5771 s3"),
  ipv4("255.255.255.255/32", "the broadcast address", "RFC 919 s7"),
  ipv4("240.0.0.0/4", "reserved", "RFC 1112 s4"),
  ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map((prefix) =>
    ipv4(prefix, "private", "RFC 1918 s3", true),
  ),
  ipv4("100.64.0.0/10", "shared address space", "RFC 6598 s7", true),
];

/** No two overlap. */
export const specialIpv6: readonly SpecialIpv6[] = [
  ipv6("::/128", "the unspecified address", "RFC 4291 s2.5.2"),
  ipv6("::1/128", "loopback", "RFC 4291 s2.5.3"),
  ipv6("fe80::/10", "link-local", "RFC 4291 s2.5.6"),
  ipv6("ff00::/8", "multicast", "RFC 4291 s2.7"),
  ipv6("fc00::/7", "unique local", "RFC 4193 s3.1", true),
];

/** The option that lets private prefixes pass. */
export const ALLOW_PRIVATE = "allow_private";

/** What the judgement has to know of one kind of prefix. */
interface Family<P> {
  readonly rows: readonly (Special & { readonly prefix: P })[];
  contains(outer: P, inner: P): boolean;
  format(prefix: P): string;
}

const family4: Family<Ipv4Prefix> = { rows: specialIpv4, contains: contains4, format: formatIpv4Prefix };
const family6: Family<Ipv6Prefix> = { rows: specialIpv6, contains: contains6, format: formatIpv6Prefix };

/** `10.0.0.1/32 is in 10.0.0.0/8, private (RFC 1918 s3)`, and what can be done about it. */
function refuse<P>(
  { rows, contains, format }: Family<P>,
  prefix: P,
  allowPrivate: boolean,
  whole: boolean,
): string | undefined {
  for (const { prefix: special, use, clause, allowable } of rows) {
    if (allowPrivate && allowable) continue;
    const inside = contains(special, prefix);
    if (!inside && !(whole && contains(prefix, special))) continue;
    const remedy = allowable
      ? `; \`option ${ALLOW_PRIVATE} '1'\` accepts it from a provider that uses it`
      : "";
    return `${format(prefix)} ${inside ? "is in" : "holds"} ${format(special)}, ${use} (${clause})${remedy}`;
  }
  return undefined;
}

/**
 * Why an IPv4 prefix (a /32 for one address) is refused, as a sentence; undefined for one that may be used.
 *
 * A rule's prefix is refused if it lies in a special one. A rule for all of 0.0.0.0/0 holds special prefixes and is legal,
 * because each CE gets one address of it. `whole`: the prefix is used as a whole, so that it may hold no special one either.
 */
export function refuseIpv4(prefix: Ipv4Prefix, allowPrivate: boolean, whole = false): string | undefined {
  return refuse(family4, prefix, allowPrivate, whole);
}

/** The same for an IPv6 prefix; an address is a /128. */
export function refuseIpv6(prefix: Ipv6Prefix, allowPrivate: boolean, whole = false): string | undefined {
  return refuse(family6, prefix, allowPrivate, whole);
}
