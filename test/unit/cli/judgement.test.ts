import { describe, expect, test } from "vitest";
import { calculate } from "../../../src/cli/calc.ts";
import { explain } from "../../../src/cli/explain.ts";
import { runMdpc } from "../../../src/cli/mdpc.ts";
import { parseIpv6Prefix } from "../../../src/ip/text.ts";
import { makeTerminal } from "./terminal.ts";

const pd = [parseIpv6Prefix("2001:db8:12:3400::/56")];
/** An option: code, length, value. */
const option = (code: number, ...value: readonly string[]) => {
  const hex = value.join("");
  return `${code.toString(16).padStart(4, "0")}${(hex.length / 2).toString(16).padStart(4, "0")}${hex}`;
};
/** A rule of option 48879 for an IPv4 address and 2001:db8:12:3400::/56. */
const rule48879 = (ipv4: string, ...inRule: readonly string[]) =>
  option(0x4202, `20${ipv4}0000`, "3820010db8001234", ...inRule);
const private48879 = `00${rule48879("c0a80101")}${option(0x4203, "20fe800000")}`;

describe("explain tells what a router would refuse, and computes all the same", () => {
  test("with the delegated prefix", () => {
    const { edges, remarks, errors } = explain(private48879, pd);
    expect(errors).toEqual([]);
    expect(edges.map((edge) => edge.ipv4)).toEqual(["192.168.1.1/32"]);
    expect(remarks.map((remark) => remark.text)).toEqual([
      "a router refuses this rule: ipv4-prefix: 192.168.1.1/32 is in 192.168.0.0/16, private (RFC 1918 s3); `option allow_private '1'` accepts it from a provider that uses it",
      "a router refuses this rule: dmr: fe80::/32 is in fe80::/10, link-local (RFC 4291 s2.5.6)",
    ]);
    expect(remarks[0]?.path).toBe("OPTION_48879");
  });

  test("without", () => {
    const { remarks, prefixWanted } = explain(private48879, []);
    expect(remarks).toHaveLength(2);
    expect(prefixWanted).toBe(true);
  });

  test("a rule whose port parameters are unreadable is one error, and no CE", () => {
    const inRule = option(0x4204, "10000000");
    const broken = `00${rule48879("c0000212", inRule)}${option(0x4203, "40261000d01208cafe")}`;
    const { edges, errors } = explain(broken, pd);
    expect(edges).toEqual([]);
    expect(errors.map((error) => error.path)).toEqual(["OPTION_48879/MAP_RULE[0]/MAP_PORTPARAMS[0]/offset"]);
  });

  test("port parameters where they do not belong are one error, and no CE", () => {
    const rule = option(89, "00", "00", "20", "c0000212", "3820010db8001234");
    const relay = option(90, "20010db8ffff00000000000000000001");
    const params = option(93, "06083400");
    for (const [series, path] of [
      [option(94, rule, params, relay), "S46_CONT_MAPE[0]/S46_PORTPARAMS[0]"],
      [option(94, rule, relay) + params, "S46_PORTPARAMS[0]"],
      [params + option(94, rule, relay), "S46_PORTPARAMS[0]"],
    ] as const) {
      const { form, edges, errors } = explain(series, pd);
      expect(form).toBe("series of options");
      expect(edges).toEqual([]);
      expect(errors).toMatchObject([{ path, text: "port parameters do not belong here: see RFC 7598 s4.5" }]);
    }
  });

  test("15,000 faults are one, and options that are not known are not listed without end", () => {
    const series = `005e${(12_000 * 5).toString(16)}${"005a000100".repeat(12_000)}`;
    expect(explain(series, pd).errors.map((error) => error.text)).toEqual([
      "truncated: 16 octets needed, 1 left (and 11999 more like it)",
      "exactly one BR is needed, found 0",
    ]);
  });
});

test("mdpc tells it on standard error, and prints the commands all the same", () => {
  const terminal = makeTerminal();
  const environment = { OPTION_48879: private48879, PREFIXES: "2001:db8:12:3400::/56,3600,7200" };
  expect(runMdpc([], environment, terminal)).toBe(0);
  expect(terminal.err()).toMatch(/^note: a router refuses this rule: ipv4-prefix: 192\.168\.1\.1\/32 is in /);
  expect(terminal.out()).toContain("-A 192.168.1.1/32");
});

test("mdpc prints no command for a rule whose port parameters are unreadable", () => {
  const terminal = makeTerminal();
  const broken = rule48879("c0000212", option(0x4204, "10000000"));
  const OPTION_48879 = `00${broken}${option(0x4203, "40261000d01208cafe")}`;
  expect(runMdpc([], { OPTION_48879, PREFIXES: "2001:db8:12:3400::/56,1,2" }, terminal)).toBe(1);
  expect(terminal.out()).toBe("");
  expect(terminal.err()).toContain("MAP_PORTPARAMS[0]/offset at octet 24: PSID offset 16 is not 0 to 15");
});

describe("calc", () => {
  const rule = {
    endUserIpv6Prefix: "2001:db8:12:3400::/56",
    ruleIpv6Prefix: "2001:db8::/40",
    ruleIpv4Prefix: "192.168.2.0/24",
    eaLength: 16,
  };

  test("tells what a router would refuse", () => {
    expect(calculate(rule).remarks).toEqual([
      expect.stringMatching(
        /^a router refuses this rule: ipaddr: 192\.168\.2\.18\/32 is in 192\.168\.0\.0\/16/,
      ),
    ]);
    expect(calculate({ ...rule, ruleIpv4Prefix: "192.0.2.0/24" }).remarks).toBeUndefined();
  });

  test.each([
    [{ psid: 5 }, "psid: PSID 5 is given without psidLength"],
    [{ psidLength: 7 }, "psidLength: 7 does not agree with eaLength"],
    [{ eaLength: 8, psidLength: 4 }, "psidLength: 4 is given without psid"],
    [{ eaLength: 4, psidLength: 4, psid: 1 }, "psidLength: 4 is given for a rule whose 4 EA bits"],
  ])("refuses port parameters that cannot be used: %j", (change, text) => {
    expect(() => calculate({ ...rule, ...change })).toThrow(text);
  });
});
