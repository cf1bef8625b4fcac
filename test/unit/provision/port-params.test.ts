import { describe, expect, test } from "vitest";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { parseIpv6Prefix } from "../../../src/ip/text.ts";
import { findCustomerEdge } from "../../../src/map/ce.ts";
import { makePlan } from "../../../src/map/plan.ts";
import { fromOption48879, fromPassthru } from "../../../src/provision/option.ts";
import { DecodeError } from "../../../src/wire/errors.ts";

const pd = [parseIpv6Prefix("2001:db8:12:3400::/56")];

/** An option: code, length, value. */
const option = (code: number, ...value: readonly string[]) => {
  const hex = value.join("");
  return `${code.toString(16).padStart(4, "0")}${(hex.length / 2).toString(16).padStart(4, "0")}${hex}`;
};

const relay = option(90, "20010db8ffff00000000000000000001");
const ruleFields = "0110" + "18c0000200" + "2820010db800";
const bindFields = "c0000212" + "3820010db8001234";
const mapE = (...inRule: readonly string[]) => option(94, option(89, ruleFields, ...inRule), relay);
const lw4o6 = (...inBind: readonly string[]) => option(96, option(92, bindFields, ...inBind), relay);
const dmr = option(0x4203, "40261000d01208cafe");
const rule48879 = (...inRule: readonly string[]) =>
  option(0x4202, "18c00002001000" + "2820010db800", ...inRule);

