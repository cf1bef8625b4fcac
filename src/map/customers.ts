/** Which customers a rule has. */

import { type Ipv6Prefix, ones } from "../ip/prefix.ts";
import { InputError } from "../wire/errors.ts";
import type { MapRule } from "./model.ts";

const IPV6_BITS = 128;

/**
 * The end-user prefix of the first customer of a rule, whose EA bits are all 0, or of the last one, whose EA bits are all 1.
 *
 * @throws InputError naming `field`, the EA length, where the rule has no room for its EA bits
 */
export function customerPrefix(
  { ipv6Prefix, eaLength }: MapRule,
  which: "first" | "last",
  field: string,
): Ipv6Prefix {
  const length = ipv6Prefix.length + eaLength;
  if (length > IPV6_BITS) {
    const bits = `${eaLength} bits behind a prefix of ${ipv6Prefix.length} bits`;
    throw new InputError(field, `${bits} do not fit an IPv6 address`);
  }
  const ea = which === "first" ? 0n : ones(eaLength) << BigInt(IPV6_BITS - length);
  return { address: ipv6Prefix.address | ea, length };
}
