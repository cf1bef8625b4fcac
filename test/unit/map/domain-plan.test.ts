import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contains6, overlaps4, truncate4, truncate6 } from "../../../src/ip/prefix.ts";
import { parseIpv4Prefix, parseIpv6Prefix } from "../../../src/ip/text.ts";
import { computeCe, psidBits } from "../../../src/map/ce.ts";
import { customerPrefix } from "../../../src/map/customers.ts";
import { type Demand, faultsOf, planDomain, type RulePlan } from "../../../src/map/domain-plan.ts";
import { portCount } from "../../../src/map/port-set.ts";
import { InputError } from "../../../src/wire/errors.ts";
import { refusal } from "../../support/refusal.ts";

const prefix4 = (low: number) =>
  fc.record({ address: fc.nat(0xffffffff), length: fc.integer({ min: low, max: 32 }) }).map(truncate4);
const prefix6 = (low: number, high: number) =>
  fc
    .record({
      address: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
      length: fc.integer({ min: low, max: high }),
    })
    .map(truncate6);
const orNot = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined });

/** The ports of the customer who has fewest, counted one by one. */
function fewest(offset: number, psidLength: number): number {
  if (psidLength === 0) return 65_535;
  return Math.min(...[0, 2 ** psidLength - 1].map((psid) => portCount({ offset, psidLength, psid })));
}

/** Every length of a PSID with which the demand can be met: tried one by one, by counting. */
function possible({ customers, ports = 1, ipv4, ipv6, endUserLength, offset }: Demand): readonly number[] {
  const found: number[] = [];
  for (let k = 0; k <= 15; k++) {
    const a = offset ?? [6, 5, 4, 3, 2, 1].find((one) => one + k <= 16) ?? 0;
    if (a + k > 16 || fewest(a, k) < ports) continue;
    const room = ipv4.reduce((sum, { length }) => sum + 2 ** (32 - length) * 2 ** k, 0);
    if (room < customers) continue;
    const ends = endUserLength === undefined ? [56, 57, 58, 59, 60, 61, 62, 63, 64] : [endUserLength];
    const from = ipv6?.length ?? 0;
    if (ends.some((end) => end <= 64 && end >= from && 2 ** (end - from) >= room)) found.push(k);
  }
  return found;
}

const demandArbitrary: fc.Arbitrary<Demand> = fc.record({
  customers: fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 2 ** 40 })),
  ports: orNot(fc.integer({ min: 1, max: 5_000 })),
  ipv4: fc.uniqueArray(prefix4(18), { minLength: 1, maxLength: 4, comparator: overlaps4 }),
  ipv6: orNot(prefix6(24, 64)),
  endUserLength: orNot(fc.integer({ min: 40, max: 66 })),
  offset: orNot(fc.integer({ min: 0, max: 15 })),
  forward: fc.boolean(),
});

