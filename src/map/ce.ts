/** Computes the CE from a domain and the prefixes of a link (RFC 7597 s5.2, s6). */

import { bits6, contains6, type Ipv6Prefix, ones } from "../ip/prefix.ts";
import { formatIpv6Prefix } from "../ip/text.ts";
import { InputError } from "../wire/errors.ts";
import type { CustomerEdge, MapDomain, MapRule, PortSet, Remark } from "./model.ts";
import { checkPortSet } from "./port-set.ts";

export interface CeOptions {
  /** The draft's interface identifier ("MAP0") instead of RFC 7597 s6. */
  readonly legacyInterfaceId: boolean;
  /** One that is given, 64 bits. */
  readonly interfaceId?: bigint | undefined;
}

export interface CeResult {
  readonly ce: CustomerEdge;
  readonly remarks: readonly Remark[];
}

/** What errors and remarks call the prefix that a CE is computed from. */
export const END_USER_PREFIX = "end-user prefix";

/** Most prefixes that an error lists. */
const LISTED = 4;

/** Where an interface identifier begins. */
const INTERFACE_ID_BITS = 64;

/**
 * s6: 16 zero bits, IPv4 (32), PSID (16, right-aligned). The drafts have only 8 zero bits in front, and 8 at the end.
 */
function interfaceId(ipv4: number, psid: number, legacy: boolean): bigint {
  const id = (BigInt(ipv4) << 16n) | BigInt(psid);
  return legacy ? id << 8n : id;
}

/** The MAP address. A prefix longer than 64 bits overwrites the first bits of the interface identifier. */
function mapAddress(prefix: Ipv6Prefix, id: bigint): bigint {
  const host = ones(128 - prefix.length);
  return (prefix.address & ~host) | (id & ones(INTERFACE_ID_BITS) & host);
}

/** RFC 7597 s5.2: q, the EA bits behind the IPv4 suffix, which are the PSID. */
export function psidBits({ ipv4Prefix, eaLength }: Pick<MapRule, "ipv4Prefix" | "eaLength">): number {
  return Math.max(0, eaLength + ipv4Prefix.length - 32);
}

/** Shortest end-user prefix that has room for the EA bits of a rule, bits. */
export function neededLength(rule: MapRule): number {
  return rule.ipv6Prefix.length + rule.eaLength;
}

/** The rule with the longest IPv6 prefix that contains one of the end-user prefixes (s5). */
export function chooseBmr(
  rules: readonly MapRule[],
  endUserPrefixes: readonly Ipv6Prefix[],
): { readonly rule: MapRule; readonly endUserPrefix: Ipv6Prefix } | undefined {
  let best: { rule: MapRule; endUserPrefix: Ipv6Prefix } | undefined;
  for (const endUserPrefix of endUserPrefixes) {
    for (const rule of rules) {
      const fits = contains6(rule.ipv6Prefix, endUserPrefix) && endUserPrefix.length >= neededLength(rule);
      if (fits && (best === undefined || rule.ipv6Prefix.length > best.rule.ipv6Prefix.length)) {
        best = { rule, endUserPrefix };
      }
    }
  }
  return best;
}

function tooShort(rule: MapRule, endUserPrefix: Ipv6Prefix): string {
  const [have, prefix] = [endUserPrefix, rule.ipv6Prefix].map(formatIpv6Prefix);
  return `${have} is too short: the rule for ${prefix} has ${rule.eaLength} EA bits and needs /${neededLength(rule)} or longer`;
}

/**
 * A sentence that says why none of the rules can be the BMR for any of the prefixes.
 *
 * @param forPrefixes what there are rules for; those of the rules where these are all
 */
