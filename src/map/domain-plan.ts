/**
 * The numbers of a MAP domain, for an operator (RFC 7597 s5): a (PSID offset), k (PSID length), EA bits, and the prefixes of
 * rules. Errors call the fields by the options of `mapminctl domain`. Pure.
 */

import { EA_LENGTH_LIMIT } from "../dhcpv6/options.ts";
import { type Ipv4Prefix, type Ipv6Prefix, overlaps4, truncate6 } from "../ip/prefix.ts";
import { formatIpv4Prefix } from "../ip/text.ts";
import { InputError } from "../wire/errors.ts";
import { psidBits } from "./ce.ts";
import type { MapRule } from "./model.ts";
import { LIMITS } from "./port-set.ts";

/** A customer's own network needs a /64 (RFC 4291 s2.5.4). */
const LONGEST_END_USER = 64;
/** End-user prefixes where nobody says otherwise, if there is room (RFC 6177 s3). */
const USUAL_END_USER = 56;
/** RFC 7597 s5.1. It leaves out the ports 0 to 1023. */
export const USUAL_OFFSET = 6;
/** 2001:db8::/32 is for documentation (RFC 3849). */
const EXAMPLE = 0x20010db8n << 96n;

/** What an operator has and wants. */
export interface Demand {
  readonly customers: number;
  /** Least ports of a customer, 1 to 65,535. */
  readonly ports?: number | undefined;
  readonly ipv4: readonly Ipv4Prefix[];
  readonly ipv6?: Ipv6Prefix | undefined;
  readonly endUserLength?: number | undefined;
  readonly offset?: number | undefined;
  readonly forward: boolean;
}

export interface DomainPlan {
  readonly psidOffset: number;
  readonly psidLength: number;
  /** Length of end-user prefixes. */
  readonly endUserLength: number;
  readonly rules: readonly MapRule[];
}

/** Fewest ports of a customer: the one with PSID 0 has port 0 too, if a = 0, which is of no use. */
export function fewestPorts(offset: number, psidLength: number): number {
  if (psidLength === 0) return 65_535;
  return 2 ** (16 - psidLength) - (offset === 0 ? 1 : 2 ** (16 - offset - psidLength));
}

/** Bits that can count to `count`. */
function bitsFor(count: number): number {
  let bits = 0;
  while (2 ** bits < count) bits++;
  return bits;
}

/** Lengths of the IPv6 prefix that all rules are in, and of end-user prefixes. @throws InputError */
function lengths({ ipv6, endUserLength }: Demand, bits: number): readonly [number, number] {
  const have = ipv6?.length ?? Math.max(0, (endUserLength ?? USUAL_END_USER) - bits);
  const length = endUserLength ?? Math.max(USUAL_END_USER, have + bits);
  if (length <= LONGEST_END_USER && have + bits <= length) return [have, length];
  throw new InputError(
    ipv6 === undefined ? "end-user-length" : "ipv6",
    `/${have}, with ${bits} EA bits behind it, does not fit end-user prefixes of /${endUserLength ?? LONGEST_END_USER}, of which /${LONGEST_END_USER} is the longest: give a shorter prefix, or longer end-user prefixes`,
  );
}

/**
 * The rules that give each customer as many ports as the IPv4 addresses allow.
 *
 * @throws InputError naming the option that makes it impossible, and what would make it possible
 */
