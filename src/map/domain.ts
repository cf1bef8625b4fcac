/** A domain met with the prefixes of a link. */

import type { Ipv6Prefix } from "../ip/prefix.ts";
import { formatIpv6Prefix } from "../ip/text.ts";
import { InputError } from "../wire/errors.ts";
import { type CeResult, chooseBmr, computeCe } from "./ce.ts";
import type { MapDomain } from "./types.ts";

/** Most prefixes an error lists. */
const LISTED = 4;

/**
 * The CE that a domain and the end-user prefixes lead to, by the BMR with the longest match.
 *
 * @throws InputError when no rule matches, or the CE it gives is impossible.
 */
export function findCustomerEdge(domain: MapDomain, endUserPrefixes: readonly Ipv6Prefix[]): CeResult {
  const match = chooseBmr(domain.rules, endUserPrefixes);
  if (match === undefined) {
    const list = (prefixes: readonly Ipv6Prefix[]) =>
      prefixes.slice(0, LISTED).map(formatIpv6Prefix).join(", ");
    const have =
      endUserPrefixes.length === 0 ? "no prefix has been delegated yet" : `have ${list(endUserPrefixes)}`;
    throw new InputError(
      "end-user prefix",
      `no rule matches: ${have}; rules are for ${list(domain.rules.map((rule) => rule.ipv6Prefix))}`,
    );
  }
  return computeCe(match.rule, match.endUserPrefix, { legacyInterfaceId: domain.legacyInterfaceId });
}
