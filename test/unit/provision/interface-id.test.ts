/** `option ip6ifaceid`: the provider gives the customer edge a fixed interface identifier. */

import { expect, test } from "vitest";
import { parseDeviceName, parseInterfaceName } from "../../../src/ip/names.ts";
import { formatIpv4Prefix, formatIpv6, parseIpv6Prefix } from "../../../src/ip/text.ts";
import { provision } from "../../../src/provision/choose.ts";
import type { InterfaceConfig } from "../../../src/provision/request.ts";
import { ruleLines } from "../../../src/render/control.ts";
import { addressRequest } from "../../../src/render/netifd.ts";
import { SetupError } from "../../../src/wire/errors.ts";

const fixed: InterfaceConfig = {
  maptype: "map-e",
  ipaddr: "203.0.113.7",
  ip6prefix: "2001:db8:12:3400::/56",
  ealen: 0,
  peeraddr: "2001:db8:ffff::1",
  ip6ifaceid: "::a:1",
};

function made(config: InterfaceConfig, moduleLoaded = true, prefix = "2001:db8:12:3400::/56") {
  try {
    const { plan } = provision(parseInterfaceName("wan_map", "interface"), config, {
      tunlink: parseInterfaceName("wan6", "tunlink"),
      link: {
        up: true,
        device: parseDeviceName("eth1", "device"),
        prefixes: [parseIpv6Prefix(prefix)],
      },
      linkMtu: undefined,
      neighbours: [],
      moduleLoaded,
    });
    return {
      ipv4: formatIpv4Prefix(plan.ipv4),
      map: plan.ce && formatIpv6(plan.ce.mapAddress),
      local: plan.module?.carries === "encapsulated" ? formatIpv6(plan.module.local) : undefined,
      own: plan.module && ruleLines(plan.device, plan.module).find((line) => line.includes("local.style")),
      tunnel: plan.tunnel && formatIpv6(plan.tunnel.local),
      added: addressRequest(plan)?.["ip6addr"],
    };
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

test("a whole address: the module binds it to the address that has the identifier", () => {
  const map = "2001:db8:12:3400::a:1";
  expect(made(fixed)).toEqual({
    ipv4: "203.0.113.7/32",
    map,
    local: map,
    own: `config map-wan_map local.style NONE local.v4 203.0.113.7/32 local.v6 ${map}/128 ce.v4 203.0.113.7 ce.v6 ${map} ce.psid-offset 6 ce.psid-len 0 ce.psid 0 remote.style NONE remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::1/128`,
    tunnel: undefined,
    added: undefined,
  });
});

test("without the module it is the tunnel's end, and the link has it", () => {
  const map = "2001:db8:12:3400::a:1";
  expect(made(fixed, false)).toEqual({
    ipv4: "203.0.113.7/32",
    map,
    local: undefined,
    own: undefined,
    tunnel: map,
    added: [map],
  });
});

test.each([
  ["a shared address", { ...fixed, psidlen: 8, psid: 52 }, "2001:db8:12:3400::a:1"],
  ["EA bits", { ...fixed, ip6prefix: "2001:db8::/40", ip4prefixlen: 24, ealen: 16 }, "2001:db8:12:3400::a:1"],
  [
    "an IPv4 prefix",
    { ...fixed, ip6prefix: "2001:db8:12:3400::/54", ip4prefixlen: 28, ealen: 2 },
    "2001:db8:12:3400::a:1",
  ],
  ["the drafts' identifier", { ...fixed, legacymap: true }, "2001:db8:12:3400::a:1"],
  ["lw4o6", { ...fixed, maptype: "lw4o6" }, "2001:db8:12:3400::a:1"],
  ["64 bits", { ...fixed, ip6ifaceid: "::ffff:ffff:ffff:ffff" }, "2001:db8:12:3400:ffff:ffff:ffff:ffff"],
])("%s", (_title, config, map) => {
  expect(made(config)).toMatchObject({ map, local: map });
});

test("a prefix longer than 64 bits keeps its own", () => {
  const prefix = "2001:db8:12:3400:b::/80";
  const config = { ...fixed, ip6prefix: prefix, ip6ifaceid: "::7:0:0:1" };
  expect(made(config, true, prefix)).toMatchObject({ map: "2001:db8:12:3400:b::1" });
});

test("MAP-T refuses it: there the identifier tells the IPv4 address", () => {
  expect(made({ ...fixed, maptype: "map-t", peeraddr: "2001:db8:ffff::/64" })).toBe(
    "INVALID_OPTION: ip6ifaceid: is not for map-t",
  );
});
