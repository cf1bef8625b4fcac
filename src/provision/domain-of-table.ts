/** One domain of the rows of a table: as much as one DHCPv6 option can say. */

import type { Ipv6Prefix } from "../ip/prefix.ts";
import { formatIpv6Prefix } from "../ip/text.ts";
import type { MapDomain, MapRule, Transport } from "../map/model.ts";
import { InputError } from "../wire/errors.ts";
import { chooseRow, type RuleTable, ruleOf, type TableRule } from "./table.ts";
import { placeOf, type TableRow } from "./table-text.ts";

/** Which rows. Without numbers and prefixes all of them. */
export interface RowChoice {
  /** Numbers of rows, as errors name them: 17 is `rules[17]`, or `line 17`. */
  readonly rows: readonly number[];
  /** The rule of these end-user prefixes, and the forwarding rules. */
  readonly endUserPrefixes: readonly Ipv6Prefix[];
  /** Rows of another transport are not looked at. */
  readonly transport: Transport | undefined;
}

export interface TableDomain {
  readonly domain: MapDomain;
  /** The row of each rule that was asked for, in the order of the domain's rules. */
  readonly rules: readonly { readonly where: string; readonly rule: MapRule }[];
  /** What the rows say and no option can, and bad rows that were left out; a sentence each. */
  readonly notes: readonly string[];
}

const CHOOSE = "choose rows with --row or --pd";

function numberIn({ where }: TableRow): number {
  return Number(where.replaceAll(/\D/g, ""));
}

function rowsOf({ rows }: RuleTable, numbers: readonly number[]): readonly TableRow[] {
  if (numbers.length === 0) return rows;
  return [...new Set(numbers)].map((number) => {
    const row = rows.find((one) => numberIn(one) === number);
    if (row === undefined) {
      const names = [rows[0], rows.at(-1)].map((one) => one?.where).join(" to ");
      throw new InputError("row", `${number} is not a row of the table, which has ${names}`);
    }
    return row;
  });
}

interface GoodRule extends TableRule {
  readonly domain: MapDomain;
}

/** @throws InputError for a bad row */
function good(found: TableRule): GoodRule {
  if (found.domain === undefined) throw found.rule.unusable;
  return { ...found, domain: found.domain };
}

/** Where everything else goes, by the name of the field that says it. */
function farEnd({ dmr, borderRelays }: MapDomain): readonly [field: string, prefix: string] {
  const [address = 0n] = borderRelays;
  return dmr === undefined
    ? ["br", formatIpv6Prefix({ address, length: 128 })]
    : ["dmr", formatIpv6Prefix(dmr)];
}

/** @throws InputError where a row does not go together with the first one */
function checkTogether(first: GoodRule, other: GoodRule): void {
  const { transport } = first.domain;
  if (other.domain.transport !== transport) {
    const field = placeOf(other.where, "transport");
    throw new InputError(
      field,
      `is ${other.domain.transport}, and that of ${first.where} is ${transport}: an option has one, choose with --transport, --row or --pd`,
    );
  }
  const [field, theirs] = farEnd(other.domain);
  const [, ours] = farEnd(first.domain);
  if (theirs !== ours) {
    throw new InputError(
      placeOf(other.where, field),
      `is not that of ${first.where}: an option has one for all its rules, ${CHOOSE}`,
    );
  }
}

function unsaid(rules: readonly TableRule[], legacy: (rule: TableRule) => boolean): readonly string[] {
  const notes: string[] = [];
  const note = (field: string, where: string | undefined, option: string) => {
    if (where === undefined) return;
    notes.push(
      `${placeOf(where, field)}: no option can say this; the customers' routers need \`option ${option}\``,
    );
  };
  note("legacy", rules.find(legacy)?.where, "legacymap '1'");
  const limited = rules.find(({ mtu }) => mtu !== undefined);
  note("mtu", limited?.where, `mtu '${limited?.mtu}'`);
  return notes;
}

/**
 * The domain that an option can give of a table.
 *
 * @throws InputError where a row is bad, does not go together with the others, or is not there
 */
export function domainOfTable(
  table: RuleTable,
  { rows, endUserPrefixes, transport }: RowChoice,
): TableDomain {
  if (endUserPrefixes.length > 0) {
    const chosen = chooseRow(table, endUserPrefixes, { transport });
    const { domain, where, rule, remarks } = chosen;
    const notes = [...remarks.map(({ text }) => text), ...unsaid([chosen], () => domain.legacyInterfaceId)];
    return { domain: { ...domain, legacyInterfaceId: false }, rules: [{ where, rule }], notes };
  }
  const rules = rowsOf(table, rows)
    .map((row) => good(ruleOf(row, table.defaults, { transport })))
    .filter(({ domain }) => transport === undefined || domain.transport === transport);
  const [first, second] = rules;
  if (first === undefined) throw new InputError("transport", `no row is for ${transport}`);
  if (second !== undefined && first.domain.transport === "lw4o6") {
    throw new InputError(
      placeOf(second.where, "transport"),
      `option 96 has one customer's address, and ${first.where} is another customer: ${CHOOSE}`,
    );
  }
  const seen = new Map<string, string>();
  for (const other of rules) {
    checkTogether(first, other);
    const prefix = formatIpv6Prefix(other.rule.ipv6Prefix);
    const earlier = seen.get(prefix);
    if (earlier !== undefined) {
      const field = placeOf(other.where, "ruleIpv6Prefix");
      throw new InputError(field, `is that of ${earlier} too: delete one of them, or ${CHOOSE}`);
    }
    seen.set(prefix, other.where);
  }
  return {
    domain: { ...first.domain, rules: rules.map(({ rule }) => rule), legacyInterfaceId: false },
    rules,
    notes: unsaid(rules, (one) => good(one).domain.legacyInterfaceId),
  };
}
