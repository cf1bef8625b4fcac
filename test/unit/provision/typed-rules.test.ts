import { describe, expect, test } from "vitest";
import { formatIpv4Prefix, formatIpv6, formatIpv6Prefix } from "../../../src/ip/text.ts";
import { parsePrefixes } from "../../../src/provision/prefixes.ts";
import { formatPorts, remarkReservedPorts } from "../../../src/provision/reserved-ports.ts";
import {
  fromRuleText,
  parseNumber,
  parseTransport,
  type RuleDefaults,
} from "../../../src/provision/rule-text.ts";
import { fromUci, type UciRule } from "../../../src/provision/uci.ts";
import { refusal } from "../../support/refusal.ts";

describe("rule text", () => {
  const base = "ipv4prefix=192.0.2.77,prefix4len=24,ipv6prefix=2001:db8:ff:ff::,prefix6len=40,ealen=16";
  const br = "br=2001:db8:ffff::1";
  const domainOf = (text: string, defaults?: RuleDefaults) => {
    const [found, ...more] = fromRuleText(text, defaults);
    if (found === undefined || more.length > 0) throw new Error("expected one domain");
    expect(found.remarks).toEqual([]);
    return found.domain;
  };

  test("what is not said has a default, and bits behind the lengths are cleared", () => {
    const { rules, ...domain } = domainOf(`${base},${br}`);
    expect(domain).toEqual({
      transport: "map-e",
      legacyInterfaceId: false,
      borderRelays: [0x20010db8ffff0000_0000000000000001n],
    });
    expect(rules).toEqual([
      {
        ipv4Prefix: { address: 0xc0000200, length: 24 },
        ipv6Prefix: { address: 0x20010db800000000_0000000000000000n, length: 40 },
        eaLength: 16,
        forward: false,
        psidOffset: 6,
      },
    ]);
  });

  test("without a length an IPv4 prefix is an address, and without EA bits there are none", () => {
    const { rules } = domainOf(`ipv4prefix=192.0.2.77,ipv6prefix=2001:db8::,prefix6len=0,${br}`);
    expect(rules[0]).toMatchObject({ ipv4Prefix: { address: 0xc000024d, length: 32 }, eaLength: 0 });
    expect(rules[0]?.ipv6Prefix).toEqual({ address: 0n, length: 0 });
  });

  test.each([
    ["fmr=1", true],
    ["fmr", true],
    ["fmr=0", false],
    ["fmr=", false],
    ["=1", false],
  ])("%s: forwarded by %s", (word, forward) => {
    expect(domainOf(`${word},${base},${br}`).rules[0]?.forward).toBe(forward);
  });

  test("words that are empty count for nothing, the last of two is used, blanks separate rules", () => {
    expect(domainOf(`,,${base},,ealen=8,${br},`).rules[0]?.eaLength).toBe(8);
    expect(domainOf(`  ${base},${br} \t\n ${base}  `).rules).toHaveLength(2);
    expect(domainOf(`${base},br= ${base},${br}`).borderRelays.map(formatIpv6)).toEqual(["2001:db8:ffff::1"]);
  });

  test.each([
    [
      "the rule's own type, then `type`, then `maptype`",
      "type=map-e",
      { type: "lw4o6", maptype: "map-t" },
      "map-e",
    ],
    ["`type` without it", "x=1", { type: "lw4o6", maptype: "map-t" }, "lw4o6"],
    ["`maptype` without both", "x=1", { maptype: "lw4o6" }, "lw4o6"],
  ])("transport: %s", (_title, word, defaults, transport) => {
    expect(domainOf(`${word},${base},offset=6,${br}`, defaults).transport).toBe(transport);
  });

  test("the type, the border relay and the DMR may stand in a later rule", () => {
    expect(domainOf(`${base},${br} type=lw4o6,${base}`).transport).toBe("lw4o6");
    expect(domainOf(`${base} ${base},${br}`).borderRelays.map(formatIpv6)).toEqual(["2001:db8:ffff::1"]);
    const { dmr } = domainOf(`type=map-t,${base} ${base},dmr=2001:db8:ffff::/64`);
    expect(dmr && formatIpv6Prefix(dmr)).toBe("2001:db8:ffff::/64");
  });

  test("MAP-T has a DMR and no border relay", () => {
    const domain = domainOf(`type=map-t,${base},dmr=2001:db8:ffff::/64`);
    expect(domain.dmr && formatIpv6Prefix(domain.dmr)).toBe("2001:db8:ffff::/64");
    expect(domain.borderRelays).toEqual([]);
  });

  test("legacymap is the draft's interface identifier", () => {
    expect(domainOf(`${base},${br}`, { legacymap: true }).legacyInterfaceId).toBe(true);
    expect(domainOf(`${base},${br}`, { legacymap: false }).legacyInterfaceId).toBe(false);
  });

  const many = (count: number) =>
    Array.from({ length: count }, () => "prefix6len=1,ipv6prefix=::,ipv4prefix=1.1.1.1").join(" ");
  test.each([
    [" \n ", "rule: is empty"],
    [`br=::1,${many(64)}`, "accepted"],
    [`br=::1,${many(65)}`, "rule: more than 64 rules"],
    [`${base},${br},${"x".repeat(4096 - base.length - br.length - 2)}`, "accepted"],
    [`${base},${br},${"x".repeat(4097 - base.length - br.length - 2)}`, "rule: longer than 4096 characters"],
    [`type=${"t".repeat(30)},${base}`, `type: "${"t".repeat(20)}" is not one of map-t, map-e, lw4o6`],
    [`${base.replace("=16", `=${"1".repeat(30)}`)},${br}`, `ealen: "${"1".repeat(20)}" is not 0 to 48`],
    [`${base.replace("=16", "=")},${br}`, 'ealen: "" is not 0 to 48'],
    [`${base.replace("=16", "=1x")},${br}`, 'ealen: "1x" is not 0 to 48'],
    [`${base.replace("=16", "=x1")},${br}`, 'ealen: "x1" is not 0 to 48'],
    [`${base.replace("prefix6len=40,", "")},${br}`, "prefix6len: is missing from the rule"],
    [`${base.replace("2001:db8:ff:ff::", "")},${br}`, "ipv6prefix: is missing from the rule"],
    [base, "br: is missing from the rule"],
    [`type=map-t,${base}`, "dmr: is missing from the rule"],
    [
      `type=map-t,${base},dmr=2001:db8::/65`,
      "dmr: /65 is not one of /32, /40, /48, /56, /64, /96 (RFC 6052 s2.2)",
    ],
    [`${base},psidlen=17,psid=0,${br}`, 'psidlen: "17" is not 0 to 16'],
    [`${base},psidlen=8,psid=65536,${br}`, 'psid: "65536" is not 0 to 65535'],
  ])("%s: %s", (text, message) => {
    expect(refusal(() => fromRuleText(text))).toBe(message);
  });

  test.each([
    ["3", 3, 5, 3],
    ["5", 3, 5, 5],
    ["2", 3, 5, '"2" is not 3 to 5'],
    ["6", 3, 5, '"6" is not 3 to 5'],
    ["12345678901", 0, 1e12, '"12345678901" is not 0 to 1000000000000'],
  ])("the number %s of %i to %i", (text, low, high, expected) => {
    if (typeof expected === "number") expect(parseNumber(text, "x", low, high)).toBe(expected);
    else expect(refusal(() => parseNumber(text, "x", low, high))).toBe(`x: ${expected}`);
  });

  test("a transport's error names the option", () => {
    expect(refusal(() => parseTransport("x"))).toMatch(/^type: /);
    expect(refusal(() => parseTransport("x", "maptype"))).toMatch(/^maptype: /);
  });
});

