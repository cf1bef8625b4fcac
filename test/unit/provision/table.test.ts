import { describe, expect, test } from "vitest";
import { formatIpv4Prefix, formatIpv6, formatIpv6Prefix, parseIpv6Prefix } from "../../../src/ip/text.ts";
import {
  chooseRow,
  parseTable,
  ruleOf,
  type TableOptions,
  type TableRule,
} from "../../../src/provision/table.ts";
import { refusal } from "../../support/refusal.ts";

const BR = "2001:db8:ffff::1";
const good = {
  ruleIpv6Prefix: "2001:db8::/40",
  ruleIpv4Prefix: "192.0.2.0/24",
  eaLength: 16,
  br: BR,
};

/** A table of rows, as JSON. */
const json = (rules: readonly unknown[], defaults: object = {}) => JSON.stringify({ defaults, rules });

/** What a row gives, as a person would write it. */
function shown({ where, rule, domain, mtu }: TableRule) {
  if (domain === undefined) return `${where} is bad: ${rule.unusable?.message}`;
  const { psidLength, psid } = rule.explicitPsid ?? { psidLength: undefined, psid: undefined };
  return {
    where,
    ipv6: formatIpv6Prefix(rule.ipv6Prefix),
    ipv4: formatIpv4Prefix(rule.ipv4Prefix),
    ea: rule.eaLength,
    offset: rule.psidOffset,
    fmr: rule.forward,
    psid,
    psidLength,
    transport: domain.transport,
    dmr: domain.dmr && formatIpv6Prefix(domain.dmr),
    br: domain.borderRelays.map(formatIpv6),
    legacy: domain.legacyInterfaceId,
    others: domain.rules.slice(1).map((other) => formatIpv6Prefix(other.ipv6Prefix)),
    mtu,
  };
}

function rulesOf(text: string, options?: TableOptions) {
  const { rows, defaults } = parseTable(text);
  return rows.map((row) => shown(ruleOf(row, defaults, options)));
}

const plain = {
  ipv6: "2001:db8::/40",
  ipv4: "192.0.2.0/24",
  ea: 16,
  offset: 6,
  fmr: false,
  psid: undefined,
  psidLength: undefined,
  transport: "map-e",
  dmr: undefined,
  br: [BR],
  legacy: false,
  others: [],
  mtu: undefined,
};

