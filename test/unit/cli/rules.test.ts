import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { explain } from "../../../src/cli/explain.ts";
import { runMapminctl } from "../../../src/cli/mapminctl.ts";
import { rulesHelp, runRules } from "../../../src/cli/rules.ts";
import { parseIpv6Prefix } from "../../../src/ip/text.ts";
import { EffectError, MapminError } from "../../../src/wire/errors.ts";
import { makeTerminal } from "./terminal.ts";

const vector = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../vectors/rules/${name}`, import.meta.url)), "utf8");

function run(text: string | undefined, ...argv: readonly string[]) {
  const terminal = makeTerminal();
  const read: (readonly unknown[])[] = [];
  const files = {
    readText: (...asked: readonly unknown[]) => {
      read.push(asked);
      return text;
    },
  };
  const code = runRules(["check", "/r", ...argv], { ...terminal, files });
  expect(read).toEqual([["/r", 2_097_152]]);
  return { code, out: terminal.out(), err: terminal.err() };
}

const PD = ["--pd", "2001:db8:12:3400::/56"];
const edge = `customer edge (map-e)
  IPv4             192.0.2.18/32
  PSID             52 (0x34), 8 bits, offset 4
  MAP address      2001:db8:12:3400:0:c000:212:34
  ports            240 in 15 ranges: 4928-4943 9024-9039 13120-13135 17216-17231
                   21312-21327 25408-25423 29504-29519 33600-33615 37696-37711
                   41792-41807 45888-45903 49984-49999 54080-54095 58176-58191
                   62272-62287
`;

describe("rules check", () => {
  test("what each row gives", () => {
    expect(run(vector("table.json"))).toEqual({
      code: 0,
      err: "",
      out: `rules[0]: 2001:db8::/40 192.0.2.0/24 map-e
  65536 customers, 256 share an address, 240 ports each in 15 ranges
  first  2001:db8::/56              192.0.2.0/32, PSID 0 of 8 bits
  last   2001:db8:ff:ff00::/56      192.0.2.255/32, PSID 255 of 8 bits
rules[1]: 2001:db8:100::/40 198.51.100.0/24 map-e, forwarding
  65536 customers, 256 share an address, 240 ports each in 15 ranges
  first  2001:db8:100::/56          198.51.100.0/32, PSID 0 of 8 bits
  last   2001:db8:1ff:ff00::/56     198.51.100.255/32, PSID 255 of 8 bits
rules[2]: 2001:db8:200::/48 203.0.113.1/32 map-e
  1 customer, 256 share an address, 240 ports each in 15 ranges
  only   2001:db8:200::/48          203.0.113.1/32, PSID 52 of 8 bits
rules[3]: 2001:db8:300::/40 203.0.113.0/28 map-t
  4 customers, a prefix /30 each
  first  2001:db8:300::/42          203.0.113.0/30
  last   2001:db8:3c0::/42          203.0.113.12/30

4 good rows, 0 faults
`,
    });
  });

  test("what a router would refuse is a note that names the field", () => {
    const row = { ruleIpv6Prefix: "2001:db8::/40", ruleIpv4Prefix: "192.0.2.0/24", eaLength: 16, br: "::1" };
    const rules = [
      { ...row, ruleIpv6Prefix: "fe80::/40" },
      { ...row, transport: "map-t", dmr: "fe80::/64" },
      row,
    ];
    const { out, err } = run(JSON.stringify({ rules }));
    for (const field of ["rules[0].ruleIpv6Prefix", "rules[1].dmr", "rules[2].br"])
      expect(out).toContain(`  note: a router refuses this rule: ${field}: `);
    expect(err).toBe("");
  });

  test("with a prefix: the row that matches, and the edge as explain shows it", () => {
    const { code, out, err } = run(vector("table.csv"), ...PD);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const parts = out.split("\n\n");
    expect(parts.slice(1).join("\n\n")).toBe(
      `line 6 is the row that matches\n${edge}\n2 good rows, 0 faults\n`,
    );
    expect(run(vector("table.json"), "--pd", "2001:db8:200::/48").out).toContain(
      "\n\nrules[2] is the row that matches\ncustomer edge (map-e)\n  IPv4             203.0.113.1/32\n  PSID             52 (0x34), 8 bits, offset 4\n",
    );
  });

  test("what is wrong, line by line", () => {
    const { code, out, err } = run(vector("bad.csv"), ...PD);
    expect(code).toBe(1);
    expect(err).toBe(`error: line 4: a quote is not closed, or stands inside a cell