describe("options of the interface", () => {
  const config: UciRule = {
    ip6prefix: "2001:db8:ff:ff::/40",
    ipaddr: "192.0.2.77/24",
    ealen: 16,
    peeraddr: "2001:db8:ffff::1",
  };

  test("lengths behind the addresses; bits behind them are cleared", () => {
    const { domain, remarks } = fromUci(config);
    expect(remarks).toEqual([]);
    expect(domain).toEqual({
      transport: "map-e",
      legacyInterfaceId: false,
      borderRelays: [0x20010db8ffff0000_0000000000000001n],
      rules: [
        {
          ipv6Prefix: { address: 0x20010db800000000_0000000000000000n, length: 40 },
          ipv4Prefix: { address: 0xc0000200, length: 24 },
          eaLength: 16,
          forward: false,
          psidOffset: 6,
        },
      ],
    });
  });

  test("an option for the length comes before the one behind the address", () => {
    const [rule] = fromUci({ ...config, ip4prefixlen: 20, ip6prefixlen: 36 }).domain.rules;
    expect(rule && [formatIpv4Prefix(rule.ipv4Prefix), formatIpv6Prefix(rule.ipv6Prefix)]).toEqual([
      "192.0.0.0/20",
      "2001:db8::/36",
    ]);
  });

  test.each([
    ["`type` before `maptype`", { type: "lw4o6", maptype: "map-t" }, "lw4o6"],
    ["`maptype`", { maptype: "lw4o6" }, "lw4o6"],
    ["none", {}, "map-e"],
  ])("transport: %s", (_title, options, transport) => {
    expect(fromUci({ ...config, ...options }).domain.transport).toBe(transport);
  });

  test.each([
    ["RFC 7598", {}, 6],
    ["lw4o6", { type: "lw4o6" }, 0],
    ["the draft's form", { legacymap: true }, 4],
    ["the draft's form of lw4o6", { legacymap: true, type: "lw4o6" }, 4],
    ["given", { legacymap: true, offset: 3 }, 3],
  ])("PSID offset: %s", (_title, options, offset) => {
    const { domain } = fromUci({ ...config, ...options });
    expect(domain.rules[0]?.psidOffset).toBe(offset);
    expect(domain.legacyInterfaceId).toBe("legacymap" in options);
  });

  test.each([
    [{ ealen: undefined }, "accepted"],
    [{ ealen: 48, ipaddr: "192.0.2.0/0" }, "accepted"],
    [{ ealen: 49 }, "ealen: 49 is not 0 to 48"],
    [{ ip6prefix: "2001:db8::" }, "ip6prefixlen: is not set: the length of the prefix is needed"],
    [{ ip6prefix: "2001:db8::/129" }, 'ip6prefix: "129" is not 0 to 128'],
    [{ ip6prefix: undefined }, "ip6prefix: is not set: the rule's IPv6 prefix"],
    [{ ip6prefix: "" }, "ip6prefix: is not set: the rule's IPv6 prefix"],
    [{ ipaddr: undefined }, "ipaddr: is not set: the rule's IPv4 prefix"],
    [{ ipaddr: "192.0.2.1/33" }, 'ipaddr: "33" is not 0 to 32'],
    [{ peeraddr: undefined }, "peeraddr: is not set: the border relay's address"],
    [{ peeraddr: undefined, type: "map-t" }, "peeraddr: is not set: the DMR prefix"],
    [{ peeraddr: "2001:db8::/64", type: "map-t" }, "accepted"],
    [{ type: "6rd" }, 'type: "6rd" is not one of map-t, map-e, lw4o6'],
    [{ psid: 1 }, "psid: PSID 1 is given without psidlen, its number of bits"],
    [{ psidlen: 0, psid: 1 }, "psid: PSID 1 does not fit psidlen 0, which says that there is no PSID"],
    [
      { psidlen: 7, psid: 1 },
      "psidlen: 7 does not agree with ealen: 16 EA bits minus 8 bits of the IPv4 address leave 8 bits for the PSID",
    ],
    [{ psidlen: 8, psid: 256 }, "psid: PSID 256 does not fit 8 bits"],
    [{ psidlen: 8, psid: 255 }, "accepted"],
    [{ psidlen: 8 }, "accepted"],
    [
      { psidlen: 4, psid: 1, ealen: 4 },
      "psidlen: 4 is given for a rule whose 4 EA bits make an IPv4 prefix of 28 bits, which has no PSID",
    ],
    [{ psidlen: 4, psid: 1, ealen: 8 }, "accepted"],
    [{ psidlen: 4, ealen: 8 }, "psidlen: 4 is given without psid, and no EA bits give the PSID"],
    [{ psidlen: 12, psid: 1, ealen: 8 }, "psidlen: PSID offset 6 and length 12 exceed 16 bits together"],
    [{ psidlen: 16, psid: 65_535, ealen: 8, offset: 0 }, "accepted"],
  ])("%j: %s", (options, message) => {
    expect(refusal(() => fromUci({ ...config, ...options }))).toBe(message);
  });

  test("an address alone is one address", () => {
    const { domain } = fromUci({ ...config, ipaddr: "192.0.2.77", ealen: 8 });
    expect(domain.rules[0]?.ipv4Prefix).toEqual({ address: 0xc000024d, length: 32 });
  });
});

