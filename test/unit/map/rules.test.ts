import { describe, expect, test } from "vitest";
import {
  formatIpv4Prefix,
  formatIpv6,
  parseIpv4Prefix,
  parseIpv6,
  parseIpv6Prefix,
} from "../../../src/ip/text.ts";
import { chooseBmr, computeCe, findCustomerEdge } from "../../../src/map/ce.ts";
import type { MapDomain, MapRule } from "../../../src/map/model.ts";
import { InputError } from "../../../src/wire/errors.ts";

function rule(ipv6: string, ipv4: string, eaLength: number, more: Partial<MapRule> = {}): MapRule {
  return {
    ipv6Prefix: parseIpv6Prefix(ipv6),
    ipv4Prefix: parseIpv4Prefix(ipv4),
    eaLength,
    psidOffset: 6,
    forward: false,
    ...more,
  };
}

const rfc = { legacyInterfaceId: false };

/** RFC 7597 Appendix A, example 1: 2001:db8::/40, 192.0.2.0/24, 16 EA bits, a = 6. */
const example1 = rule("2001:db8::/40", "192.0.2.0/24", 16);

// rule, end-user prefix | IPv4, k, PSID, the MAP address
describe("the customer edge of a rule and an end-user prefix", () => {
  test.each([
    [
      "RFC 7597 example 1",
      example1,
      "2001:db8:12:3400::/56",
      "192.0.2.18/32",
      8,
      0x34,
      "2001:db8:12:3400:0:c000:212:34",
    ],
    [
      "RFC 7597 example 4: an address without sharing",
      rule("2001:db8::/40", "192.0.2.0/24", 8),
      "2001:db8:12::/48",
      "192.0.2.18/32",
      0,
      0,
      "2001:db8:12::c000:212:0",
    ],
    [
      "RFC 7597 example 5: no EA bits, an explicit PSID",
      rule("2001:db8:12:3400::/56", "192.0.2.18/32", 0, { explicitPsid: { psid: 0x34, psidLength: 8 } }),
      "2001:db8:12:3400::/56",
      "192.0.2.18/32",
      8,
      0x34,
      "2001:db8:12:3400:0:c000:212:34",
    ],
    [
      "o + r = 32: an address, and an explicit PSID",
      rule("2001:db8::/40", "192.0.2.0/24", 8, { explicitPsid: { psid: 0x34, psidLength: 8 } }),
      "2001:db8:12::/48",
      "192.0.2.18/32",
      8,
      0x34,
      "2001:db8:12::c000:212:34",
    ],
    [
      "o + r < 32: an IPv4 prefix",
      rule("2001:db8::/40", "192.0.2.0/24", 4),
      "2001:db8:50::/44",
      "192.0.2.80/28",
      0,
      0,
      "2001:db8:50::c000:250:0",
    ],
    [
      "an address from 128.0.0.0 up, from its first bit on",
      rule("2001:db8::/32", "0.0.0.0/0", 32),
      "2001:db8:ffff:fffe::/64",
      "255.255.255.254/32",
      0,
      0,
      "2001:db8:ffff:fffe:0:ffff:fffe:0",
    ],
    [
      "16 PSID bits with a = 0",
      rule("2001:db8::/32", "192.0.2.1/32", 16, { psidOffset: 0 }),
      "2001:db8:ffff::/48",
      "192.0.2.1/32",
      16,
      0xffff,
      "2001:db8:ffff::c000:201:ffff",
    ],
    [
      "no EA bits and a /24: the whole prefix",
      rule("2001:db8::/48", "192.0.2.0/24", 0),
      "2001:db8::/48",
      "192.0.2.0/24",
      0,
      0,
      "2001:db8::c000:200:0",
    ],
  ] as const)("%s", (_title, of, prefix, ipv4, k, psid, address) => {
    const { ce, remarks } = computeCe(of, parseIpv6Prefix(prefix), rfc);
    expect(formatIpv4Prefix(ce.ipv4)).toBe(ipv4);
    expect(ce.portSet).toEqual({ offset: of.psidOffset, psidLength: k, psid });
    expect(formatIpv6(ce.mapAddress)).toBe(address);
    expect(ce.bmr).toBe(of);
    expect(ce.endUserPrefix).toEqual(parseIpv6Prefix(prefix));
    expect(remarks).toEqual([]);
  });

  test("MAP0, the draft's interface identifier, has one of its zero octets at the end", () => {
    const { ce } = computeCe(example1, parseIpv6Prefix("2001:db8:12:3400::/56"), { legacyInterfaceId: true });
    expect(formatIpv6(ce.mapAddress)).toBe("2001:db8:12:3400:c0:2:1200:3400");
  });

  test("MAP0 of a CE with a whole prefix", () => {
    const of = rule("2001:db8::/40", "192.0.2.0/24", 4);
    const { ce } = computeCe(of, parseIpv6Prefix("2001:db8:50::/44"), { legacyInterfaceId: true });
    expect(formatIpv6(ce.mapAddress)).toBe("2001:db8:50:0:c0:2:5000:0");
  });

  test("a prefix longer than 64 bits covers the top of the interface identifier", () => {
    const of = rule("2001:db8::/56", "192.0.2.0/24", 16);
    const { ce } = computeCe(of, parseIpv6Prefix("2001:db8:0:12:3400::/72"), rfc);
    expect(formatIpv6(ce.mapAddress)).toBe("2001:db8:0:12:3400:c000:212:34");
  });
});