error: line 5, ruleIpv6Prefix: " [2J " has no length of 0 to 128 after a slash
error: line 6: 3 cells are not 4, one for each column
error: line 7, eaLength: PSID offset 9 and length 8 exceed 16 bits together
error: line 10: is for the same prefix as line 9, which is used
`);
    expect(out).toBe(`line 3: 2001:db8::/32 192.0.2.0/24 map-e
  65536 customers, 256 share an address, 240 ports each in 15 ranges
  first  2001:db8::/48              192.0.2.0/32, PSID 0 of 8 bits
  last   2001:db8:ffff::/48         192.0.2.255/32, PSID 255 of 8 bits
line 9: 2001:db8:300::/40 10.0.0.0/24 map-e
  65536 customers, 256 share an address, 255 ports each in 255 ranges
  first  2001:db8:300::/56          10.0.0.0/32, PSID 0 of 8 bits
  last   2001:db8:3ff:ff00::/56     10.0.0.255/32, PSID 255 of 8 bits
  note: a router refuses this rule: line 9, ruleIpv4Prefix: 10.0.0.0/32 is in 10.0.0.0/8, private (RFC 1918 s3); \`option allow_private '1'\` accepts it from a provider that uses it
line 10: 2001:db8:300::/40 198.51.100.0/24 map-e
  65536 customers, 256 share an address, 252 ports each in 63 ranges
  first  2001:db8:300::/56          198.51.100.0/32, PSID 0 of 8 bits
  last   2001:db8:3ff:ff00::/56     198.51.100.255/32, PSID 255 of 8 bits

3 good rows, 5 faults
`);
  });

  const row = { ruleIpv6Prefix: "2001:db8::/40", ruleIpv4Prefix: "192.0.2.0/24", eaLength: 16, br: "::2" };
  const table = (...rules: readonly object[]) => JSON.stringify({ rules });

  test("notes: bits that are not read, an odd rule, what routers would refuse", () => {
    const odd = {
      ...row,
      ruleIpv6Prefix: "2001:db8:0:1::/40",
      ruleIpv4Prefix: "192.0.2.1/24",
      br: "ff02::1",
    };
    expect(run(table(odd))).toMatchObject({
      code: 0,
      out: expect.stringContaining(`
  note: rules[0].ruleIpv6Prefix: is read as 2001:db8::/40
  note: rules[0].ruleIpv4Prefix: is read as 192.0.2.0/24
  note: a router refuses this rule: rules[0].br: ff02::1/128 is in ff00::/8, multicast (RFC 4291 s2.7)

1 good row, 0 faults
`),
    });
    const conflict = { ...row, psidLength: 8, psid: 3 };
    const text = "PSID 3 of 8 bits was given and is used; the EA bits have 0 of 8 bits";
    expect(run(table(conflict)).out).toContain(`\n  note: rules[0]: ${text}\n\n1 good row`);
    expect(run(table({ ...row, br: "fe80::1" }), "--pd", "2001:db8:12:3401::/64").out).toContain(
      "\nnote: the 8 bits behind the EA bits are not zero; the border relay may want zeros\nnote: a router refuses this rule: rules[0].br: fe80::1/128 is in fe80::/10, link-local (RFC 4291 s2.5.6)\n",
    );
  });

  test("an address for each customer", () => {
    expect(run(table({ ...row, eaLength: 8 })).out).toContain(
      "\n  256 customers, an address each\n  first  2001:db8::/48              192.0.2.0/32\n  last   2001:db8:ff::/48           192.0.2.255/32\n",
    );
  });

  test("port 0 is given to no flow, but the last customer has all ports", () => {
    expect(run(table({ ...row, transport: "lw4o6" })).out).toContain(
      "\n  65536 customers, 256 share an address, 256 ports each in 1 range\n",
    );
  });

  test("rows of other transports may have the same prefix", () => {
    const dmr = "2001:db8:ffff::/64";
    expect(run(table(row, { ...row, transport: "map-t", dmr })).code).toBe(0);
    expect(run(table(row, { ...row, eaLength: 8 })).err).toBe(
      "error: rules[1]: is for the same prefix as rules[0], which is used\n",
    );
  });

  test.each([
    [
      "no row matches",
      table(row),
      ["--pd", "2001:db9::/56"],
      "end-user prefix: no rule matches: the delegated prefixes are 2001:db9::/56; the rules are for 2001:db8::/40",
    ],
    ["the row that matches is bad", table({ ...row, br: "" }), PD, "rules[0].br: is missing"],
    ["no table", "{", PD, "table: is not JSON"],
    ["a default", "# mtu=x\nruleIpv6Prefix\n::/0", [], 'defaults.mtu: "x" is not 1280 to 65535'],
  ])("%s: one fault", (_title, text, argv, fault) => {
    expect(run(text, ...argv)).toMatchObject({ code: 1, err: `error: ${fault}\n` });
    expect(JSON.parse(run(text, ...argv, "--json").out).faults).toEqual([fault]);
  });

  test("--json", () => {
    const { code, out, err } = run(vector("bad.csv"), "--pd", "2001:db8:300:ab00::/56", "--json");
    const { rows, faults, match } = JSON.parse(out);
    expect({ code, err, faults: faults.length, rows: rows.length }).toEqual({
      code: 1,
      err: "",
      faults: 5,
      rows: 3,
    });
    expect(rows[0]).toEqual({
      where: "line 3",
      ruleIpv6Prefix: "2001:db8::/32",
      ruleIpv4Prefix: "192.0.2.0/24",
      transport: "map-e",
      fmr: false,
      customers: 65_536,
      sharing: 256,
      ports: 240,
      ranges: 15,
      first: { endUserIpv6Prefix: "2001:db8::/48", ipv4: "192.0.2.0/32", psid: 0, psidLength: 8 },
      last: { endUserIpv6Prefix: "2001:db8:ffff::/48", ipv4: "192.0.2.255/32", psid: 255, psidLength: 8 },
      notes: [],
    });
    expect(match).toMatchObject({
      where: "line 9",
      edge: { transport: "map-e", ipv4: "10.0.0.0/32", psid: 171, ports: 255 },
    });
    expect(match.notes).toHaveLength(1);
    expect(JSON.parse(run(vector("table.json"), "--json").out)).not.toHaveProperty("match");
  });

  test("the edge is the one that explain gives for an option of the same rule", () => {
    const hex = "005e00250059000d001018c00002002820010db800005a001020010db8ffff00000000000000000001";
    const [expected] = explain(hex, [parseIpv6Prefix("2001:db8:12:3400::/56")]).edges;
    const same = table({ ...row, br: "2001:db8:ffff::1" });
    expect(JSON.parse(run(same, ...PD, "--json").out).match).toEqual({
      where: "rules[0]",
      edge: expected,
      notes: [],
    });
  });

  test("10,000 rows, each told", () => {
    const rows = Array.from({ length: 10_000 }, (_, n) => ({
      ...row,
      ruleIpv6Prefix: `2001:db8:${n.toString(16)}::/48`,
      eaLength: n % 10 === 0 ? "x" : 9,
      psidOffset: 15,
    }));
    const { rows: good, faults } = JSON.parse(run(table(...rows), "--json").out);
    expect([good.length, faults.length, good.at(-1).where, faults.at(-1)]).toEqual([
      9_000,
      1_000,
      "rules[9999]",
      'rules[9990].eaLength: "x" is not 0 to 48',
    ]);
    expect(good[0]).toMatchObject({ customers: 512, sharing: 2, ports: 32_767, ranges: 32_767 });
  });
});