describe("what a row gives", () => {
  test.each([
    ["the least", good, {}],
    [
      "every field of MAP-T",
      {
        "rule-ipv6-prefix": "2001:db8:1::/48",
        "rule-ipv4-prefix": "198.51.100.7/32",
        "ea-length": "0",
        "psid-offset": "4",
        "psid-length": 8,
        psid: "52",
        transport: "map-t",
        dmr: "2001:db8:ffff::/64",
        legacy: true,
        mtu: 1400,
        fmr: "1",
        comment: { any: "thing" },
        br: null,
      },
      {
        ipv6: "2001:db8:1::/48",
        ipv4: "198.51.100.7/32",
        ea: 0,
        offset: 4,
        psidLength: 8,
        psid: 52,
        transport: "map-t",
        dmr: "2001:db8:ffff::/64",
        br: [],
        legacy: true,
        mtu: 1400,
        fmr: true,
      },
    ],
    [
      "bits behind the length",
      { ...good, ruleIpv6Prefix: "2001:db8:0:1::/40", ruleIpv4Prefix: "192.0.2.9/24" },
      {},
    ],
    [
      "lw4o6",
      { ...good, ruleIpv4Prefix: "192.0.2.1/32", eaLength: null, transport: "lw4o6" },
      { ipv4: "192.0.2.1/32", ea: 0, offset: 0, transport: "lw4o6" },
    ],
    ["lw4o6 with EA bits", { ...good, transport: "lw4o6" }, { offset: 0, transport: "lw4o6" }],
    ["legacy", { ...good, legacy: "true" }, { offset: 4, legacy: true }],
    ["not legacy", { ...good, legacy: "0", fmr: false }, {}],
    ["legacy with an offset", { ...good, legacy: true, psidOffset: 0 }, { offset: 0, legacy: true }],
    ["PSID 0 of 0 bits", { ...good, psid: 0, psidLength: 0 }, {}],
    ["the length of the PSID alone", { ...good, psidLength: 8 }, {}],
    [
      "as long as can be",
      { ...good, ruleIpv6Prefix: "2001:db8::/112", eaLength: 16 },
      { ipv6: "2001:db8::/112" },
    ],
    ["an IPv4 prefix", { ...good, eaLength: 4, psidOffset: 15 }, { ea: 4, offset: 15 }],
    ["offset and PSID of 16 bits", { ...good, psidOffset: 8 }, { offset: 8 }],
  ])("%s", (_title, row, differs) => {
    expect(rulesOf(json([row]))).toEqual([{ where: "rules[0]", ...plain, ...differs }]);
  });

  test("defaults are for rows that do not say otherwise", () => {
    const defaults = {
      br: BR,
      "ea-length": 16,
      psidOffset: 4,
      transport: "map-e",
      legacy: true,
      mtu: 1300,
      dmr: "2001:db8:fffe::/64",
    };
    const { eaLength: _, br: __, ...bare } = good;
    expect(
      rulesOf(
        json(
          [
            bare,
            { ...bare, br: "2001:db8::2", eaLength: 8, psidOffset: 6, legacy: false, mtu: 1500 },
            { ...bare, transport: "map-t" },
          ],
          defaults,
        ),
      ),
    ).toEqual([
      { where: "rules[0]", ...plain, offset: 4, legacy: true, mtu: 1300 },
      { where: "rules[1]", ...plain, br: ["2001:db8::2"], ea: 8, mtu: 1500 },
      {
        where: "rules[2]",
        ...plain,
        offset: 4,
        legacy: true,
        mtu: 1300,
        transport: "map-t",
        br: [],
        dmr: "2001:db8:fffe::/64",
      },
    ]);
  });

  test("the interface's options are for what the table does not say", () => {
    const dmr = "2001:db8:ffff::/64";
    expect(rulesOf(json([{ ...good, dmr }]), { transport: "map-t", legacymap: true })).toEqual([
      { where: "rules[0]", ...plain, transport: "map-t", br: [], dmr, legacy: true, offset: 4 },
    ]);
    expect(
      rulesOf(json([{ ...good, transport: "map-e", legacy: false }]), {
        transport: "map-t",
        legacymap: true,
      }),
    ).toEqual([{ where: "rules[0]", ...plain }]);
  });

  test.each([
    ["7", "rules[0]: is not an object"],
    ["null", "rules[0]: is not an object"],
    ["[]", "rules[0]: is not an object"],
    [{ ruleIpv4Prefix: "192.0.2.0/24" }, "rules[0].ruleIpv6Prefix: is missing"],
    [{ ...good, ruleIpv6Prefix: 7 }, "rules[0].ruleIpv6Prefix: is not text"],
    [
      { ...good, ruleIpv6Prefix: "2001:db8::" },
      'rules[0].ruleIpv6Prefix: "2001:db8::" has no length of 0 to 128 after a slash',
    ],
    [
      { ...good, ruleIpv6Prefix: "2001:db8::/129" },
      'rules[0].ruleIpv6Prefix: "2001:db8::/129" has no length of 0 to 128 after a slash',
    ],
    [
      { ...good, ruleIpv6Prefix: "192.0.2.0/24" },
      'rules[0].ruleIpv6Prefix: "192.0.2.0" is not an IPv6 address',
    ],
    [
      '{"ruleIpv6Prefix":"::/0","rule-ipv6-prefix":"2001:db8::/40"}',
      "rules[0].ruleIpv6Prefix: is given twice",
    ],
  ])("%j has no prefix that can be read", (row, expected) => {
    const text = typeof row === "string" ? `{"rules":[${row}]}` : json([row]);
    const { rows, defaults } = parseTable(text);
    expect(rows.map((one) => refusal(() => ruleOf(one, defaults)))).toEqual([expected]);
  });

  test.each([
    [{ ...good, ruleIpv4Prefix: "" }, "ruleIpv4Prefix: is missing"],
    [
      { ...good, ruleIpv4Prefix: "192.0.2.0/33" },
      'ruleIpv4Prefix: "192.0.2.0/33" has no length of 0 to 32 after a slash',
    ],
    [{ ...good, eaLength: undefined }, "eaLength: is missing"],
    [{ ...good, eaLength: "x" }, 'eaLength: "x" is not 0 to 48'],
    [{ ...good, eaLength: -1 }, "eaLength: -1 is not 0 to 48"],
    [{ ...good, eaLength: 1.5 }, "eaLength: 1.5 is not 0 to 48"],
    [{ ...good, eaLength: true }, "eaLength: true is not 0 to 48"],
    [{ ...good, eaLength: [16] }, "eaLength: what is given is not 0 to 48"],
    [{ ...good, eaLength: 49 }, "eaLength: 49 is not 0 to 48"],
    [{ ...good, ruleIpv6Prefix: "2001:db8::/113" }, "eaLength: 16 bits do not fit behind the prefix"],
    [{ ...good, psidOffset: 16 }, "psidOffset: 16 is not 0 to 15"],
    [{ ...good, psidOffset: 9 }, "eaLength: PSID offset 9 and length 8 exceed 16 bits together"],
    [
      { ...good, psidOffset: 9, psidLength: 8, psid: 0 },
      "psidLength: PSID offset 9 and length 8 exceed 16 bits together",
    ],
    [{ ...good, psidLength: 8, psid: 256 }, "psidLength: PSID 256 does not fit 8 bits"],
    [{ ...good, psidLength: 17 }, "psidLength: 17 is not 0 to 16"],
    [{ ...good, psid: 65_536, psidLength: 16 }, "psid: 65536 is not 0 to 65535"],
    [{ ...good, psid: 1 }, "psid: PSID 1 is given without rules[0].psidLength, its number of bits"],
    [
      { ...good, psidLength: 7 },
      "psidLength: 7 does not agree with rules[0].eaLength: 16 EA bits minus 8 bits of the IPv4 address leave 8 bits for the PSID",
    ],
    [{ ...good, transport: "gre" }, 'transport: "gre" is not one of map-t, map-e, lw4o6'],
    [{ ...good, transport: 7 }, "transport: is not text"],
    [{ ...good, br: undefined }, "br: is missing"],
    [{ ...good, br: "192.0.2.1" }, 'br: "192.0.2.1" is not an IPv6 address'],
    [{ ...good, br: "2001:db8::/64" }, 'br: "2001:db8::/64" is not an IPv6 address'],
    [{ ...good, transport: "map-t" }, "dmr: is missing"],
    [
      { ...good, transport: "map-t", dmr: "2001:db8::/65" },
      "dmr: /65 is not one of /32, /40, /48, /56, /64, /96 (RFC 6052 s2.2)",
    ],
    [{ ...good, legacy: 2 }, "legacy: is not true or false"],
    [{ ...good, legacy: "toString" }, "legacy: is not true or false"],
    [{ ...good, legacy: ["1"] }, "legacy: is not true or false"],
    [{ ...good, fmr: "x" }, "fmr: is not true or false"],
    [{ ...good, mtu: 1279 }, "mtu: 1279 is not 1280 to 65535"],
    [{ ...good, mtu: 65_536 }, "mtu: 65536 is not 1280 to 65535"],
    [{ ...good, psidOfset: 4 }, "psidOfset: is not known"],
    [{ ...good, ["x".repeat(99)]: 4 }, `${"x".repeat(60)}: is not known`],
    [{ ...good, constructor: 4 }, "constructor: is not known"],
    [{ ...good, "ea-length": 4 }, "eaLength: is given twice"],
  ])("%j is a bad row", (row, expected) => {
    expect(rulesOf(json([row]))).toEqual([`rules[0] is bad: rules[0].${expected}`]);
  });

  test("a bad row is a rule for its prefix that cannot be used", () => {
    const { rows, defaults } = parseTable(json([{ ...good, eaLength: "x", fmr: true, transport: "map-t" }]));
    expect(rows.map((row) => ruleOf(row, defaults))).toEqual([
      {
        where: "rules[0]",
        rule: {
          ipv6Prefix: parseIpv6Prefix("2001:db8::/40"),
          ipv4Prefix: { address: 0, length: 0 },
          eaLength: 0,
          forward: false,
          psidOffset: 0,
          unusable: expect.objectContaining({ field: "rules[0].eaLength", code: "INVALID_OPTION" }),
        },
      },
    ]);
  });
});

