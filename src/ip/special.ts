/**
 * THE table of prefixes with a meaning of their own, which no mapping rule may hand to a CE: the judgement, `explain` and
 * docs/router.md read it. Documentation and benchmarking prefixes (RFC 5737, 3849, 2544, 5180) are absent on purpose:
 * laboratories use them.
 */

import { contains4, contains6, type Ipv4Prefix, type Ipv6Prefix } from "./prefix.ts";
import { formatIpv4Prefix, formatIpv6Prefix, parseIpv4Prefix, parseIpv6Prefix } from "./text.ts";

/** `never`: refused whatever is configured. `unless-allowed`: some providers use it, so `allow_private` lets it pass. */
export type Refusal = "never" | "unless-allowed";

interface Special {
  /** What it is for, as a noun: "10.0.0.1 is in 10.0.0.0/8, private" is how it is said. */
  readonly use: string;
  /** The document and clause that say so. */
  readonly clause: string;
  readonly refused: Refusal;
}

export interface SpecialIpv4 extends Special {
  readonly prefix: Ipv4Prefix;
}

export interface SpecialIpv6 extends Special {
  readonly prefix: Ipv6Prefix;
}

function ipv4(prefix: string, use: string, clause: string, refused: Refusal): SpecialIpv4 {
  return { prefix: parseIpv4Prefix(prefix), use, clause, refused };
}

function ipv6(prefix: string, use: string, clause: string, refused: Refusal): SpecialIpv6 {
  return { prefix: parseIpv6Prefix(prefix), use, clause, refused };
}

/** No two overlap but the broadcast address and 240.0.0.0/4; the first that fits is named. */
export const specialIpv4: readonly SpecialIpv4[] = [
  ipv4("0.0.0.0/8", "this network", "RFC 1122 s3.2.1.3", "never"),
  ipv4("127.0.0.0/8", "loopback", "RFC 1122 s3.2.1.3", "never"),
  ipv4("169.254.0.0/16", "link-local", "RFC 3927 s1.2", "never"),
  ipv4("224.0.0.0/4", "multicast", "RFC 5771 s3", "never"),
  ipv4("255.255.255.255/32", "the broadcast address", "RFC 919 s7", "never"),
  ipv4("240.0.0.0/4", "reserved", "RFC 1112 s4", "never"),
  ipv4("10.0.0.0/8", "private", "RFC 1918 s3", "unless-allowed"),
  ipv4("172.16.0.0/12", "private", "RFC 1918 s3", "unless-allowed"),
  ipv4("192.168.0.0/16", "private", "RFC 1918 s3", "unless-allowed"),
  ipv4("100.64.0.0/10", "shared address space", "RFC 6598 s7", "unless-allowed"),
];

/** No two overlap. */
export const specialIpv6: readonly SpecialIpv6[] = [
  ipv6("::/128", "the unspecified address", "RFC 4291 s2.5.2", "never"),
  ipv6("::1/128", "loopback", "RFC 4291 s2.5.3", "never"),
  ipv6("fe80::/10", "link-local", "RFC 4291 s2.5.6", "never"),
  ipv6("ff00::/8", "multicast", "RFC 4291 s2.7", "never"),
  ipv6("fc00::/7", "unique local", "RFC 4193 s3.1", "unless-allowed"),
];

/** The option that lets private prefixes pass. */
export const ALLOW_PRIVATE = "allow_private";

function sentence(prefix: string, row: Special, special: string): string {
  const remedy =
    row.refused === "never"
      ? ""
      : `; \`option ${ALLOW_PRIVATE} '1'\` accepts it from a provider that uses it`;
  return `${prefix} is in ${special}, ${row.use} (${row.clause})${remedy}`;
}

/**
 * Why an IPv4 prefix (a /32 for one address) may not be a CE's, as a sentence; undefined for one that may.
 *
 * A prefix is refused for lying in a special one. A prefix that merely holds a special one, such as a rule for all of
 * 0.0.0.0/0, is not: what counts there is the address that the CE gets of it.
 */
export function refuseIpv4(prefix: Ipv4Prefix, allowPrivate: boolean): string | undefined {
  for (const row of specialIpv4) {
    if (row.refused === "unless-allowed" && allowPrivate) continue;
    if (contains4(row.prefix, prefix)) {
      return sentence(formatIpv4Prefix(prefix), row, formatIpv4Prefix(row.prefix));
    }
  }
  return undefined;
}

/** The same for an IPv6 prefix, a /128 for one address. */
export function refuseIpv6(prefix: Ipv6Prefix, allowPrivate: boolean): string | undefined {
  for (const row of specialIpv6) {
    if (row.refused === "unless-allowed" && allowPrivate) continue;
    if (contains6(row.prefix, prefix)) {
      return sentence(formatIpv6Prefix(prefix), row, formatIpv6Prefix(row.prefix));
    }
  }
  return undefined;
}
