import { describe, expect, test } from "vitest";
import { renew, setup, teardown } from "../../../src/engine/session.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { makeWorld, type World } from "./world.ts";

const iface = parseInterfaceName("wan_map", "interface");
const mapE = {
  maptype: "map-e",
  ip6prefix: "2001:db8::/40",
  ipaddr: "192.0.2.0/24",
  ealen: 16,
  peeraddr: "2001:db8:ffff::1",
};

/** What a person reads in the log since the last time, each line up to its first long word. */
function log(world: World): string[] {
  const lines = world.done.filter((line) => line.startsWith("log ")).map((line) => line.slice("log ".length));
  world.done.length = 0;
  return lines.map((line) => (line.length > 100 ? `${line.slice(0, 100)}...` : line));
}

describe("the log tells each step, how it ended, and the command a person would type", () => {
  test("MAP-T by the module: setup, nothing new, another MTU, teardown", async () => {
    const world = makeWorld();
    await setup({ action: "setup", iface, config: {} }, world);
    expect(log(world)).toEqual([
      "ok depend on the link wan6",
      "ok set the rules of the MAP device add map-wan_map; config map-wan_map lowest-ipv6-mtu 1500; config ...",
      "ok set the MTU of the MAP device ip link set map-wan_map mtu 1500",
      'ok tell netifd ubus call network.interface notify_proto {"interface":"wan_map","action":0,"ifname":"...',
      "ok setup map-t 192.0.2.18/32, PSID 52 of 8 bits, MTU 1480, rule from DHCPv6, NAT by the kernel modul...",
    ]);
    await renew({ action: "renew", iface, config: {} }, world);
    expect(log(world)).toEqual(["ok renew nothing changed"]);
    await renew({ action: "renew", iface, config: { mtu: 1400 } }, world);
    const [rules, told, end, ...more] = log(world);
    expect(rules).toMatch(/^ok set the rules of the MAP device /);
    expect(told).toMatch(/^ok tell netifd /);
    expect(end).toMatch(/^ok renew map-t 192\.0\.2\.18\/32, PSID 52 of 8 bits, MTU 1400, rule from DHCPv6, /);
    expect(more).toEqual([]);
    await teardown(iface, world);
    expect(log(world)).toEqual(["ok remove the MAP device del map-wan_map", "ok teardown"]);
  });

  test("MAP-E by nftables", async () => {
    const world = makeWorld({ withoutModule: true });
    await setup({ action: "setup", iface, config: mapE }, world);
    expect(log(world)).toEqual([
      "ok depend on the link wan6",
      "ok load the NAT into the port set nft -f - (table ip mapmin_wan__map)",
      'ok add the MAP address to the link ubus call network add_dynamic {"name":"wan_map_","ifname":"@wan6"...',
      'ok tell netifd ubus call network.interface notify_proto {"interface":"wan_map","action":0,"ifname":"...',
      "ok setup map-e 192.0.2.18/32, PSID 52 of 8 bits, MTU 1460, rule from the interface's options, NAT by...",
    ]);
    await teardown(iface, world);
    expect(log(world)).toEqual([
      "ok remove the NAT nft delete table ip mapmin_wan__map",
      "ok forget the flows conntrack -D -q 192.0.2.18/32",
      'ok remove the MAP address from the link ubus call network.interface down {"interface":"wan_map_"}',
      "ok teardown",
    ]);
  });

  test("a step that fails, what is taken back, and what netifd is told", async () => {
    const failing = new Map<string, Error>([["mtu", new EffectError("mtu", "no such device")]]);
    const world = makeWorld({ failing });
    expect(await setup({ action: "setup", iface, config: {} }, world)).toBe(1);
    const lines = log(world);
    expect(lines.slice(0, 5)).toEqual([
      "ok depend on the link wan6",
      expect.stringMatching(/^ok set the rules of the MAP device /),
      expect.stringMatching(/^failed set the MTU of the MAP device .*no such device/),
      "ok remove the MAP device del map-wan_map",
      expect.stringMatching(/^failed setup SETUP_FAILED: mtu: no such device/),
    ]);
  });
});