test("a row alone is a domain of its one rule", () => {
  const { rows, defaults } = parseTable(json([good]));
  for (const { rule, domain } of rows.map((row) => ruleOf(row, defaults)))
    expect(domain?.rules).toEqual([rule]);
});

const pd = ["2001:db8:12:3400::/56"].map((text) => parseIpv6Prefix(text));

/** The row that is chosen, and the remarks. */
function chosen(text: string, options?: TableOptions, prefixes = pd) {
  const found = chooseRow(parseTable(text), prefixes, options);
  return { ...(shown(found) as object), remarks: found.remarks };
}

describe("the row that is chosen", () => {
  const at = (length: number, more: object = {}) => ({
    ...good,
    ruleIpv6Prefix: `2001:db8::/${length}`,
    ...more,
  });

  test("has the longest prefix that matches, wherever it stands", () => {
    const rows = [at(32), at(40), at(36), { ...good, ruleIpv6Prefix: "2001:db8:100::/40" }, at(48)];
    expect(chosen(json(rows))).toEqual({ where: "rules[1]", ...plain, remarks: [] });
    expect(chosen(json([...rows].reverse()))).toEqual({ where: "rules[3]", ...plain, remarks: [] });
  });

  test("is the first of equals", () => {
    expect(chosen(json([at(32), at(40), at(40, { eaLength: 8 })]))).toEqual({
      where: "rules[1]",
      ...plain,
      remarks: [],
    });
  });

  test("has room for its EA bits", () => {
    const rows = [at(32), at(40, { eaLength: 17 })];
    expect(chosen(json(rows))).toEqual({ where: "rules[0]", ...plain, ipv6: "2001:db8::/32", remarks: [] });
  });

  test("is of the transport that is asked for, and so are the forwarding rules", () => {
    const dmr = "2001:db8:ffff::/64";
    const encapsulated = { transport: "map-e" };
    const translated = { transport: "map-t", dmr };
    const rows = [
      at(32, { ...translated, fmr: true }),
      at(40, { fmr: 1 }),
      { ...good, ruleIpv6Prefix: "2001:db8:100::/40", fmr: true },
      { ...good, ruleIpv6Prefix: "2001:db8:200::/40", fmr: false },
      { ...good, ruleIpv6Prefix: "2001:db8:300::/40", fmr: true, ...translated },
      { ...good, ruleIpv6Prefix: "2001:db8:400::/40", fmr: true },
    ];
    expect(chosen(json(rows, encapsulated))).toEqual({
      where: "rules[1]",
      ...plain,
      fmr: true,
      others: ["2001:db8:100::/40", "2001:db8:400::/40"],
      remarks: [],
    });
    expect(chosen(json(rows, encapsulated), { transport: "map-t" })).toEqual({
      where: "rules[0]",
      ...plain,
      ipv6: "2001:db8::/32",
      transport: "map-t",
      br: [],
      dmr,
      fmr: true,
      others: ["2001:db8:300::/40"],
      remarks: [],
    });
  });

  test("may be that of the second prefix of the link", () => {
    const prefixes = ["2001:db9::/56", "2001:db8:12:3400::/56"].map((text) => parseIpv6Prefix(text));
    expect(chosen(json([at(40)]), {}, prefixes)).toEqual({ where: "rules[0]", ...plain, remarks: [] });
  });

  test.each([
    ["a shorter one", [at(40, { eaLength: "x" }), at(32)], 'rules[0].eaLength: "x" is not 0 to 48'],
    ["no other", [at(40, { typo: 1 })], "rules[0].typo: is not known"],
    ["an equal one behind it", [at(40, { br: "" }), at(40)], "rules[0].br: is missing"],
    [
      "its transport is not to be told",
      [at(40, { transport: "x" }), at(32)],
      'rules[0].transport: "x" is not one of map-t, map-e, lw4o6',
    ],
  ])("a bad row that matches is not passed over for %s", (_title, rows, expected) => {
    expect(refusal(() => chosen(json(rows)))).toBe(expected);
    expect(refusal(() => chosen(json(rows), { transport: "map-e" }))).toBe(expected);
  });

  test("bad rows that cannot have matched better are told", () => {
    const rows = [
      at(32, { br: "x" }),
      at(40),
      at(40, { br: "y" }),
      { ...good, ruleIpv6Prefix: "2001:db8:12:/48" },
      { ...good, ruleIpv6Prefix: "2001:db8:100::/40", br: "not looked at" },
      { ...good, ruleIpv6Prefix: "2001:db8:200::/40", fmr: "maybe" },
      7,
    ];
    const remark = (text: string) => ({ code: "bad-row", path: "rules", text });
    expect(chosen(json(rows))).toEqual({
      where: "rules[1]",
      ...plain,
      remarks: [
        remark('rules[0].br: "x" is not an IPv6 address; this row is left out'),
        remark('rules[2].br: "y" is not an IPv6 address; this row is left out'),
        remark('rules[3].ruleIpv6Prefix: "2001:db8:12:" is not an IPv6 address; this row is left out'),
        remark("rules[5].fmr: is not true or false; this row is left out, and 1 more"),
      ],
    });
    expect(
      chosen(json(rows.slice(0, 6)))
        .remarks.map(({ text }) => text)
        .at(-1),
    ).toBe("rules[5].fmr: is not true or false; this row is left out");
  });

  test("where none matches, the error says why, and which rows could not be read", () => {
    const said = (rows: readonly unknown[], prefixes = pd) => refusal(() => chosen(json(rows), {}, prefixes));
    const far = (n: number) => ({ ...good, ruleIpv6Prefix: `2001:db9:${n}::/48` });
    expect(said([far(1), far(2)])).toBe(
      "end-user prefix: no rule matches: the delegated prefixes are 2001:db8:12:3400::/56; the rules are for 2001:db9:1::/48, 2001:db9:2::/48",
    );
    expect(said([1, 2, 3, 4].map(far), [])).toMatch(/2001:db9:4::\/48$/);
    expect(said([1, 2, 3, 4, 5, 6].map(far), [])).toBe(
      "end-user prefix: no rule matches: no prefix has been delegated yet; the rules are for 2001:db9:1::/48, 2001:db9:2::/48, 2001:db9:3::/48, 2001:db9:4::/48 and 2 more",
    );
    expect(said([far(1), at(48), at(40, { eaLength: 20, psidOffset: 4 })])).toBe(
      "end-user prefix: 2001:db8:12:3400::/56 is too short: the rule for 2001:db8::/40 has 20 EA bits and needs /60 or longer",
    );
    expect(said([{}, 7])).toBe(
      "end-user prefix: no rule matches: the delegated prefixes are 2001:db8:12:3400::/56; the rules are for nothing; rules[0].ruleIpv6Prefix: is missing; this row is left out; rules[1]: is not an object; this row is left out",
    );
  });
});

