/**
 * Judges the addresses of a domain: which ones a provider, or whoever answers in its place, may make a router use. A
 * CE with an address of the LAN would send the LAN's own traffic out of the MAP device.
 */

import { contains6, type Ipv4Prefix, type Ipv6Prefix, overlaps4 } from "../ip/prefix.ts";
import { refuseIpv4, refuseIpv6 } from "../ip/special.ts";
import { formatIpv4Prefix, formatIpv6Prefix } from "../ip/text.ts";
import type { CustomerEdge, MapDomain, MapRule } from "../map/model.ts";
import type { Neighbour } from "./network.ts";

/** What the fields of a domain are called where it comes from, so that an error names what a person can look up. */
export interface FieldNames {
  readonly ipv4: string;
  readonly ipv6: string;
  readonly dmr: string;
  readonly borderRelay: string;
}

/** Names by source. */
export const FIELD_NAMES = {
  dhcpv6: { ipv4: "ipv4-prefix", ipv6: "ipv6-prefix", dmr: "dmr", borderRelay: "border relay" },
  rule: { ipv4: "ipv4prefix", ipv6: "ipv6prefix", dmr: "dmr", borderRelay: "br" },
  uci: { ipv4: "ipaddr", ipv6: "ip6prefix", dmr: "peeraddr", borderRelay: "peeraddr" },
} as const satisfies Record<string, FieldNames>;

/** What is wrong with one field, as a sentence. */
export interface Objection {
  readonly field: string;
  readonly text: string;
}

export interface JudgeOptions {
  readonly names: FieldNames;
  /** `option allow_private '1'`. */
  readonly allowPrivate: boolean;
  /** The router's other interfaces; none where they are not known (`explain`, `calc`). */
  readonly neighbours: readonly Neighbour[];
}

/** For who only looks at what DHCPv6 brings: no private addresses, and no other interfaces known. */
export const JUDGING: JudgeOptions = { names: FIELD_NAMES.dhcpv6, allowPrivate: false, neighbours: [] };

function objection(field: string, text: string | undefined): readonly Objection[] {
  return text === undefined ? [] : [{ field, text }];
}

/** A rule that is not the BMR, by its prefixes alone. */
export function judgeRule(rule: MapRule, { names, allowPrivate }: JudgeOptions): readonly Objection[] {
  return [
    ...objection(names.ipv4, refuseIpv4(rule.ipv4Prefix, allowPrivate)),
    ...objection(names.ipv6, refuseIpv6(rule.ipv6Prefix, allowPrivate)),
  ];
}

/** The IPv4 address or prefix that a CE gets. */
function judgeAddress(ipv4: Ipv4Prefix, options: JudgeOptions): readonly Objection[] {
  const { names, allowPrivate, neighbours } = options;
  const special = refuseIpv4(ipv4, allowPrivate, true);
  if (special !== undefined) return [{ field: names.ipv4, text: special }];
  for (const { iface, ipv4: theirs } of neighbours) {
    const met = theirs.find((prefix) => overlaps4(prefix, ipv4));
    if (met === undefined) continue;
    const text = `${formatIpv4Prefix(ipv4)} overlaps ${formatIpv4Prefix(met)} on the interface ${iface}`;
    return [{ field: names.ipv4, text }];
  }
  return [];
}

/** Where everything else goes: a DMR, or a border relay as a /128. */
function judgeFarEnd(field: string, prefix: Ipv6Prefix, options: JudgeOptions): readonly Objection[] {
  const special = refuseIpv6(prefix, options.allowPrivate, true);
  if (special !== undefined) return [{ field, text: special }];
  const owner = options.neighbours.find(({ ipv6 }) =>
    ipv6.some(({ address }) => contains6(prefix, { address, length: 128 })),
  );
  return objection(
    field,
    owner && `${formatIpv6Prefix(prefix)} has an address of the router's, on the interface ${owner.iface}`,
  );
}

/** What a CE itself takes of its rule: its IPv4 address, and the IPv6 prefix of the BMR. */
export function judgeEdge(ce: CustomerEdge, options: JudgeOptions): readonly Objection[] {
  return [
    ...judgeAddress(ce.ipv4, options),
    ...objection(options.names.ipv6, refuseIpv6(ce.bmr.ipv6Prefix, options.allowPrivate)),
  ];
}

/**
 * Judges what a CE would use of a domain: its IPv4 address, the prefixes of its BMR, the DMR or the border relay.
 * Without `ce`, because no end-user prefix is known or the domain has no rule, the prefixes of all rules stand in.
 *
 * @returns what there is to object to; empty for a domain that may be used
 */
export function judgeDomain(
  domain: MapDomain,
  ce: CustomerEdge | undefined,
  options: JudgeOptions,
): readonly Objection[] {
  const { names } = options;
  const [relay] = domain.borderRelays;
  // Packets would come back, and be sent again until their hop limit ends.
  if (relay !== undefined && relay === ce?.mapAddress)
    return objection(names.borderRelay, "is the MAP address of this router itself");
  return [
    ...(ce === undefined ? domain.rules.flatMap((rule) => judgeRule(rule, options)) : judgeEdge(ce, options)),
    ...(domain.dmr === undefined ? [] : judgeFarEnd(names.dmr, domain.dmr, options)),
    ...(relay === undefined ? [] : judgeFarEnd(names.borderRelay, { address: relay, length: 128 }, options)),
  ];
}

/** An objection for a person who only looks: what a router would do. */
export function routerRefuses({ field, text }: Objection): string {
  return `a router refuses this rule: ${field}: ${text}`;
}
