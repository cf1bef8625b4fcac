/** Tables against a simple second implementation, and tables that were damaged. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { parseIpv6Prefix } from "../../../src/ip/text.ts";
import { chooseRow, parseTable, type RuleTable, ruleOf } from "../../../src/provision/table.ts";
import { InputError } from "../../../src/wire/errors.ts";
import { random } from "../../support/random.ts";

const BR = "2001:db8:ffff::1";

/** The first bits of an IPv6 prefix as a text. */
function prefix(bits: string): string {
  const hex = (bits.padEnd(128, "0").match(/.{16}/g) ?? []).map((group) =>
    Number.parseInt(group, 2).toString(16),
  );
  return `${hex.join(":")}/${bits.length}`;
}

interface Row {
  readonly bits: string;
  readonly eaLength: number;
  readonly fmr: boolean;
  readonly fault: "none" | "field" | "prefix";
}

const bitsOf = (low: number, high: number) =>
  fc.array(fc.constantFrom("0", "1"), { minLength: low, maxLength: high }).map((bits) => bits.join(""));

const rowArbitrary: fc.Arbitrary<Row> = fc.record({
  bits: bitsOf(0, 5),
  eaLength: fc.integer({ min: 0, max: 6 }),
  fmr: fc.boolean(),
  fault: fc.constantFrom(
    "none" as const,
    "none" as const,
    "none" as const,
    "field" as const,
    "prefix" as const,
  ),
});

/** RFC 7597 s5 said of texts of bits. A bad row counts as one without EA bits. */
function oracle(rows: readonly Row[], user: string): string {
  let best = -1;
  for (const [i, { bits, eaLength, fault }] of rows.entries()) {
    const needs = bits.length + (fault === "none" ? eaLength : 0);
    if (fault === "prefix" || !user.startsWith(bits) || user.length < needs) continue;
    if (best === -1 || bits.length > (rows[best]?.bits.length ?? 0)) best = i;
  }
  if (best === -1) return "none";
  if (rows[best]?.fault !== "none") return `rules[${best}] is bad`;
  const fmrs = rows.filter(({ fmr, fault }, i) => fmr && fault === "none" && i !== best);
  return [`rules[${best}]`, ...fmrs.map(({ bits }) => prefix(bits))].join(" ");
}

function ours(table: RuleTable, user: string): string {
  try {
    const { where, domain } = chooseRow(table, [parseIpv6Prefix(prefix(user))]);
    const fmrs = domain.rules.slice(1).map(({ ipv6Prefix }) => {
      const bits = ipv6Prefix.address.toString(2).padStart(128, "0").slice(0, ipv6Prefix.length);
      return prefix(bits);
    });
    return [where, ...fmrs].join(" ");
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const [row] = /^rules\[\d+\]/.exec(error.field) ?? [];
    return row === undefined ? "none" : `${row} is bad`;
  }
}

test("the row that is chosen is the one that the simple search finds", () => {
  fc.assert(
    fc.property(fc.array(rowArbitrary, { minLength: 1, maxLength: 12 }), bitsOf(0, 10), (rows, user) => {
      const rules = rows.map(({ bits, eaLength, fmr, fault }) => ({
        ruleIpv6Prefix: fault === "prefix" ? `${prefix(bits)}x` : prefix(bits),
        ruleIpv4Prefix: "192.0.2.0/24",
        eaLength: fault === "field" ? "x" : eaLength,
        br: BR,
        fmr,
      }));
      expect(ours(parseTable(JSON.stringify({ rules })), user)).toBe(oracle(rows, user));
    }),
    { numRuns: 500 },
  );
});

