/** Port parameters that a person or odhcp6c wrote as `psidlen` and `psid`, checked against the rest of the rule. */

import type { MapRule } from "../map/model.ts";
import { checkPortSet } from "../map/port-set.ts";
import { InputError } from "../wire/errors.ts";

/** Already checked: `psidlen` is 0..16, `psid` 0..65535. */
export interface WrittenPortParameters {
  readonly psidlen: number | undefined;
  readonly psid: number | undefined;
}

/** What the options are called where they were written. */
export interface PortParameterNames {
  readonly length: string;
  readonly psid: string;
  readonly eaLength: string;
}

const UCI_NAMES: PortParameterNames = { length: "psidlen", psid: "psid", eaLength: "ealen" };

/**
 * The explicit PSID of a rule, or none if the PSID follows from the EA bits. Existing configurations and odhcp6c write
 * `psidlen` 0 for "not given".
 *
 * @throws InputError naming the option when one was given that cannot be used. Ignoring it is not possible: the CE
 * would
 *   use ports of other customers.
 */
export function explicitPsid(
  { psidlen, psid }: WrittenPortParameters,
  rule: Pick<MapRule, "eaLength" | "ipv4Prefix" | "psidOffset">,
  names: PortParameterNames = UCI_NAMES,
): Pick<MapRule, "explicitPsid"> {
  if (psid !== undefined && psidlen === undefined) {
    throw new InputError(names.psid, `PSID ${psid} is given without ${names.length}, its number of bits`);
  }
  if (psidlen === undefined || psidlen === 0) {
    if (psid === undefined || psid === 0) return {};
    throw new InputError(
      names.psid,
      `PSID ${psid} does not fit ${names.length} 0, which says that there is no PSID`,
    );
  }
  const suffixBits = 32 - rule.ipv4Prefix.length;
  // RFC 7597 s5.2: q, the EA bits behind the IPv4 suffix, which are the PSID.
  const derivedLength = rule.eaLength - suffixBits;
  if (derivedLength < 0) {
    throw new InputError(
      names.length,
      `${psidlen} is given for a rule whose ${rule.eaLength} EA bits make an IPv4 prefix of ${rule.ipv4Prefix.length + rule.eaLength} bits, which has no PSID`,
    );
  }
  if (derivedLength > 0 && derivedLength !== psidlen) {
    throw new InputError(
      names.length,
      `${psidlen} does not agree with ${names.eaLength}: ${rule.eaLength} EA bits minus ${suffixBits} bits of the IPv4 address leave ${derivedLength} bits for the PSID`,
    );
  }
  if (psid === undefined) {
    if (derivedLength > 0) return {};
    throw new InputError(
      names.length,
      `${psidlen} is given without ${names.psid}, and no EA bits give the PSID`,
    );
  }
  checkPortSet({ offset: rule.psidOffset, psidLength: psidlen, psid });
  return { explicitPsid: { psidLength: psidlen, psid } };
}
