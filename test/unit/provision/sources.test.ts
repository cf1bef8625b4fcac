import { describe, expect, test } from "vitest";
import { formatIpv6, formatIpv6Prefix, parseIpv6Prefix } from "../../../src/ip/text.ts";
import { findCustomerEdge } from "../../../src/map/ce.ts";
import { fromOption48879, fromPassthru } from "../../../src/provision/option.ts";
import { fromRuleText } from "../../../src/provision/rule-text.ts";
import { fromUci } from "../../../src/provision/uci.ts";

const pd = [parseIpv6Prefix("2001:db8:12:3400::/56")];
const ruleText =
  "fmr=1,type=map-e,ealen=16,prefix4len=24,prefix6len=40,ipv4prefix=192.0.2.0,ipv6prefix=2001:db8::,offset=6,psidlen=0,psid=0,br=2001:db8:ffff::1";

describe("rules in words", () => {
  test("as odhcp6c writes them", () => {
    const [{ domain }] = fromRuleText(ruleText) as [ReturnType<typeof fromUci>];
    expect(domain.transport).toBe("map-e");
    expect(domain.borderRelays.map(formatIpv6)).toEqual(["2001:db8:ffff::1"]);
    expect(domain.rules[0]).toMatchObject({ eaLength: 16, psidOffset: 6, forward: true });
    expect(domain.rules[0]?.explicitPsid).toBeUndefined();
    expect(findCustomerEdge(domain, pd).ce.portSet).toEqual({ offset: 6, psidLength: 8, psid: 0x34 });
  });

  test("several rules: the longest match is the BMR, wherever it stands", () => {
    const rule = (length: number, ealen: number) =>
      `type=map-e,ealen=${ealen},prefix4len=24,prefix6len=${length},ipv4prefix=192.0.2.0,ipv6prefix=2001:db8::,br=2001:db8::1`;
    const [{ domain }] = fromRuleText(`${rule(32, 8)} ${rule(40, 16)} ${rule(36, 8)}`) as [
      ReturnType<typeof fromUci>,
    ];
    expect(findCustomerEdge(domain, pd).ce.bmr.ipv6Prefix.length).toBe(40);
  });

  test("map-t takes its DMR, lw4o6 its bind prefix and offset 0", () => {
    const [mapT] = fromRuleText(
      ruleText.replace("map-e", "map-t").replace("br=2001:db8:ffff::1", "dmr=64:ff9b::/96"),
    );
    expect(mapT?.domain.dmr && formatIpv6Prefix(mapT.domain.dmr)).toBe("64:ff9b::/96");
    const [lw] = fromRuleText(
      "type=lw4o6,prefix4len=32,prefix6len=128,ipv4prefix=192.0.2.1,ipv6prefix=2001:db8:12:3400::1,psidlen=4,psid=3,br=2001:db8::1",
    );
    expect(lw?.domain.rules[0]).toMatchObject({ psidOffset: 0, explicitPsid: { psidLength: 4, psid: 3 } });
  });

  test.each([
    ["", "rule"],
    ["type=6rd,ealen=1", "type"],
    [ruleText.replace("ealen=16", "ealen=49"), "ealen"],
    [ruleText.replace("prefix4len=24", "prefix4len=33"), "prefix4len"],
    [ruleText.replace("prefix6len=40", "prefix6len=$(id)"), "prefix6len"],
    [ruleText.replace("offset=6", "offset=16"), "offset"],
    [ruleText.replace("psidlen=0", "psidlen=11"), "psidlen"],
    [ruleText.replace("psidlen=0,psid=0", "psidlen=2,psid=4"), "psidlen"],
    [ruleText.replace("ipv4prefix=192.0.2.0,", ""), "ipv4prefix"],
    [ruleText.replace(",br=2001:db8:ffff::1", ""), "br"],
    [ruleText.replace("ipv4prefix=192.0.2.0", "ipv4prefix=192.0.2"), "ipv4prefix"],
    [ruleText.replace("ipv6prefix=2001:db8::", "ipv6prefix=2001:zz::"), "ipv6prefix"],
    [ruleText.replace("br=2001:db8:ffff::1", "br=2001:zz::"), "br"],
    [ruleText.replace("type=map-e", "type=map-t"), "dmr"],
    [`${ruleText} `.repeat(65), "rule"],
  ])("%s is refused naming %s", (text, field) => {
    expect(() => fromRuleText(text)).toThrow(expect.objectContaining({ field }));
  });
});

