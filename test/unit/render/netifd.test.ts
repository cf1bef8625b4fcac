import { describe, expect, test } from "vitest";
import { parseDeviceName, parseInterfaceName } from "../../../src/ip/names.ts";
import { parseIpv6, parseIpv6Prefix } from "../../../src/ip/text.ts";
import { findCustomerEdge } from "../../../src/map/ce.ts";
import type { MapDomain, MapRule } from "../../../src/map/model.ts";
import { makePlan, type Plan, type PlanOptions } from "../../../src/map/plan.ts";
import {
  addressInterfaces,
  addressRemoval,
  addressRequest,
  errorRequest,
  hostDependencyRequest,
  linkDownRequest,
  restartRequest,
  updateRequest,
} from "../../../src/render/netifd.ts";

const rule = (ipv6: string, ipv4: number, more: Partial<MapRule> = {}): MapRule => ({
  ipv6Prefix: parseIpv6Prefix(ipv6),
  ipv4Prefix: { address: ipv4, length: 24 },
  eaLength: 16,
  forward: false,
  psidOffset: 6,
  ...more,
});
const bmr = rule("2001:db8::/40", 0xc0000200);
const fmr = rule("2001:db8:100::/40", 0xc6336400, { forward: true, psidOffset: 4 });
const mapE: MapDomain = {
  transport: "map-e",
  rules: [bmr],
  borderRelays: [parseIpv6("2001:db8:ffff::1")],
  legacyInterfaceId: false,
};
const mapT: MapDomain = {
  ...mapE,
  transport: "map-t",
  borderRelays: [],
  dmr: parseIpv6Prefix("2001:db8:ffff::/64"),
};
const link = {
  iface: parseInterfaceName("wan6", "tunlink"),
  device: parseDeviceName("eth1", "device"),
  mtu: 1500,
  onLink: false,
};
const wan = parseInterfaceName("wan", "interface");

function planOf(domain: MapDomain, options: PlanOptions = {}, of: Plan["link"] = link) {
  const prefixes = [parseIpv6Prefix("2001:db8:12:3400::/56")];
  const edge = domain.rules.length === 0 ? undefined : findCustomerEdge(domain, prefixes);
  return makePlan(wan, domain, edge?.ce, of, options);
}

describe("what netifd is told", () => {
  test("a tunnel of its own, with rules to forward by", () => {
    const plan = planOf(
      { ...mapE, rules: [bmr, fmr] },
      { moduleLoaded: false, zone: "wan", encaplimit: "4" },
    );
    expect(updateRequest(plan)).toStrictEqual({
      interface: "wan",
      action: 0,
      ifname: "map-wan",
      "link-up": true,
      keep: false,
      tunnel: {
        mode: "ipip6",
        // RFC 2473 s4.1.1: the limit takes 8 octets.
        mtu: 1452,
        ttl: 64,
        local: "2001:db8:12:3400:0:c000:212:34",
        remote: "2001:db8:ffff::1",
        link: "wan6",
        data: {
          encaplimit: "4",
          fmrs: [{ prefix6: "2001:db8:100::/40", prefix4: "198.51.100.0/24", ealen: 16, offset: 4 }],
        },
      },
      ipaddr: [{ ipaddr: "192.0.2.18", mask: "32" }],
      routes: [{ target: "0.0.0.0", netmask: "0" }],
      data: { zone: "wan" },
    });
    expect(addressRequest(plan)).toStrictEqual({
      name: "wan_",
      ifname: "@wan6",
      proto: "static",
      ip6addr: ["2001:db8:12:3400:0:c000:212:34"],
    });
  });

  test("the module's device; the MAP address only where neighbours ask for it", () => {
    expect(updateRequest(planOf(mapT))).toStrictEqual({
      interface: "wan",
      action: 0,
      ifname: "map-wan",
      "link-up": true,
      keep: false,
      ipaddr: [{ ipaddr: "192.0.2.18", mask: "32" }],
      routes: [{ target: "0.0.0.0", netmask: "0", mtu: 1480 }],
      routes6: [{ target: "2001:db8:12:3400:0:c000:212:34", netmask: "128" }],
      data: {},
    });
    expect(updateRequest(planOf(mapE))).not.toHaveProperty("routes6");
    expect(addressRequest(planOf(mapE))).toBeUndefined();
    expect(addressRequest(planOf(mapE, {}, { ...link, onLink: true }), "wan__")).toMatchObject({
      name: "wan__",
      ip6deprecated: true,
    });
    const b4 = planOf({ ...mapE, rules: [] }, { moduleLoaded: false }, { ...link, address: 5n });
    expect(addressRequest(b4)).toBeUndefined();
  });

  test("the other messages", () => {
    expect(linkDownRequest("wan")).toEqual({ interface: "wan", action: 0, ifname: "*", "link-up": false });
    expect(restartRequest("wan")).toEqual({ interface: "wan", action: 7 });
    expect(errorRequest("wan", "NO_RULE", "a\u0007b")).toMatchObject({
      action: 3,
      error: ["NO_RULE", expect.not.stringContaining("\u0007")],
    });
    expect(hostDependencyRequest("wan", "wan6")).toEqual({
      interface: "wan",
      action: 6,
      host: "::",
      ifname: "wan6",
    });
    expect(addressRemoval("wan_")).toEqual({ interface: "wan_" });
  });

  test("the interface that holds the address has one of two names", () => {
    expect(addressInterfaces("wan")).toEqual(["wan_", "wan__"]);
  });
});
