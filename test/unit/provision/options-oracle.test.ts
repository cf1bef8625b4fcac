import fc from "fast-check";
import { expect, test } from "vitest";
import type { MapDomain, MapRule } from "../../../src/map/model.ts";
import { fromPassthru } from "../../../src/provision/option.ts";
import { MapminError } from "../../../src/wire/errors.ts";

/*
 * Options are written here as text of bits, field by field as RFC 7598 s4 and s5 and the draft have them, and what they
 * mean is said in the words of those documents; nothing of the code under test takes part in it.
 */

const bits = (value: bigint | number, width: number) => value.toString(2).padStart(width, "0");
const toHex = (text: string) =>
  (text.match(/.{8}/g) ?? [])
    .map((octet) => Number.parseInt(octet, 2).toString(16).padStart(2, "0"))
    .join("");
const option = (code: number, value: string) => bits(code, 16) + bits(value.length / 8, 16) + value;

/** `prefix6-len` and as many whole octets as it needs; the bits behind the length are noise, which nobody reads. */
const prefix6 = (length: number, address: bigint) =>
  bits(length, 8) + bits(address, 128).slice(0, 8 * Math.ceil(Math.min(length, 128) / 8));

interface Params {
  readonly offset: number;
  readonly length: number;
  /** All 16 bits, as they are sent. */
  readonly psid: number;
}

/** What RFC 7598 s4.5 makes of them, and the tolerance for a right-aligned PSID; "unusable" otherwise. */
function meaning({ offset, length, psid }: Params) {
  if (offset > 15 || length > 16 || offset + length > 16) return "unusable";
  if (length === 0) return { offset };
  const text = bits(psid, 16);
  if (!text.slice(length).includes("1")) {
    return { offset, explicit: { psidLength: length, psid: Number.parseInt(text.slice(0, length), 2) } };
  }
  return text.slice(0, 16 - length).includes("1")
    ? "unusable"
    : { offset, explicit: { psidLength: length, psid } };
}

interface Rule {
  readonly prefix4: number;
  readonly ipv4: number;
  readonly ea: number;
  readonly flags: number;
  readonly prefix6: number;
  readonly ipv6: bigint;
  readonly params: Params | undefined;
}

/** Mostly what is legal, now and then what a field cannot be. */
const oneOctet = (high: number) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: 0, max: high }) },
    { weight: 1, arbitrary: fc.integer({ min: high + 1, max: 255 }) },
  );
const paramsArbitrary: fc.Arbitrary<Params> = fc
  .record({
    offset: oneOctet(15),
    length: oneOctet(16),
    raw: fc.integer({ min: 0, max: 0xffff }),
    left: fc.boolean(),
  })
  .map(({ offset, length, raw, left }) => ({
    offset,
    length,
    psid: left ? Number.parseInt(bits(raw, 16).slice(0, Math.min(length, 16)).padEnd(16, "0"), 2) : raw,
  }));
const ipv6Arbitrary = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
const ruleArbitrary: fc.Arbitrary<Rule> = fc.record({
  prefix4: oneOctet(32),
  ipv4: fc.integer({ min: 0, max: 0xffffffff }),
  ea: oneOctet(48),
  flags: fc.integer({ min: 0, max: 255 }),
  prefix6: oneOctet(128),
  ipv6: ipv6Arbitrary,
  params: fc.option(paramsArbitrary, { nil: undefined }),
});

/** The rule as a value; undefined when a field of it cannot be, which costs the rule. */
function expectedRule(rule: Rule, ofAll: Params | undefined, defaultOffset: number): object | undefined {
  if (rule.prefix4 > 32 || rule.ea > 48 || rule.prefix6 > 128) return undefined;
  const given = rule.params ?? ofAll;
  const meant = given === undefined ? { offset: defaultOffset } : meaning(given);
  const offset = meant === "unusable" ? defaultOffset : meant.offset;
  const explicit = meant === "unusable" || !("explicit" in meant) ? undefined : meant.explicit;
  return {
    ipv4Prefix: {
      address: Number.parseInt(bits(rule.ipv4, 32).slice(0, rule.prefix4).padEnd(32, "0"), 2),
      length: rule.prefix4,
    },
    ipv6Prefix: {
      address: BigInt(`0b${bits(rule.ipv6, 128).slice(0, rule.prefix6).padEnd(128, "0")}`),
      length: rule.prefix6,
    },
    eaLength: rule.ea,
    forward: rule.flags % 2 === 1,
    psidOffset: offset,
    explicitPsid: explicit,
    usable: meant !== "unusable",
  };
}

