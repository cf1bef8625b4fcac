/** DHCPv6 options from domains: what a provider's server sends, by the table that decodes it. */

import { encodeValue, type OptionTree } from "../dhcpv6/encode.ts";
import type { FieldValue } from "../dhcpv6/node.ts";
import {
  CODE_48879,
  type FieldName,
  type OptionRow,
  refuseDmrLength,
  type Space,
  tableRow,
} from "../dhcpv6/options.ts";
import { formatIpv4Prefix, formatIpv6 } from "../ip/text.ts";
import type { MapDomain, MapRule } from "../map/model.ts";
import { InputError } from "../wire/errors.ts";
import { CODE_LW4O6, CODE_MAP_E, CODE_MAP_T } from "./option.ts";

/** The options that can hold a domain, by code. */
export const DOMAIN_CODES = [CODE_48879, CODE_MAP_E, CODE_MAP_T, CODE_LW4O6] as const;
export type DomainCode = (typeof DOMAIN_CODES)[number];

/** What a server is told to send. */
export interface EncodedOption {
  readonly code: DomainCode;
  readonly name: string;
  /** The option's value, without code and length. */
  readonly value: Uint8Array;
}

/** The option of RFC 7598 for each transport. */
export const STANDARD_CODE = { "map-e": CODE_MAP_E, "map-t": CODE_MAP_T, lw4o6: CODE_LW4O6 } as const;

function tree(
  space: Space,
  code: number,
  values: Partial<Record<FieldName, FieldValue>>,
  options: readonly OptionTree[] = [],
): OptionTree {
  const row: OptionRow = tableRow(space, code);
  const fields = Object.entries(values).map(([name, value]) => ({ name: name as FieldName, value }));
  return { row, fields, options };
}

/** Always written, so that no customer edge has to know which offset is meant without them. */
function portParams(space: Space, code: number, { psidOffset, explicitPsid }: MapRule): OptionTree {
  const { psidLength, psid } = explicitPsid ?? { psidLength: 0, psid: 0 };
  return tree(space, code, { "port-params": { offset: psidOffset, psidLength, psid } });
}

function ruleFields(rule: MapRule): Partial<Record<FieldName, FieldValue>> {
  return {
    F: rule.forward,
    "ea-len": rule.eaLength,
    "prefix4-len": rule.ipv4Prefix.length,
    "ipv4-prefix": rule.ipv4Prefix.address,
    "ipv6-prefix": rule.ipv6Prefix,
  };
}

/** @throws InputError where a DMR has no length of RFC 6052 s2.2, or is missing */
function dmrOf({ dmr }: MapDomain) {
  if (dmr === undefined) throw new InputError("dmr", "is missing: MAP-T needs the border relay's prefix");
  const refused = refuseDmrLength(dmr.length);
  if (refused !== undefined) throw new InputError("dmr", `${formatIpv6(dmr.address)}${refused}`);
  return dmr;
}

/** @throws InputError where there is none */
function relaysOf({ borderRelays, transport }: MapDomain): readonly bigint[] {
  if (borderRelays.length === 0) {
    throw new InputError("br", `is missing: ${transport} needs the border relay's address`);
  }
  return borderRelays;
}

/** draft-ietf-softwire-map-dhcp-03: MAP-T and MAP-E, and one border relay. */
function tree48879(domain: MapDomain): OptionTree {
  if (domain.transport === "lw4o6") {
    throw new InputError("option", "48879 cannot say lw4o6; option 96 can");
  }
  const encapsulated = domain.transport === "map-e";
  const relays = encapsulated ? relaysOf(domain) : [];
  const [relay] = relays;
  if (relays.length > 1) throw new InputError("br", "option 48879 has room for one border relay");
  const dmr = relay === undefined ? dmrOf(domain) : { address: relay, length: 128 };
  return tree("dhcpv6", CODE_48879, { E: encapsulated }, [
    ...domain.rules.map((rule) =>
      tree("option-48879", 0x4202, ruleFields(rule), [portParams("rule-48879", 0x4204, rule)]),
    ),
    tree("option-48879", 0x4203, { dmr }),
  ]);
}

/** RFC 7598 s5.3. @throws InputError where the rule is none of lw4o6 */
function treeLw4o6(domain: MapDomain): OptionTree {
  const relays = relaysOf(domain).map((address) => tree("s46-container", 90, { "br-ipv6-address": address }));
  // By code, as servers that know the container sort what is inside.
  return tree("dhcpv6", CODE_LW4O6, {}, [
    ...relays,
    ...domain.rules.map((rule) => {
      if (rule.ipv4Prefix.length !== 32 || rule.eaLength !== 0) {
        const found = formatIpv4Prefix(rule.ipv4Prefix);
        throw new InputError("rule-ipv4-prefix", `${found}: lw4o6 gives a whole address, and no EA bits`);
      }
      const values = { "ipv4-address": rule.ipv4Prefix.address, "bind-ipv6-prefix": rule.ipv6Prefix };
      return tree("s46-container", 92, values, [portParams("s46-rule", 93, rule)]);
    }),
  ]);
}

function tree7598(domain: MapDomain): OptionTree {
  const translated = domain.transport === "map-t";
  const ends = translated
    ? [tree("s46-container", 91, { "dmr-ipv6-prefix": dmrOf(domain) })]
    : relaysOf(domain).map((address) => tree("s46-container", 90, { "br-ipv6-address": address }));
  return tree("dhcpv6", STANDARD_CODE[domain.transport], {}, [
    ...domain.rules.map((rule) =>
      tree("s46-container", 89, ruleFields(rule), [portParams("s46-rule", 93, rule)]),
    ),
    ...ends,
  ]);
}

/**
 * The option that gives this domain to a customer edge: decoding it gives the domain again.
 *
 * @throws InputError naming what the domain lacks, or what the option cannot say.
 */
export function optionOfDomain(domain: MapDomain, code: DomainCode): EncodedOption {
  if (code !== CODE_48879 && code !== STANDARD_CODE[domain.transport]) {
    throw new InputError(
      "option",
      `${code} is not for ${domain.transport}; ${STANDARD_CODE[domain.transport]} is`,
    );
  }
  const option =
    code === CODE_48879
      ? tree48879(domain)
      : domain.transport === "lw4o6"
        ? treeLw4o6(domain)
        : tree7598(domain);
  return { code, name: option.row.name, value: encodeValue(option) };
}
