import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { truncate4, truncate6 } from "../../../src/ip/prefix.ts";
import type { MapDomain, MapRule, Transport } from "../../../src/map/model.ts";
import { fromOption48879, fromPassthru } from "../../../src/provision/option.ts";
import { type DomainCode, optionOfDomain, STANDARD_CODE } from "../../../src/provision/option-of-domain.ts";
import { serverFormats } from "../../../src/render/dhcp-server.ts";
import { refusal } from "../../support/refusal.ts";

const ipv6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
const prefix6 = (lengths: fc.Arbitrary<number>) =>
  fc.record({ address: ipv6, length: lengths }).map(truncate6);
const ports = fc
  .record({
    offset: fc.integer({ min: 0, max: 15 }),
    length: fc.integer({ min: 0, max: 16 }),
    psid: fc.nat(),
  })
  .filter(({ offset, length }) => offset + length <= 16)
  .map(({ offset, length, psid }) => ({
    psidOffset: offset,
    ...(length === 0 ? {} : { explicitPsid: { psidLength: length, psid: psid % 2 ** length } }),
  }));

const ruleArbitrary: fc.Arbitrary<MapRule> = fc
  .record({
    ipv6Prefix: prefix6(fc.integer({ min: 0, max: 128 })),
    ipv4Prefix: fc
      .record({ address: fc.nat(0xffffffff), length: fc.integer({ min: 0, max: 32 }) })
      .map(truncate4),
    eaLength: fc.integer({ min: 0, max: 48 }),
    forward: fc.boolean(),
    ports,
  })
  .map(({ ports: found, ...rule }) => ({ ...rule, ...found }));

const bindArbitrary: fc.Arbitrary<MapRule> = fc
  .record({ ipv6Prefix: prefix6(fc.integer({ min: 0, max: 128 })), address: fc.nat(0xffffffff), ports })
  .map(({ address, ports: found, ipv6Prefix }) => ({
    ipv6Prefix,
    ipv4Prefix: { address, length: 32 },
    eaLength: 0,
    forward: false,
    ...found,
  }));

const domain = (
  transport: Transport,
  rules: fc.Arbitrary<readonly MapRule[]>,
  relays: number,
): fc.Arbitrary<MapDomain> =>
  fc
    .record({
      rules,
      dmr: prefix6(fc.constantFrom(32, 40, 48, 56, 64, 96)),
      relays: fc.array(ipv6, { minLength: 1, maxLength: relays }),
    })
    .map((found) => ({
      transport,
      rules: found.rules,
      legacyInterfaceId: false,
      ...(transport === "map-t" ? { dmr: found.dmr, borderRelays: [] } : { borderRelays: found.relays }),
    }));

const rules = fc.array(ruleArbitrary, { minLength: 1, maxLength: 4 });
const hexOf = (found: MapDomain, code: DomainCode) => serverFormats.hex(optionOfDomain(found, code));

const rule: MapRule = {
  ipv6Prefix: { address: 0x20010db8n << 96n, length: 40 },
  ipv4Prefix: { address: 0xc0000200, length: 24 },
  eaLength: 16,
  forward: false,
  psidOffset: 6,
};
const translated: MapDomain = {
  transport: "map-t",
  rules: [rule],
  dmr: { address: 0x20010db8ffffn << 80n, length: 64 },
  borderRelays: [],
  legacyInterfaceId: false,
};

describe("what is encoded is decoded again", () => {
  test.each([
    ["map-t", rules],
    ["map-e", rules],
    ["lw4o6", fc.array(bindArbitrary, { minLength: 1, maxLength: 1 })],
  ] as const)("the container of RFC 7598 for %s", (transport, arbitrary) => {
    fc.assert(
      fc.property(domain(transport, arbitrary, 3), (found) => {
        const [decoded] = fromPassthru(hexOf(found, STANDARD_CODE[transport]));
        expect(decoded).toEqual({ domain: found, remarks: [] });
      }),
    );
  });

  test.each(["map-t", "map-e"] as const)("option 48879 for %s", (transport) => {
    fc.assert(
      fc.property(domain(transport, rules, 1), (found) => {
        const { value } = optionOfDomain(found, 48_879);
        const { domain: decoded, remarks } = fromOption48879(Buffer.from(value).toString("hex"));
        expect(decoded).toEqual(found);
        expect(remarks).toEqual([]);
      }),
    );
  });
});

describe("what an option cannot say is refused by name", () => {
  const encapsulated = { ...translated, transport: "map-e" } as const;
  const bound = { ...translated, transport: "lw4o6", borderRelays: [1n] } as const;
  const { dmr: _, ...noDmr } = translated;
  test.each<readonly [string, MapDomain, DomainCode, string]>([
    ["MAP-T without a DMR", noDmr, 95, "dmr: is missing: MAP-T needs the border relay's prefix"],
    ["48879 without a DMR", noDmr, 48_879, "dmr: is missing: MAP-T needs the border relay's prefix"],
    [
      "a DMR of 60 bits",
      { ...translated, dmr: { address: 0n, length: 60 } },
      95,
      "dmr: ::/60 is not one of /32, /40, /48, /56, /64, /96 (RFC 6052 s2.2)",
    ],
    ["MAP-E without a relay", encapsulated, 94, "br: is missing: map-e needs the border relay's address"],
    ["48879 without a relay", encapsulated, 48_879, "br: is missing: map-e needs the border relay's address"],
    [
      "two relays in 48879",
      { ...encapsulated, borderRelays: [1n, 2n] },
      48_879,
      "br: option 48879 has room for one border relay",
    ],
    ["lw4o6 in 48879", bound, 48_879, "option: 48879 cannot say lw4o6; option 96 can"],
    [
      "lw4o6 with EA bits",
      bound,
      96,
      "rule-ipv4-prefix: 192.0.2.0/24: lw4o6 gives a whole address, and no EA bits",
    ],
    [
      "lw4o6 with a prefix of IPv4 addresses",
      { ...bound, rules: bound.rules.map((rule) => ({ ...rule, eaLength: 0 })) },
      96,
      "rule-ipv4-prefix: 192.0.2.0/24: lw4o6 gives a whole address, and no EA bits",
    ],
    ["MAP-T in 94", translated, 94, "option: 94 is not for map-t; 95 is"],
    ["MAP-T in 96", translated, 96, "option: 96 is not for map-t; 95 is"],
  ])("%s", (_title, found, code, message) => {
    expect(refusal(() => optionOfDomain(found, code))).toBe(message);
  });

  test("lw4o6 with a whole address and EA bits", () => {
    const whole = { ...rule, ipv4Prefix: { address: 0xc0000212, length: 32 }, eaLength: 8 };
    expect(refusal(() => optionOfDomain({ ...bound, rules: [whole] }, 96))).toContain("no EA bits");
  });
});
