/** Domains from DHCPv6 options. */

import { decodeChain, decodeValue, type Findings } from "../dhcpv6/decode.ts";
import { summarizeErrors, summarizeRemarks } from "../dhcpv6/findings.ts";
import { type FieldValue, fieldValue, isPortParams, isPrefix, type OptionNode } from "../dhcpv6/node.ts";
import { CODE_48879, portParamsRow, refuseDmrLength, tableRow } from "../dhcpv6/options.ts";
import type { Ipv6Prefix } from "../ip/prefix.ts";
import { truncate4 } from "../ip/prefix.ts";
import type { MapDomain, MapRule, PortParams, Remark, Transport } from "../map/model.ts";
import { DecodeError, throwUnless } from "../wire/errors.ts";
import { parseHex, Reader } from "../wire/reader.ts";

/** A domain, and what was accepted or skipped while decoding it. */
export interface ProvisionedDomain {
  readonly domain: MapDomain;
  readonly remarks: readonly Remark[];
}

/** The default PSID offset of each source of rules. */
const DEFAULT_OFFSET = { option48879: 4, rfc7598: 6, lw4o6: 0 } as const;

/** The default PSID offset of a rule that somebody wrote. `legacy`: as in the drafts. */
export function defaultOffset(transport: Transport, legacy: boolean): number {
  if (legacy) return DEFAULT_OFFSET.option48879;
  return transport === "lw4o6" ? DEFAULT_OFFSET.lw4o6 : DEFAULT_OFFSET.rfc7598;
}

const ROW_48879 = tableRow("dhcpv6", CODE_48879);
export const CODE_MAP_E = 94;
export const CODE_MAP_T = 95;
export const CODE_LW4O6 = 96;
const CODE_VENDOR = 17;
const CODE_PRIORITY = 111;

function children(node: OptionNode, name: string): readonly OptionNode[] {
  return node.options.filter((option) => option.row.name === name);
}

function prefixOf(value: FieldValue): Ipv6Prefix {
  if (!isPrefix(value)) throw new TypeError("not a prefix");
  return value;
}

/** The port parameters of a rule or a container: none, usable ones, or the reason why no CE may be made. */
interface GivenPortParams {
  readonly params?: PortParams | undefined;
  readonly unusable?: DecodeError | undefined;
}

/**
 * The port parameters inside an option, or where it has none those `around` it: as in draft s4.4, those that are nearest to a
 * rule count. If they are given but cannot be used, no rule that depends on them can be used, because without them the CE
 * would use ports of other customers. Nobody can tell what those in a wrong place were meant for: so those in a container, its
 * DMR or its border relays concern all its rules, and those at the top of a message concern all containers.
 */
function portParamsIn(node: OptionNode, around: GivenPortParams): GivenPortParams {
  if (node.lostPortParams !== undefined) return { unusable: node.lostPortParams };
  let params: PortParams | undefined;
  for (const option of node.options) {
    if (portParamsRow(option.row.code) === undefined) continue;
    const value = fieldValue(option, "port-params");
    if (!isPortParams(value)) throw new TypeError("not port parameters");
    params ??= value;
    if (JSON.stringify(value) !== JSON.stringify(params)) {
      const reason = "differs from the port parameters before it";
      return { unusable: new DecodeError(option.path, option.offset, reason) };
    }
  }
  return params === undefined ? around : { params };
}

/** The fields of a rule that follow from port parameters. */
function portFields({ params, unusable }: GivenPortParams, defaultOffset: number) {
  return {
    psidOffset: params?.offset ?? defaultOffset,
    // k = 0: there is no PSID, but the offset is used.
    explicitPsid: params?.psidLength ? { psidLength: params.psidLength, psid: params.psid } : undefined,
    unusable,
  };
}

function ruleOf(node: OptionNode, given: GivenPortParams, defaultOffset: number): MapRule {
  const ipv4 = {
    address: Number(fieldValue(node, "ipv4-prefix")),
    length: Number(fieldValue(node, "prefix4-len")),
  };
  return {
    ipv6Prefix: prefixOf(fieldValue(node, "ipv6-prefix")),
    ipv4Prefix: truncate4(ipv4),
    eaLength: Number(fieldValue(node, "ea-len")),
    forward: fieldValue(node, "F") === true,
    ...portFields(given, defaultOffset),
  };
}

function fail({ path, offset }: OptionNode, reason: string): never {
  throw new DecodeError(path, offset, reason);
}

function one(node: OptionNode, name: string): OptionNode {
  const found = children(node, name);
  const [first] = found;
  // Without `MAP_` or `S46_`.
  if (first === undefined || found.length > 1)
    fail(node, `exactly one ${name.slice(4)} is needed, found ${found.length}`);
  return first;
}

function checkedDmr(node: OptionNode, prefix: Ipv6Prefix): Ipv6Prefix {
  const refused = refuseDmrLength(prefix.length);
  if (refused !== undefined) fail(node, refused);
  return prefix;
}

/** Option 48879 or its vendor form. @throws DecodeError when it gives no domain */
function domain48879(node: OptionNode, ofAll: GivenPortParams): MapDomain {
  // The vendor form has no flags octet and is always MAP-T.
  const encapsulated = node.row.code === CODE_48879 && fieldValue(node, "E") === true;
  const rules = children(node, "MAP_RULE").map((rule) =>
    ruleOf(rule, portParamsIn(rule, ofAll), DEFAULT_OFFSET.option48879),
  );
  // draft s6: without a DMR, or with two, the whole option is ignored.
  const dmrNode = one(node, "MAP_DMR");
  const dmr = prefixOf(fieldValue(dmrNode, "dmr"));
  const common = { rules, legacyInterfaceId: false };
  if (!encapsulated)
    return { ...common, transport: "map-t", dmr: checkedDmr(dmrNode, dmr), borderRelays: [] };
  return { ...common, transport: "map-e", borderRelays: [dmr.address] };
}