describe("a text that is no table", () => {
  test.each([
    ["", "table: does not have 1 to 20000 rules"],
    ["\n# a comment\n", "table: does not have 1 to 20000 rules"],
    ["{", "table: is not JSON"],
    ['{"rules":[]}x', "table: is not JSON"],
    ["[".repeat(100_000), "table: is not JSON"],
    ["[]", "table: is not an object"],
    ["{}", "rules: is not a list"],
    ['{"rules":null}', "rules: is not a list"],
    ['{"rules":{}}', "rules: is not a list"],
    ['{"rules":[]}', "table: does not have 1 to 20000 rules"],
    ['{"rules":[{}],"default":{}}', "table.default: is not known"],
    ['{"rules":[{}],"rules":[{}]}', "table.rules: is given twice"],
    ['{"rules":[{}],"r\\u0075les":[{}]}', "table.rules: is given twice"],
    ['{"rules":[{}],"defaults":7}', "defaults: is not an object"],
    ['{"rules":[{}],"defaults":{"psid":7}}', "defaults.psid: is not known"],
    ['{"rules":[{}],"defaults":{"br":"x"}}', 'defaults.br: "x" is not an IPv6 address'],
    ['{"rules":[{}],"defaults":{"br":"::1","br":"::2"}}', "defaults.br: is given twice"],
    ["ruleIpv6Prefix,psidOfset\n::/0,4", "line 1, psidOfset: is not known"],
    ["ruleIpv6Prefix;psid\n::/0;4", "line 1, ruleIpv6Prefix;psid: is not known"],
    ["psid,ruleIpv6Prefix,psid\n1,::/0,4", "line 1, psid: is given twice"],
    ["psid,\n1,2", "line 1, : is not known"],
    ['ruleIpv6Prefix,"psid\n::/0,4', "line 1: a quote is not closed, or stands inside a cell"],
    ["ruleIpv6Prefix\n", "table: does not have 1 to 20000 rules"],
    ["# psid = 4\nruleIpv6Prefix\n::/0", "defaults.psid: is not known"],
    ["# br = ::1\n# br = ::1\nruleIpv6Prefix\n::/0", "defaults.br: is given twice"],
    ["# br = \u001b[2J\nruleIpv6Prefix\n::/0", 'defaults.br: " [2J" is not an IPv6 address'],
  ])("%j", (text, expected) => {
    expect(refusal(() => parseTable(text))).toBe(expected);
  });

  test.each(["\ufeff", " \r\n\t"])("%j in front of JSON is nothing", (front) => {
    expect(rulesOf(front + json([good]))).toEqual([{ where: "rules[0]", ...plain }]);
  });
});

