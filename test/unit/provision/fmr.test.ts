import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import {
  formatIpv4Prefix,
  formatIpv6Prefix,
  parseIpv4Prefix,
  parseIpv6Prefix,
} from "../../../src/ip/text.ts";
import type { MapDomain, MapRule } from "../../../src/map/model.ts";
import { provision } from "../../../src/provision/choose.ts";
import { withUsableFmrs } from "../../../src/provision/fmr.ts";
import { JUDGING } from "../../../src/provision/judge.ts";
import { ruleLines } from "../../../src/render/control.ts";

const wanMap = parseInterfaceName("wan_map", "interface");
const pd = parseIpv6Prefix("2001:db8:12:3400::/56");
const link = { up: true, device: "", prefixes: [pd] } as const;
const around = { tunlink: parseInterfaceName("wan6", "tunlink"), link, linkMtu: 1500, neighbours: [] };

/** An option: code, length, value. */
const option = (code: number, ...value: readonly string[]) => {
  const hex = value.join("");
  return `${code.toString(16).padStart(4, "0")}${(hex.length / 2).toString(16).padStart(4, "0")}${hex}`;
};
const octet = (value: number) => value.toString(16).padStart(2, "0");
const relay = option(90, "20010db8ffff00000000000000000001");
/** S46_RULE with F: EA bits, IPv4 prefix, IPv6 prefix as length and octets. */
const fmr = (ea: number, ipv4: string, prefix6: string, ...params: readonly string[]) => {
  const { address, length } = parseIpv4Prefix(ipv4);
  const fields = `01${octet(ea)}${octet(length)}${address.toString(16).padStart(8, "0")}${prefix6}`;
  return option(89, fields, ...params);
};
const bmr = fmr(16, "192.0.2.0/24", "2820010db800");
const made = (...rules: readonly string[]) => {
  const { plan, remarks } = provision(
    wanMap,
    {},
    {
      ...around,
      link: { ...link, passthru: option(94, ...rules, relay) },
    },
  );
  if (plan.module === undefined) expect.fail("no module");
  return { fmrs: plan.module.fmrs, remarks, lines: ruleLines("map-x", plan.module), plan };
};
const prefixes = (fmrs: readonly MapRule[]) =>
  fmrs.map(({ ipv4Prefix, ipv6Prefix }) => `${formatIpv4Prefix(ipv4Prefix)} ${formatIpv6Prefix(ipv6Prefix)}`);

const OURS = "192.0.2.0/24 2001:db8::/40";

