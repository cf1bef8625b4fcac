import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatIpv4Prefix, formatIpv6Prefix, parseIpv6Prefix } from "../../../src/ip/text.ts";
import type { MapRule } from "../../../src/map/model.ts";
import { domainOfTable, type RowChoice } from "../../../src/provision/domain-of-table.ts";
import { fromOption48879, fromPassthru } from "../../../src/provision/option.ts";
import { optionOfDomain, STANDARD_CODE } from "../../../src/provision/option-of-domain.ts";
import { parseTable } from "../../../src/provision/table.ts";
import { type ServerFormat, serverFormats } from "../../../src/render/dhcp-server.ts";
import { refusal } from "../../support/refusal.ts";
import { optionIn } from "../../support/server-text.ts";

const ALL: RowChoice = { rows: [], endUserPrefixes: [], transport: undefined };
const of = (text: string, choice: Partial<RowChoice> = {}) =>
  domainOfTable(parseTable(text), { ...ALL, ...choice });

/** A rule: the j-th of a table has a prefix of its own. What does not fit together is left to other tests. */
const ruleArbitrary = fc
  .record({
    length6: fc.integer({ min: 24, max: 64 }),
    address4: fc.nat(0xffffffff),
    length4: fc.integer({ min: 0, max: 32 }),
    offset: fc.integer({ min: 0, max: 15 }),
    sharing: fc.integer({ min: 0, max: 16 }),
    psid: fc.option(fc.nat(65_535)),
    forward: fc.boolean(),
  })
  .filter(({ offset, sharing, length4 }) => offset + sharing <= 16 && 32 - length4 + sharing <= 48)
  .map(({ length6, address4, length4, offset, sharing, psid, forward }) => (j: number): MapRule => {
    const explicit = sharing > 0 && psid !== null;
    return {
      ipv6Prefix: { address: (0x20010000n + BigInt(j)) << 96n, length: Math.max(length6, 32) },
      ipv4Prefix: {
        address: length4 === 0 ? 0 : (address4 & (0xffffffff << (32 - length4))) >>> 0,
        length: length4,
      },
      // A PSID that is given stands beside the EA bits of the address, or is among them.
      eaLength: 32 - length4 + (explicit && psid % 2 === 0 ? 0 : sharing),
      forward,
      psidOffset: offset,
      ...(explicit ? { explicitPsid: { psidLength: sharing, psid: psid % 2 ** sharing } } : {}),
    };
  });

function fieldsOf(rule: MapRule): Record<string, string | number | boolean> {
  return {
    ruleIpv6Prefix: formatIpv6Prefix(rule.ipv6Prefix),
    ruleIpv4Prefix: formatIpv4Prefix(rule.ipv4Prefix),
    eaLength: rule.eaLength,
    psidOffset: rule.psidOffset,
    fmr: rule.forward,
    psid: rule.explicitPsid?.psid ?? "",
    psidLength: rule.explicitPsid?.psidLength ?? "",
  };
}

function csv(rows: readonly Record<string, unknown>[], defaults: string): string {
  const columns = Object.keys(rows[0] ?? {});
  return [defaults, columns.join(","), ...rows.map((row) => columns.map((name) => row[name]).join(","))].join(
    "\n",
  );
}

describe("what is encoded of a table is its rules", () => {
  test.each([
    ["map-e", "br", "2001:db8:ffff::1"],
    ["map-t", "dmr", "2001:db8:ffff::/64"],
  ] as const)("%s: in every server's words, as 48879 and as RFC 7598 has it", (transport, end, value) => {
    fc.assert(
      fc.property(fc.array(ruleArbitrary, { minLength: 1, maxLength: 5 }), fc.boolean(), (makers, json) => {
        const rules = makers.map((make, j) => make(j));
        const rows = rules.map(fieldsOf);
        const text = json
          ? JSON.stringify({ defaults: { transport, [end]: value }, rules: rows })
          : csv(rows, `# transport = ${transport}\n# ${end} = ${value}`);
        const { domain, notes } = of(text);
        expect(notes).toEqual([]);
        for (const code of [STANDARD_CODE[transport], 48_879] as const) {
          const option = optionOfDomain(domain, code);
          const hex = serverFormats.hex(option);
          for (const format of Object.keys(serverFormats) as ServerFormat[]) {
            expect(optionIn(format, serverFormats[format](option))).toBe(hex);
          }
          const decoded = code === 48_879 ? fromOption48879(hex.slice(8)) : fromPassthru(hex)[0];
          expect(decoded).toMatchObject({ remarks: [], domain: { transport, legacyInterfaceId: false } });
          expect(decoded?.domain.rules).toEqual(rules);
        }
      }),
      { numRuns: 30 },
    );
  });
});

