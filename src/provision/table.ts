/** Rules from a table: what each row gives, and which row is the basic mapping rule of an end-user prefix. */

import { EA_LENGTH_LIMIT } from "../dhcpv6/options.ts";
import { contains6, type Ipv6Prefix } from "../ip/prefix.ts";
import { parseIpv4Prefix, parseIpv6List, parseIpv6Prefix } from "../ip/text.ts";
import { chooseBmr, END_USER_PREFIX, psidBits, whyNoBmr } from "../map/ce.ts";
import type { MapDomain, MapRule, Remark, Transport } from "../map/model.ts";
import { checkPortSet, LIMITS } from "../map/port-set.ts";
import { InputError, type MapminError, throwUnless } from "../wire/errors.ts";
import { defaultOffset } from "./option.ts";
import { explicitPsid } from "./port-parameters.ts";
import { flagWords } from "./request.ts";
import { parseDmr, parseTransport } from "./rule-text.ts";
import { type Field, placeOf, ROW_LIMIT, readTable, type TableRow } from "./table-text.ts";
import { numberOf, textOf } from "./values.ts";

/** Most bad rows that are told one by one. */
const TOLD = 4;

function flagOf(value: unknown, field: string): boolean {
  if (typeof value === "object" || !Object.hasOwn(flagWords, String(value))) {
    throw new InputError(field, "is not true or false");
  }
  return flagWords[String(value)] === true;
}

function between(low: number, high: number) {
  return (value: unknown, field: string) => numberOf(value, field, low, high);
}

function parsedBy<Value>(parse: (text: string, field: string) => Value) {
  return (value: unknown, field: string) => parse(textOf(value, field), field);
}

const prefix6 = parsedBy(parseIpv6Prefix);

/** What each field holds. */
const readers = {
  ruleIpv6Prefix: prefix6,
  ruleIpv4Prefix: parsedBy(parseIpv4Prefix),
  eaLength: between(0, EA_LENGTH_LIMIT),
  psidOffset: between(0, LIMITS.offset),
  psid: between(0, 65_535),
  psidLength: between(0, LIMITS.psidLength),
  transport: parsedBy(parseTransport),
  br: parsedBy(parseIpv6List),
  dmr: parsedBy(parseDmr),
  legacy: flagOf,
  mtu: between(1280, 65_535),
  fmr: flagOf,
  comment: () => undefined,
} satisfies Readonly<Record<Field, (value: unknown, field: string) => unknown>>;

type Values = { readonly [F in Field]?: ReturnType<(typeof readers)[F]> };

/** Rows, and the values of those that do not say otherwise. */
export interface RuleTable {
  readonly defaults: Values;
  readonly rows: readonly TableRow[];
}

/** What a row gives. */
export interface TableRule {
  /** The row. */
  readonly where: string;
  /** That of a bad row is unusable. */
  readonly rule: MapRule;
  /** The rule alone, and its border relay or DMR; undefined for a bad row. */
  readonly domain?: MapDomain;
  /** IPv4 MTU, octets. */
  readonly mtu?: number | undefined;
}

/** What the interface's options say where the table does not. */
export interface TableOptions {
  /** `maptype`: rows of another transport are not looked at. */
  readonly transport?: Transport | undefined;
  readonly legacymap?: boolean | undefined;
}

/** @throws InputError for a field that cannot be read */
function valuesOf({ where, fields, fault }: TableRow): Values {
  if (fault !== undefined) throw fault;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      readers[name as Field](value, placeOf(where, name)),
    ]),
  );
}

/** @throws InputError for a text that is not a table, or whose defaults cannot be read; rows may be bad */
export function parseTable(text: string): RuleTable {
  const { defaults, rows } = readTable(text);
  if (rows.length === 0 || rows.length > ROW_LIMIT) {
    throw new InputError("table", `does not have 1 to ${ROW_LIMIT} rules`);
  }
  return { defaults: valuesOf(defaults), rows };
}

/** The rule's IPv6 prefix, which a bad row may have too. @throws InputError where it cannot be read */
function prefixOf({ where, fields, fault }: TableRow): Ipv6Prefix {
  const field = placeOf(where, "ruleIpv6Prefix");
  const value = fields["ruleIpv6Prefix"];
  // Of two prefixes, either may be meant.
  if (fault !== undefined && (value === undefined || fault.field === field)) throw fault;
  return prefix6(value, field);
}

