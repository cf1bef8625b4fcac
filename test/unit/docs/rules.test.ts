/** docs/router.md: its table of rules in JSON and the one in CSV are read, and are the same. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { decodeConfig } from "../../../src/provision/request.ts";
import { parseTable, ruleOf } from "../../../src/provision/table.ts";

const manual = readFileSync(fileURLToPath(new URL("../../../docs/router.md", import.meta.url)), "utf8");
const section = manual.split("### ").find((part) => part.startsWith("You have a table of rules")) ?? "";
/** The indented blocks: the interface, JSON, CSV. */
const blocks = section.match(/(?:^ {4}.*\n|^\n(?= {4}))+/gm) ?? [];
const [iface = "", json = "", csv = ""] = blocks.map((block) => block.replaceAll(/^ {4}/gm, ""));

function rulesOf(text: string) {
  const { rows, defaults } = parseTable(text);
  return rows.map((row) => ruleOf(row, defaults)).map(({ rule, domain, mtu }) => ({ rule, domain, mtu }));
}

test("the two tables are the same two rules", () => {
  expect(rulesOf(csv)).toEqual(rulesOf(json));
  expect(rulesOf(json).map(({ domain }) => domain?.transport)).toEqual(["map-e", "map-e"]);
});

test("the path in the example is one that the option takes", () => {
  const [, rules] = /option rules '(.*)'/.exec(iface) ?? [];
  expect(decodeConfig(JSON.stringify({ rules }))).toEqual({ rules: "/etc/mapmin/rules.json" });
});

test("every field of a row is in the table of fields", () => {
  const rows = [...section.matchAll(/^\| (`.*?`) \|/gm)].map(([, names = ""]) => names);
  const named = rows.flatMap((names) => [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  const { rows: read } = parseTable(`${named.join(",")}\n${named.map(() => "").join(",")}x`);
  expect(read).toHaveLength(1);
  expect(named).toHaveLength(13);
});
