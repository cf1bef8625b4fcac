import { describe, expect, test } from "vitest";
import { renew, setup, teardown } from "../../../src/engine/session.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { effects, linkStatus, makeWorld, Refusal, type World } from "./world.ts";

const iface = parseInterfaceName("wan_map", "interface");
const mapE = {
  maptype: "map-e",
  ip6prefix: "2001:db8::/40",
  ipaddr: "192.0.2.0/24",
  ealen: 16,
  peeraddr: "2001:db8:ffff::1",
};

/** What a person reads in the log since the last time, each line cut to `length` characters. */
function log(world: World, length = 100): string[] {
  const lines = world.done.filter((line) => line.startsWith("log ")).map((line) => line.slice("log ".length));
  world.done.length = 0;
  return lines.map((line) => (line.length > length ? `${line.slice(0, length)}...` : line));
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

  test("an address of one's own has no PSID to tell", async () => {
    const world = makeWorld({
      status: { ...linkStatus, "ipv6-prefix": [{ address: "2001:db8:12::", mask: 48 }] },
    });
    await setup({ action: "setup", iface, config: { ...mapE, ealen: 8 } }, world);
    expect(log(world).at(-1)).toBe(
      "ok setup map-e 192.0.2.18/32, MTU 1460, rule from the interface's options, NAT by the kernel module",
    );
  });

  test("a step that fails, what is taken back, and what netifd is told", async () => {
    const failing = new Map<string, Error>([["mtu", new EffectError("mtu", "no such device")]]);
    const world = makeWorld({ failing });
    expect(await setup({ action: "setup", iface, config: {} }, world)).toBe(1);
    expect(log(world)).toEqual([
      "ok depend on the link wan6",
      expect.stringMatching(/^ok set the rules of the MAP device /),
      expect.stringMatching(/^failed set the MTU of the MAP device .*no such device/),
      "ok remove the MAP device del map-wan_map",
      "failed setup SETUP_FAILED: mtu: no such device",
      'ok report the error ubus call network.interface notify_proto {"interface":"wan_map","action":3,"erro...',
    ]);
  });

  test.each([
    ["refuses the module's device", {}, 6, ["ok remove the MAP device del map-wan_map"]],
    ["gives no answer about the module's device", {}, 7, ["ok remove the MAP device del map-wan_map"]],
    [
      "refuses the tunnel",
      { withoutModule: true },
      6,
      [
        "ok remove the NAT nft delete table ip mapmin_wan__map",
        "ok forget the flows conntrack -D -q 192.0.2.18/32",
        'ok remove the MAP address from the link ubus call network.interface down {"interface":"wan_map_"}',
        'failed take the tunnel down ubus call network.interface notify_proto {"interface":"wan_map","action"...',
      ],
    ],
    [
      "gives no answer about the tunnel",
      { withoutModule: true },
      7,
      [
        "ok close the port set nft -f - (table ip mapmin_wan__map)",
        "ok forget the flows conntrack -D -q 192.0.2.18/32",
        'ok remove the MAP address from the link ubus call network.interface down {"interface":"wan_map_"}',
        'failed take the tunnel down ubus call network.interface notify_proto {"interface":"wan_map","action"...',
      ],
    ],
  ])("netifd %s: what is taken back", async (_title, options, status, taken) => {
    const world = makeWorld({ ...options, failing: new Map([["notify 0", new Refusal(status)]]) });
    expect(await setup({ action: "setup", iface, config: mapE }, world)).toBe(1);
    const lines = log(world);
    const from = lines.findIndex((line) => line.startsWith("failed tell netifd"));
    expect(lines.slice(from + 1, -1)).toEqual([
      ...taken,
      `failed setup SETUP_FAILED: ubus: status ${status}`,
    ]);
  });
});

/** Where no state says which of netifd's interfaces has the MAP address. */
const addressesRemoved = ["wan_map_", "wan_map__"].map(
  (name) =>
    `ok remove the MAP address from the link ubus call network.interface down {"interface":"${name}"}`,
);