export function whyNoBmr(
  rules: readonly MapRule[],
  endUserPrefixes: readonly Ipv6Prefix[],
  forPrefixes = rules.map((rule) => rule.ipv6Prefix),
): string {
  for (const rule of rules) {
    const inside = endUserPrefixes.find((prefix) => contains6(rule.ipv6Prefix, prefix));
    if (inside !== undefined) return tooShort(rule, inside);
  }
  const list = (prefixes: readonly Ipv6Prefix[]) => {
    const more = prefixes.length - LISTED;
    const listed = prefixes.slice(0, LISTED).map(formatIpv6Prefix).join(", ");
    return more > 0 ? `${listed} and ${more} more` : listed || "nothing";
  };
  const have =
    endUserPrefixes.length === 0
      ? "no prefix has been delegated yet"
      : `the delegated prefixes are ${list(endUserPrefixes)}`;
  return `no rule matches: ${have}; the rules are for ${list(forPrefixes)}`;
}

/**
 * Computes the CE of an end-user prefix.
 *
 * @throws InputError when the prefix lies outside the rule, is too short for its EA bits, or the port set is
 * impossible;
 *   the rule's own error when it is unusable.
 */
export function computeCe(rule: MapRule, endUserPrefix: Ipv6Prefix, options: CeOptions): CeResult {
  const { ipv6Prefix, ipv4Prefix, eaLength, psidOffset, explicitPsid } = rule;
  if (rule.unusable !== undefined) throw rule.unusable;
  const remarks: Remark[] = [];
  const remark = (code: string, text: string): void => {
    remarks.push({ code, path: END_USER_PREFIX, text });
  };
  if (!contains6(ipv6Prefix, endUserPrefix)) {
    throw new InputError(
      END_USER_PREFIX,
      `${formatIpv6Prefix(endUserPrefix)} is not within the rule's ${formatIpv6Prefix(ipv6Prefix)}`,
    );
  }
  const needed = neededLength(rule);
  if (endUserPrefix.length < needed) {
    throw new InputError(END_USER_PREFIX, tooShort(rule, endUserPrefix));
  }
  const subnet = endUserPrefix.length - needed;
  if (eaLength > 0 && bits6(endUserPrefix.address, needed, subnet) !== 0n) {
    remark(
      "nonzero-subnet-bits",
      `the ${subnet} bits behind the EA bits are not zero; the border relay may want zeros`,
    );
  }
  const ea = bits6(endUserPrefix.address, ipv6Prefix.length, eaLength);
  // s5.2: o + r < 32 gives an IPv4 prefix, = 32 one address, > 32 one address and q = o - p bits of PSID.
  const length = Math.min(32, ipv4Prefix.length + eaLength);
  const psidLength = psidBits(rule);
  const derived = { psidLength, psid: Number(ea & ones(psidLength)) };
  const suffix = (ea >> BigInt(psidLength)) << BigInt(32 - length);
  const address = (ipv4Prefix.address | Number(suffix)) >>> 0;
  let given = explicitPsid;
  if (given !== undefined && length < 32) {
    remark("psid-discarded", "a PSID was given, and is ignored: the CE has a whole IPv4 prefix");
    given = undefined;
  }
  if (given !== undefined && psidLength > 0) {
    const same = given.psid === derived.psid && given.psidLength === psidLength;
    if (!same) {
      remark(
        "psid-conflict",
        `PSID ${given.psid} of ${given.psidLength} bits was given and is used; the EA bits have ${derived.psid} of ${psidLength} bits`,
      );
    }
  }
  const portSet: PortSet = checkPortSet({ offset: psidOffset, ...(given ?? derived) });
  const id = options.interfaceId ?? interfaceId(address, portSet.psid, options.legacyInterfaceId);
  const ipv4 = { address, length };
  return {
    ce: { bmr: rule, endUserPrefix, ipv4, portSet, mapAddress: mapAddress(endUserPrefix, id) },
    remarks,
  };
}

/**
 * Computes the CE from the BMR: the rule of the domain that matches an end-user prefix with the longest prefix.
 *
 * @throws InputError when no rule matches, or the rule makes an impossible CE.
 */
export function findCustomerEdge(domain: MapDomain, endUserPrefixes: readonly Ipv6Prefix[]): CeResult {
  const match = chooseBmr(domain.rules, endUserPrefixes);
  if (match === undefined) {
    throw new InputError(END_USER_PREFIX, whyNoBmr(domain.rules, endUserPrefixes));
  }
  return computeCe(match.rule, match.endUserPrefix, domain);
}
