/** What a rule gives: its customers, and what each of them has. */

import { formatIpv4Prefix, formatIpv6Prefix } from "../ip/text.ts";
import { type CeResult, computeCe } from "../map/ce.ts";
import { customerPrefix } from "../map/customers.ts";
import type { CustomerEdge, MapDomain, MapRule, PortSet } from "../map/model.ts";
import { portCount, portRanges } from "../map/port-set.ts";
import { counted } from "./counted.ts";

interface Customer {
  readonly endUserIpv6Prefix: string;
  readonly ipv4: string;
  readonly psid: number;
  readonly psidLength: number;
}

/** What a rule gives. */
export interface RowReport {
  readonly where: string;
  readonly ruleIpv6Prefix: string;
  readonly ruleIpv4Prefix: string;
  readonly transport: string;
  readonly fmr: boolean;
  readonly customers: number;
  /** Customers of one IPv4 address. */
  readonly sharing: number;
  /** Of each customer. */
  readonly ports: number;
  readonly ranges: number;
  readonly first: Customer;
  readonly last: Customer;
  readonly notes: readonly string[];
}

function customerOf({ endUserPrefix, ipv4, portSet }: CustomerEdge): Customer {
  return {
    endUserIpv6Prefix: formatIpv6Prefix(endUserPrefix),
    ipv4: formatIpv4Prefix(ipv4),
    psid: portSet.psid,
    psidLength: portSet.psidLength,
  };
}

/** How many ports a set has, and in how many ranges. Thousands of rows have few different sets. */
function counter() {
  const known = new Map<string, { readonly ports: number; readonly ranges: number }>();
  return (set: PortSet) => {
    const key = `${set.offset} ${set.psidLength} ${set.psid}`;
    const counts = known.get(key) ?? { ports: portCount(set), ranges: portRanges(set).length };
    known.set(key, counts);
    return counts;
  };
}

/** What makes reports of rules. */
export function ruleReporter() {
  const count = counter();
  /** @throws InputError naming `field`, the EA length, or what else makes customers impossible */
  return (
    where: string,
    rule: MapRule,
    domain: MapDomain,
    field: string,
  ): { readonly report: Omit<RowReport, "notes">; readonly first: CeResult } => {
    const edge = (which: "first" | "last") => computeCe(rule, customerPrefix(rule, which, field), domain);
    const first = edge("first");
    const last = edge("last").ce;
    const report = {
      where,
      ruleIpv6Prefix: formatIpv6Prefix(rule.ipv6Prefix),
      ruleIpv4Prefix: formatIpv4Prefix(rule.ipv4Prefix),
      transport: domain.transport,
      fmr: rule.forward,
      customers: 2 ** rule.eaLength,
      sharing: 2 ** last.portSet.psidLength,
      ...count(last.portSet),
      first: customerOf(first.ce),
      last: customerOf(last),
    };
    return { report, first };
  };
}

/** What each customer has. */
function share({ sharing, ports, ranges, first }: RowReport): string {
  if (sharing > 1)
    return `${sharing} share an address, ${counted(ports, "port")} each in ${counted(ranges, "range")}`;
  return first.ipv4.endsWith("/32") ? "an address each" : `a prefix /${first.ipv4.split("/")[1]} each`;
}

export function describeRow(row: RowReport): readonly string[] {
  const line = (which: string, { endUserIpv6Prefix, ipv4, psid, psidLength }: Customer) =>
    `  ${which}  ${endUserIpv6Prefix.padEnd(26)} ${ipv4}${psidLength === 0 ? "" : `, PSID ${psid} of ${psidLength} bits`}`;
  const fmr = row.fmr ? ", forwarding" : "";
  return [
    `${row.where}: ${row.ruleIpv6Prefix} ${row.ruleIpv4Prefix} ${row.transport}${fmr}`,
    `  ${counted(row.customers, "customer")}, ${share(row)}`,
    ...(row.customers === 1
      ? [line("only ", row.first)]
      : [line("first", row.first), line("last ", row.last)]),
    ...row.notes.map((note) => `  note: ${note}`),
  ];
}
