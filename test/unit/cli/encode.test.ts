import { describe, expect, test } from "vitest";
import { encodeHelp, runEncode } from "../../../src/cli/encode.ts";
import { explain } from "../../../src/cli/explain.ts";
import { runMapminctl } from "../../../src/cli/mapminctl.ts";
import { parseIpv6Prefix } from "../../../src/ip/text.ts";
import { MapminError } from "../../../src/wire/errors.ts";
import { makeTerminal } from "./terminal.ts";

function run(line: string, table?: string) {
  const terminal = makeTerminal();
  const files = { readText: (path: string) => (path === "/t" || path === "" ? table : undefined) };
  const code = runEncode(line === "" ? [] : line.split(" "), { ...terminal, files });
  return { code, out: terminal.out(), err: terminal.err() };
}

/** The message of a command line that is refused. */
function refused(line: string, table?: string): string {
  try {
    run(line, table);
  } catch (error) {
    if (error instanceof MapminError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "accepted";
}

const rule = "--rule-ipv6-prefix 2001:db8::/40 --rule-ipv4-prefix 192.0.2.0/24 --ea-length 16";
const translated = `--transport map-t --dmr 2001:db8:ffff::/64 ${rule}`;
const bound =
  "--transport lw4o6 --br 2001:db8::1 --rule-ipv6-prefix 2001:db8:12:3400::/56 --rule-ipv4-prefix 192.0.2.18/32";
const VALUE = "004202001518c000020010002820010db8004204000404000000420300094020010db8ffff0000";

describe("the octets", () => {
  test.each([
    [
      "MAP-T",
      translated,
      "005f002600590015001018c00002002820010db800005d000406000000005b00094020010db8ffff0000",
    ],
    [
      "MAP-T, a forwarding rule, offset 4",
      `${translated} --forward --psid-offset 4`,
      "005f002600590015011018c00002002820010db800005d000404000000005b00094020010db8ffff0000",
    ],
    [
      "MAP-E with two relays",
      `--transport map-e --br 2001:db8:ffff::1 --br 2001:db8:ffff::2 ${rule}`,
      "005e004100590015001018c00002002820010db800005d000406000000005a001020010db8ffff00000000000000000001005a001020010db8ffff00000000000000000002",
    ],
    [
      "lw4o6 with a PSID",
      `${bound} --psid 52 --psid-length 8`,
      "0060002c005a001020010db8000000000000000000000001005c0014c00002123820010db8001234005d000400083400",
    ],
    ["option 48879", `${translated} --option 48879`, `beef0027${VALUE}`],
    [
      "option 48879 that encapsulates",
      `--transport map-e --br 2001:db8:ffff::1 --option 48879 ${rule}`,
      "beef002f014202001518c000020010002820010db8004204000404000000420300118020010db8ffff00000000000000000001",
    ],
  ])("%s", (_title, line, expected) => {
    expect(run(line)).toEqual({ code: 0, out: `${expected}\n`, err: "" });
  });

  test("explain reads them, and finds the customer's address", () => {
    const { edges, errors, remarks } = explain(run(translated).out.trim(), [
      parseIpv6Prefix("2001:db8:12:3400::/56"),
    ]);
    expect({ errors, remarks }).toEqual({ errors: [], remarks: [] });
    expect(edges).toMatchObject([{ transport: "map-t", ipv4: "192.0.2.18/32", psid: 0x34, psidOffset: 6 }]);
  });
});

test("EA bits that are given for lw4o6 are not passed over", () => {
  expect(refused(`${bound} --ea-length 8`)).toBe(
    "INVALID_OPTION: rule-ipv4-prefix: 192.0.2.18/32: lw4o6 gives a whole address, and no EA bits",
  );
});

describe("in the words of servers", () => {
  const colons = (VALUE.match(/../g) ?? []).join(":");
  test.each([
    ["dnsmasq", `dhcp-option=option6:48879,${colons}\n`],
    ["isc-dhcp", `option dhcp6.option-48879 code 48879 = string;\noption dhcp6.option-48879 ${colons};\n`],
    ["odhcpd", `option dhcpv6_raw 'beef0027${VALUE}'\n`],
  ])("%s", (format, expected) => {
    expect(run(`${translated} --option 48879 --format ${format}`).out).toBe(expected);
  });

  test("kea: 48879 is defined first, RFC 7598's are known to it", () => {
    const data = { space: "dhcp6", "csv-format": false };
    expect(JSON.parse(run(`${translated} --option 48879 --format kea`).out)).toEqual({
      "option-def": [{ name: "option-48879", code: 48_879, space: "dhcp6", type: "binary" }],
      "option-data": [{ ...data, code: 48_879, data: VALUE }],
    });
    const { "option-data": options, ...others } = JSON.parse(run(`${translated} --format kea`).out);
    expect(others).toEqual({});
    expect(options).toMatchObject([{ ...data, code: 95 }]);
  });

  test("--json has all of it", () => {
    const { out } = run(`${translated} --option 48879 --format dnsmasq --json`);
    expect(JSON.parse(out)).toEqual({
      code: 48_879,
      name: "OPTION_48879",
      octets: 39,
      hex: `beef0027${VALUE}`,
      format: "dnsmasq",
      text: `dhcp-option=option6:48879,${colons}`,
    });
  });
});

describe("a table", () => {
  const table = (rows: number) =>
    [
      "# br = 2001:db8:ffff::1\nruleIpv6Prefix,ruleIpv4Prefix,eaLength,psidOffset",
      ...Array.from({ length: rows }, (_, i) => `2001:db8:${(i + 1).toString(16)}::/48,192.0.2.0/24,16,6`),
    ].join("\n");
  const one = `--transport map-e --br 2001:db8:ffff::1 ${rule.replace("db8::/40", "db8:1::/48")}`;

  test.each(["", "--row 3", "--pd 2001:db8:1:1234::/64", "--transport map-e", "--option 94"])(
    "its row is what the options say (%s)",
    (choice) => {
      const { code, out, err } = run(`--table /t ${choice}`.trim(), table(1));
      expect({ code, out, err }).toEqual({ ...run(one), err: "" });
    },
  );

  test("option 48879 has the offset of the row", () => {
    expect(run("--table /t --option 48879", table(1)).out).toBe(
      run(`${one} --option 48879 --psid-offset 6`).out,
    );
  });

  test("a note names the row", () => {
    const bad = table(2).replace("db8:2::/48,192.0.2", "db8:2::/48,10.0.2");
    expect(run("--table /t", bad).err).toMatch(
      /^note: line 4: a router refuses this rule: ipv4-prefix: 10\.0\.2\.0\/32 is .*RFC 1918 s3.*\n$/,
    );
  });

  test("dnsmasq's lines are as long as dnsmasq reads them; other servers take more", () => {
    const dnsmasq = "--table /t --format dnsmasq";
    expect(run(dnsmasq, table(12)).out).toHaveLength(1019);
    expect(refused(dnsmasq, table(13))).toBe(
      "INVALID_OPTION: format: dnsmasq reads lines of at most 1024 characters, and this one has 1096: give each customer its own rule (--row, --pd), or use another server",
    );
    expect(run("--table /t --format kea", table(13)).err).toBe("");
  });

  test("a message that OpenWrt's client cuts short is a note, an option that is too long an error", () => {
    expect(run("--table /t", table(48)).err).toBe("");
    expect(run("--table /t", table(49)).err).toBe(
      "note: the option takes 1294 octets, and OpenWrt's client reads at most 1536 of a whole message: give each customer its own rule (--row, --pd)\n",
    );
    expect(refused("--table /t", table(2600))).toBe(
      "INVALID_OPTION: table: 67620 octets do not fit an option: give each customer its own rule (--row, --pd)",
    );
    expect(refused("--table /t", table(5462))).toBe(
      "INVALID_OPTION: table: 5462 rows do not fit an option: give each customer its own rule (--row, --pd)",
    );
    expect(refused("--table /t", table(5461))).toContain(" octets do not fit");
  });

  /** Rows of options, of 25 to 27 octets each by the length of the prefix. */
  const sized = (...counts: readonly [of25: number, of26: number, of27: number]) =>
    [
      "# br = 2001:db8:ffff::1\nruleIpv6Prefix,ruleIpv4Prefix,eaLength",
      ...counts.flatMap((count, i) =>
        Array.from({ length: count }, (_, n) => {
          return `2001:${(0x100 * i + 0x1000 + (n >> 8)).toString(16)}:${(n & 255).toString(16)}00::/${40 + 8 * i},192.0.2.0/24,8`;
        }),
      ),
    ].join("\n");

  test("the last that is as long as can be", () => {
    expect(run("--table /t --format dnsmasq", sized(3, 4, 5)).out).toHaveLength(1024 + 1);
    expect(run("--table /t", sized(40, 10, 0)).err).toBe("");
    expect(run("--table /t", sized(39, 11, 0)).err).toContain("the option takes 1281 octets");
    expect(run("--table /t", sized(2605, 15, 0)).out).toHaveLength(2 * (65_535 + 4) + 1);
    expect(refused("--table /t", sized(2604, 16, 0))).toContain("65536 octets do not");
  });

  test("two notes are two lines", () => {
    const bad = table(3).replaceAll(/:([23])::\/48,192\.0\.2/g, ":$1::/48,10.0.2");
    expect(run("--table /t", bad).err).toMatch(/^note: line 4: .*\nnote: line 5: .*\n$/);
  });

  test("odhcpd's option goes to everybody", () => {
    expect(run("--table /t --format odhcpd", table(1)).err).toBe(
      "note: odhcpd sends dhcpv6_raw to every client, asked or not, and does not document it\n",
    );
  });

  test.each([
    ["--table /x", "INVALID_OPTION: /x: there is no such file"],
    ["--table=", "INVALID_OPTION: FILE: is empty: name a table of rules"],
    ["--table /t --row 2", "INVALID_OPTION: row: 2 is not a row of the table, which has line 3 to line 3"],
    ["--table /t --row x", expect.stringContaining('INVALID_OPTION: row: "x" is not 0 to')],
    ["--table /t --pd x", expect.stringContaining('INVALID_OPTION: pd: "x"')],
    ["--table /t --row 3 --pd ::/0", "USAGE: --row and --pd do not go together"],
    [
      "--table /t --ea-length 3",
      'USAGE: the option "--ea-length" does not go together with --table, which says it',
    ],
    [`${one} --row 3`, 'USAGE: the option "--row" is only for --table'],
    ["--table /t --transport x", 'USAGE: unknown transport "x"; there are map-e, map-t, lw4o6'],
    ["--table /t --option 95", "INVALID_OPTION: option: 95 is not for map-e; 94 is"],
  ])("%s", (line, message) => {
    expect(refused(line, table(1))).toEqual(message);
  });
});

describe("what is refused", () => {
  test.each([
    [rule, 'USAGE: the option "--transport" is needed: map-e, map-t, lw4o6'],
    [`--transport mapt ${rule}`, 'USAGE: unknown transport "mapt"; there are map-e, map-t, lw4o6'],
    [`${translated} --option 97`, 'USAGE: unknown option "97"; there are 48879, 94, 95, 96'],
    [
      `${translated} --format kia`,
      'USAGE: unknown format "kia"; there are hex, kea, dnsmasq, isc-dhcp, odhcpd',
    ],
    ["--transport map-t --dmr 2001:db8:ffff::/64", 'USAGE: the option "--ea-length" is needed'],
    [`--transport map-t --ea-length 16`, 'USAGE: the option "--rule-ipv6-prefix" is needed'],
    [
      "--transport map-t --ea-length 16 --rule-ipv6-prefix 2001:db8::/40",
      'USAGE: the option "--rule-ipv4-prefix" is needed',
    ],
    [`--transport map-t ${rule}`, "INVALID_OPTION: dmr: is missing: MAP-T needs the border relay's prefix"],
    [`${translated} --psid-offset 16`, expect.stringContaining("INVALID_OPTION: psid-offset:")],
    [`${translated} --ea-length 49`, expect.stringContaining("INVALID_OPTION: ea-length:")],
    [`${translated} --psid 3`, expect.stringContaining("INVALID_OPTION: psid:")],
    [`${translated} --psid-length 7`, expect.stringContaining("INVALID_OPTION: psid-length:")],
    [`${translated} --psid-length 17`, expect.stringContaining("INVALID_OPTION: psid-length:")],
    [`${translated} --dmr zz`, expect.stringContaining('INVALID_OPTION: dmr: "zz"')],
    [`${translated} --rule-ipv6-prefix x`, expect.stringContaining('INVALID_OPTION: rule-ipv6-prefix: "x"')],
    [`${translated} --rule-ipv4-prefix x`, expect.stringContaining('INVALID_OPTION: rule-ipv4-prefix: "x"')],
    [`--transport map-e --br 10.0.0.1 ${rule}`, expect.stringContaining('INVALID_OPTION: br: "10.0.0.1"')],
    [
      `${translated} --rule-ipv6-prefix 2001:db8::/113`,
      "INVALID_OPTION: ea-length: 16 bits behind a prefix of 113 bits do not fit an IPv6 address",
    ],
    [`${translated} --ea-length 24`, expect.stringContaining("PSID offset 6 and length 16 exceed 16 bits")],
  ])("%s", (line, message) => {
    expect(refused(line)).toEqual(message);
  });

  test("what the routers of customers would refuse is a note, and the octets come all the same", () => {
    const { code, out, err } = run(`${translated} --rule-ipv4-prefix 192.168.2.77/24`);
    expect({ code, err }).toEqual({
      code: 0,
      err: expect.stringMatching(/^note: a router refuses this rule: .*private \(RFC 1918 s3\)/),
    });
    // Without the bits behind the prefix.
    expect(out).toContain("18c0a80200");
  });

  test("a PSID that the EA bits contradict is a note", () => {
    expect(run(`${translated} --psid 3 --psid-length 8`).err).toBe(
      "note: PSID 3 of 8 bits was given and is used; the EA bits have 0 of 8 bits\n",
    );
  });

  test("an IPv6 prefix of the whole address fits without EA bits", () => {
    const whole = "--rule-ipv6-prefix 2001:db8::1/112 --rule-ipv4-prefix 192.0.2.0/24 --ea-length 16";
    expect(run(`--transport map-t --dmr 2001:db8:ffff::/64 ${whole}`).code).toBe(0);
  });

  test("nothing at all: the usage, and exit code 2", () => {
    expect(run("")).toEqual({ code: 2, out: "", err: encodeHelp });
    expect(run("--help")).toEqual({ code: 0, out: encodeHelp, err: "" });
  });

  test("mapminctl starts it", async () => {
    const terminal = makeTerminal();
    expect(await runMapminctl(["encode", ...translated.split(" ")], terminal)).toBe(0);
    expect(terminal.out()).toBe(run(translated).out);
  });
});
