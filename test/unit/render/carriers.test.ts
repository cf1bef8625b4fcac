import { describe, expect, test } from "vitest";
import { parseDeviceName, parseInterfaceName } from "../../../src/ip/names.ts";
import { parseIpv6, parseIpv6Prefix } from "../../../src/ip/text.ts";
import { findCustomerEdge } from "../../../src/map/ce.ts";
import type { MapDomain, MapRule } from "../../../src/map/model.ts";
import { makePlan, type Plan, type PlanOptions } from "../../../src/map/plan.ts";
import { linesOf, replaceLines, ruleLines, rulesPrint, teardownLines } from "../../../src/render/control.ts";
import {
  addressRemoval,
  addressRequest,
  blockRequest,
  errorRequest,
  hostDependencyRequest,
  linkDownRequest,
  restartRequest,
  updateRequest,
} from "../../../src/render/netifd.ts";
import { renderNftClosed } from "../../../src/render/nft.ts";
import {
  addressCommands,
  deviceCommands,
  mtuCommands,
  natCommands,
  netifdCommands,
} from "../../../src/render/shell.ts";
import { SetupError } from "../../../src/wire/errors.ts";

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

function planOf(
  domain: MapDomain,
  options: PlanOptions = {},
  of: Plan["link"] = link,
  prefix = "2001:db8:12:3400::/56",
) {
  const edge = domain.rules.length === 0 ? undefined : findCustomerEdge(domain, [parseIpv6Prefix(prefix)]);
  return makePlan(wan, domain, edge?.ce, of, options);
}
const lines = (plan: Plan) => (plan.module === undefined ? [] : ruleLines(plan.device, plan.module));

const edge =
  "ce.v4 192.0.2.18 ce.v6 2001:db8:12:3400:0:c000:212:34 ce.psid-offset 6 ce.psid-len 8 ce.psid 52";
const local = "local.v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 16 local.psid-offset 6";
const br = "remote.style NONE remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::1/128";
const insert = (style: string) =>
  `insert map-wan remote.style ${style} remote.v4 198.51.100.0/24 remote.v6 2001:db8:100::/40 remote.ea-len 16 remote.psid-offset 4`;

describe("the module's lines", () => {
  test("MAP-T", () => {
    expect(lines(planOf({ ...mapT, rules: [bmr, fmr] }, { reservedPorts: [80, 5000, 5001] }))).toEqual([
      "config map-wan lowest-ipv6-mtu 1500",
      `config map-wan local.style MAP ${local} ${edge} remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::/64 remote.ea-len 0 remote.psid-offset 0`,
      insert("MAP"),
      "config map-wan nat.mode ports nat.reserved 80,5000-5001",
    ]);
  });

  test("MAP-E in the draft's form", () => {
    const plan = planOf({ ...mapE, rules: [bmr, fmr], legacyInterfaceId: true }, { ttl: 9, encaplimit: "4" });
    expect(lines(plan)).toEqual([
      "config map-wan transport encapsulate tunnel.hop-limit 9 tunnel.encap-limit 4",
      `config map-wan local.style MAP0 ${local} ${edge.replace("3400:0:c000:212:34", "3400:c0:2:1200:3400")} ${br}`,
      insert("MAP0"),
      "config map-wan nat.mode ports nat.reserved -",
    ]);
  });

  test("lw4o6 with a bound address; a border relay alone; a CE with an IPv4 prefix", () => {
    const bound = rule("2001:db8:12:3400::/56", 0xc0000212, {
      ipv4Prefix: { address: 0xc0000212, length: 32 },
      eaLength: 0,
      psidOffset: 0,
      explicitPsid: { psidLength: 8, psid: 52 },
    });
    expect(lines(planOf({ ...mapE, transport: "lw4o6", rules: [bound] }))[1]).toBe(
      `config map-wan local.style NONE local.v4 192.0.2.18/32 local.v6 2001:db8:12:3400:0:c000:212:34/128 ${edge.replace("psid-offset 6", "psid-offset 0")} ${br}`,
    );
    const b4 = planOf({ ...mapE, rules: [] }, {}, { ...link, address: 5n });
    expect(lines(b4)).toEqual([
      "config map-wan transport encapsulate tunnel.hop-limit 64 tunnel.encap-limit none",
      `config map-wan local.style NONE local.v4 0.0.0.0/0 local.v6 ::5/128 ${br}`,
      "config map-wan nat.mode off",
    ]);
    const prefix = planOf({ ...mapE, rules: [{ ...bmr, eaLength: 4 }] }, {}, link, "2001:db8:50::/44");
    expect(lines(prefix)[1]).toContain(" ce.v4 192.0.2.80/28 ");
  });

  test("as many ranges of reserved ports as the module takes", () => {
    const odd = (count: number) => Array.from({ length: count }, (_, i) => 2 * i + 1);
    const reserved = (count: number) => lines(planOf(mapE, { reservedPorts: odd(count) })).at(-1);
    expect(reserved(32)).toBe(`config map-wan nat.mode ports nat.reserved ${odd(32).join(",")}`);
    expect(() => reserved(33)).toThrow(SetupError);
    expect(() => reserved(33)).toThrow(
      expect.objectContaining({
        code: "INVALID_OPTION",
        message:
          "reserved_ports: 33 ranges, and the kernel module takes 32; give fewer, or set `option nat 'nftables'`",
      }),
    );
  });
});