const two = (second: object, defaults: object = { transport: "map-e", br: "2001:db8:ffff::1" }) =>
  JSON.stringify({
    defaults,
    rules: [
      { ruleIpv6Prefix: "2001:db8::/40", ruleIpv4Prefix: "192.0.2.0/24", eaLength: 16 },
      { ruleIpv6Prefix: "2001:db8:100::/40", ruleIpv4Prefix: "198.51.100.0/24", eaLength: 16, ...second },
    ],
  });
const CSV = [
  "# br = 2001:db8:ffff::1",
  "ruleIpv6Prefix,ruleIpv4Prefix,eaLength,fmr",
  "2001:db8::/40,192.0.2.0/24,16,",
  "",
  "2001:db8:100::/40,198.51.100.0/24,16,1",
  "2001:db8:200::/40,203.0.113.0/24,16,",
].join("\n");

describe("which rows", () => {
  const wheres = (text: string, choice: Partial<RowChoice>) =>
    of(text, choice).rules.map(({ where }) => where);
  test.each<[string, Partial<RowChoice>, readonly string[]]>([
    ["all", {}, ["line 3", "line 5", "line 6"]],
    ["by the number of the line", { rows: [5] }, ["line 5"]],
    ["several, each once, in the order asked for", { rows: [6, 3, 6] }, ["line 6", "line 3"]],
    ["that of a customer", { endUserPrefixes: [parseIpv6Prefix("2001:db8:212:3400::/56")] }, ["line 6"]],
  ])("%s", (_title, choice, expected) => {
    expect(wheres(CSV, choice)).toEqual(expected);
  });

  test("a customer gets the forwarding rules too", () => {
    const { domain } = of(CSV, { endUserPrefixes: [parseIpv6Prefix("2001:db8:212:3400::/56")] });
    expect(domain.rules.map(({ ipv6Prefix, forward }) => [formatIpv6Prefix(ipv6Prefix), forward])).toEqual([
      ["2001:db8:200::/40", false],
      ["2001:db8:100::/40", true],
    ]);
  });

  test("rows of another transport are left out where one is named", () => {
    const text = two({ transport: "map-t", dmr: "2001:db8:fffe::/64" });
    expect(wheres(text, { transport: "map-t" })).toEqual(["rules[1]"]);
    expect(wheres(text, { transport: "map-e" })).toEqual(["rules[0]"]);
  });

  test("a row that does not say its transport has the one that is named", () => {
    const text = two({}, { br: "2001:db8:ffff::1", dmr: "2001:db8:ffff::/64" });
    const endUserPrefixes = [parseIpv6Prefix("2001:db8:112:3400::/56")];
    for (const choice of [{}, { endUserPrefixes }])
      expect(of(text, { ...choice, transport: "map-t" }).domain.transport).toBe("map-t");
  });

  test("that of a customer is of the transport that is named", () => {
    const longer = { ruleIpv6Prefix: "2001:db8:0::/44", transport: "map-t", dmr: "2001:db8:fffe::/64" };
    const endUserPrefixes = [parseIpv6Prefix("2001:db8:2:3400::/60")];
    expect(wheres(two(longer), { endUserPrefixes })).toEqual(["rules[1]"]);
    expect(wheres(two(longer), { endUserPrefixes, transport: "map-e" })).toEqual(["rules[0]"]);
  });

  test("one customer of lw4o6", () => {
    const text = two({}, { transport: "lw4o6", br: "2001:db8:ffff::1" });
    expect(of(text, { rows: [1] }).domain).toMatchObject({ transport: "lw4o6", rules: [{ eaLength: 16 }] });
  });

  test("a bad row of others is a note to a customer's", () => {
    const endUserPrefixes = [parseIpv6Prefix("2001:db8:12:3400::/56")];
    const { notes } = of(two({ ruleIpv6Prefix: "x" }), { endUserPrefixes });
    expect(notes).toEqual([expect.stringMatching(/^rules\[1\]\.ruleIpv6Prefix: .*; this row is left out$/)]);
  });
});