describe("a proposal", () => {
  test("has room, gives the ports, and shares as little as is possible; what is refused is impossible", () => {
    fc.assert(
      fc.property(demandArbitrary, (demand) => {
        const [least] = possible(demand);
        let plan: ReturnType<typeof planDomain>;
        try {
          plan = planDomain(demand);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          // It shares as little as the addresses allow, though the prefix may have room for no more.
          expect(least).toBe(undefined);
          return;
        }
        expect(plan.psidLength).toBe(least);
        expect(plan.rules.reduce((sum, { eaLength }) => sum + 2 ** eaLength, 0)).toBeGreaterThanOrEqual(
          demand.customers,
        );
        const outer = demand.ipv6 ?? { address: 0n, length: 0 };
        for (const [i, rule] of plan.rules.entries()) {
          expect(demand.ipv4).toContain(rule.ipv4Prefix);
          expect(truncate6(rule.ipv6Prefix)).toEqual(rule.ipv6Prefix);
          expect(contains6(outer, rule.ipv6Prefix)).toBe(true);
          expect(rule.ipv6Prefix.length + rule.eaLength).toBe(plan.endUserLength);
          expect(plan.endUserLength).toBeLessThanOrEqual(64);
          for (const other of plan.rules.slice(0, i)) {
            expect(contains6(other.ipv6Prefix, rule.ipv6Prefix)).toBe(false);
            expect(contains6(rule.ipv6Prefix, other.ipv6Prefix)).toBe(false);
          }
          for (const which of ["first", "last"] as const) {
            const { ce } = computeCe(rule, customerPrefix(rule, which, ""), { legacyInterfaceId: false });
            expect(ce.ipv4.length).toBe(32);
            expect(ce.portSet.psidLength).toBe(plan.psidLength);
            expect(portCount(ce.portSet)).toBeGreaterThanOrEqual(demand.ports ?? 1);
          }
        }
        expect(plan.rules).toHaveLength(demand.ipv4.length);
      }),
      { numRuns: 60 },
    );
  });

  const demand: Demand = {
    customers: 10_000,
    ipv4: [parseIpv4Prefix("192.0.2.0/24")],
    ipv6: parseIpv6Prefix("2001:db8::/32"),
    forward: false,
  };
  test.each<[string, Partial<Demand>, string]>([
    [
      "two prefixes that overlap",
      { ipv4: ["192.0.2.0/24", "198.51.100.0/28", "192.0.2.16/28"].map((text) => parseIpv4Prefix(text)) },
      "ipv4: 192.0.2.0/24 and 192.0.2.16/28 overlap: leave one of them out",
    ],
    [
      "too few ports",
      { ports: 2_000 },
      "customers: there is room for 8192: give more addresses (--ipv4), fewer ports (--ports) or a smaller --psid-offset",
    ],
    [
      "almost all ports, for too many customers",
      { customers: 257, ports: 65_535 },
      expect.stringContaining("room for 256:"),
    ],
    ["more than 15 bits of PSID", { customers: 2 ** 24 }, expect.stringContaining("room for 8388608:")],
    ["no room for the offset", { offset: 11 }, expect.stringContaining("customers: there is room for 8192:")],
    [
      "an IPv6 prefix that is too long",
      { ipv6: parseIpv6Prefix("2001:db8::/51") },
      "ipv6: /51, with 14 EA bits behind it, does not fit end-user prefixes of /64, of which /64 is the longest: give a shorter prefix, or longer end-user prefixes",
    ],
    [
      "short end-user prefixes",
      { endUserLength: 45 },
      expect.stringContaining("ipv6: /32, with 14 EA bits behind it, does not fit end-user prefixes of /45,"),
    ],
    ["longer than /64", { endUserLength: 65 }, expect.stringContaining("of which /64 is the longest")],
    [
      "longer than /64, without a prefix",
      { ipv6: undefined, endUserLength: 65 },
      expect.stringContaining("end-user-length: /51,"),
    ],
  ])("%s", (_title, changes, message) => {
    expect(refusal(() => planDomain({ ...demand, ...changes }))).toEqual(message);
  });

  test.each([
    [10, 6, 10],
    [11, 5, 11],
    [15, 1, 15],
  ])("with %i bits of PSID the offset is %i", (bits, psidOffset, psidLength) => {
    expect(planDomain({ ...demand, customers: 256 * 2 ** bits })).toMatchObject({ psidOffset, psidLength });
  });

  test("an example of a prefix that is shorter than the one for documentation", () => {
    const ipv4 = [parseIpv4Prefix("192.0.0.0/8")];
    const [rule] = planDomain({ ...demand, ipv6: undefined, ipv4, customers: 2 ** 30 }).rules;
    expect(rule?.ipv6Prefix).toEqual(parseIpv6Prefix("2001:d80::/26"));
  });

  test("end-user prefixes are a /56 where there is room, and longer where there is not", () => {
    const lengthOf = (changes: Partial<Demand>) => planDomain({ ...demand, ...changes }).endUserLength;
    expect(lengthOf({})).toBe(56);
    expect(lengthOf({ ipv6: parseIpv6Prefix("2001:db8::/46") })).toBe(60);
    expect(lengthOf({ ipv6: undefined })).toBe(56);
    expect(lengthOf({ endUserLength: 48 })).toBe(48);
  });
});

const planArbitrary: fc.Arbitrary<RulePlan> = fc.record({
  ipv4: prefix4(0),
  ipv6: prefix6(0, 80),
  eaLength: fc.integer({ min: 0, max: 52 }),
  offset: fc.integer({ min: 0, max: 17 }),
  psidLength: orNot(fc.integer({ min: 0, max: 18 })),
  endUserLength: orNot(fc.integer({ min: 0, max: 70 })),
  customers: orNot(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 47 }))),
  ports: orNot(fc.integer({ min: 1, max: 1_200 })),
});