describe("lines of a device that is there", () => {
  const control = "  add map-a \nconfig map-a local.style MAP\nconfig map-ab x\nadd map-b\n";

  test("are those of its own name, without `add`", () => {
    expect(linesOf(control, "map-a")).toEqual(["config map-a local.style MAP"]);
    expect(linesOf(control, "map-b")).toEqual([]);
    expect(linesOf(control, "map-ab")).toBeUndefined();
    expect(linesOf("", "map-a")).toBeUndefined();
  });

  test("are told apart by their print", () => {
    expect(rulesPrint(["a", "b"])).toBe(rulesPrint(["a", "b"]));
    expect(rulesPrint(["a", "b"])).not.toBe(rulesPrint(["ab"]));
  });

  test("give way to others in one transaction", () => {
    expect(replaceLines("m", undefined, ["x"])).toEqual(["add m", "x"]);
    const tunnel = "config m transport encapsulate tunnel.hop-limit 64";
    const pair = "config m local.style NONE xlocal.y 1 ce.v4 192.0.2.1 debug 0 remote.v4 0.0.0.0/0";
    const nat = "config m nat.mode ports nat.reserved -";
    const away = "remove m local.style NONE ce.v4 192.0.2.1 remote.v4 0.0.0.0/0";
    const translated = "config m lowest-ipv6-mtu 1280";
    expect(replaceLines("m", [tunnel, pair, nat], [translated, nat])).toEqual([
      away,
      "config m transport translate",
      translated,
      nat,
    ]);
    expect(replaceLines("m", [tunnel, pair], [nat, tunnel])).toEqual([away, nat, tunnel]);
    expect(replaceLines("m", [translated, pair], [tunnel])).toEqual([away, tunnel]);
    expect(replaceLines("m", [translated, pair], [translated])).toEqual([away, translated]);
    expect(replaceLines("m", [], [tunnel])).toEqual([tunnel]);
    // A word without a value is not a pair's.
    expect(replaceLines("m", ["config m local.v4"], [])).toEqual([]);
    expect(teardownLines("m")).toEqual(["del m"]);
  });
});

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
        mtu: 1460,
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
    expect(blockRequest("wan")).toEqual({ interface: "wan", action: 4 });
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
});

describe("a plan as the commands a person would type", () => {
  test("MAP-T by the module", () => {
    const plan = planOf(mapT);
    expect(natCommands(plan.nat)).toEqual([]);
    expect(mtuCommands(plan)).toEqual(["ip link set map-wan mtu 1500 up"]);
    expect(deviceCommands(plan)).toEqual([
      `printf '%s\\n' 'add map-wan' ${lines(plan)
        .map((line) => `'${line}'`)
        .join(" ")} | dd of=/proc/net/nat46/control bs=2097152 2>/dev/null`,
    ]);
    expect(addressCommands(plan)).toEqual([]);
    expect(netifdCommands(plan)).toEqual([
      "ip -6 route add 2001:db8:12:3400:0:c000:212:34/128 dev map-wan",
      "ip address add 192.0.2.18/32 dev map-wan",
      "ip route add default dev map-wan mtu 1480",
    ]);
  });

  test("MAP-E by nftables and a tunnel", () => {
    const plan = planOf(mapE, { moduleLoaded: false });
    const [script = ""] = natCommands(plan.nat);
    expect(script.startsWith("nft -f - <<'END_OF_NFT'\n")).toBe(true);
    expect(script.endsWith("}\nEND_OF_NFT")).toBe(true);
    expect(deviceCommands(plan)).toEqual([]);
    expect(mtuCommands(plan)).toEqual([]);
    expect(addressCommands(plan)).toEqual(["ip -6 address add 2001:db8:12:3400:0:c000:212:34/128 dev eth1"]);
    expect(netifdCommands(plan)).toEqual([
      "ip -6 tunnel add map-wan mode ipip6 local 2001:db8:12:3400:0:c000:212:34 remote 2001:db8:ffff::1 dev eth1 ttl 64 encaplimit none",
      "ip link set map-wan mtu 1460 up",
      "ip address add 192.0.2.18/32 dev map-wan",
      "ip route add default dev map-wan",
    ]);
  });

  test("with a limit of encapsulations, on a link whose device is not known", () => {
    const plan = planOf(mapE, { moduleLoaded: false, encaplimit: "4" }, { ...link, device: "" });
    expect(netifdCommands(plan)[0]).toMatch(/ dev DEVICE ttl 64 encaplimit 4$/);
    const onLink = planOf(mapE, {}, { ...link, onLink: true, device: "" });
    expect(addressCommands(onLink)).toEqual([
      "ip -6 address add 2001:db8:12:3400:0:c000:212:34/128 dev DEVICE preferred_lft 0",
    ]);
    expect(netifdCommands(planOf(mapE))[0]).toBe("ip address add 192.0.2.18/32 dev map-wan");
  });

  test("nothing of no plan", () => {
    for (const commands of [deviceCommands, mtuCommands, addressCommands, netifdCommands]) {
      expect(commands(undefined)).toEqual([]);
    }
  });
});

test("the table that stays while a device goes drops both ways, outside of every other hook", () => {
  const text = renderNftClosed("mapmin_wan", parseDeviceName("map-wan", "device"));
  expect(text).toContain("chain closed_out {");
  expect(text).toContain("type filter hook postrouting priority 310");
  expect(text).toContain('oifname "map-wan" drop');
  expect(text).toContain("chain closed_in {");
  expect(text).toContain("type filter hook prerouting priority -310");
  expect(text).toContain('iifname "map-wan" drop');
  expect(text.split("the interface is being taken down")).toHaveLength(3);
});