describe("delegated prefixes in odhcp6c's environment", () => {
  test("blanks of any kind, and what follows a comma, are left out", () => {
    expect(parsePrefixes(" 2001:db8::/56,100,200 \t\n 2001:db8:1::/60 ").map(formatIpv6Prefix)).toEqual([
      "2001:db8::/56",
      "2001:db8:1::/60",
    ]);
    expect(parsePrefixes("")).toEqual([]);
  });

  test("deprecated ones come last, and those that are no longer valid are left out", () => {
    const written =
      "2001:db8:1::/56,0,200 2001:db8:2::/56,0,0 2001:db8:3::/56,1,1,class=2 2001:db8:4::/56 2001:db8:5::/56,x";
    expect(parsePrefixes(written).map(formatIpv6Prefix)).toEqual([
      "2001:db8:3::/56",
      "2001:db8:4::/56",
      "2001:db8:5::/56",
      "2001:db8:1::/56",
    ]);
  });

  test("64 of them", () => {
    expect(parsePrefixes("2001:db8::/56 ".repeat(64))).toHaveLength(64);
    expect(refusal(() => parsePrefixes("2001:db8::/56 ".repeat(65)))).toBe("PREFIXES: more than 64 prefixes");
  });

  test.each(["2001:db8::", "2001:db8::/129", ",1", "x"])("%s is named", (word) => {
    expect(refusal(() => parsePrefixes(`2001:db8::/56 ${word}`))).toMatch(/^PREFIXES: /);
  });
});