describe("the command line", () => {
  const refused = (argv: readonly string[], readText = (): string | undefined => undefined) => {
    const terminal = makeTerminal();
    try {
      const code = runRules(argv, { ...terminal, files: { readText } });
      return { code, out: terminal.out(), err: terminal.err() };
    } catch (error) {
      if (!(error instanceof MapminError)) throw error;
      return `${error.code}: ${error.message}`;
    }
  };

  test("help, and what is missing", () => {
    expect(refused(["--help"])).toEqual({ code: 0, out: rulesHelp, err: "" });
    for (const argv of [[], ["check"], ["check", "a", "b"]]) {
      expect(refused(argv)).toEqual({ code: 2, out: "", err: rulesHelp });
    }
    expect(refused(["chck", "a"])).toBe('USAGE: unknown word "chck"; there is check');
    expect(refused(["check", "a", "--jsn"])).toBe('USAGE: unknown option "--jsn"; did you mean "--json"?');
    expect(refused(["check", "a", "--pd", "x"])).toBe(
      'INVALID_OPTION: pd: "x" has no length of 0 to 128 after a slash',
    );
  });

  test("a file that is not there, or cannot be read", () => {
    expect(refused(["check", ""])).toBe("INVALID_OPTION: FILE: is empty: name a table of rules");
    expect(refused(["check", "/a\u001b"])).toBe("INVALID_OPTION: /a : there is no such file");
    const unreadable = () => {
      throw new EffectError("/a", "is not a regular file");
    };
    expect(refused(["check", "/a"], unreadable)).toBe("SETUP_FAILED: /a: is not a regular file");
  });

  test("mapminctl has it", async () => {
    const terminal = makeTerminal();
    expect(await runMapminctl(["rules", "--help"], terminal)).toBe(0);
    expect(terminal.out()).toBe(rulesHelp);
    const other = makeTerminal();
    expect(await runMapminctl(["rules", "chck", "x"], other)).toBe(2);
    expect(other.err()).toBe(
      'unknown word "chck"; there is check\n(mapminctl rules --help tells what it takes)\n',
    );
  });
});