export function planDomain(demand: Demand): DomainPlan {
  const { customers, ports = 1, ipv4, ipv6, offset, forward } = demand;
  for (const [i, prefix] of ipv4.entries()) {
    const other = ipv4.find((one, j) => j < i && overlaps4(one, prefix));
    if (other === undefined) continue;
    const both = [other, prefix].map(formatIpv4Prefix).join(" and ");
    throw new InputError("ipv4", `${both} overlap: leave one of them out`);
  }
  const addresses = ipv4.reduce((sum, { length }) => sum + 2 ** (32 - length), 0);
  const psidLength = bitsFor(customers / addresses);
  const offsetOf = (bits: number) => offset ?? Math.min(USUAL_OFFSET, LIMITS.sum - bits);
  const enough = (bits: number) =>
    offsetOf(bits) + bits <= LIMITS.sum && fewestPorts(offsetOf(bits), bits) >= ports;
  if (!enough(psidLength)) {
    // Without sharing there is always enough.
    let most: number = LIMITS.psidLength;
    while (!enough(most)) most--;
    throw new InputError(
      "customers",
      `there is room for ${addresses * 2 ** most}: give more addresses (--ipv4), fewer ports (--ports) or a smaller --psid-offset`,
    );
  }
  const bits = bitsFor(addresses * 2 ** psidLength);
  const [have, endUserLength] = lengths(demand, bits);
  let { address } = truncate6({ address: ipv6?.address ?? EXAMPLE, length: have });
  const psidOffset = offsetOf(psidLength);
  const rules: MapRule[] = [];
  // The largest first: then each begins where its own length ends.
  for (const ipv4Prefix of [...ipv4].sort((a, b) => a.length - b.length)) {
    const eaLength = 32 - ipv4Prefix.length + psidLength;
    const length = endUserLength - eaLength;
    rules.push({ ipv6Prefix: { address, length }, ipv4Prefix, eaLength, forward, psidOffset });
    address += 1n << BigInt(128 - length);
  }
  return { psidOffset, psidLength, endUserLength, rules };
}

/** A rule as somebody planned it; any of the numbers may be impossible. */
export interface RulePlan {
  readonly ipv4: Ipv4Prefix;
  readonly ipv6: Ipv6Prefix;
  readonly eaLength: number;
  readonly offset: number;
  /** What follows from the EA bits, when it is not given. */
  readonly psidLength?: number | undefined;
  readonly endUserLength?: number | undefined;
  readonly customers?: number | undefined;
  readonly ports?: number | undefined;
}

/** What RFC 7597 has against a plan: the field, what is wrong, and what to do. Empty for a plan that can be used. */
export function faultsOf(plan: RulePlan): readonly InputError[] {
  const { ipv4, ipv6, eaLength, offset, endUserLength, customers = 1, ports = 1 } = plan;
  const faults: InputError[] = [];
  const fault = (wrong: boolean, field: string, text: string) => {
    if (wrong) faults.push(new InputError(field, text));
  };
  const suffix = 32 - ipv4.length;
  const bits = psidBits({ ipv4Prefix: ipv4, eaLength });
  const { psidLength = bits } = plan;
  const needed = ipv6.length + eaLength;
  fault(eaLength > EA_LENGTH_LIMIT, "ea-length", `${eaLength} is more than ${EA_LENGTH_LIMIT}: give fewer`);
  fault(
    psidLength !== bits,
    "psid-length",
    `is ${psidLength}, and ${eaLength} EA bits with ${suffix} of the address leave ${bits}: give that, or --ea-length ${suffix + psidLength}`,
  );
  const tooMany = offset > LIMITS.offset || offset + psidLength > LIMITS.sum;
  fault(
    tooMany,
    "psid-offset",
    `is ${offset}, and ${psidLength} bits of PSID leave ${Math.max(0, Math.min(LIMITS.offset, LIMITS.sum - psidLength))} at most: give less, or fewer EA bits`,
  );
  const fewest = tooMany ? ports : fewestPorts(offset, psidLength);
  fault(fewest < ports, "ports", `a customer has ${fewest}, fewer than ${ports}: give fewer EA bits`);
  fault(
    needed > LONGEST_END_USER,
    "ipv6",
    `/${ipv6.length} with ${eaLength} EA bits makes end-user prefixes of /${needed}, which have no /${LONGEST_END_USER} for a network: give a shorter prefix`,
  );
  fault(
    endUserLength !== undefined && (endUserLength < needed || endUserLength > LONGEST_END_USER),
    "end-user-length",
    `is ${endUserLength}, and has to be ${needed} (the rule's prefix and EA bits) to ${LONGEST_END_USER}`,
  );
  fault(
    customers > 2 ** eaLength,
    "customers",
    `${eaLength} EA bits have room for ${2 ** eaLength}: give ${bitsFor(customers)}`,
  );
  return faults;
}
