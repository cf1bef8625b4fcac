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

describe("port parameters in a place where they do not belong give no CE", () => {
  const [p93, p4204] = [option(93, "06083400"), option(0x4204, "06083400")];
  const end = "20010db8ffff00000000000000000001";
  const rule = option(89, ruleFields);
  const bind = option(92, bindFields);
  const of48879 = (...inside: readonly string[]) => option(48879, "00", rule48879(), dmr, ...inside);
  const of17 = (...inside: readonly string[]) => option(17, "00000009", rule48879(), dmr, ...inside);
  const whole = "0100" + "20c0000212" + "2820010db800";

  // What is wrong; where the port parameters are; the octet where their value begins; the options.
  test.each([
    ["93 beside S46_RULE", "S46_CONT_MAPE[0]/S46_PORTPARAMS[0]", 25, option(94, rule, p93, relay)],
    ["93 before S46_RULE", "S46_CONT_MAPE[0]/S46_PORTPARAMS[0]", 8, option(94, p93, rule, relay)],
    [
      "93 beside a rule for one address",
      "S46_CONT_MAPE[0]/S46_PORTPARAMS[0]",
      25,
      option(94, option(89, whole), p93, relay),
    ],
    [
      "93 beside S46_RULE of MAP-T",
      "S46_CONT_MAPT[0]/S46_PORTPARAMS[0]",
      38,
      option(95, rule, option(91, "4020010db8ffff0000"), p93),
    ],
    ["93 beside S46_V4V6BIND", "S46_CONT_LW[0]/S46_PORTPARAMS[0]", 24, option(96, bind, p93, relay)],
    [
      "93 in S46_BR",
      "S46_CONT_MAPE[0]/S46_BR[0]/S46_PORTPARAMS[0]",
      45,
      option(94, rule, option(90, end, p93)),
    ],
    [
      "93 in one S46_BR of two",
      "S46_CONT_LW[0]/S46_BR[1]/S46_PORTPARAMS[0]",
      64,
      option(96, bind, relay, option(90, end, p93)),
    ],
    [
      "93 in S46_DMR",
      "S46_CONT_MAPT[0]/S46_DMR[0]/S46_PORTPARAMS[0]",
      38,
      option(95, rule, option(91, "4020010db8ffff0000", p93)),
    ],
    ["0x4204 in S46_RULE", "S46_CONT_MAPE[0]/S46_RULE[0]/MAP_PORTPARAMS[0]", 25, mapE(p4204)],
    ["0x4204 in S46_V4V6BIND", "S46_CONT_LW[0]/S46_V4V6BIND[0]/MAP_PORTPARAMS[0]", 24, lw4o6(p4204)],
    ["0x4204 beside S46_RULE", "S46_CONT_MAPE[0]/MAP_PORTPARAMS[0]", 25, option(94, rule, p4204, relay)],
    ["0x4204 beside 93 in S46_RULE", "S46_CONT_MAPE[0]/S46_RULE[0]/MAP_PORTPARAMS[0]", 33, mapE(p93, p4204)],
    [
      "93 in MAP_RULE",
      "OPTION_48879[0]/MAP_RULE[0]/S46_PORTPARAMS[0]",
      26,
      option(48879, "00", rule48879(p93), dmr),
    ],
    ["93 in option 48879", "OPTION_48879[0]/S46_PORTPARAMS[0]", 39, of48879(p93)],
    ["93 in the vendor form", "VENDOR_OPTS[0]/S46_PORTPARAMS[0]", 42, of17(p93)],
    [
      "0x4204 in MAP_DMR",
      "OPTION_48879[0]/MAP_DMR[0]/MAP_PORTPARAMS[0]",
      39,
      option(48879, "00", rule48879(), option(0x4203, "40261000d01208cafe", p4204)),
    ],
    [
      "93 in MAP_DMR",
      "OPTION_48879[0]/MAP_DMR[0]/S46_PORTPARAMS[0]",
      39,
      option(48879, "00", rule48879(), option(0x4203, "40261000d01208cafe", p93)),
    ],
    ["93 before the container", "S46_PORTPARAMS[0]", 4, p93 + mapE()],
    ["93 behind the container", "S46_PORTPARAMS[0]", 45, mapE() + p93],
    ["0x4204 beside option 48879", "MAP_PORTPARAMS[0]", 39, of48879() + p4204],
    ["0x4204 beside the container", "MAP_PORTPARAMS[0]", 44, lw4o6() + p4204],
  ])("%s", (_title, path, offset, hex) => {
    const error = refusal(hex);
    expect([error.path, error.offset]).toEqual([path, offset]);
    const clause = path.includes("MAP_PORT") ? "draft-ietf-softwire-map-dhcp-03 s4.4" : "RFC 7598 s4.5";
    expect(error.reason).toBe(`port parameters do not belong here: see ${clause}`);
    // The last two octets are the PSID.
    expect(hex.slice(2 * offset, 2 * offset + 8)).toBe("06083400");
    // Said once where another domain wins.
    const { remarks } = fromPassthru(hex)[0] ?? {};
    expect(remarks?.filter(({ code }) => code === "skipped")).toEqual([
      { code: "skipped", path, offset, text: `skipped: ${error.reason} at octet ${offset}` },
    ]);
  });

  test("the same options without them give a CE", () => {
    for (const hex of [mapE(), lw4o6(), of48879(), of17(), option(94, option(89, whole), relay)]) {
      const [found] = fromPassthru(hex);
      expect(found && findCustomerEdge(found.domain, pd).ce.ipv4).toEqual({
        address: 0xc0000212,
        length: 32,
      });
    }
  });

  test("those that belong in option 48879 are for all rules, in its vendor form too", () => {
    for (const hex of [of48879(p4204), of17(p4204)]) {
      const [found] = fromPassthru(hex);
      expect(found && findCustomerEdge(found.domain, pd).ce.portSet).toEqual({
        offset: 6,
        psidLength: 8,
        psid: 0x34,
      });
      expect(found?.remarks).toEqual([]);
    }
  });

  test("those nearest to a rule count: a rule that has its own loses nothing, and it is said", () => {
    for (const hex of [
      option(94, option(89, ruleFields, p93), option(93, "06083500"), relay),
      option(93, "06083500") + mapE(p93),
      option(0x4204, "06083500") + of48879(p4204),
    ]) {
      const [found] = fromPassthru(hex);
      expect(found && findCustomerEdge(found.domain, pd).ce.portSet.psid).toBe(0x34);
      expect(found?.remarks.map(({ text }) => text)).toEqual([
        expect.stringContaining("skipped: port parameters do not belong here"),
      ]);
    }
  });

  test("those in a rule concern this rule, those in a container this container, those of a message all", () => {
    const other = option(89, "0110" + "18c6336400" + "2820010db801");
    const usable = (hex: string) =>
      fromPassthru(hex).map(({ domain }) => domain.rules.map(({ unusable }) => unusable === undefined));
    expect(usable(option(94, option(89, ruleFields, p4204), other, relay))).toEqual([[false, true]]);
    expect(usable(option(94, rule, other, p93, relay) + lw4o6())).toEqual([[false, false], [true]]);
    expect(usable(option(94, rule, other, relay) + lw4o6() + p93)).toEqual([[false, false], [false]]);
    expect(usable(option(94, rule, relay) + of48879(p93))).toEqual([[true], [false]]);
    expect(usable(of48879(p4204) + lw4o6() + p93)).toEqual([[true], [false]]);
  });

  test("cut short they are given all the same", () => {
    for (const rest of ["005d0004060834", "005d0004", "005d00", "42040004060834"]) {
      expect(refusal(option(94, rule, relay, rest)).path).toContain("S46_CONT_MAPE[0]/");
      expect(refusal(mapE() + rest).path).not.toContain("S46_CONT_MAPE");
    }
    // Other octets at the end of a container, or of a message, cannot be those of a rule.
    for (const rest of ["00ff0009", "01", "000000"]) {
      for (const hex of [option(94, rule, relay, rest), mapE() + rest]) {
        expect(fromPassthru(hex)[0]?.domain.rules[0]?.unusable).toBeUndefined();
      }
    }
  });

  test("the numbers in another vendor's option 17 are not ours", () => {
    const theirs = option(17, "00000de9", p93, p93);
    expect(fromPassthru(theirs)).toEqual([]);
    const [found] = fromPassthru(theirs + mapE(p93));
    expect(found?.remarks).toEqual([]);
    expect(found && findCustomerEdge(found.domain, pd).ce.portSet.psid).toBe(0x34);
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
