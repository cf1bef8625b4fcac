import { describe, expect, test } from "vitest";
import { domainHelp, runDomain } from "../../../src/cli/domain.ts";
import { runEncode } from "../../../src/cli/encode.ts";
import { runRules } from "../../../src/cli/rules.ts";
import { MapminError } from "../../../src/wire/errors.ts";
import { makeTerminal } from "./terminal.ts";

function run(line: string) {
  const terminal = makeTerminal();
  try {
    const code = runDomain(line === "" ? [] : line.split(" "), terminal);
    return { code, out: terminal.out(), err: terminal.err() };
  } catch (error) {
    if (error instanceof MapminError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const outOf = (line: string) => {
  const ended = run(line);
  return typeof ended === "string" ? ended : ended.out;
};

const WANTED = "--customers 10000 --ipv4 192.0.2.0/24 --ipv6 2001:db8::/32";
const CHECKED = "--check --ipv4 192.0.2.0/24 --ipv6 2001:db8::/40 --ea-length 16";

describe("a proposal", () => {
  test("is a table, below what it gives", () => {
    expect(run(`${WANTED} --br 2001:db8:ffff::1`)).toEqual({
      code: 0,
      err: "",
      out: `# room for 16384 customers with end-user prefixes of /56
# PSID offset 6, PSID length 6; PSID 0 begins with the ports 1024-1039
# rule 1: 2001:db8::/42 192.0.2.0/24 map-e
#   16384 customers, 64 share an address, 1008 ports each in 63 ranges
#   first  2001:db8::/56              192.0.2.0/32, PSID 0 of 6 bits
#   last   2001:db8:3f:ff00::/56      192.0.2.255/32, PSID 63 of 6 bits
# transport = map-e
# br = 2001:db8:ffff::1
# psidOffset = 6
ruleIpv6Prefix,ruleIpv4Prefix,eaLength,fmr
2001:db8::/42,192.0.2.0/24,14,false
`,
    });
  });

  test.each([
    `${WANTED} --br 2001:db8:ffff::1`,
    `${WANTED} --br 2001:db8:ffff::1 --forward --psid-offset 4 --ports 900`,
    `${WANTED} --dmr 2001:db8:ffff::/64 --ipv4 198.51.100.0/26`,
    `${CHECKED} --br 2001:db8:ffff::1 --psid-offset 4`,
  ])("%s: `rules check` and `encode` read it", (line) => {
    const files = { readText: () => outOf(line) };
    const checked = makeTerminal();
    expect(runRules(["check", "/t"], { ...checked, files })).toBe(0);
    expect(checked.out()).toMatch(/\d good rows?, 0 faults\n$/);
    const encoded = makeTerminal();
    expect(runEncode(["--table", "/t"], { ...encoded, files })).toBe(0);
    expect(encoded.err()).toBe("");
  });

  test("what it leaves to the operator is said", () => {
    const out = outOf("--customers 300 --ipv4 10.0.0.0/24 --psid-offset 0");
    expect(out).toContain("# note: the IPv6 prefixes are examples; give yours with --ipv6\n");
    expect(out).toContain("# add --br or --dmr for the border relay\n");
    expect(out).toContain(
      "# note: ports below 1024 are given to customers; a PSID offset of 1 to 6 leaves them out\n",
    );
    expect(out).toContain("#   note: a router refuses this rule: ipv4-prefix: 10.0.0.0/32 is ");
    expect(outOf("--customers 3 --ipv4 192.0.2.0/24")).not.toContain("ports below");
    expect(outOf("--customers 3 --ipv4 192.0.2.0/24")).toContain("\n# PSID offset 6, PSID length 0\n");
  });

  test("forwarding, and MAP-E where nobody says", () => {
    expect(outOf(`${WANTED} --forward`)).toMatch(/,14,true\n$/);
    expect(outOf(WANTED)).toContain("\n# transport = map-e\n# add --br or --dmr");
  });

  test("a border relay that a router would refuse is a note", () => {
    expect(outOf(`${WANTED} --br ::1`)).toContain(
      "#   note: a router refuses this rule: border relay: ::1/128 is ",
    );
  });

  test("ports below 1024 are noted as soon as some are given, and customers share", () => {
    expect(outOf(`${WANTED} --psid-offset 7`)).toContain("# note: ports below 1024 are given");
    expect(outOf(`${WANTED} --psid-offset 6`)).not.toContain("ports below");
    expect(outOf("--customers 3 --ipv4 192.0.2.0/24 --psid-offset 0")).not.toContain("ports below");
  });

  test("--json has the numbers, and each rule", () => {
    const { rules, ...numbers } = JSON.parse(outOf(`${WANTED} --dmr 2001:db8:ffff::/64 --json`));
    expect(numbers).toEqual({ psidOffset: 6, psidLength: 6, endUserLength: 56, notes: [] });
    expect(rules).toMatchObject([
      {
        ruleIpv6Prefix: "2001:db8::/42",
        transport: "map-t",
        eaLength: 14,
        sharing: 64,
        ports: 1008,
        ranges: 63,
      },
    ]);
  });
});

describe("a check", () => {
  test("of a plan that can be used says what it gives", () => {
    const { code, out, err } = run(`${CHECKED} --psid-length 8 --customers 65536`) as ReturnType<typeof run> &
      object;
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("#   65536 customers, 256 share an address, 252 ports each in 63 ranges\n");
    expect(out).toMatch(/\n2001:db8::\/40,192\.0\.2\.0\/24,16,false\n$/);
  });

  test("tells the end-user prefixes", () => {
    expect(outOf(CHECKED)).toContain("with end-user prefixes of /56\n");
    expect(outOf(`${CHECKED} --end-user-length 60`)).toContain("with end-user prefixes of /60\n");
  });

  test("says all that is wrong, and exits with 1", () => {
    const line = `${CHECKED} --psid-offset 9 --customers 70000`;
    const faults = [
      "psid-offset: is 9, and 8 bits of PSID leave 8 at most: give less, or fewer EA bits",
      "customers: 16 EA bits have room for 65536: give 17",
    ];
    const err = faults.map((fault) => `error: ${fault}\n`).join("");
    expect(run(line)).toEqual({ code: 1, out: "", err });
    expect(run(`${line} --json`)).toEqual({ code: 1, out: `${JSON.stringify({ faults }, null, 2)}\n`, err });
  });
});

test.each([
  ["", { code: 2, out: "", err: domainHelp }],
  ["--help", { code: 0, out: domainHelp, err: "" }],
  ["--customers 1", 'USAGE: the option "--ipv4" is needed'],
  ["--ipv4 192.0.2.0/24", 'USAGE: the option "--customers" is needed'],
  [`${WANTED} --ea-length 8`, 'USAGE: the option "--ea-length" is only for --check'],
  [`${WANTED} --psid-length 8`, 'USAGE: the option "--psid-length" is only for --check'],
  [
    `${WANTED} --br ::1 --dmr ::/96`,
    "USAGE: --dmr and --br do not go together: the one is for MAP-T, the other for MAP-E",
  ],
  [`${CHECKED} --ipv4 198.51.100.0/24`, "USAGE: --check takes one --ipv4: check one rule at a time"],
  ["--check --ipv4 192.0.2.0/24", 'USAGE: the option "--ipv6" is needed'],
  ["--check --ipv4 192.0.2.0/24 --ipv6 ::/0", 'USAGE: the option "--ea-length" is needed'],
  ["--customers 0 --ipv4 192.0.2.0/24", 'INVALID_OPTION: customers: "0" is not 1 to 9999999999'],
  ["--customers 1 --ports 0 --ipv4 192.0.2.0/24", 'INVALID_OPTION: ports: "0" is not 1 to 65535'],
  ["--customers 1 --ipv4 x", expect.stringContaining('INVALID_OPTION: ipv4: "x"')],
  [`${WANTED} --ipv6 y`, expect.stringContaining('INVALID_OPTION: ipv6: "y"')],
  [`${WANTED} --end-user-length 100`, 'INVALID_OPTION: end-user-length: "100" is not 0 to 99'],
  [`${CHECKED} --psid-length 100`, 'INVALID_OPTION: psid-length: "100" is not 0 to 99'],
  [
    `${CHECKED} --psid-offset 99`,
    {
      code: 1,
      out: "",
      err: "error: psid-offset: is 99, and 8 bits of PSID leave 8 at most: give less, or fewer EA bits\n",
    },
  ],
  [`${WANTED} --psid-offset 16`, 'INVALID_OPTION: psid-offset: "16" is not 0 to 15'],
  [
    `${WANTED} --dmr ::/60`,
    "INVALID_OPTION: dmr: /60 is not one of /32, /40, /48, /56, /64, /96 (RFC 6052 s2.2)",
  ],
  [`${WANTED} --br z`, expect.stringContaining('INVALID_OPTION: br: "z"')],
  [`${WANTED} --ports 2000`, expect.stringContaining("INVALID_OPTION: customers: there is room for 8192:")],
])("%s", (line, expected) => {
  expect(run(line)).toEqual(expected);
});
