import { describe, expect, test } from "vitest";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import type { Link, Plan, PlanOptions } from "../../../src/map/plan.ts";
import { provision } from "../../../src/provision/choose.ts";
import { decodeLinkStatus } from "../../../src/provision/link.ts";
import { stepCommands } from "../../../src/render/shell.ts";

const wanMap = parseInterfaceName("wan_map", "interface");
const tunlink = parseInterfaceName("wan6", "tunlink");
const words = "ealen=16,prefix4len=24,prefix6len=40,ipv4prefix=192.0.2.0,ipv6prefix=2001:db8::,offset=4,fmr";
const translated = `type=map-t,${words},dmr=2001:db8:ffff::/64`;
const encapsulated = `type=map-e,${words},br=2001:db8:ffff::1`;

function planOf(
  rule: string,
  options: PlanOptions & { readonly encaplimit?: string } = {},
  link: Partial<Link> = {},
): Plan {
  const { plan } = provision(wanMap, { rule, ...options } as object, {
    tunlink,
    link: decodeLinkStatus({
      up: true,
      l3_device: "eth1",
      "ipv6-prefix": [{ address: "2001:db8:12:3400::", mask: 56 }],
    }),
    linkMtu: 1500,
    neighbours: [],
    moduleLoaded: options.moduleLoaded ?? true,
  });
  return { ...plan, link: { ...plan.link, ...link } };
}
const byModule = planOf(translated);
const byTunnel = planOf(encapsulated, { nat: "nftables" });
const unloaded = planOf(encapsulated, { moduleLoaded: false });

describe("commands", () => {
  test("the NAT is a script that ends by a line of its own", () => {
    const [command = ""] = stepCommands.nat(byTunnel);
    const lines = command.split("\n");
    expect(lines.slice(0, 2)).toEqual(["nft -f - <<'END_OF_NFT'", "add table ip mapmin_wan__map"]);
    expect(lines.slice(-2)).toEqual(["}", "END_OF_NFT"]);
    expect(stepCommands.nat(byTunnel)).toHaveLength(1);
    expect(stepCommands.nat(byModule)).toEqual([]);
  });

  test("the device is made by one write", () => {
    const [command = ""] = stepCommands.device(byModule);
    expect(command).toMatch(
      /^printf '%s\\n' 'add map-wan_map' 'config map-wan_map lowest-ipv6-mtu 1500' 'config /,
    );
    expect(command).toMatch(
      / nat\.reserved -' \| dd of=\/proc\/net\/nat46\/control bs=2097152 2>\/dev\/null$/,
    );
    expect(stepCommands.mtu(byModule)).toEqual(["ip link set map-wan_map mtu 1500 up"]);
    expect(stepCommands.device(unloaded)).toEqual([]);
    expect(stepCommands.mtu(unloaded)).toEqual([]);
  });

  test("the MAP address is the link's where the kernel's tunnel needs it, or the link's prefix is it", () => {
    const address = "ip -6 address add 2001:db8:12:3400:0:c000:212:34/128 dev";
    expect(stepCommands.address(byModule)).toEqual([]);
    expect(stepCommands.address(unloaded)).toEqual([`${address} eth1`]);
    expect(stepCommands.address({ ...byModule, link: { ...byModule.link, onLink: true } })).toEqual([
      `${address} eth1 preferred_lft 0`,
    ]);
    expect(stepCommands.address({ ...unloaded, link: { ...unloaded.link, device: "" } })).toEqual([
      `${address} DEVICE`,
    ]);
    const { ce: _, ...without } = unloaded;
    expect(stepCommands.address(without)).toEqual([]);
  });

  test("what netifd does: routes of the module's device", () => {
    expect(stepCommands.netifd(byModule)).toEqual([
      "ip -6 route add 2001:db8:12:3400:0:c000:212:34/128 dev map-wan_map",
      "ip address add 192.0.2.18/32 dev map-wan_map",
      "ip route add default dev map-wan_map mtu 1480",
    ]);
    expect(stepCommands.netifd(planOf(encapsulated))).toEqual([
      "ip address add 192.0.2.18/32 dev map-wan_map",
      "ip route add default dev map-wan_map mtu 1460",
    ]);
  });

  test("what netifd does: a tunnel of its own", () => {
    const ends = "local 2001:db8:12:3400:0:c000:212:34 remote 2001:db8:ffff::1 dev eth1 ttl 64";
    const after = [
      "ip link set map-wan_map mtu 1460 up",
      "ip address add 192.0.2.18/32 dev map-wan_map",
      "ip route add default dev map-wan_map",
    ];
    expect(stepCommands.netifd(unloaded)).toEqual([
      `ip -6 tunnel add map-wan_map mode ipip6 ${ends} encaplimit none`,
      ...after,
    ]);
    const limited = {
      ...unloaded,
      ...(unloaded.tunnel && { tunnel: { ...unloaded.tunnel, encaplimit: "4" } }),
    };
    expect(stepCommands.netifd(limited)).toEqual([
      `ip -6 tunnel add map-wan_map mode ipip6 ${ends} encaplimit 4`,
      ...after,
    ]);
  });
});