describe("the log tells why", () => {
  test.each([
    [
      "the link is down",
      4,
      ["failed depend on the link wan6: ubus: status 4"],
      ['notify 3 {"interface":"wan_map","action":3,"error":["LINK_DOWN","tunlink: wan6 is not up"]}'],
    ],
    [
      "netifd does not take the dependency",
      6,
      [
        "failed depend on the link wan6: ubus: status 6",
        "failed setup SETUP_FAILED: ubus: status 6",
        'ok report the error ubus call network.interface notify_proto {"interface":"wan_map","action":3,"erro...',
      ],
      ['notify 3 {"interface":"wan_map","action":3,"error":["SETUP_FAILED","ubus: status 6"]}'],
    ],
  ])("%s", async (_title, status, lines, told) => {
    const world = makeWorld({ failing: new Map([["notify 6", new Refusal(status)]]) });
    expect(await setup({ action: "setup", iface, config: {} }, world)).toBe(1);
    expect(effects(world).slice(1)).toEqual(told);
    expect(log(world)).toEqual(lines);
  });

  test.each([
    ["knows no link of that name", { link: "wan" }, 'NO_LINK: tunlink: netifd knows no interface "wan6"'],
    [
      "does not answer",
      { failing: new Map([["network.interface dump", new Refusal(6)]]) },
      "SETUP_FAILED: ubus: status 6",
    ],
  ])("netifd %s", async (_title, options, text) => {
    const world = makeWorld(options);
    expect(await setup({ action: "setup", iface, config: {} }, world)).toBe(1);
    expect(world.asked).toEqual(["network.interface dump {}"]);
    expect(log(world)[1]).toBe(`failed setup ${text}`);
  });

  test("the state cannot be written", async () => {
    const full = new EffectError("/var/run/mapmin", "no space left on device");
    const world = makeWorld({ failing: new Map([["state", full]]) });
    expect(await setup({ action: "setup", iface, config: {} }, world)).toBe(1);
    expect(log(world).slice(1, 3)).toEqual([
      "failed write the state /var/run/mapmin: no space left on device",
      "failed setup SETUP_FAILED: /var/run/mapmin: no space left on device",
    ]);
  });

  test.each([
    ["is damaged", "octets", "it is damaged: the interface counts as not set up", addressesRemoved],
    [
      "has a section",
      "interface=wan_map\nstate=up\nsince=\n[x]\n",
      "it holds sections or lists, which are ignored",
      [],
    ],
  ])("the state %s", async (_title, text, damage, removed) => {
    const world = makeWorld({ withoutModule: true });
    world.states.set("wan_map", text);
    expect(await teardown(iface, world)).toBe(0);
    expect(log(world)).toEqual([
      `note read the state /var/run/mapmin/wan_map.state: ${damage}`,
      "ok remove the port forwards nft -f - (table ip mapmin_wan__map_fwd)",
      "ok remove the NAT nft delete table ip mapmin_wan__map",
      ...removed,
      "ok teardown",
    ]);
  });

  test("the state cannot be read", async () => {
    const failing = new Map<string, Error>([["read state", new EffectError("wan_map.state", "I/O error")]]);
    const world = makeWorld({ withoutModule: true, failing });
    expect(await teardown(iface, world)).toBe(0);
    expect(log(world)).toEqual([
      "failed read the state wan_map.state: I/O error",
      "ok remove the port forwards nft -f - (table ip mapmin_wan__map_fwd)",
      "ok remove the NAT nft delete table ip mapmin_wan__map",
      ...addressesRemoved,
      "ok teardown",
    ]);
    failing.set("read state", new TypeError("x is not a function"));
    await expect(teardown(iface, world)).rejects.toThrow(TypeError);
    expect(log(world)).toEqual([]);
  });

  test("without a state there is nothing to say of it", async () => {
    const world = makeWorld({ withoutModule: true });
    expect(await teardown(iface, world)).toBe(0);
    expect(log(world)).toEqual([
      "ok remove the port forwards nft -f - (table ip mapmin_wan__map_fwd)",
      "ok remove the NAT nft delete table ip mapmin_wan__map",
      ...addressesRemoved,
      "ok teardown",
    ]);
  });
});