/** Damaged rows; behind each good one are `EACH` of them. */
const COUNT = 10_000;
const EACH = 5;
const STEP = EACH + 1;
/** Damaged texts; most places of both are met many times. */
const TEXTS = 3_000;
const HEAD = "ruleIpv6Prefix,ruleIpv4Prefix,eaLength,psidOffset,psid,psidLength,transport,br,dmr,fmr,comment";
/** The cells of a row that is good: `n` is in its prefix. */
const cells = (n: number) => [
  `2001:db8:${n.toString(16)}::/48`,
  `192.0.${n >> 8}.${n & 255}/32`,
  "8",
  "4",
  "",
  n % 3 === 0 ? "8" : "",
  n % 2 === 0 ? "map-t" : "map-e",
  BR,
  "64:ff9b::/96",
  n % 100 === 0 ? "true" : "",
  n % 5 === 0 ? `"a ""quoted"", ${n}"` : "",
];

const NOISE = [
  '"',
  ",",
  "/",
  ":",
  "x",
  " ",
  "0",
  "9",
  "-",
  "\u0000",
  "\u001b[2J",
  "\u202e",
  "\ud800",
  "{",
  "#",
  "é",
];

/** A row with one or two characters put in, taken out or replaced; line ends stay what they are. */
function damage(line: string, next: (below: number) => number): string {
  let text = line;
  for (let times = next(2) + 1; times > 0; times--) {
    const at = next(text.length + 1);
    const noise = NOISE[next(NOISE.length)] ?? "";
    text = text.slice(0, at) + (next(3) === 0 ? "" : noise) + text.slice(at + next(3));
  }
  return text;
}

/** What a table gives row by row: the row itself, or the message of its fault. */
function looked(table: RuleTable): ReadonlyMap<string, string> {
  return new Map(
    table.rows.map((row) => {
      try {
        const { rule, domain } = ruleOf(row, table.defaults);
        if (rule.unusable !== undefined) return [row.where, `bad: ${rule.unusable.message}`];
        return [
          row.where,
          JSON.stringify([rule, domain], (_, value) => (typeof value === "bigint" ? `${value}` : value)),
        ];
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        return [row.where, `bad: ${error.message}`];
      }
    }),
  );
}

test("10,000 damaged rows of CSV: declared errors that name the line, and every good row as it was", () => {
  const next = random(10);
  const good = Array.from({ length: COUNT / EACH }, (_, n) => cells(n).join(","));
  const mixed = good.flatMap((line) => [line, ...Array.from({ length: EACH }, () => damage(line, next))]);
  const expected = looked(parseTable([HEAD, ...good].join("\n")));
  const found = looked(parseTable([HEAD, ...mixed].join("\n")));
  let bad = 0;
  // An `expect` for each of the rows would take longer than the rows.
  const wrong = mixed.filter((line, n) => {
    const where = `line ${n + 2}`;
    const gives = found.get(where);
    if (n % STEP === 0) return gives === undefined || gives !== expected.get(`line ${n / STEP + 2}`);
    // What looks empty, or a comment, is no row.
    if (gives === undefined) return !/^#|^[\s,]*$/.test(line);
    if (!gives.startsWith("bad: ")) return false;
    bad++;
    const named = gives.startsWith(`bad: ${where}, `) || gives.startsWith(`bad: ${where}: `);
    return !named || ["\u0000", "\u001b", "\u202e"].some((noise) => gives.includes(noise));
  });
  expect(wrong).toEqual([]);
  expect(bad).toBeGreaterThan(COUNT / 4);
});