/** The error that the choice of a CE ends with. */
function refusal(hex: string): DecodeError {
  const [found] = fromPassthru(hex);
  if (found === undefined) expect.fail("no domain");
  try {
    findCustomerEdge(found.domain, pd);
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
  return expect.fail("a CE was made");
}

describe("port parameters that were given and cannot be read give no CE", () => {
  const PARAMS = { 89: 93, 92: 93, 48879: 0x4204 } as const;

  test.each([
    ["a and k above 16 bits", "0a070000", "psid-len", "exceeds 16 bits"],
    ["PSID offset 16", "10000000", "offset", "16 is not 0 to 15"],
    ["PSID length 17", "00110000", "psid-len", "exceeds 16 bits"],
    ["a PSID that fits neither way", "04087fff", "psid", "is not a PSID of 8 bits"],
    ["three octets", "060834", "psid", "truncated"],
    ["none", "", "offset", "truncated"],
    ["five octets", "0608340000", "", "1 octets are left over"],
  ])("%s", (_title, value, field, reason) => {
    for (const [hex, path] of [
      [mapE(option(PARAMS[89], value)), "S46_CONT_MAPE[0]/S46_RULE[0]/S46_PORTPARAMS[0]"],
      [lw4o6(option(PARAMS[92], value)), "S46_CONT_LW[0]/S46_V4V6BIND[0]/S46_PORTPARAMS[0]"],
      [
        option(48879, "00", rule48879(option(PARAMS[48879], value)), dmr),
        "OPTION_48879[0]/MAP_RULE[0]/MAP_PORTPARAMS[0]",
      ],
      [
        option(48879, "00", rule48879(), dmr, option(PARAMS[48879], value)),
        "OPTION_48879[0]/MAP_PORTPARAMS[0]",
      ],
    ] as const) {
      const error = refusal(hex);
      expect(error.path).toBe(field === "" ? path : `${path}/${field}`);
      expect(error.reason).toContain(reason);
      expect(error.offset).toBeGreaterThan(8);
      expect(error.offset).toBeLessThanOrEqual(hex.length / 2);
    }
  });

  test("a series that ends in the middle of an option may hide them", () => {
    for (const rest of ["005d0004060834", "005d00", "005d", "00ff0009", "01"]) {
      expect(refusal(mapE(rest)).path).toContain("S46_CONT_MAPE[0]/S46_RULE[0]");
      expect(refusal(lw4o6(rest)).path).toContain("S46_CONT_LW[0]/S46_V4V6BIND[0]");
    }
    expect(refusal(option(48879, "00", rule48879(), dmr, "42040004060834")).path).toContain("MAP_PORTPARAMS");
  });

  test("the octet is the one at fault", () => {
    //                      94: 4, 89: 4, fields: 13, 93: 4, then offset, psid-len
    expect(refusal(mapE(option(93, "0a070000")))).toMatchObject({ offset: 26 });
  });

  test("two that differ give none; two that are equal are one", () => {
    const [a, b] = [option(93, "06083400"), option(93, "06083500")];
    expect(refusal(lw4o6(a, b)).reason).toContain("differs");
    const [twice] = fromPassthru(lw4o6(a, a));
    expect(twice && findCustomerEdge(twice.domain, pd).ce.portSet.psid).toBe(0x34);
  });

  test("a rule's own count before the container's, broken ones too", () => {
    const good = option(0x4204, "06083400");
    const broken = option(0x4204, "10000000");
    const { domain } = fromOption48879(`00${rule48879(good)}${dmr}${broken}`);
    expect(findCustomerEdge(domain, pd).ce.portSet).toEqual({ offset: 6, psidLength: 8, psid: 0x34 });
    expect(() => findCustomerEdge(fromOption48879(`00${rule48879(broken)}${dmr}${good}`).domain, pd)).toThrow(
      "16 is not 0 to 15",
    );
  });

  test("zero octets behind the options are padding, and options that are not ours are none of ours", () => {
    for (const rest of ["00", "000000", `${option(93, "06083400")}00`, option(4711, "0a070000")]) {
      const [found] = fromPassthru(mapE(rest));
      expect(found && findCustomerEdge(found.domain, pd).ce.portSet.psid).toBe(0x34);
    }
  });

  test("the rule is not passed over for a shorter one, and another domain may win", () => {
    const wide = option(89, "0108" + "18c0000200" + "2020010db8");
    const hex = option(94, option(89, ruleFields, option(93, "10000000")), wide, relay);
    expect(refusal(hex).path).toBe("S46_CONT_MAPE[0]/S46_RULE[0]/S46_PORTPARAMS[0]/offset");
    const both = fromPassthru(hex + lw4o6(option(93, "06083400")));
    expect(both.map(({ domain }) => domain.transport)).toEqual(["map-e", "lw4o6"]);
    expect(both[1] && findCustomerEdge(both[1].domain, pd).ce.portSet.psid).toBe(0x34);
  });

  test("nothing is forwarded by such a rule", () => {
    const other = option(89, "0110" + "18c0000300" + "2820010db801", option(93, "10000000"));
    const [found] = fromPassthru(option(94, option(89, ruleFields), other, relay));
    if (found === undefined) expect.fail("no domain");
    expect(found.domain.rules.map((rule) => rule.forward)).toEqual([true, true]);
    const { ce } = findCustomerEdge(found.domain, pd);
    const link = { iface: parseInterfaceName("wan6", "tunlink"), device: "", mtu: 1500 } as const;
    const plan = makePlan(parseInterfaceName("wan6_4", "interface"), found.domain, ce, link);
    expect(plan.module?.fmrs).toEqual([found.domain.rules[0]]);
  });
});

describe("many faults of one kind are one line and a count", () => {
  test("15,000 broken sub-options", () => {
    const [found] = fromPassthru(option(94, option(89, ruleFields), relay, option(90, "00").repeat(12_000)));
    expect(found?.remarks).toEqual([
      {
        code: "skipped",
        path: "S46_CONT_MAPE[0]/S46_BR[1]/br-ipv6-address",
        offset: 45,
        text: "skipped: truncated: 16 octets needed, 1 left at octet 45 (and 11999 more like it)",
      },
    ]);
  });

  test("2,000 rules, each with port parameters that are broken, or forgiven", () => {
    const rules = option(89, ruleFields, option(93, "10000000")).repeat(2000);
    const forgiven = option(89, ruleFields, option(93, "06080034")).repeat(500);
    const [found] = fromPassthru(option(94, rules, forgiven, relay));
    expect(found?.domain.rules).toHaveLength(2500);
    expect(found?.remarks.map(({ code, path, text }) => [code, path, text.slice(-60)])).toEqual([
      [
        "right-aligned-psid",
        "S46_CONT_MAPE[0]/S46_RULE[2000]/S46_PORTPARAMS[0]/psid",
        expect.stringContaining("read as 52 (and 499 more like it)"),
      ],
      [
        "skipped",
        "S46_CONT_MAPE[0]/S46_RULE[0]/S46_PORTPARAMS[0]/offset",
        expect.stringContaining("(and 1999 more like it)"),
      ],
    ]);
  });
});
