/** What the routers of customers will say of rules: tried with the first customer's prefix. */

import { computeCe } from "../map/ce.ts";
import { customerPrefix } from "../map/customers.ts";
import type { TableDomain } from "../provision/domain-of-table.ts";
import { JUDGING, judgeDomain, judgeEdge, routerRefuses } from "../provision/judge.ts";
import { placeOf } from "../provision/table-text.ts";

/** @throws InputError, SetupError where no customer edge can follow */
export function notesOnRules({ domain, rules }: Pick<TableDomain, "domain" | "rules">): readonly string[] {
  const notes = rules.flatMap(({ where, rule }) => {
    const field = where === "" ? "ea-length" : placeOf(where, "eaLength");
    const { ce, remarks } = computeCe(rule, customerPrefix(rule, "first", field), domain);
    const said = [...remarks.map(({ text }) => text), ...judgeEdge(ce, JUDGING).map(routerRefuses)];
    return where === "" ? said : said.map((text) => `${where}: ${text}`);
  });
  return [...notes, ...judgeDomain({ ...domain, rules: [] }, undefined, JUDGING).map(routerRefuses)];
}