describe("the log of a renewal", () => {
  const otherPrefix = { ...linkStatus, "ipv6-prefix": [{ address: "2001:db8:13:3400::", mask: 56 }] };
  const newNat = "ok load the NAT into the port set nft -f - (table ip mapmin_wan__map)";
  const shut = "ok close the port set nft -f - (table ip mapmin_wan__map)";
  const oldFlows = "ok forget the flows conntrack -D -q 192.0.2.18/32";
  const newAddress =
    'ok add the MAP address to the link ubus call network add_dynamic {"name":"wan_map__","ifname":"@wan6...';
  const reported =
    'ok report the error ubus call network.interface notify_proto {"interface":"wan_map","action":3,"erro...';

  /** A MAP-E by netifd's tunnel that is up, whose link has another prefix since. */
  async function changing(failing = new Map<string, Error>()) {
    const world = makeWorld({ withoutModule: true, failing });
    await setup({ action: "setup", iface, config: mapE }, world);
    log(world);
    world.status = otherPrefix;
    return world;
  }

  test("another prefix: what is changed, and what of the old one is taken away", async () => {
    const world = await changing();
    expect(await renew({ action: "renew", iface, config: mapE }, world)).toBe(0);
    expect(log(world, 1_000)).toEqual([
      'ok add the MAP address to the link ubus call network add_dynamic {"name":"wan_map__","ifname":"@wan6","proto":"static","ip6addr":["2001:db8:13:3400:0:c000:213:34"]}',
      shut,
      oldFlows,
      // netifd's new tunnel has nothing on it, and netifd would leave out what is as before.
      expect.stringMatching(/^ok have the device without addresses .*"ipaddr":\[\],"routes":\[\]/),
      expect.stringMatching(/^ok tell netifd .*"ipaddr":\[\{.*"routes":\[\{/),
      newNat,
      'ok remove the MAP address from the link ubus call network.interface down {"interface":"wan_map_"}',
      "ok renew map-e 192.0.2.19/32, PSID 52 of 8 bits, MTU 1460, rule from the interface's options, NAT by nftables: the kernel module is not loaded; changed: nat, address, netifd",
    ]);
  });

  test.each([
    ["refuses", 6, "ok take back: close the port set nft -f - (table ip mapmin_wan__map)"],
    ["gives no answer", 7, "ok close the port set nft -f - (table ip mapmin_wan__map)"],
  ])("netifd %s: what is taken back, last first", async (_title, status, table) => {
    const failing = new Map<string, Error>();
    const world = await changing(failing);
    failing.set("notify 0", new Refusal(status));
    expect(await renew({ action: "renew", iface, config: mapE }, world)).toBe(1);
    expect(log(world)).toEqual([
      newAddress,
      shut,
      oldFlows,
      expect.stringMatching(/^failed have the device without addresses /),
      table,
      'ok remove the MAP address from the link ubus call network.interface down {"interface":"wan_map__"}',
      `failed renew SETUP_FAILED: ubus: status ${status}`,
      reported,
    ]);
  });

  test("the module's device gets back its rules, whether netifd refused or gave no answer", async () => {
    for (const status of [6, 7]) {
      const failing = new Map<string, Error>();
      const world = makeWorld({ failing });
      await setup({ action: "setup", iface, config: {} }, world);
      const before = world.control;
      log(world);
      failing.set("notify 0", new Refusal(status));
      expect(await renew({ action: "renew", iface, config: { mtu: 1400 } }, world)).toBe(1);
      expect(log(world)).toEqual([
        expect.stringMatching(/^ok set the rules of the MAP device /),
        expect.stringMatching(/^failed tell netifd /),
        expect.stringMatching(/^ok take back: set the rules of the MAP device add map-wan_map; config /),
        `failed renew SETUP_FAILED: ubus: status ${status}`,
        reported,
      ]);
      expect(world.control).toBe(before);
      expect(world.states.get("wan_map")).toContain("state=up\n");
    }
  });

  test("the module came or went: netifd starts anew", async () => {
    const world = await changing();
    world.control = "";
    expect(await renew({ action: "renew", iface, config: mapE }, world)).toBe(0);
    expect(log(world)).toEqual([
      'ok have netifd start anew ubus call network.interface notify_proto {"interface":"wan_map","action":7...',
    ]);
  });

  test("the module came after a change had failed: netifd starts anew, because it has its tunnel still", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ withoutModule: true, failing });
    await setup({ action: "setup", iface, config: mapE }, world);
    failing.set("notify 0", new Refusal(7));
    expect(await renew({ action: "renew", iface, config: { ...mapE, mtu: 1400 } }, world)).toBe(1);
    expect(world.states.get("wan_map")).toContain("state=failed\n");
    failing.clear();
    log(world);
    world.control = "";
    expect(await renew({ action: "renew", iface, config: mapE }, world)).toBe(0);
    expect(log(world)).toEqual([
      'ok have netifd start anew ubus call network.interface notify_proto {"interface":"wan_map","action":7...',
    ]);
  });

  test("netifd was killed and left its tunnel, and the module came: the next setup takes the tunnel's place", async () => {
    const world = makeWorld({ withoutModule: true });
    await setup({ action: "setup", iface, config: mapE }, world);
    log(world);
    world.tunnels.add("map-wan_map");
    world.control = "";
    expect(await setup({ action: "setup", iface, config: mapE }, world)).toBe(0);
    const lines = log(world);
    const closed = lines.findIndex((line) => line.startsWith("ok remove the NAT "));
    const gone = lines.indexOf("ok remove the tunnel that netifd left map-wan_map");
    expect([closed >= 0, gone > closed]).toEqual([true, true]);
    expect(lines.at(-1)).toMatch(/^ok setup /);
    expect(world.states.get("wan_map")).toContain("carrier=module\n");
  });

  test("after a setup that failed: the setup", async () => {
    const failing = new Map<string, Error>([["notify 0", new Refusal(6)]]);
    const world = makeWorld({ failing });
    await setup({ action: "setup", iface, config: mapE }, world);
    log(world);
    expect(await renew({ action: "renew", iface, config: mapE }, world)).toBe(1);
    expect(log(world).slice(-3)).toEqual([
      "ok remove the MAP device del map-wan_map",
      "failed setup SETUP_FAILED: ubus: status 6",
      reported,
    ]);
    failing.clear();
    expect(await renew({ action: "renew", iface, config: mapE }, world)).toBe(0);
    expect(log(world).at(-1)).toBe(
      "ok setup map-e 192.0.2.18/32, PSID 52 of 8 bits, MTU 1460, rule from the interface's options, NAT by...",
    );
  });

  test("without a state: the setup, and nothing that would start it again", async () => {
    const world = makeWorld();
    expect(await renew({ action: "renew", iface, config: mapE }, world)).toBe(0);
    expect(log(world).map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
      "ok set the",
      "ok set the",
      "ok have the",
      "ok tell netifd",
      "ok setup map-e",
    ]);
    world.states.clear();
    world.status = { ...linkStatus, data: {} };
    expect(await renew({ action: "renew", iface, config: {} }, world)).toBe(1);
    expect(log(world)).toEqual([
      "failed renew NO_RULE: no rule is configured, and the provider's DHCPv6 reply has no MAP option: requ...",
      reported,
    ]);
  });
});