test("20,000 rules, and not one more", () => {
  const rows = Array.from({ length: 20_000 }, () => good);
  const cells = `ruleIpv6Prefix\n${"x\n".repeat(20_000)}`;
  expect(parseTable(json(rows)).rows).toHaveLength(20_000);
  expect(parseTable(cells).rows).toHaveLength(20_000);
  for (const text of [json([...rows, good]), `${cells}x`, `${cells}${"x\n".repeat(100_000)}`]) {
    expect(refusal(() => parseTable(text))).toBe("table: does not have 1 to 20000 rules");
  }
});

test("a field that a row has twice makes that row bad, and no other", () => {
  const row = JSON.stringify(good);
  const twice = (key: string) => row.replace("{", `{"${key}" \n: 8,`);
  const text = `{"rules":[{"comment":"\\"eaLength\\":{"},${row},[{"a":1,"a":2}],${twice("eaLength")},7,${twice("ea\\u004cength")},${twice("psid")},${row}],"defaults":{}}`;
  const { rows, defaults } = parseTable(text);
  const said = rows.map((one) => {
    let found: unknown;
    const refused = refusal(() => {
      found = shown(ruleOf(one, defaults));
    });
    return found ?? refused;
  });
  expect(said).toEqual([
    "rules[0].ruleIpv6Prefix: is missing",
    { where: "rules[1]", ...plain },
    "rules[2]: is not an object",
    "rules[3] is bad: rules[3].eaLength: is given twice",
    "rules[4]: is not an object",
    "rules[5] is bad: rules[5].eaLength: is given twice",
    "rules[6] is bad: rules[6].psid: PSID 8 is given without rules[6].psidLength, its number of bits",
    { where: "rules[7]", ...plain },
  ]);
});