describe("an FMR that the module would refuse is left out, and IPv4 comes up", () => {
  test.each([
    [
      "the BMR's IPv4 prefix",
      fmr(16, "192.0.2.0/24", "2820010db801"),
      "192.0.2.0/24: a rule before it has the same prefix",
    ],
    [
      "PSID offset and length above 16 bits",
      fmr(20, "198.51.100.0/24", "2820010db801"),
      "198.51.100.0/24: PSID offset 6 and length 12 exceed 16 bits together",
    ],
    [
      "no EA bits, and a PSID offset of its own",
      fmr(14, "198.51.100.0/24", "2820010db801", option(93, "0b000000")),
      "198.51.100.0/24: PSID offset 11 and length 6 exceed 16 bits together",
    ],
    [
      "more EA bits than an IPv6 address has",
      fmr(10, "198.51.100.0/24", `78${"20010db8".padEnd(30, "0")}`),
      "198.51.100.0/24: 10 EA bits do not fit behind /120",
    ],
    [
      "a PSID, and no EA bits",
      fmr(0, "198.51.100.7/32", "3820010db8013400", option(93, "06083400")),
      "198.51.100.7/32: a PSID of 8 bits is given, and the EA bits have 0",
    ],
    [
      "a PSID, and EA bits that are the IPv4 suffix",
      fmr(8, "198.51.100.0/24", "3820010db8013400", option(93, "06083400")),
      "198.51.100.0/24: a PSID of 8 bits is given, and the EA bits have 0",
    ],
    [
      "a PSID of another length than in the EA bits",
      fmr(16, "198.51.100.0/24", "2820010db801", option(93, "06043000")),
      "198.51.100.0/24: a PSID of 4 bits is given, and the EA bits have 8",
    ],
  ])("%s", (_title, bad, why) => {
    for (const rules of [
      [bmr, bad],
      [bad, bmr],
    ]) {
      const { fmrs, remarks, plan, lines } = made(...rules);
      expect(prefixes(fmrs)).toEqual([OURS]);
      expect(lines.filter((line) => line.startsWith("insert"))).toHaveLength(1);
      expect(remarks).toEqual([
        { code: "refused-rule", path: "ipv4-prefix", text: `a rule is not forwarded by: ${why}` },
      ]);
      expect(plan.ipv4).toEqual(parseIpv4Prefix("192.0.2.18/32"));
    }
  });

  test("of two with one IPv4 prefix the first stays", () => {
    const [first, second] = ["2820010db801", "2820010db802"].map((ipv6) => fmr(16, "198.51.100.0/24", ipv6));
    const { fmrs } = made(first ?? "", second ?? "", bmr);
    expect(prefixes(fmrs)).toEqual([OURS, "198.51.100.0/24 2001:db8:100::/40"]);
  });

  test("the CE's own rule is no FMR where its port set is not in its EA bits", () => {
    const { fmrs, plan, lines } = made(fmr(0, "192.0.2.18/32", "3820010db8001234", option(93, "06083400")));
    expect(plan.ce?.portSet).toEqual({ offset: 6, psidLength: 8, psid: 0x34 });
    expect(fmrs).toEqual([]);
    expect(lines.some((line) => line.startsWith("insert"))).toBe(false);
  });

  test.each([
    ["the PSID of the EA bits", fmr(16, "198.51.100.0/24", "2820010db801", option(93, "06083400"))],
    [
      "an IPv4 prefix for each CE, which has no PSID",
      fmr(4, "198.51.100.0/24", "2820010db801", option(93, "06083400")),
    ],
    ["a port set of one port", fmr(18, "198.51.100.0/24", "2820010db801")],
    ["all bits of an IPv6 address", fmr(8, "198.51.100.0/24", `78${"20010db8".padEnd(30, "0")}`)],
    ["one IPv6 prefix with another rule", fmr(16, "198.51.100.0/24", "2820010db800")],
    ["a longer IPv4 prefix in that of another rule", fmr(16, "192.0.2.128/25", "2820010db801")],
    ["every IPv4 address", fmr(40, "0.0.0.0/0", "2020010db8")],
  ])("good is %s", (_title, good) => {
    const { fmrs, remarks } = made(bmr, good);
    expect(fmrs).toHaveLength(2);
    expect(remarks).toEqual([]);
  });

  test("more than the module has room for: 4,096 rules, of which one is the CE's", () => {
    const many = Array.from({ length: 4_200 }, (_, i) => fmr(0, `11.0.${i >> 8}.${i & 255}/32`, "1820010d"));
    expect(made(...many.slice(0, 4_094), bmr)).toMatchObject({ remarks: [], fmrs: { length: 4_095 } });
    const all = made(...many, bmr);
    expect(all.fmrs).toHaveLength(4_095);
    expect(prefixes(all.fmrs)).toContain(OURS);
    expect(all.remarks.map((remark) => remark.text)).toEqual([
      "a rule is not forwarded by: 11.0.15.254/32: there are 4095 rules before it (and 105 more like it)",
    ]);
  });
});

describe("refused FMRs are one line and a count for each kind of reason", () => {
  const numbers = Array.from({ length: 60 }, (_, i) => i);

  test("of DHCPv6", () => {
    const refused = numbers.flatMap((i) => [
      fmr(16, `10.0.${i}.0/24`, "2820010db901"),
      fmr(16, `172.16.${i}.0/24`, "2820010db901"),
      fmr(16, `127.0.${i}.0/24`, "2820010db901"),
      fmr(16, `11.0.${i}.0/24`, "28fe80000000"),
      fmr(20, `12.0.${i}.0/24`, "2820010db901"),
      fmr(16, "192.0.2.0/24", `28200${octet(i)}00000`),
    ]);
    const { remarks, fmrs } = made(bmr, ...refused);
    expect(prefixes(fmrs)).toEqual([OURS]);
    expect(remarks.map(({ path, text }) => [path, text.slice(28)])).toEqual([
      [
        "ipv4-prefix",
        "10.0.0.0/24 is in 10.0.0.0/8, private (RFC 1918 s3); `option allow_private '1'` accepts it from a provider that uses it (and 119 more like it)",
      ],
      ["ipv4-prefix", "127.0.0.0/24 is in 127.0.0.0/8, loopback (RFC 1122 s3.2.1.3) (and 59 more like it)"],
      ["ipv6-prefix", "fe80::/40 is in fe80::/10, link-local (RFC 4291 s2.5.6) (and 59 more like it)"],
      [
        "ipv4-prefix",
        "12.0.0.0/24: PSID offset 6 and length 12 exceed 16 bits together (and 59 more like it)",
      ],
      ["ipv4-prefix", "192.0.2.0/24: a rule before it has the same prefix (and 59 more like it)"],
    ]);
  });

  test("3,000 of a table", () => {
    const rows = Array.from(
      { length: 3_000 },
      (_, i) => `2001:db9:${i.toString(16)}::/48,10.${i >> 8}.${i & 255}.0/24,16,true`,
    );
    const rulesText = [
      "# br = 2001:db8:ffff::1",
      "ruleIpv6Prefix,ruleIpv4Prefix,eaLength,fmr",
      "2001:db8::/40,192.0.2.0/24,16,",
      ...rows,
    ].join("\n");
    const { remarks } = provision(wanMap, { rules: "/etc/rules" }, { ...around, rulesText });
    expect(remarks).toHaveLength(1);
    expect(remarks[0]?.text).toMatch(
      /^a rule is not forwarded by: 10\.0\.0\.0\/24 is in .* \(and 2999 more like it\)$/,
    );
  });
});