const seen = ({ unusable, explicitPsid, ...rule }: MapRule) => ({
  ...rule,
  explicitPsid,
  usable: unusable === undefined,
});

/** The domain, or undefined where there is none. */
function read(text: string): MapDomain | undefined {
  try {
    return fromPassthru(toHex(text))[0]?.domain;
  } catch (error) {
    if (error instanceof MapminError) return undefined;
    throw error;
  }
}

const params = (code: number, value: Params | undefined) =>
  value === undefined
    ? ""
    : option(code, bits(value.offset, 8) + bits(value.length, 8) + bits(value.psid, 16));

/**
 * Places of port parameters in a message with two containers, each of two rules, and the rules that they concern where they do
 * not belong there: those of option 48879 belong in its rules and beside them, those of RFC 7598 in its rules.
 */
const PLACES = {
  message: [0, 1, 2, 3],
  standard: [0, 1],
  relay: [0, 1],
  "standard rule 0": [0],
  "standard rule 1": [1],
  experimental: [2, 3],
  dmr: [2, 3],
  "experimental rule 0": [2],
  "experimental rule 1": [3],
} as const;
type Place = keyof typeof PLACES;

test("port parameters in a wrong place cost the rules that they may be meant for, unless these have their own", () => {
  const rule = bits(16, 8) + bits(24, 8) + bits(0xc0000200, 32) + prefix6(40, 0x20010db8n << 96n);
  const placed = fc.record({
    place: fc.constantFrom(...(Object.keys(PLACES) as Place[])),
    code: fc.constantFrom(93, 0x4204),
    first: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(placed, { maxLength: 5 }), (all) => {
      const at = (place: Place, ...inside: readonly string[]) => {
        const params = (wanted: boolean) =>
          all
            .filter((one) => one.place === place && one.first === wanted)
            .map(({ code }) => option(code, bits(6, 8) + bits(8, 8) + bits(0x3400, 16)));
        return [...params(true), ...inside, ...params(false)].join("");
      };
      const standard = (i: 0 | 1) => option(89, bits(0, 8) + rule + at(`standard rule ${i}`));
      const relay = option(90, bits(0x20010db8n << 96n, 128) + at("relay"));
      const draftRule = bits(24, 8) + bits(0xc0000200, 32) + bits(16, 8) + bits(0, 8);
      const experimental = (i: 0 | 1) =>
        option(0x4202, draftRule + prefix6(40, 0x20010db8n << 96n) + at(`experimental rule ${i}`));
      const dmr = option(0x4203, prefix6(64, 0x20010db8n << 96n) + at("dmr"));
      const text = at(
        "message",
        option(94, at("standard", standard(0), standard(1), relay)),
        option(48_879, bits(0, 8) + at("experimental", experimental(0), experimental(1), dmr)),
      );
      const belongs = ({ place, code }: (typeof all)[number]) =>
        code === 93 ? place.startsWith("standard rule") : place.startsWith("experimental");
      const found = fromPassthru(toHex(text)).flatMap(({ domain }) => domain.rules);
      const expected = [0, 1, 2, 3].map((number) => {
        const mine = all.filter(({ place }) => (PLACES[place] as readonly number[]).includes(number));
        // From the rule itself outwards: the first place that has any decides.
        const ofRule = mine.filter(({ place }) => place.includes("rule"));
        const ofMessage = mine.filter(({ place }) => place === "message");
        const between = mine.filter((one) => !ofRule.includes(one) && !ofMessage.includes(one));
        for (const level of [ofRule, between, ofMessage]) if (level.length > 0) return level.every(belongs);
        return true;
      });
      expect(found.map(({ unusable }) => unusable === undefined)).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

/** Something between the options that is not ours, and has to be passed over. */
const foreignArbitrary = fc
  .record({ code: fc.integer({ min: 1000, max: 0x4201 }), length: fc.integer({ min: 0, max: 6 }) })
  .map(({ code, length }) => option(code, "10101010".repeat(length)));

test("S46_RULE in the containers of MAP-E and MAP-T", () => {
  const relay = option(90, bits(0x20010db8n << 96n, 128));
  const dmr = option(91, prefix6(64, 0x20010db8n << 96n));
  fc.assert(
    fc.property(
      fc.array(ruleArbitrary, { maxLength: 5 }),
      fc.boolean(),
      foreignArbitrary,
      (rules, mapE, foreign) => {
        const text = rules.map((rule) =>
          option(
            89,
            bits(rule.flags, 8) +
              bits(rule.ea, 8) +
              bits(rule.prefix4, 8) +
              bits(rule.ipv4, 32) +
              prefix6(rule.prefix6, rule.ipv6) +
              params(93, rule.params),
          ),
        );
        const found = read(option(mapE ? 94 : 95, [...text, foreign, mapE ? relay : dmr].join("")));
        const expected = rules.flatMap((rule) => expectedRule(rule, undefined, 6) ?? []);
        expect(found?.transport).toBe(mapE ? "map-e" : "map-t");
        expect(found?.rules.map(seen)).toEqual(expected);
      },
    ),
    { numRuns: 800 },
  );
});

test("S46_V4V6BIND in the container of lw4o6", () => {
  const relay = option(90, bits(0x20010db8n << 96n, 128));
  fc.assert(
    fc.property(ruleArbitrary, (rule) => {
      const bind = option(
        92,
        bits(rule.ipv4, 32) + prefix6(rule.prefix6, rule.ipv6) + params(93, rule.params),
      );
      const found = read(option(96, bind + relay));
      const whole = { ...rule, prefix4: 32, ea: 0, flags: 0 };
      const expected = expectedRule(whole, undefined, 0);
      expect(found?.rules.map(seen)).toEqual(expected === undefined ? undefined : [expected]);
    }),
    { numRuns: 500 },
  );
});

test("option 48879 and its vendor form: rules, one DMR, port parameters of rules and of all", () => {
  fc.assert(
    fc.property(
      fc.record({
        rules: fc.array(ruleArbitrary, { maxLength: 4 }),
        flags: fc.integer({ min: 0, max: 255 }),
        vendor: fc.boolean(),
        dmrs: fc.array(fc.record({ length: oneOctet(128), address: ipv6Arbitrary }), {
          minLength: 0,
          maxLength: 2,
        }),
        ofAll: fc.option(paramsArbitrary, { nil: undefined }),
        foreign: foreignArbitrary,
        paramsFirst: fc.boolean(),
      }),
      ({ rules, flags, vendor, dmrs, ofAll, foreign, paramsFirst }) => {
        const text = rules.map((rule) =>
          option(
            0x4202,
            bits(rule.prefix4, 8) +
              bits(rule.ipv4, 32) +
              bits(rule.ea, 8) +
              bits(rule.flags, 8) +
              prefix6(rule.prefix6, rule.ipv6) +
              params(0x4204, rule.params),
          ),
        );
        const all = params(0x4204, ofAll);
        const inside = [
          ...(paramsFirst ? [all] : []),
          ...text,
          foreign,
          ...dmrs.map(({ length, address }) => option(0x4203, prefix6(length, address))),
          ...(paramsFirst ? [] : [all]),
        ].join("");
        const found = read(
          vendor ? option(17, bits(9, 32) + inside) : option(48_879, bits(flags, 8) + inside),
        );

        const mapE = !vendor && flags % 2 === 1;
        // draft s6: exactly one DMR; for MAP-T with a length of RFC 6052 s2.2.
        const readable = dmrs.filter(({ length }) => length <= 128);
        const [dmr] = readable;
        const legal = mapE || [32, 40, 48, 56, 64, 96].includes(dmr?.length ?? -1);
        if (readable.length !== 1 || dmr === undefined || !legal) {
          expect(found).toBeUndefined();
          return;
        }
        const address = BigInt(`0b${bits(dmr.address, 128).slice(0, dmr.length).padEnd(128, "0")}`);
        expect(found).toMatchObject(
          mapE
            ? { transport: "map-e", borderRelays: [address] }
            : { transport: "map-t", dmr: { address, length: dmr.length }, borderRelays: [] },
        );
        expect(found?.rules.map(seen)).toEqual(rules.flatMap((rule) => expectedRule(rule, ofAll, 4) ?? []));
      },
    ),
    { numRuns: 1200 },
  );
});
