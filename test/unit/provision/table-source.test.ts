import { describe, expect, test } from "vitest";
import { parseDeviceName, parseInterfaceName } from "../../../src/ip/names.ts";
import { formatIpv4Prefix, formatIpv6, formatIpv6Prefix, parseIpv6Prefix } from "../../../src/ip/text.ts";
import { provision, type Surroundings } from "../../../src/provision/choose.ts";
import type { InterfaceConfig } from "../../../src/provision/request.ts";
import { InputError, MapminError } from "../../../src/wire/errors.ts";

const path = "/etc/mapmin/rules.json";
const wan = parseInterfaceName("wan_map", "interface");
const rule = { ruleIpv6Prefix: "2001:db8::/40", ruleIpv4Prefix: "192.0.2.0/24", eaLength: 16 };
const br = "2001:db8:ffff::1";
const dmr = "2001:db8:ffff::/64";

/** What comes out, or the code and the message of the refusal. */
function made(rules: readonly object[], config: InterfaceConfig = {}, changes: Partial<Surroundings> = {}) {
  try {
    const { plan, remarks, source } = provision(
      wan,
      { rules: path, ...config },
      {
        tunlink: parseInterfaceName("wan6", "tunlink"),
        link: {
          up: true,
          device: parseDeviceName("eth1", "device"),
          prefixes: [parseIpv6Prefix("2001:db8:12:3400::/56")],
        },
        linkMtu: undefined,
        neighbours: [],
        rulesText: JSON.stringify({ defaults: { br, dmr, psidOffset: 4 }, rules }),
        ...changes,
      },
    );
    return {
      source,
      transport: plan.transport,
      ipv4: formatIpv4Prefix(plan.ipv4),
      map: plan.ce && formatIpv6(plan.ce.mapAddress),
      ports: plan.ce?.portSet,
      mtu: plan.mtu,
      fmrs: plan.module?.fmrs.map((fmr) => formatIpv6Prefix(fmr.ipv6Prefix)),
      remarks: remarks.map((remark) => `${remark.path}: ${remark.text}`),
    };
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

const plain = {
  source: `the table ${path}, rules[0]`,
  transport: "map-e",
  ipv4: "192.0.2.18/32",
  map: "2001:db8:12:3400:0:c000:212:34",
  ports: { offset: 4, psidLength: 8, psid: 0x34 },
  mtu: 1460,
  fmrs: [],
  remarks: [],
};

describe("option rules", () => {
  test("gives the plan of the row that matches, before anything that DHCPv6 brings", () => {
    expect(made([rule])).toEqual(plain);
    const passthru = "005f001e0059000d001018c00002002820010db800005b00094020010db8ffff0000";
    const device = parseDeviceName("eth1", "device");
    const link = { up: true, device, prefixes: [parseIpv6Prefix("2001:db8:12:3400::/56")], passthru };
    expect(made([rule], {}, { link })).toEqual(plain);
  });

  test("maptype and legacymap say what the table does not", () => {
    expect(made([rule], { maptype: "map-t" })).toEqual({ ...plain, transport: "map-t", mtu: 1480 });
    expect(made([rule], { type: "map-t", maptype: "map-e" })).toEqual({
      ...plain,
      transport: "map-t",
      mtu: 1480,
    });
    expect(made([rule], { legacymap: true })).toEqual({ ...plain, map: "2001:db8:12:3400:c0:2:1200:3400" });
  });

  test("the row's MTU, unless the interface has one", () => {
    expect(made([{ ...rule, mtu: 1400 }])).toEqual({ ...plain, mtu: 1400 });
    expect(made([{ ...rule, mtu: 1400 }], { mtu: 1300 })).toEqual({ ...plain, mtu: 1300 });
  });

  test("rows with fmr are forwarding rules, the row itself too, and refused ones are not", () => {
    const rows = [
      { ...rule, fmr: true },
      { ruleIpv6Prefix: "2001:db8:100::/40", ruleIpv4Prefix: "198.51.100.0/24", eaLength: 16, fmr: true },
      { ruleIpv6Prefix: "2001:db8:200::/40", ruleIpv4Prefix: "10.0.0.0/24", eaLength: 16, fmr: true },
      { ruleIpv6Prefix: "2001:db8:300::/40", ruleIpv4Prefix: "203.0.113.0/24", eaLength: 16 },
    ];
    expect(made(rows)).toEqual({
      ...plain,
      fmrs: ["2001:db8::/40", "2001:db8:100::/40"],
      remarks: [
        `${path}: rules[0].ruleIpv4Prefix: a rule is not forwarded by: 10.0.0.0/24 is in 10.0.0.0/8, private (RFC 1918 s3); \`option allow_private '1'\` accepts it from a provider that uses it`,
      ],
    });
  });

  test("bad rows beside it are told", () => {
    expect(made([rule, { ...rule, ruleIpv6Prefix: "\u001b[2J" }])).toEqual({
      ...plain,
      remarks: [
        'rules: rules[1].ruleIpv6Prefix: " [2J" has no length of 0 to 128 after a slash; this row is left out',
      ],
    });
  });

  const judged = `${path}: rules[0]`;
  test.each([
    [
      "a bad row that matches",
      [
        { ...rule, eaLength: "x" },
        { ...rule, ruleIpv6Prefix: "2001:db8::/32" },
      ],
      `INVALID_MAP_RULE: ${path}: rules[0].eaLength: "x" is not 0 to 48`,
    ],
    [
      "no row that matches",
      [{ ...rule, ruleIpv6Prefix: "2001:db9::/40" }],
      `NO_MATCHING_PD: ${path}: end-user prefix: no rule matches: the delegated prefixes are 2001:db8:12:3400::/56; the rules are for 2001:db9::/40`,
    ],
    ["no rules", [], `INVALID_MAP_RULE: ${path}: table: does not have 1 to 20000 rules`],
    [
      "a private address",
      [{ ...rule, ruleIpv4Prefix: "10.0.0.0/24" }],
      `INVALID_MAP_RULE: ${judged}.ruleIpv4Prefix: 10.0.0.18/32 is in 10.0.0.0/8, private (RFC 1918 s3); \`option allow_private '1'\` accepts it from a provider that uses it`,
    ],
    [
      "a private prefix",
      [{ ...rule, ruleIpv6Prefix: "fc00::/7", eaLength: 8 }],
      `NO_MATCHING_PD: ${path}: end-user prefix: no rule matches: the delegated prefixes are 2001:db8:12:3400::/56; the rules are for fc00::/7`,
    ],
    [
      "a border relay that is no address of a relay",
      [{ ...rule, br: "ff02::1" }],
      `INVALID_MAP_RULE: ${judged}.br: ff02::1/128 is in ff00::/8, multicast (RFC 4291 s2.7)`,
    ],
    [
      "a DMR that is none",
      [{ ...rule, transport: "map-t", dmr: "fe80::/64" }],
      `INVALID_MAP_RULE: ${judged}.dmr: fe80::/64 is in fe80::/10, link-local (RFC 4291 s2.5.6)`,
    ],
  ])("%s is refused by name", (_title, rules, expected) => {
    expect(made(rules)).toBe(expected);
  });

  test("a private IPv6 prefix, though it is delegated", () => {
    const prefixes = [parseIpv6Prefix("fd01:db8:12:3400::/56")];
    const link = { up: true, device: parseDeviceName("eth1", "device"), prefixes };
    expect(made([{ ...rule, ruleIpv6Prefix: "fd01:db8::/40" }], {}, { link })).toBe(
      `INVALID_MAP_RULE: ${judged}.ruleIpv6Prefix: fd01:db8::/40 is in fc00::/7, unique local (RFC 4193 s3.1); \`option allow_private '1'\` accepts it from a provider that uses it`,
    );
  });

  test("allow_private", () => {
    expect(made([{ ...rule, ruleIpv4Prefix: "10.0.0.0/24" }], { allow_private: true })).toMatchObject({
      ipv4: "10.0.0.18/32",
    });
  });

  test.each([
    [{ ipaddr: "192.0.2.0" }, "ipaddr"],
    [{ rule: "type=map-e", peeraddr: "::1" }, "rule, peeraddr"],
    [{ rule: "1x" }, "rule"],
    [{ rule: "x1" }, "rule"],
    [
      { ip4prefixlen: 0, ip6prefix: "::", ip6prefixlen: 0, ealen: 0, psidlen: 0, psid: 0, offset: 0 },
      "ip4prefixlen, ip6prefix, ip6prefixlen, ealen, psidlen, psid, offset",
    ],
  ])("with %j it is refused", (config, named) => {
    expect(made([rule], config)).toBe(`INVALID_OPTION: rules: is given together with ${named}`);
  });

  test("an interface identifier may stand beside it", () => {
    expect(made([rule], { ip6ifaceid: "::a:1" })).toEqual({ ...plain, map: "2001:db8:12:3400::a:1" });
    expect(made([{ ...rule, transport: "map-t" }], { ip6ifaceid: "::a:1" })).toBe(
      "INVALID_OPTION: ip6ifaceid: is not for map-t",
    );
  });

  test("a refusal has its cause, and a bug is none", () => {
    const around = {
      tunlink: parseInterfaceName("wan6", "tunlink"),
      link: { up: true, device: parseDeviceName("eth1", "device"), prefixes: [] },
      linkMtu: undefined,
      neighbours: [],
      rulesText: "[",
    };
    const refused = () => provision(wan, { rules: path }, around);
    expect(refused).toThrow(
      expect.objectContaining({ code: "INVALID_MAP_RULE", cause: expect.any(InputError) }),
    );
    const broken = { ...around.link, prefixes: undefined as unknown as [] };
    expect(() => made([rule], {}, { link: broken })).toThrow(TypeError);
  });

  test("empty options, and stock's number of a rule, are no rule", () => {
    expect(made([rule], { rule: "12", ipaddr: "", peeraddr: "" })).toEqual(plain);
  });

  test("a file that is not there, an unknown transport", () => {
    expect(made([], {}, { rulesText: undefined })).toBe(`INVALID_OPTION: rules: there is no file ${path}`);
    expect(made([rule], { maptype: "x" })).toBe(
      'UNSUPPORTED_TYPE: maptype: "x" is not one of map-t, map-e, lw4o6',
    );
  });
});