/**
 * What src/kmod says of lines that insert rules, of which core/keys.c, core/side.c mm_valid_side, net/transaction.c mm_conflicts
 * and core/rule.h MM_MAX_PAIRS are the source: the line that it would refuse, and all others with it.
 */
function refusedLine(lines: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return lines.find((line, i) => {
    const words = Object.fromEntries(
      Array.from(line.matchAll(/remote\.(\S+) (\S+)/g), ([, key, value]) => [key, value]),
    );
    const [length4, length6] = [words["v4"], words["v6"]].map((prefix) => Number(prefix?.split("/")[1]));
    const [ea, offset] = [Number(words["ea-len"]), Number(words["psid-offset"])];
    const psid = ea - (32 - (length4 ?? Number.NaN));
    const bad =
      !(ea <= 48 && offset <= 15 && (length6 ?? Number.NaN) + ea <= 128) ||
      (psid > 0 && offset + psid > 16) ||
      seen.has(`${words["v4"]}`) ||
      i + 1 >= 4096;
    seen.add(`${words["v4"]}`);
    return bad;
  });
}

const ruleArbitrary: fc.Arbitrary<MapRule> = fc
  .record({
    forward: fc.boolean(),
    length4: fc.constantFrom(24, 28, 32),
    network: fc.integer({ min: 0, max: 3 }),
    length6: fc.constantFrom(32, 40, 56, 100),
    eaLength: fc.integer({ min: 0, max: 48 }),
    psidOffset: fc.integer({ min: 0, max: 15 }),
    psidLength: fc.option(fc.integer({ min: 1, max: 16 }), { nil: undefined }),
  })
  .map(({ length4, network, length6, psidLength, ...rule }) => ({
    ...rule,
    ipv4Prefix: { address: (198 * 256 + network) * 65_536, length: length4 },
    ipv6Prefix: { address: 0x20010db8n << 96n, length: length6 },
    explicitPsid: psidLength === undefined ? undefined : { psidLength, psid: 1 },
  }));

test("whatever the rules are, the module takes the FMRs, and none is left out without need", () => {
  const insert = (rule: MapRule) =>
    `insert map-x remote.style MAP remote.v4 ${formatIpv4Prefix(rule.ipv4Prefix)} remote.v6 ${formatIpv6Prefix(rule.ipv6Prefix)} remote.ea-len ${rule.eaLength} remote.psid-offset ${rule.psidOffset}`;
  /** The PSID that the rule says is not the one that the module takes from the EA bits. */
  const saysOther = ({ explicitPsid, eaLength, ipv4Prefix }: MapRule) => {
    const psid = eaLength - (32 - ipv4Prefix.length);
    return explicitPsid !== undefined && psid >= 0 && explicitPsid.psidLength !== psid;
  };
  fc.assert(
    fc.property(
      fc.array(ruleArbitrary, { minLength: 1, maxLength: 12 }),
      fc.nat({ max: 11 }),
      (rules, place) => {
        const own = rules[place % rules.length];
        const domain: MapDomain = { transport: "map-e", rules, borderRelays: [1n], legacyInterfaceId: false };
        const { domain: found, remarks } = withUsableFmrs(domain, own, JUDGING);
        expect(refusedLine(found.rules.map(insert))).toBeUndefined();
        expect(found.rules.some(saysOther)).toBe(false);
        const wanted = rules.filter(({ forward }) => forward);
        for (const rule of wanted) {
          if (found.rules.includes(rule)) continue;
          expect(remarks.length).toBeGreaterThan(0);
          expect(saysOther(rule) || refusedLine([...found.rules, rule].map(insert)) !== undefined).toBe(true);
        }
        expect(found.rules.every((rule) => wanted.includes(rule))).toBe(true);
        // Nothing but itself takes the F from the BMR.
        if (own?.forward === true && !saysOther(own) && refusedLine([insert(own)]) === undefined) {
          expect(found.rules).toContain(own);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