test("a row that is a text is counted as one", () => {
  const twice = JSON.stringify(good).replace("{", '{"eaLength":8,');
  const { rows, defaults } = parseTable(`{"rules":["x",${twice}]}`);
  expect(rows[0]?.fault?.message).toBe("rules[0]: is not an object");
  expect(rows.slice(1).map((row) => shown(ruleOf(row, defaults)))).toEqual([
    "rules[1] is bad: rules[1].eaLength: is given twice",
  ]);
});

test("what stands in front of the rules is not counted among them", () => {
  const row = JSON.stringify(good);
  const twice = row.replace("{", '{"eaLength":8,');
  const text = `{"defaults":{"mtu":1300,"legacy":false,"br":"::1"},"rules":[${row},${twice}]}`;
  expect(rulesOf(text)).toEqual([
    { where: "rules[0]", ...plain, mtu: 1300 },
    "rules[1] is bad: rules[1].eaLength: is given twice",
  ]);
});

describe("CSV", () => {
  const head = "ruleIpv6Prefix,ruleIpv4Prefix,eaLength,br";
  const line = `2001:db8::/40,192.0.2.0/24,16,${BR}`;

  test.each([
    ["lines", `${head}\n${line}\n`, 2],
    ["no last line end", `${head}\n${line}`, 2],
    ["CRLF and a byte order mark", `\ufeff${head}\r\n${line}\r\n`, 2],
    ["CR alone", `${head}\r${line}\r`, 2],
    ["blanks", ` ${head.replaceAll(",", " ,\t")} \n ${line.replaceAll(",", " , ")} `, 2],
    ["empty lines", `\n\r\n${head}\n , ,,\n\n${line}`, 6],
    ["a default in a comment that begins with more words", `# not # psidOffset = 4\n${head}\n${line}`, 3],
    ["comments", `# psid offset 4\n#\n${head}\n#2001:db8::/33,x\n${line}`, 5],
    ["defaults", `#psid-offset= 6\n# transport = map-e\n${head}\n${line}`, 4],
    ["a default behind the rows", `${head}\n${line}\n# psidOffset=6`, 2],
    ["a default without a value", `# legacy =\n${head}\n${line}`, 3],
    ["names with dashes", `rule-ipv6-prefix,rule-ipv4-prefix,ea-length,br\n${line}`, 2],
    [
      "quotes",
      `"ruleIpv6Prefix", "ruleIpv4Prefix" ,eaLength,br,comment\n"2001:db8::/40" ,192.0.2.0/24,\t"16",${BR},"a ""b"", c"`,
      2,
    ],
    ["empty cells", `${head},psid,psidLength,dmr,comment\n${line},,,,""`, 2],
  ])("%s", (_title, text, number) => {
    expect(rulesOf(text)).toEqual([{ where: `line ${number}`, ...plain }]);
  });

  test("a default may stand at the sign itself, or behind several blanks", () => {
    for (const start of ["#", "# ", "#  \t"])
      expect(rulesOf(`${start}psidOffset=4\n${head}\n${line}`)).toEqual([
        { where: "line 3", ...plain, offset: 4 },
      ]);
  });

  test("two quotes in a quoted cell are one, and a byte order mark elsewhere is not passed over", () => {
    const row = (transport: string) => `${head},transport\n${line},${transport}`;
    expect(rulesOf(row('"map""-e"'))).toEqual([
      'line 2 is bad: line 2, transport: "map"-e" is not one of map-t, map-e, lw4o6',
    ]);
    expect(rulesOf(row("map\ufeff-e"))).toEqual([expect.stringContaining("line 2, transport: ")]);
  });

  test("a row that ends before its prefix is told as such", () => {
    const { rows, defaults } = parseTable("ruleIpv4Prefix,eaLength,ruleIpv6Prefix\n192.0.2.0/24,16");
    expect(rows.map((row) => refusal(() => ruleOf(row, defaults)))).toEqual([
      "line 2: 2 cells are not 3, one for each column",
    ]);
  });

  test("is the same table as JSON", () => {
    const text = `# br=${BR}\n# psidOffset=4\n# mtu=1400\nfmr,transport,dmr,ruleIpv6Prefix,ruleIpv4Prefix,eaLength,legacy\n1,,,2001:db8::/40,192.0.2.0/24,16,\n0,map-t,64:ff9b::/96,2001:db8:100::/40,198.51.100.0/24,12,1\n`;
    expect(rulesOf(text)).toEqual([
      { where: "line 5", ...plain, offset: 4, mtu: 1400, fmr: true },
      {
        where: "line 6",
        ...plain,
        ipv6: "2001:db8:100::/40",
        ipv4: "198.51.100.0/24",
        ea: 12,
        offset: 4,
        mtu: 1400,
        transport: "map-t",
        br: [],
        dmr: "64:ff9b::/96",
        legacy: true,
      },
    ]);
  });

  test.each([
    ["2001:db8::/40,192.0.2.0/24,16", "line 3: 3 cells are not 4, one for each column"],
    [`${line},7`, "line 3: 5 cells are not 4, one for each column"],
    [`2001:db8::/40,192.0.2.0/24,"16,${BR}`, "line 3: a quote is not closed, or stands inside a cell"],
    [`2001:db8::/40,192.0.2.0/24,1"6",${BR}`, "line 3: a quote is not closed, or stands inside a cell"],
    [`2001:db8::/40,192.0.2.0/24,"1"6,${BR}`, "line 3: a quote is not closed, or stands inside a cell"],
    [`2001:db8::/40,192.0.2.0/24,x,${BR}`, 'line 3, eaLength: "x" is not 0 to 48'],
    [`"2001:db8::/40","192.0.2.0/24",16,"${BR}`, "line 3: a quote is not closed, or stands inside a cell"],
    ["2001:db8::/40,,16,::1", "line 3, ruleIpv4Prefix: is missing"],
  ])("%s is a bad row between good ones", (bad, expected) => {
    expect(rulesOf([head, line, bad, line].join("\n"))).toEqual([
      { where: "line 2", ...plain },
      `line 3 is bad: ${expected}`,
      { where: "line 4", ...plain },
    ]);
  });
});