describe("what an option cannot say", () => {
  test.each<[string, string, Partial<RowChoice>, string]>([
    [
      "two border relays",
      two({ br: "2001:db8:ffff::2" }),
      {},
      "rules[1].br: is not that of rules[0]: an option has one for all its rules, choose rows with --row or --pd",
    ],
    [
      "two DMRs",
      two({ dmr: "2001:db8:ff00::/56" }, { transport: "map-t", dmr: "2001:db8:ffff::/64" }),
      {},
      "rules[1].dmr: is not that of rules[0]: an option has one for all its rules, choose rows with --row or --pd",
    ],
    [
      "two transports",
      two({ transport: "map-t", dmr: "2001:db8:fffe::/64" }),
      {},
      "rules[1].transport: is map-t, and that of rules[0] is map-e: an option has one, choose with --transport, --row or --pd",
    ],
    [
      "one prefix twice",
      two({ ruleIpv6Prefix: "2001:db8::1/40" }),
      {},
      "rules[1].ruleIpv6Prefix: is that of rules[0] too: delete one of them, or choose rows with --row or --pd",
    ],
    [
      "two customers of lw4o6",
      two({}, { transport: "lw4o6", br: "2001:db8:ffff::1" }),
      {},
      "rules[1].transport: option 96 has one customer's address, and rules[0] is another customer: choose rows with --row or --pd",
    ],
    ["no such row", CSV, { rows: [4] }, "row: 4 is not a row of the table, which has line 3 to line 6"],
    ["no row of the transport", two({}), { transport: "map-t" }, "transport: no row is for map-t"],
    ["a bad row", two({ eaLength: 49 }), {}, "rules[1].eaLength: 49 is not 0 to 48"],
    [
      "a customer without a rule",
      CSV,
      { endUserPrefixes: [parseIpv6Prefix("2001:db9::/48")] },
      "end-user prefix: no rule matches: the delegated prefixes are 2001:db9::/48; the rules are for 2001:db8::/40, 2001:db8:100::/40, 2001:db8:200::/40",
    ],
  ])("%s is refused", (_title, text, choice, message) => {
    expect(refusal(() => of(text, choice))).toBe(message);
  });

  test("a bad row is passed over when another one is chosen", () => {
    expect(of(two({ eaLength: 49 }), { rows: [0] }).rules).toHaveLength(1);
  });

  test("the drafts' identifier and an MTU are notes, once each", () => {
    const { domain, notes } = of(two({ mtu: 1460 }, { br: "2001:db8:ffff::1", legacy: true }));
    expect(domain.legacyInterfaceId).toBe(false);
    expect(notes).toEqual([
      "rules[0].legacy: no option can say this; the customers' routers need `option legacymap '1'`",
      "rules[1].mtu: no option can say this; the customers' routers need `option mtu '1460'`",
    ]);
    const prefixes = [parseIpv6Prefix("2001:db8:112:3400::/56")];
    const theirs = of(two({ mtu: 1460 }, { br: "2001:db8:ffff::1", legacy: true }), {
      endUserPrefixes: prefixes,
    });
    expect(theirs.domain.legacyInterfaceId).toBe(false);
    expect(theirs.notes).toEqual([
      "rules[1].legacy: no option can say this; the customers' routers need `option legacymap '1'`",
      "rules[1].mtu: no option can say this; the customers' routers need `option mtu '1460'`",
    ]);
  });
});
