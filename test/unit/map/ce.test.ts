import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { computeCe } from "../../../src/map/ce.ts";
import { contains, portCount, portRanges } from "../../../src/map/port-set.ts";

/** The oracle works on strings of '0' and '1' and knows nothing of the code: RFC 7597 s5.1, s5.2, s6 by the letter. */
const bits = (value: bigint | number, width: number) => value.toString(2).padStart(width, "0");
const number = (text: string) => (text === "" ? 0n : BigInt(`0b${text}`));

const setArbitrary = fc
  .record({ offset: fc.integer({ min: 0, max: 15 }), psidLength: fc.integer({ min: 0, max: 16 }) })
  .filter(({ offset, psidLength }) => offset + psidLength <= 16)
  .chain((set) => fc.record({ ...lift(set), psid: fc.integer({ min: 0, max: 2 ** set.psidLength - 1 }) }));

function lift<T extends object>(value: T) {
  return Object.fromEntries(Object.entries(value).map(([key, constant]) => [key, fc.constant(constant)])) as {
    [K in keyof T]: fc.Arbitrary<T[K]>;
  };
}

function oracleInSet(
  { offset, psidLength, psid }: { offset: number; psidLength: number; psid: number },
  port: number,
) {
  if (psidLength === 0) return true;
  const text = bits(port, 16);
  const a = text.slice(0, offset);
  return (
    port !== 0 &&
    (offset === 0 || a.includes("1")) &&
    text.slice(offset, offset + psidLength) === bits(psid, psidLength)
  );
}

describe("port sets", () => {
  test("membership, ranges, count and index agree with the oracle", () => {
    fc.assert(
      fc.property(setArbitrary, fc.integer({ min: 0, max: 65535 }), (set, port) => {
        expect(contains(set, port)).toBe(oracleInSet(set, port));
        if (set.psidLength === 0) return;
        const inRange = portRanges(set).some(([low, high]) => port >= low && port <= high);
        expect(inRange).toBe(oracleInSet(set, port));
      }),
      { numRuns: 2000 },
    );
  });

  test("the ranges hold all members in ascending order, and the count is theirs", () => {
    fc.assert(
      fc.property(setArbitrary, (set) => {
        if (set.psidLength === 0) return;
        const members = Array.from({ length: 65536 }, (_, port) => port).filter((port) =>
          oracleInSet(set, port),
        );
        expect(portCount(set)).toBe(members.length);
        const listed = portRanges(set).flatMap(([low, high]) =>
          Array.from({ length: high - low + 1 }, (_, i) => low + i),
        );
        expect(listed.join()).toBe(members.join());
      }),
      { numRuns: 40 },
    );
  });
});

const ruleArbitrary = fc
  .record({
    n: fc.integer({ min: 0, max: 64 }),
    r: fc.integer({ min: 0, max: 32 }),
    o: fc.integer({ min: 0, max: 48 }),
    offset: fc.integer({ min: 0, max: 15 }),
    longer: fc.integer({ min: 0, max: 16 }),
    end: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
    ipv4: fc.integer({ min: 0, max: 0xffffffff }),
    legacy: fc.boolean(),
  })
  .filter(({ r, o, offset }) => offset + Math.max(0, o - (32 - r)) <= 16);

test("a CE agrees with the oracle for any rule", () => {
  fc.assert(
    fc.property(ruleArbitrary, ({ n, r, o, offset, longer, end, ipv4, legacy }) => {
      const length = Math.min(128, n + o + longer);
      const endText = bits(end, 128).slice(0, length);
      const ruleText = endText.slice(0, n);
      const ruleV4 = bits(ipv4, 32).slice(0, r);
      const rule = {
        ipv6Prefix: { address: number(ruleText.padEnd(128, "0")), length: n },
        ipv4Prefix: { address: Number(number(ruleV4.padEnd(32, "0"))), length: r },
        eaLength: o,
        forward: false,
        psidOffset: offset,
      };
      const { ce } = computeCe(
        rule,
        { address: number(endText.padEnd(128, "0")), length },
        { legacyInterfaceId: legacy },
      );

      const ea = endText.slice(n, n + o);
      const suffix = ea.slice(0, 32 - r);
      const v4Text = ruleV4 + suffix;
      const psidText = ea.slice(32 - r);
      expect(ce.ipv4).toEqual({ address: Number(number(v4Text.padEnd(32, "0"))), length: v4Text.length });
      expect(ce.portSet).toEqual({ offset, psidLength: psidText.length, psid: Number(number(psidText)) });
      const v4Bits = v4Text.padEnd(32, "0");
      const psidBits = psidText.padStart(16, "0");
      const id = legacy ? `00000000${v4Bits}${psidBits}00000000` : `${"0".repeat(16)}${v4Bits}${psidBits}`;
      const whole = endText.padEnd(64, "0") + id.slice(Math.max(0, length - 64));
      expect(bits(ce.mapAddress, 128)).toBe(whole);
    }),
    { numRuns: 3000 },
  );
});