function goodRule(row: TableRow, ipv6Prefix: Ipv6Prefix, defaults: Values, options: TableOptions): TableRule {
  const { where } = row;
  const values = { ...defaults, ...valuesOf(row) };
  const at = (field: Field) => placeOf(where, field);
  const need = <F extends Field>(field: F) => {
    const value = values[field];
    if (value === undefined) throw new InputError(at(field), "is missing");
    return value;
  };
  const transport = values.transport ?? options.transport ?? "map-e";
  const legacyInterfaceId = values.legacy ?? options.legacymap === true;
  const bound = transport === "lw4o6";
  const typed = {
    ipv6Prefix,
    ipv4Prefix: need("ruleIpv4Prefix"),
    eaLength: values.eaLength ?? (bound ? 0 : need("eaLength")),
    forward: values.fmr === true,
    psidOffset: values.psidOffset ?? defaultOffset(transport, legacyInterfaceId),
  };
  const names = { length: at("psidLength"), psid: at("psid"), eaLength: at("eaLength") };
  if (ipv6Prefix.length + typed.eaLength > 128) {
    throw new InputError(names.eaLength, `${typed.eaLength} bits do not fit behind the prefix`);
  }
  const { psidLength: psidlen, psid } = values;
  try {
    checkPortSet({
      offset: typed.psidOffset,
      psidLength: psidlen || psidBits(typed),
      psid: psidlen ? (psid ?? 0) : 0,
    });
  } catch (error) {
    throwUnless(error, InputError);
    throw new InputError(psidlen ? names.length : names.eaLength, error.reason);
  }
  const rule: MapRule = { ...typed, ...explicitPsid({ psidlen, psid }, typed, names) };
  const domain = { transport, rules: [rule], legacyInterfaceId };
  return {
    where,
    rule,
    mtu: values.mtu,
    domain:
      transport === "map-t"
        ? { ...domain, dmr: need("dmr"), borderRelays: [] }
        : { ...domain, borderRelays: need("br") },
  };
}

/**
 * What a row gives. That of a bad row is a rule for the same prefix that cannot be used: so the router with this prefix is
 * told of the row, and does not take a rule with a shorter prefix instead.
 *
 * @throws InputError where not even the rule's IPv6 prefix can be read
 */
export function ruleOf(row: TableRow, defaults: Values, options: TableOptions = {}): TableRule {
  const ipv6Prefix = prefixOf(row);
  try {
    return goodRule(row, ipv6Prefix, defaults, options);
  } catch (unusable) {
    throwUnless(unusable, InputError);
    const ipv4Prefix = { address: 0, length: 0 };
    const rule = { ipv6Prefix, ipv4Prefix, eaLength: 0, forward: false, psidOffset: 0, unusable };
    return { where: row.where, rule };
  }
}

/** The row that a router takes. */
export interface ChosenRule extends TableRule {
  /** The row's, with the forwarding rules. */
  readonly domain: MapDomain;
  readonly remarks: readonly Remark[];
}

/**
 * The row that is the basic mapping rule of one of the end-user prefixes: the longest that matches (RFC 7597 s5), and the
 * first of equals. Other rows are read as far as that takes.
 *
 * @throws InputError where no row matches, or the one that does is bad
 */
export function chooseRow(
  { defaults, rows }: RuleTable,
  endUserPrefixes: readonly Ipv6Prefix[],
  options: TableOptions = {},
): ChosenRule {
  const bad: MapminError[] = [];
  const matching: TableRule[] = [];
  const forwarding: TableRule[] = [];
  const prefixes: Ipv6Prefix[] = [];
  for (const row of rows) {
    try {
      const ipv6Prefix = prefixOf(row);
      const matches = endUserPrefixes.some((prefix) => contains6(ipv6Prefix, prefix));
      prefixes.push(ipv6Prefix);
      if (!matches && row.fields["fmr"] === undefined) continue;
      const found = ruleOf(row, defaults, options);
      const transport = found.domain?.transport ?? options.transport;
      if (options.transport !== transport && options.transport !== undefined) continue;
      if (found.rule.unusable !== undefined) bad.push(found.rule.unusable);
      if (matches) matching.push(found);
      if (found.rule.forward) forwarding.push(found);
    } catch (error) {
      throwUnless(error, InputError);
      bad.push(error);
    }
  }
  const rulesOf = (found: readonly TableRule[]) => found.map(({ rule }) => rule);
  const match = chooseBmr(rulesOf(matching), endUserPrefixes);
  const chosen = matching.find(({ rule }) => rule === match?.rule);
  const told = bad.slice(0, TOLD).map(({ message }, i) => {
    const others = i === TOLD - 1 && bad.length > TOLD ? `, and ${bad.length - TOLD} more` : "";
    return { code: "bad-row", path: "rules", text: `${message}; this row is left out${others}` };
  });
  if (chosen === undefined) {
    const why = whyNoBmr(rulesOf(matching), endUserPrefixes, prefixes);
    throw new InputError(END_USER_PREFIX, [why, ...told.map(({ text }) => text)].join("; "));
  }
  const { rule, domain } = chosen;
  if (domain === undefined) throw rule.unusable;
  const fmrs = forwarding.filter((other) => other !== chosen && other.domain?.transport === domain.transport);
  return { ...chosen, domain: { ...domain, rules: [rule, ...rulesOf(fmrs)] }, remarks: told };
}