test("10,000 damaged rows of JSON: declared errors that name the row, and every good row as it was", () => {
  const next = random(11);
  const names = HEAD.split(",");
  const good = Array.from({ length: COUNT / EACH }, (_, n) =>
    Object.fromEntries(cells(n).map((cell, i) => [names[i] ?? "", cell.replaceAll('"', "")])),
  );
  const values = [
    null,
    true,
    false,
    -1,
    1.5,
    1e300,
    17,
    65_536,
    "",
    "x",
    "\u001b[2J",
    [],
    [[]],
    {},
    { a: 1 },
    "::/0",
    "0",
  ];
  const damaged = (row: object) => {
    const name = next(8) === 0 ? "__proto__" : (names[next(names.length)] ?? "");
    const value = values[next(values.length)];
    return next(20) === 0 ? value : { ...row, [next(10) === 0 ? `${name}x` : name]: value };
  };
  const expected = looked(parseTable(JSON.stringify({ rules: good })));
  const mixed = good.flatMap((row) => [row, ...Array.from({ length: EACH }, () => damaged(row))]);
  const found = looked(parseTable(JSON.stringify({ rules: mixed })));
  let bad = 0;
  const wrong = mixed.filter((_, n) => {
    const where = `rules[${n}]`;
    const gives = found.get(where);
    if (n % STEP === 0) return gives === undefined || gives !== expected.get(`rules[${n / STEP}]`);
    if (gives?.startsWith("bad: ") !== true) return false;
    bad++;
    return !gives.startsWith(`bad: ${where}.`) && !gives.startsWith(`bad: ${where}:`);
  });
  expect(wrong).toEqual([]);
  expect(bad).toBeGreaterThan(COUNT / 4);
});

test("a table whose text is damaged anywhere: a table or a declared error", () => {
  const next = random(12);
  const csv = [`# br=${BR}`, HEAD, ...[1, 2, 3].map((n) => cells(n).join(","))].join("\n");
  const json = JSON.stringify({
    defaults: { br: BR },
    rules: [{ ruleIpv6Prefix: "2001:db8::/40", ruleIpv4Prefix: "192.0.2.0/24", eaLength: 16 }],
  });
  let tables = 0;
  for (let n = 0; n < TEXTS; n++) {
    const text = damage(n % 2 === 0 ? csv : json, next);
    try {
      const table = parseTable(text);
      tables++;
      looked(table);
      ours(table, "0010");
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }
  expect(tables).toBeGreaterThan(TEXTS / 10);
});

test.each([4_096, COUNT])("%i rows: the last one is found", (count) => {
  const rows = Array.from({ length: count }, (_, n) => cells(n));
  const user = [`2001:db8:${(count - 1).toString(16)}:1200::/56`].map((text) => parseIpv6Prefix(text));
  const csv = [HEAD, ...rows.map((row) => row.join(","))].join("\n");
  expect(chooseRow(parseTable(csv), user).where).toBe(`line ${count + 1}`);
  const names = HEAD.split(",");
  const rules = rows.map((row) =>
    Object.fromEntries(row.map((cell, i) => [names[i] ?? "", cell.replaceAll('"', "")])),
  );
  expect(chooseRow(parseTable(JSON.stringify({ rules })), user).where).toBe(`rules[${count - 1}]`);
});

/** Texts that make a reader look at the same characters again and again. */
test.each([
  ["blanks", `ruleIpv6Prefix\n${" ".repeat(2_000_000)}x"`],
  ["quotes", `ruleIpv6Prefix\n"${'""'.repeat(1_000_000)}`],
  ["empty lines", "\n".repeat(2_000_000)],
  ["cells", `ruleIpv6Prefix\n${",".repeat(2_000_000)}x"`],
  ["escapes", `{"rules":[{"comment":"${"\\\\".repeat(1_000_000)}"}]}`],
  ["escaped quotes", `{"rules":[{"comment":"${'\\"'.repeat(1_000_000)}"}]}`],
  ["blanks in JSON", `{"rules":["x"${" ".repeat(2_000_000)}]}`],
  ["lists", `{"rules":[${"[".repeat(5_000)}${"]".repeat(5_000)}]}`],
  ["hash signs", `${"#".repeat(1_000_000)}\n#${" ".repeat(1_000_000)}`],
])("2 MB of %s take no time", (_title, text) => {
  const start = performance.now();
  try {
    looked(parseTable(text));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  expect(performance.now() - start).toBeLessThan(10_000);
});