/** A container of RFC 7598. @throws DecodeError when it gives no domain */
function domain7598(node: OptionNode, ofAll: GivenPortParams): MapDomain {
  const common = { legacyInterfaceId: false };
  const relays = children(node, "S46_BR").map((br) => fieldValue(br, "br-ipv6-address") as bigint);
  if (node.row.code === CODE_LW4O6) {
    const bind = one(node, "S46_V4V6BIND");
    if (relays.length === 0) one(node, "S46_BR");
    const rule: MapRule = {
      ipv6Prefix: prefixOf(fieldValue(bind, "bind-ipv6-prefix")),
      ipv4Prefix: { address: Number(fieldValue(bind, "ipv4-address")), length: 32 },
      eaLength: 0,
      forward: false,
      ...portFields(portParamsIn(bind, ofAll), DEFAULT_OFFSET.lw4o6),
    };
    return { ...common, transport: "lw4o6", rules: [rule], borderRelays: relays };
  }
  const rules = children(node, "S46_RULE").map((rule) =>
    ruleOf(rule, portParamsIn(rule, ofAll), DEFAULT_OFFSET.rfc7598),
  );
  if (node.row.code === CODE_MAP_T) {
    const dmr = prefixOf(fieldValue(one(node, "S46_DMR"), "dmr-ipv6-prefix"));
    return { ...common, transport: "map-t", rules, dmr, borderRelays: [] };
  }
  if (relays.length === 0) one(node, "S46_BR");
  return { ...common, transport: "map-e", rules, borderRelays: relays };
}

/**
 * The domain of one decoded option at the top of a message.
 *
 * @param stray why port parameters beside it cannot be used, where there are any
 * @throws DecodeError when it gives none
 */
export function domainOf(node: OptionNode, stray?: DecodeError): MapDomain {
  const { code } = node.row;
  const of = code === CODE_48879 || code === CODE_VENDOR ? domain48879 : domain7598;
  return of(node, portParamsIn(node, { unusable: stray }));
}

/** True when the option may hold a domain. */
export function holdsDomain(node: OptionNode): boolean {
  return node.row.encapsulates !== undefined;
}

/** A broken option beside a good one is reported as a remark, and is not an error. */
function asRemarks(findings: Findings): readonly Remark[] {
  const skipped = summarizeErrors(
    findings.errors,
    ({ reason, offset }) => `skipped: ${reason} at octet ${offset}`,
  );
  return [...summarizeRemarks(findings.remarks), ...skipped];
}

/**
 * The domain of one value of option 48879, as hex.
 *
 * @throws InputError for text that is not hex; DecodeError when the option gives no domain.
 */
export function fromOption48879(hex: string): ProvisionedDomain {
  const findings: Findings = { errors: [], remarks: [] };
  const node = decodeValue(new Reader(parseHex(hex, "OPTION_48879"), "OPTION_48879"), ROW_48879, findings);
  // Why the DMR cannot be decoded is more useful than the message that it is missing.
  const [first] = findings.errors;
  if (first !== undefined && children(node, "MAP_DMR").length === 0) throw first;
  return { domain: domainOf(node), remarks: asRemarks(findings) };
}

/** RFC 8026 s1.4.1: the containers in the provider's order of preference; those that it does not name come last. */
function byPriority(options: readonly OptionNode[]): readonly OptionNode[] {
  const priority = options.find((option) => option.row.code === CODE_PRIORITY);
  if (priority === undefined) return options;
  const codes = fieldValue(priority, "option-codes") as readonly number[];
  const place = (node: OptionNode) => {
    const index = codes.indexOf(node.row.code);
    return index < 0 ? codes.length : index;
  };
  return [...options].sort((a, b) => place(a) - place(b));
}

/**
 * Every domain in a series of DHCPv6 options (netifd's `data.passthru`), as hex of `code length value`.
 *
 * @throws InputError for text that is not hex; DecodeError when there were MAP options and none gave a domain.
 */
export function fromPassthru(hex: string): readonly ProvisionedDomain[] {
  const findings: Findings = { errors: [], remarks: [] };
  const { options, lostPortParams } = decodeChain(
    new Reader(parseHex(hex, "passthru"), ""),
    "dhcpv6",
    findings,
  );
  let { errors } = findings;
  const domains: MapDomain[] = [];
  for (const option of byPriority(options)) {
    if (!holdsDomain(option)) continue;
    // Other vendors use option 17 too. It is ours only if it contains a rule or a DMR.
    if (option.row.code === CODE_VENDOR && option.options.length === 0) {
      // What has the number of port parameters in theirs is something else.
      errors = errors.filter(({ path }) => !path.startsWith(`${option.path}/S46_`));
      continue;
    }
    try {
      domains.push(domainOf(option, lostPortParams));
    } catch (error) {
      throwUnless(error, DecodeError);
      errors.push(error);
    }
  }
  const [first] = errors;
  if (domains.length === 0 && first !== undefined) throw first;
  const remarks = asRemarks({ ...findings, errors });
  return domains.map((domain) => ({ domain, remarks }));
}
