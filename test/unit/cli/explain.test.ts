import { describe, expect, test } from "vitest";
import { explain, runExplain } from "../../../src/cli/explain.ts";
import type { Ipv6Prefix } from "../../../src/ip/prefix.ts";
import { makeTerminal } from "./terminal.ts";

const value = "004202000d18c000020010002820010db8004203000940261000d01208cafe";
const prefix = "2001:db8:12:3400::/56";

function run(...argv: string[]) {
  const terminal = makeTerminal();
  const code = runExplain(argv, terminal);
  return { code, out: terminal.out(), err: terminal.err() };
}

describe("explain", () => {
  test("the value of option 48879: every field, and the customer edge that follows", () => {
    const { code, out, err } = run(value, "--pd", prefix);
    expect([code, err]).toEqual([0, ""]);
    for (const words of [
      "192.0.2.0",
      "2001:db8::/40",
      "2610:d0:1208:cafe::/64",
      "EA bits",
      "192.0.2.18/32",
      "52 (0x34), 8 bits, offset 4",
    ]) {
      expect(out).toContain(words);
    }
    expect(out).toContain("240 in 15 ranges: 4928-4943 9024-9039");
    expect(out).toContain("62272-62287");
  });

  test("a series of options gives the same", () => {
    const length = (value.length / 2).toString(16).padStart(4, "0");
    const { code, out } = run(`beef${length}${value}`, "--pd", prefix);
    expect(code).toBe(0);
    expect(out).toContain("read as: series of options");
    expect(out).toContain("192.0.2.18/32");
  });

  test("--json: the same for programs", () => {
    const { out } = run(value, "--pd", prefix, "--json");
    expect(JSON.parse(out)).toMatchObject({
      form: "value of option 48879",
      errors: [],
      edges: [
        { transport: "map-t", ipv4: "192.0.2.18/32", psid: 52, psidLength: 8, psidOffset: 4, ports: 240 },
      ],
    });
  });

  test("a tolerance that was used is said: a prefix padded by two octets, as a provider sends it", () => {
    const { code, out } = run(
      "005f002900590018000c17cb0070003020010db800000000005d000400034000005b00094020010db8ffff0000",
      "--pd",
      "2001:db8:0:20::/60",
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^note: .*octet/m);
    expect(out).toContain("16384-24575");
  });

  test.each([
    ["cut short", value.slice(0, 30), "octet"],
    ["no DMR", value.slice(0, 36), "exactly one DMR"],
    ["an IPv4 prefix length of 33", value.replace("000d18", "000d21"), "prefix4-len"],
    ["EA length 49", value.replace("c000020010", "c000020031"), "ea-len"],
    ["an IPv6 prefix length of 129", value.replace("0010002820", "0010008120"), "ipv6-prefix-len"],
  ])("%s: path and offset, exit 1", (_title, hex, words) => {
    const { code, err } = run(hex);
    expect(code).toBe(1);
    expect(err).toMatch(/^error: .*octet \d+/m);
    expect(err).toContain(words);
  });

  test.each([
    ["005f", "S46_CONT_MAPT, octet 2: this looks like option 95"],
    ["005f00", "S46_CONT_MAPT, octet 3: this looks like option 95"],
    ["0059", "S46_RULE, octet 2: this looks like option 89"],
    ["005d", "S46_PORTPARAMS, octet 2: this looks like option 93"],
    ["006f", "S46_PRIORITY, octet 2: this looks like option 111"],
    ["beef", "OPTION_48879, octet 2: this looks like option 48879"],
  ])("%s is an option cut short, not the value of option 48879", (hex, words) => {
    expect(run(hex)).toEqual({
      code: 1,
      out: "read as: series of options\n\n",
      err: `error: ${words}, cut short: an option begins with its code and its length, two octets each\n`,
    });
  });

  test.each([
    ["0059000d001018c00002002820010db800", "S46_RULE", 89, "a container (option 94, 95 or 96)"],
    ["005d000406083400", "S46_PORTPARAMS", 93, "option 89 or 92"],
  ])("%s is an option that is only valid inside another", (hex, name, code, parents) => {
    const { code: exit, out, err } = run(hex, "--pd", prefix);
    expect([exit, err]).toEqual([0, ""]);
    expect(out).toContain(`read as: options out of a container\n\n${name} (${code}), `);
    expect(out).toContain(
      `\n\nnote: ${name}: option ${code} is only valid inside ${parents}, so no CE follows from it alone\n`,
    );
  });

  test.each([
    ["2001:db8:12::/50", value, "2001:db8::/40", 16, 56],
    ["2001:db8::/40", value.replace("c000020010", "c000020020"), "2001:db8::/40", 32, 72],
    // The EA bits reach into the interface identifier: a /64 from an address is too short.
    ["2001:db8::/64", value.replace("c000020010", "c000020020"), "2001:db8::/40", 32, 72],
  ])("%s is too short, and how long it has to be", (pd, hex, rule, eaLength, needed) => {
    const { code, err } = run(hex, "--pd", pd);
    expect([code, err]).toEqual([
      1,
      `error: end-user prefix: ${pd} is too short: the rule for ${rule} has ${eaLength} EA bits and needs /${needed} or longer\n`,
    ]);
  });

  test("a prefix outside the rules: which there are", () => {
    expect(run(value, "--pd", "2001:dead::/56", "--pd", "2001:dead:1::/64").err).toBe(
      "error: end-user prefix: no rule matches: the delegated prefixes are 2001:dead::/56, 2001:dead:1::/64; the rules are for 2001:db8::/40\n",
    );
  });

  test("without --pd it says what --pd is for", () => {
    const words =
      "With --pd PREFIX, the IPv6 prefix delegated to the CE, explain tells address and ports too.\n";
    expect(run(value).out.endsWith(`\n\n${words}`)).toBe(true);
    expect(run(value, "--pd", prefix).out).not.toContain("--pd");
    // A DMR without a rule: no prefix would give an address.
    expect(run(`00${value.slice(36)}`).out).not.toContain("--pd");
    expect(JSON.parse(run(value, "--json").out)).not.toHaveProperty("prefixWanted");
  });

  test("no octets at all", () => {
    const text = "truncated: 1 octets needed, 0 left";
    expect(run("")).toEqual({
      code: 1,
      out: "read as: value of option 48879\n\n",
      err: `error: OPTION_48879/E, octet 0: ${text}\n`,
    });
    expect(JSON.parse(run("", "--json").out)).toEqual({
      form: "value of option 48879",
      options: [],
      remarks: [],
      errors: [{ path: "OPTION_48879/E", offset: 0, text }],
      edges: [],
    });
    expect(explain("", []).prefixWanted).toBe(false);
  });

  test("a container without anything in it is one, and lacks what it needs", () => {
    expect(run("005f0000")).toEqual({
      code: 1,
      out: "read as: series of options\n\nS46_CONT_MAPT (95), 0 octets at 4; RFC 7598 s5.2\n\n",
      err: "error: S46_CONT_MAPT[0], octet 4: exactly one DMR is needed, found 0\n",
    });
  });

  test("a border relay without a rule needs no delegated prefix; an order of preference is no domain", () => {
    const relay = "005e0014005a001020010db8ffff00000000000000000001";
    for (const argv of [[relay, "--pd", prefix], [relay], [`${relay}006f0002005e`]]) {
      const { code, out, err } = run(...argv);
      expect([code, err]).toEqual([0, ""]);
      expect(out).not.toContain("--pd");
    }
  });

  test("--json gives each note its code", () => {
    expect(JSON.parse(run("005d000406083400", "--json").out).remarks).toEqual([
      {
        code: "no-container",
        path: "S46_PORTPARAMS",
        text: "option 93 is only valid inside option 89 or 92, so no CE follows from it alone",
      },
    ]);
  });

  test("an error that the input did not cause is a bug, and goes up", () => {
    expect(() => explain(value, [undefined as unknown as Ipv6Prefix])).toThrow(TypeError);
  });

  test.each([["zz"], ["0"], [`${value}0`], ["000x00"]])("%s is not hexadecimal text", (hex) => {
    expect(() => run(hex)).toThrow("hex");
  });

  test("no or two arguments: exit 2", () => {
    expect(run().code).toBe(2);
    expect(run("00", "00").code).toBe(2);
  });
});