describe("the options of stock map", () => {
  const options = {
    maptype: "map-e",
    ipaddr: "192.0.2.0",
    ip4prefixlen: 24,
    ip6prefix: "2001:db8::",
    ip6prefixlen: 40,
    ealen: 16,
    psidlen: 8,
    offset: 6,
    peeraddr: "2001:db8:ffff::1",
  };

  test("psidlen without psid says only what follows from the EA bits", () => {
    const { ce } = findCustomerEdge(fromUci(options).domain, pd);
    expect(formatIpv6(ce.mapAddress)).toBe("2001:db8:12:3400:0:c000:212:34");
  });

  test("EA length 0 with an explicit PSID", () => {
    const config = { ...options, ealen: 0, ipaddr: "192.0.2.18", ip4prefixlen: 32, psid: 0x34 };
    expect(findCustomerEdge(fromUci(config).domain, pd).ce.portSet).toEqual({
      offset: 6,
      psidLength: 8,
      psid: 0x34,
    });
  });

  test("map-t takes its DMR in peeraddr", () => {
    expect(fromUci({ ...options, maptype: "map-t", peeraddr: "64:ff9b::/96" }).domain.dmr?.length).toBe(96);
  });

  test.each([
    [{ ...options, maptype: "6rd" }, "type"],
    [{ ...options, ip6prefix: undefined }, "ip6prefix"],
    [{ ...options, ip6prefixlen: undefined }, "ip6prefixlen"],
    [{ ...options, ipaddr: "192.0.2" }, "ipaddr"],
    [{ ...options, ip6prefix: "2001:zz::" }, "ip6prefix"],
    [{ ...options, peeraddr: "2001:db8::1 2001:zz::" }, "peeraddr"],
    [{ ...options, maptype: "map-t", peeraddr: "64:ff9b::" }, "peeraddr"],
    [{ ...options, maptype: "map-t", peeraddr: "64:zz::/96" }, "peeraddr"],
    [{ ...options, peeraddr: undefined }, "peeraddr"],
    [{ ...options, maptype: "map-t", peeraddr: "64:ff9b::/95" }, "peeraddr"],
  ])("row %# is refused naming %s", (config, field) => {
    expect(() => fromUci(config)).toThrow(expect.objectContaining({ field }));
  });
});

describe("DHCPv6 options", () => {
  const rule = "4202000d18c000020010002820010db800";
  const dmr = "4203000940261000d01208cafe";

  test("port parameters of the container apply to its rules; offset 4 without them", () => {
    const { domain } = fromOption48879(`00${rule}${dmr}4204000406083400`);
    expect(domain.rules[0]).toMatchObject({ psidOffset: 6, explicitPsid: { psidLength: 8, psid: 0x34 } });
    expect(fromOption48879(`00${rule}${dmr}`).domain.rules[0]?.psidOffset).toBe(4);
  });

  test("two DMRs discard the option, a DMR alone is legal", () => {
    expect(() => fromOption48879(`00${rule}${dmr}${dmr}`)).toThrow("exactly one DMR");
    expect(fromOption48879(`00${dmr}`).domain.rules).toEqual([]);
  });

  test("a broken rule beside a good one is skipped and remarked", () => {
    const broken = fromOption48879(`00${rule.replace("18c0", "21c0")}${rule}${dmr}`);
    expect(broken.domain.rules).toHaveLength(1);
    expect(broken.remarks).toEqual([
      expect.objectContaining({ path: "OPTION_48879/MAP_RULE[0]/prefix4-len" }),
    ]);
  });

  test("the vendor form has no flags octet and is MAP-T", () => {
    const value = `00000009${rule}${dmr}`;
    const [found] = fromPassthru(`0011${(value.length / 2).toString(16).padStart(4, "0")}${value}`);
    expect(found?.domain.transport).toBe("map-t");
  });

  test("several containers, in the order of S46_PRIORITY", () => {
    const mapE = "005e00250059000d011018c00002002820010db800005a001020010db8ffff00000000000000000001";
    const mapT = "005f001e0059000d001018c00002002820010db800005b00094020010db8ffff0000";
    const order = (hex: string) => fromPassthru(hex).map(({ domain }) => domain.transport);
    expect(order(mapE + mapT)).toEqual(["map-e", "map-t"]);
    expect(order(`006f0004005f005e${mapE}${mapT}`)).toEqual(["map-t", "map-e"]);
  });

  test("options without a MAP option give no domain and no error", () => {
    expect(fromPassthru("0017001000000000000000000000000000000000")).toEqual([]);
    expect(fromPassthru("")).toEqual([]);
  });
});