describe("reserved ports", () => {
  const set = { offset: 4, psidLength: 8, psid: 0x34 };

  test("as a person writes them", () => {
    expect(formatPorts([80, 5000, 5001, 5002, 7000])).toBe("80 5000-5002 7000");
    expect(formatPorts([])).toBe("");
  });

  const says = (ports: readonly number[], of = set) => remarkReservedPorts(ports, of, "reserved_ports");
  const text = (what: string) => [
    {
      code: "reserved-outside",
      path: "reserved_ports",
      text: `not in the port set, so that nothing reaches you there: ${what}`,
    },
  ];

  test.each([
    ["within the set", [4928, 4943], []],
    ["below all", [80], text("80 (nearest of the set: 4928)")],
    ["between two ranges", [4944, 4945], text("4944-4945 (nearest of the set: 4943 and 9024)")],
    ["just below a range", [9023], text("9023 (nearest of the set: 4943 and 9024)")],
    ["above all", [65_535], text("65535 (nearest of the set: 62287)")],
    [
      "many",
      [1, 3, 5, 7, 9, 11],
      text(`${[1, 3, 5, 7].map((port) => `${port} (nearest of the set: 4928)`).join(", ")} and 2 more`),
    ],
  ])("%s", (_title, ports, expected) => {
    expect(says(ports)).toEqual(expected);
  });

  test("in the range itself, and where there is no set", () => {
    expect(says([4927, 4928])).toEqual(text("4927 (nearest of the set: 4928)"));
    expect(says([1], { offset: 0, psidLength: 16, psid: 0 })).toEqual(text("1 (nearest of the set: none)"));
    expect(says([80], { offset: 6, psidLength: 0, psid: 0 })).toEqual([]);
  });
});