describe("a check", () => {
  test("has nothing against a plan of which all customers follow, and names a field of every other", () => {
    fc.assert(
      fc.property(planArbitrary, (plan) => {
        const { ipv4, ipv6, eaLength, offset, psidLength, endUserLength, customers = 1, ports = 1 } = plan;
        const rule = { ipv6Prefix: ipv6, ipv4Prefix: ipv4, eaLength, forward: false, psidOffset: offset };
        let usable = eaLength <= 48 && ipv6.length + eaLength <= 64 && customers <= 2 ** eaLength;
        try {
          for (const which of ["first", "last"] as const) {
            const { portSet } = computeCe(rule, customerPrefix(rule, which, ""), {
              legacyInterfaceId: false,
            }).ce;
            usable &&= (psidLength ?? portSet.psidLength) === portSet.psidLength;
            usable &&= portCount(portSet) >= ports;
          }
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          usable = false;
        }
        if (endUserLength !== undefined)
          usable &&= endUserLength >= ipv6.length + eaLength && endUserLength <= 64;
        const faults = faultsOf(plan);
        expect(faults.length === 0).toBe(usable);
        if (usable)
          expect(psidBits({ ipv4Prefix: ipv4, eaLength })).toBe(Math.max(0, eaLength + ipv4.length - 32));
      }),
      { numRuns: 200 },
    );
  });

  const plan: RulePlan = {
    ipv4: parseIpv4Prefix("192.0.2.0/24"),
    ipv6: parseIpv6Prefix("2001:db8::/40"),
    eaLength: 16,
    offset: 6,
  };
  test.each<[Partial<RulePlan>, readonly string[]]>([
    [{}, []],
    [{ psidLength: 8, endUserLength: 60, customers: 65_536, ports: 252 }, []],
    [{ endUserLength: 56 }, []],
    [{ endUserLength: 64 }, []],
    [{ eaLength: 8, offset: 15, ports: 65_535 }, []],
    [{ offset: 8 }, []],
    [{ eaLength: 8, ports: 65_536 }, ["ports: a customer has 65535, fewer than 65536: give fewer EA bits"]],
    [
      { eaLength: 48, ipv6: parseIpv6Prefix("2001::/16"), ipv4: parseIpv4Prefix("0.0.0.0/0"), offset: 0 },
      ["ports: a customer has 0, fewer than 1: give fewer EA bits"],
    ],
    [
      { endUserLength: 65 },
      ["end-user-length: is 65, and has to be 56 (the rule's prefix and EA bits) to 64"],
    ],
    [{ ports: 253 }, ["ports: a customer has 252, fewer than 253: give fewer EA bits"]],
    [{ offset: 0, ports: 256 }, ["ports: a customer has 255, fewer than 256: give fewer EA bits"]],
    [
      { psidLength: 7 },
      ["psid-length: is 7, and 16 EA bits with 8 of the address leave 8: give that, or --ea-length 15"],
    ],
    [{ offset: 9 }, ["psid-offset: is 9, and 8 bits of PSID leave 8 at most: give less, or fewer EA bits"]],
    [
      { offset: 16, eaLength: 8 },
      ["psid-offset: is 16, and 0 bits of PSID leave 15 at most: give less, or fewer EA bits"],
    ],
    [
      { eaLength: 49, ipv6: parseIpv6Prefix("2001::/15"), ipv4: parseIpv4Prefix("0.0.0.0/0"), offset: 0 },
      [
        "ea-length: 49 is more than 48: give fewer",
        "psid-offset: is 0, and 17 bits of PSID leave 0 at most: give less, or fewer EA bits",
      ],
    ],
    [
      { ipv6: parseIpv6Prefix("2001:db8::/49") },
      [
        "ipv6: /49 with 16 EA bits makes end-user prefixes of /65, which have no /64 for a network: give a shorter prefix",
      ],
    ],
    [
      { endUserLength: 55 },
      ["end-user-length: is 55, and has to be 56 (the rule's prefix and EA bits) to 64"],
    ],
    [{ customers: 65_537 }, ["customers: 16 EA bits have room for 65536: give 17"]],
  ])("rejected and accepted numbers %#", (changes, messages) => {
    expect(faultsOf({ ...plan, ...changes }).map(({ message }) => message)).toEqual(messages);
  });
});