describe("what cannot be", () => {
  test.each([
    ["outside the rule", example1, "2001:db9::/56", "2001:db9::/56 is not within the rule's 2001:db8::/40"],
    [
      "shorter than the rule",
      example1,
      "2001:db8::/39",
      "2001:db8::/39 is not within the rule's 2001:db8::/40",
    ],
    [
      "too short for the EA bits",
      example1,
      "2001:db8:12:3400::/55",
      "2001:db8:12:3400::/55 is too short: the rule for 2001:db8::/40 has 16 EA bits and needs /56 or longer",
    ],
  ])("%s", (_title, of, prefix, reason) => {
    expect(() => computeCe(of, parseIpv6Prefix(prefix), rfc)).toThrow(
      expect.objectContaining({ field: "end-user prefix", reason }),
    );
  });

  test("a port set of more than 16 bits", () => {
    const of = rule("2001:db8::/32", "192.0.2.1/32", 11);
    expect(() => computeCe(of, parseIpv6Prefix("2001:db8::/48"), rfc)).toThrow("exceed 16 bits together");
  });

  test("an offset that no port set has, where the CE has a whole prefix", () => {
    const of = rule("2001:db8::/40", "192.0.2.0/24", 4, { psidOffset: 16 });
    expect(() => computeCe(of, parseIpv6Prefix("2001:db8:50::/44"), rfc)).toThrow("16 is not 0 to 15");
  });

  test("a rule that its decoder found unusable gives that error", () => {
    const unusable = new InputError("port-params", "cut short");
    const of = { ...example1, unusable };
    expect(() => computeCe(of, parseIpv6Prefix("2001:db8:12:3400::/56"), rfc)).toThrow(unusable);
  });
});

describe("remarks", () => {
  const explicit = (psid: number, psidLength: number) => ({ explicitPsid: { psid, psidLength } });
  test.each([
    [
      "bits behind the EA bits",
      example1,
      "2001:db8:12:3401::/64",
      [
        [
          "nonzero-subnet-bits",
          "the 8 bits behind the EA bits are not zero; the border relay may want zeros",
        ],
      ],
    ],
    ["zeros behind the EA bits", example1, "2001:db8:12:3400::/64", []],
    [
      "no EA bits, so nothing is computed from what is behind",
      rule("2001:db8::/32", "192.0.2.1/32", 0),
      "2001:db8:1::/48",
      [],
    ],
    [
      "another PSID than that of the EA bits",
      { ...example1, ...explicit(0x35, 8) },
      "2001:db8:12:3400::/56",
      [["psid-conflict", "PSID 53 of 8 bits was given and is used; the EA bits have 52 of 8 bits"]],
    ],
    [
      "the same PSID in another length",
      { ...example1, ...explicit(0x34, 7) },
      "2001:db8:12:3400::/56",
      [["psid-conflict", "PSID 52 of 7 bits was given and is used; the EA bits have 52 of 8 bits"]],
    ],
    ["the same PSID", { ...example1, ...explicit(0x34, 8) }, "2001:db8:12:3400::/56", []],
    [
      "a PSID for a whole prefix",
      rule("2001:db8::/40", "192.0.2.0/24", 4, explicit(1, 8)),
      "2001:db8:50::/44",
      [["psid-discarded", "a PSID was given, and is ignored: the CE has a whole IPv4 prefix"]],
    ],
  ] as const)("%s", (_title, of, prefix, expected) => {
    const { ce, remarks } = computeCe(of as MapRule, parseIpv6Prefix(prefix), rfc);
    expect(remarks).toEqual(expected.map(([code, text]) => ({ code, path: "end-user prefix", text })));
    const given = (of as MapRule).explicitPsid;
    if (given !== undefined && ce.ipv4.length === 32) expect(ce.portSet).toMatchObject(given);
  });
});

describe("the BMR is the rule with the longest prefix that holds an end-user prefix (RFC 7597 s5)", () => {
  const short = rule("2001:db8::/32", "192.0.2.0/24", 16);
  const long = rule("2001:db8:1::/48", "198.51.100.0/24", 8);
  const prefix = parseIpv6Prefix("2001:db8:1:200::/56");

  test.each([
    ["in whichever order: short first", [short, long], long],
    ["in whichever order: long first", [long, short], long],
    ["of equals the first", [{ ...short }, short], { ...short }],
    [
      "not one that is too long for the prefix",
      [short, rule("2001:db8:1::/48", "198.51.100.0/24", 9)],
      short,
    ],
    ["not one for others", [rule("2001:db8:2::/48", "198.51.100.0/24", 8), short], short],
  ])("%s", (_title, rules, expected) => {
    expect(chooseBmr(rules, [prefix])).toEqual({ rule: expected, endUserPrefix: prefix });
  });

  test("any of the link's prefixes will do, and the rule counts, not their order", () => {
    const other = parseIpv6Prefix("2001:db8:2:200::/56");
    expect(chooseBmr([short, long], [other, prefix])).toEqual({ rule: long, endUserPrefix: prefix });
    expect(chooseBmr([short, long], [prefix, other])).toEqual({ rule: long, endUserPrefix: prefix });
    const twice = chooseBmr([short], [other, prefix]);
    expect(twice?.endUserPrefix).toBe(other);
  });

  test("no rule, no prefix, no match", () => {
    expect(chooseBmr([], [prefix])).toBeUndefined();
    expect(chooseBmr([short], [])).toBeUndefined();
    expect(chooseBmr([short], [parseIpv6Prefix("2001:db9::/56")])).toBeUndefined();
  });

  const domain = (rules: readonly MapRule[], legacyInterfaceId = false): MapDomain => ({
    transport: "map-e",
    rules,
    borderRelays: [parseIpv6("2001:db8:ffff::1")],
    legacyInterfaceId,
  });

  test("what does not match is said with what there is, four of each and how many more", () => {
    const rules = [1, 2, 3, 4, 5].map((i) => rule(`2001:db8:${i}::/48`, "192.0.2.0/24", 8));
    const reason = (prefixes: readonly string[]) => {
      try {
        findCustomerEdge(
          domain(rules),
          prefixes.map((text) => parseIpv6Prefix(text)),
        );
      } catch (error) {
        return error instanceof InputError ? `${error.field}|${error.reason}` : error;
      }
      return "no error";
    };
    const four = "2001:db8:1::/48, 2001:db8:2::/48, 2001:db8:3::/48, 2001:db8:4::/48";
    expect(reason([])).toBe(
      `end-user prefix|no rule matches: no prefix has been delegated yet; the rules are for ${four} and 1 more`,
    );
    expect(reason(["a::/56", "b::/56", "c::/56", "d::/56", "e::/56"])).toBe(
      `end-user prefix|no rule matches: the delegated prefixes are a::/56, b::/56, c::/56, d::/56 and 1 more; the rules are for ${four} and 1 more`,
    );
  });

  test("a prefix that lies in a rule and is too short for it is said to be that", () => {
    expect(() =>
      findCustomerEdge(
        domain([example1]),
        ["a::/56", "2001:db8:12::/50"].map((text) => parseIpv6Prefix(text)),
      ),
    ).toThrow(
      "2001:db8:12::/50 is too short: the rule for 2001:db8::/40 has 16 EA bits and needs /56 or longer",
    );
  });

  test("the interface identifier is the one that the domain says", () => {
    const pd = [parseIpv6Prefix("2001:db8:12:3400::/56")];
    expect(formatIpv6(findCustomerEdge(domain([example1]), pd).ce.mapAddress)).toBe(
      "2001:db8:12:3400:0:c000:212:34",
    );
    expect(formatIpv6(findCustomerEdge(domain([example1], true), pd).ce.mapAddress)).toBe(
      "2001:db8:12:3400:c0:2:1200:3400",
    );
  });
});
