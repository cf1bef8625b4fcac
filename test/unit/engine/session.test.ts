import { describe, expect, test } from "vitest";
import { renew, report, setup, teardown } from "../../../src/engine/session.ts";
import { decodeState } from "../../../src/engine/state.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { EffectError, InputError } from "../../../src/wire/errors.ts";
import { effects, linkStatus, makeWorld, onLinkStatus, option48879, Refusal, type World } from "./world.ts";

const wanMap = parseInterfaceName("wan_map", "interface");
const request = (config: object = { tunlink: "wan6" }) =>
  ({ action: "setup", iface: wanMap, config }) as Parameters<typeof setup>[0];

const mapE = {
  tunlink: "wan6",
  maptype: "map-e",
  ip6prefix: "2001:db8::",
  ip6prefixlen: 40,
  ipaddr: "192.0.2.0",
  ip4prefixlen: 24,
  ealen: 16,
  offset: 6,
  peeraddr: "2001:db8:ffff::1",
};

function update(world: ReturnType<typeof makeWorld>) {
  const line = effects(world).find((entry) => entry.startsWith("notify 0 "));
  return JSON.parse(line?.slice("notify 0 ".length) ?? "null");
}

describe("setup", () => {
  test("MAP-T from DHCPv6: dependency, device, MTU, netifd, in this order", async () => {
    const world = makeWorld();
    expect(await setup(request(), world)).toBe(0);
    expect(effects(world).map((line) => line.split(" {")[0])).toEqual([
      "notify 6",
      "control add map-wan_map",
      "mtu map-wan_map 1500",
      "notify 0",
    ]);
    expect(update(world)).toEqual({
      interface: "wan_map",
      action: 0,
      ifname: "map-wan_map",
      "link-up": true,
      keep: false,
      ipaddr: [{ ipaddr: "192.0.2.18", mask: "32" }],
      routes: [{ target: "0.0.0.0", netmask: "0", mtu: 1480 }],
      routes6: [{ target: "2001:db8:12:3400:0:c000:212:34", netmask: "128" }],
      data: {},
    });
    expect(decodeState(world.states.get("wan_map") ?? "")).toMatchObject({
      state: "up",
      ipv4: "192.0.2.18/32",
      psid: "52",
      psid_length: "8",
      offset: "4",
      mtu: "1480",
      carrier: "module",
      nat_by: "the kernel module",
    });
  });

  test("MAP-E by the module: no tunnel of netifd's, no address on the link, MTU less 40", async () => {
    const world = makeWorld();
    expect(await setup(request(mapE), world)).toBe(0);
    expect(effects(world).map((line) => line.split(" {")[0])).toEqual([
      "notify 6",
      "control add map-wan_map",
      "mtu map-wan_map 1500",
      "notify 0",
    ]);
    expect(world.control).toContain("transport encapsulate");
    expect(world.control).toContain("remote.style NONE remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::1/128");
    expect(world.control).toContain("nat.mode ports");
    expect(update(world)).toMatchObject({ routes: [{ target: "0.0.0.0", netmask: "0", mtu: 1460 }] });
    expect(update(world)).not.toHaveProperty("tunnel");
    expect(update(world)).not.toHaveProperty("routes6");
  });

  test("a prefix of the link's own: the router has the MAP address, and does not speak from it", async () => {
    const world = makeWorld({ status: onLinkStatus });
    expect(await setup(request(), world)).toBe(0);
    expect(effects(world)).toContain(
      'network add_dynamic {"name":"wan_map_","ifname":"@wan6","proto":"static","ip6addr":["2001:db8:12:3400:0:c000:212:34"],"ip6deprecated":true}',
    );
    world.done.length = 0;
    expect(await teardown(wanMap, world)).toBe(0);
    expect(effects(world)).toEqual([
      "control del map-wan_map",
      'network.interface down {"interface":"wan_map_"}',
    ]);
  });

  test("MAP-T with nftables: the NAT before the device", async () => {
    const world = makeWorld();
    expect(await setup(request({ tunlink: "wan6", nat: "nftables" }), world)).toBe(0);
    expect(effects(world).map((line) => line.split(" {")[0])).toEqual([
      "notify 6",
      "nft load",
      "control add map-wan_map",
      "mtu map-wan_map 1500",
      "notify 0",
    ]);
    expect(world.control).toContain("nat.mode off");
  });

  test.each([
    ["auto", true, "NO_KERNEL_MODULE"],
    ["module", true, "NO_KERNEL_MODULE"],
    ["nftables", true, "NO_KERNEL_MODULE"],
  ])("MAP-T with option nat %s and no module: %s", async (nat, withoutModule, code) => {
    const world = makeWorld({ withoutModule });
    expect(await setup(request({ tunlink: "wan6", nat }), world)).toBe(1);
    expect(effects(world).at(-1)).toContain(code);
    expect(world.tables.size).toBe(0);
  });

  test("MAP-E from options without the module: the tunnel's address, then the tunnel, MTU less 40", async () => {
    const world = makeWorld({ withoutModule: true });
    expect(await setup(request(mapE), world)).toBe(0);
    expect(effects(world)[2]).toBe(
      'network add_dynamic {"name":"wan_map_","ifname":"@wan6","proto":"static","ip6addr":["2001:db8:12:3400:0:c000:212:34"]}',
    );
    expect(update(world).tunnel).toEqual({
      mode: "ipip6",
      mtu: 1460,
      ttl: 64,
      local: "2001:db8:12:3400:0:c000:212:34",
      remote: "2001:db8:ffff::1",
      link: "wan6",
      data: { encaplimit: "ignore", fmrs: [] },
    });
    expect(update(world).routes).toEqual([{ target: "0.0.0.0", netmask: "0" }]);
  });

  test("zone and MTU of the options are honoured", async () => {
    const world = makeWorld();
    expect(await setup(request({ tunlink: "wan6", zone: "wan", mtu: 1400 }), world)).toBe(0);
    expect(update(world)).toMatchObject({ data: { zone: "wan" }, routes: [{ mtu: 1400 }] });
  });

  test.each([
    ["no rule at all", { status: { ...linkStatus, data: {} } }, "NO_RULE"],
    ["no prefix yet", { status: { up: true, l3_device: "eth1", data: linkStatus.data } }, "NO_MATCHING_PD"],
    ["a passthru that is no hex", { status: { ...linkStatus, data: { passthru: "xyz" } } }, "INVALID_OPTION"],
    [
      "a passthru cut short",
      { status: { ...linkStatus, data: { passthru: "beef00ff00" } } },
      "INVALID_OPTION",
    ],
    ["no kernel module", { withoutModule: true }, "NO_KERNEL_MODULE"],
    [
      "the module refuses",
      { failing: new Map([["control", new EffectError("control", "EINVAL")]]) },
      "SETUP_FAILED",
    ],
    ["netifd refuses", { failing: new Map([["notify 0", new Refusal(6)]]) }, "SETUP_FAILED"],
    [
      "the address is the LAN's",
      {
        dump: {
          interface: [{ interface: "lan", "ipv4-address": [{ address: "192.0.2.1", mask: 24 }] }],
        },
      },
      "INVALID_MAP_RULE",
    ],
    [
      "netifd does not tell of the other interfaces",
      { failing: new Map([["network.interface dump", new Refusal(7)]]) },
      "SETUP_FAILED",
    ],
    ["no such tunlink", { link: "wan" }, "NO_LINK"],
  ] as const)("%s: reported, not blocked, everything undone", async (_title, options, code) => {
    const world = makeWorld(options);
    expect(await setup(request(), world)).toBe(1);
    const done = effects(world);
    expect(done.at(-1)).toContain(`"error":["${code}"`);
    expect(world.tables.size).toBe(0);
    expect(world.control ?? "").toBe("");
    expect(decodeState(world.states.get("wan_map") ?? "")).toMatchObject({ state: "failed" });
  });

  test("what the interface has itself, and the one that holds its tunnel's address, is not in its way", async () => {
    const own = [
      { interface: "wan_map", "ipv4-address": [{ address: "192.0.2.18", mask: 32 }] },
      { interface: "wan_map_", "ipv4-address": [{ address: "192.0.2.18", mask: 32 }] },
    ];
    expect(await setup(request(), makeWorld({ dump: { interface: own } }))).toBe(0);
  });

  describe("an interface that a lease has offered", () => {
    const offered = (interface_: string) => ({ interface: interface_, proto: "map", dynamic: true });
    const withdrawn = (world: World) =>
      effects(world).filter((line) => line.startsWith("network.interface remove"));

    test("gives way to the one that is configured for the link: by its name, or by its state", async () => {
      const others = [
        offered("wan6_4"),
        offered("home"),
        offered("wwan6_4"),
        offered("gone"),
        offered("not a name"),
        { ...offered("wan6_5"), dynamic: false },
        { ...offered("wan6_6"), proto: "464xlat" },
      ];
      const world = makeWorld({ dump: { interface: others }, going: { wan6_4: [{}, {}], home: [] } });
      world.states.set("home", "interface=home\nstate=up\nsince=2026-01-01T00:00:00Z\ntunlink=wan6\n");
      world.states.set("wan6_5", "interface=wan6_5\nstate=up\nsince=2026-01-01T00:00:00Z\ntunlink=wan6\n");
      world.states.set("wwan6_4", "interface=wwan6_4\nstate=up\nsince=2026-01-01T00:00:00Z\ntunlink=wwan6\n");
      expect(await setup(request(), world)).toBe(0);
      expect(withdrawn(world)).toEqual([
        'network.interface remove {"interface":"wan6_4"}',
        'network.interface remove {"interface":"home"}',
      ]);
      // Until it is gone, the kernel refuses a tunnel with the same ends.
      expect(world.asked.filter((line) => /wan6_4|home|sleep/.test(line))).toEqual([
        'network.interface status {"interface":"wan6_4"}',
        "sleep 200",
        'network.interface status {"interface":"wan6_4"}',
        "sleep 200",
        'network.interface status {"interface":"wan6_4"}',
        'network.interface status {"interface":"home"}',
      ]);
    });

    test("stays where it is the one that is set up", async () => {
      const world = makeWorld({ dump: { interface: [offered("wan_map"), offered("wan6_4")] } });
      expect(await setup(request(), world)).toBe(0);
      expect(withdrawn(world)).toEqual([]);
    });

    test.each([
      ["a private address", request({ ...mapE, ipaddr: "10.0.0.0" }), {}],
      ["no prefix in the rule", request(), { status: { ...linkStatus, "ipv6-prefix": [] } }],
    ])("goes on where the configured one has %s", async (_title, configured, options) => {
      const world = makeWorld({ ...options, dump: { interface: [offered("wan6_4")] } });
      expect(await setup(configured, world)).toBe(1);
      expect(withdrawn(world)).toEqual([]);
    });

    test("is waited for no longer than a teardown takes", async () => {
      const world = makeWorld({ dump: { interface: [offered("wan6_4")] } });
      expect(await setup(request(), world)).toBe(0);
      expect(world.asked.filter((line) => line.startsWith("sleep"))).toHaveLength(40);
    });

    test("netifd keeps it: the configured one is set up all the same", async () => {
      const failing = new Map([["network.interface remove", new Refusal(9)]]);
      const world = makeWorld({ dump: { interface: [offered("wan6_4")] }, failing });
      expect(await setup(request(), world)).toBe(0);
      expect(world.done).toContainEqual(
        expect.stringContaining("log failed withdraw wan6_4, which a lease offered"),
      );
    });
  });

  test("a link that is down is left to netifd", async () => {
    const world = makeWorld({ failing: new Map([["notify 6", new Refusal(4)]]) });
    expect(await setup(request(), world)).toBe(1);
    expect(effects(world).at(-1)).toContain("LINK_DOWN");
  });

  test("nft refuses: reported, nothing left", async () => {
    const world = makeWorld({
      failing: new Map([["nft", new EffectError("nft", "no")]]),
      withoutModule: true,
    });
    expect(await setup(request(mapE), world)).toBe(1);
    expect(effects(world).at(-1)).toContain('"error":["SETUP_FAILED","nft: no"');
    expect(world.tables.size).toBe(0);
  });

  test("undoes in reverse order, the kernel's part before netifd's", async () => {
    const world = makeWorld({ failing: new Map([["notify 0", new Refusal(6)]]), withoutModule: true });
    expect(await setup(request(mapE), world)).toBe(1);
    const undone = effects(world).slice(effects(world).findIndex((line) => line.startsWith("notify 0")) + 1);
    expect(undone.map((line) => line.split(" {")[0])).toEqual([
      "nft delete",
      "flush 192.0.2.18/32",
      "network.interface down",
      "notify 0",
      "notify 3",
    ]);
  });

  test("netifd that gives no answer may bring the tunnel up later: a table that only drops stays", async () => {
    const late = new EffectError("ubus", "no answer");
    const world = makeWorld({ failing: new Map([["notify 0", late]]), withoutModule: true });
    expect(await setup(request(mapE), world)).toBe(1);
    expect([...world.tables.values()].join()).toContain('oifname "map-wan_map" drop');
    expect(effects(world).at(-1)).toContain("no answer");
    // The tunnel came up meanwhile; netifd takes it away after the teardown.
    world.devices.set("map-wan_map", 1460);
    world.done.length = 0;
    expect(await teardown(wanMap, world)).toBe(0);
    expect(effects(world).slice(0, 3)).toEqual(["nft delete", "shut map-wan_map", "nft delete"]);
    expect(world.tables.size).toBe(0);
  });

  test.each([
    ["ubusd is gone", 10],
    ["netifd is not back yet", 4],
    ["netifd gives no answer", 7],
  ])("an error reaches netifd although %s for a moment", async (_title, status) => {
    const failing = new Map<string, Error>([
      ["mtu", new EffectError("mtu", "no")],
      ["notify 3", new Refusal(status)],
    ]);
    const world = makeWorld({ failing });
    const { sleep } = world;
    world.sleep = async (ms) => {
      await sleep(ms);
      if (world.asked.filter((line) => line === "sleep 400").length === 3) failing.delete("notify 3");
    };
    expect(await setup(request(), world)).toBe(1);
    const told = effects(world).filter((line) => line.startsWith("notify 3"));
    expect(told).toHaveLength(4);
    expect(effects(world).at(-1)).toContain("notify 3");
  });

  test("netifd that refuses an error, or stays away, is not told for ever", async () => {
    for (const [status, times] of [
      [6, 1],
      [10, 6],
    ] as const) {
      const failing = new Map<string, Error>([
        ["mtu", new EffectError("mtu", "no")],
        ["notify 3", new Refusal(status)],
      ]);
      const world = makeWorld({ failing });
      expect(await setup(request(), world)).toBe(1);
      expect(effects(world).filter((line) => line.startsWith("notify 3"))).toHaveLength(times);
      expect(effects(world).at(-1)).toContain("notify 3");
    }
  });

  test("an address that netifd was asked for, and could not be asked to take back, is taken back by a teardown", async () => {
    const failing = new Map<string, Error>([
      ["network add_dynamic", new Refusal(10)],
      ["network.interface down", new Refusal(10)],
    ]);
    const world = makeWorld({ failing, withoutModule: true });
    expect(await setup(request(mapE), world)).toBe(1);
    expect(world.states.get("wan_map")).toContain("state=failed\n");
    expect(world.states.get("wan_map")).toContain("address_interfaces=wan_map_\n");
    failing.clear();
    expect(await teardown(wanMap, world)).toBe(0);
    expect(effects(world).at(-1)).toBe('network.interface down {"interface":"wan_map_"}');
  });

  test("the state is `starting` before the first effect", async () => {
    const world = makeWorld({ failing: new Map([["control", new EffectError("control", "no")]]) });
    const written: string[] = [];
    const writeState = world.writeState;
    world.writeState = (iface, text) => {
      written.push(`${decodeState(text)?.state} after ${effects(world).length}`);
      writeState(iface, text);
    };
    await setup(request(), world);
    // The dependency on the link comes before, and making the device after.
    expect(written).toEqual(["starting after 1", "failed after 2"]);
  });

  test("a state that cannot be written does not keep the failure from netifd", async () => {
    const world = makeWorld();
    world.writeState = () => {
      throw new EffectError("/var/run/mapmin", "no space left");
    };
    expect(await setup(request(), world)).toBe(1);
    expect(effects(world).at(-1)).toContain("no space left");
  });

  test("a bug is reported to netifd and the log as a bug, and thrown", async () => {
    const world = makeWorld({ failing: new Map([["mtu", new TypeError("x is not a function")]]) });
    await expect(setup(request(), world)).rejects.toThrow(TypeError);
    expect(effects(world).at(-1)).toContain(
      '"error":["INTERNAL_ERROR","this is a bug in mapmin, please report it: x is not a function"]',
    );
    expect(world.control).toBe("");
    expect(world.done.find((line) => line.startsWith("log failed setup"))).toContain("session.test.ts");
  });

  test("a device that an interrupted run left gets the new rules, in one transaction", async () => {
    const world = makeWorld();
    world.control = "add map-wan_map\nconfig map-wan_map local.style MAP local.v4 192.0.2.0/24\n";
    world.devices.set("map-wan_map", 1500);
    expect(await setup(request(), world)).toBe(0);
    expect(effects(world).filter((line) => line.startsWith("control"))).toEqual([
      "control remove map-wan_map",
    ]);
    expect(world.control.match(/local\.style/g)).toHaveLength(1);
  });
});

/** A table whose chains have lost their rules: `nft flush table`. */
function withoutRules(table = ""): string {
  let chain = false;
  const kept = table.split("\n").filter((line) => {
    if (/^\t\S/.test(line)) chain = line.startsWith("\tchain ");
    return !chain || !line.startsWith("\t\t") || line.startsWith("\t\ttype ");
  });
  return kept.join("\n");
}

describe("teardown", () => {
  test("takes away what MAP-T set up, and its state", async () => {
    const world = makeWorld();
    await setup(request(), world);
    world.done.length = 0;
    expect(await teardown(wanMap, world)).toBe(0);
    expect(effects(world)).toEqual(["control del map-wan_map"]);
    expect(world.states.size).toBe(0);
  });

  test("shuts netifd's tunnel before its NAT goes, and asks netifd last", async () => {
    const world = makeWorld({ withoutModule: true });
    await setup(request(mapE), world);
    world.done.length = 0;
    expect(await teardown(wanMap, world)).toBe(0);
    expect(effects(world)).toEqual([
      "shut map-wan_map",
      "nft delete",
      "flush 192.0.2.18/32",
      'network.interface down {"interface":"wan_map_"}',
    ]);
  });

  test("a tunnel that cannot be shut keeps a table that only drops", async () => {
    const world = makeWorld({
      withoutModule: true,
      failing: new Map([["shut", new EffectError("flags", "I/O error")]]),
    });
    await setup(request(mapE), world);
    expect(await teardown(wanMap, world)).toBe(0);
    expect([...world.tables.values()].join()).toContain('oifname "map-wan_map" drop');
  });

  test("a ubusd that does not answer keeps nothing of the kernel's part", async () => {
    const silent = new EffectError("ubus", "no answer");
    const world = makeWorld({ withoutModule: true, failing: new Map([["network.interface down", silent]]) });
    await setup(request(mapE), world);
    expect(await teardown(wanMap, world)).toBe(1);
    expect(world.tables.size).toBe(0);
  });

  test("a ubusd that does not answer is asked once: after a renewal that was killed there are two addresses", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ withoutModule: true, failing });
    await setup(request(mapE), world);
    const held = (world.states.get("wan_map") ?? "").replace(
      /(?<=address_interfaces=).*/,
      "wan_map_ wan_map__",
    );
    const asked = async (error?: Error) => {
      if (error !== undefined) failing.set("network.interface down", error);
      world.states.set("wan_map", held);
      world.done.length = 0;
      expect(await teardown(wanMap, world)).toBe(error === undefined ? 0 : 1);
      return effects(world).filter((line) => line.includes(" down ")).length;
    };
    expect(await asked()).toBe(2);
    expect(await asked(new Refusal(6))).toBe(2);
    expect(await asked(new Refusal(7))).toBe(1);
    expect(await asked(new EffectError("ubus", "no answer"))).toBe(1);
  });

  test.each([
    ["the table", "delete", 1, ["control del map-wan_map"]],
    ["the device", "control", 1, ["nft delete"]],
    ["netifd's interface", "network.interface down", 1, ["nft delete"]],
    // A flow that is left ends by itself.
    ["the flows", "flush", 0, ["nft delete"]],
  ])("%s cannot be removed: the rest is, and the result says so", async (_title, what, code, rest) => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ status: onLinkStatus, failing });
    expect(await setup(request({ tunlink: "wan6", nat: "nftables" }), world)).toBe(0);
    world.done.length = 0;
    failing.set(what, new EffectError(what, "no"));
    expect(await teardown(wanMap, world)).toBe(code);
    expect(world.done.at(-1)).toBe(`log ${code === 0 ? "ok" : "failed"} teardown`);
    expect(world.done.filter((line) => line.startsWith("log failed"))[0]).toContain(`${what}: no`);
    expect(effects(world)).toEqual(expect.arrayContaining(rest));
    // A device that stays is shut first: by then its table may go.
    const whole = ["control del map-wan_map", "nft delete", "flush 192.0.2.18/32"];
    if (what === "control") whole.splice(1, 0, "shut map-wan_map");
    expect(effects(world)).toEqual([...whole, 'network.interface down {"interface":"wan_map_"}']);
    expect(world.tables.size).toBe(what === "delete" ? 1 : 0);
    expect(world.devices.has("map-wan_map")).toBe(what === "control");
    // The state is kept for whoever tries again.
    expect(world.states.size).toBe(code);
    // What could not be removed is by the next teardown.
    failing.clear();
    expect(await teardown(wanMap, world)).toBe(0);
    expect([world.tables.size, world.control, world.states.size]).toEqual([0, "", 0]);
  });

  test("what could not be removed is by the next setup, which needs no such thing", async () => {
    const failing = new Map<string, Error>([["delete", new EffectError("nft", "busy")]]);
    const world = makeWorld({ status: onLinkStatus, failing });
    await setup(request({ tunlink: "wan6", nat: "nftables" }), world);
    expect(await teardown(wanMap, world)).toBe(1);
    expect([...world.states.values()].join()).toMatch(/^state=failed$.*^error=teardown failed$/ms);
    failing.clear();
    world.done.length = 0;
    expect(await setup(request({ tunlink: "wan6" }), world)).toBe(0);
    expect([world.tables.size, world.control === ""]).toEqual([0, false]);
    const told = effects(world);
    expect(told.indexOf("nft delete")).toBeLessThan(told.findIndex((line) => line.startsWith("control add")));
    // The next one finds a state that is up, as after netifd's own end, and takes nothing away.
    world.done.length = 0;
    expect(await setup(request({ tunlink: "wan6" }), world)).toBe(0);
    expect(effects(world)).not.toContain("nft delete");
  });

  test("a MAP address that could not be taken away is still known when the setup has ended", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ withoutModule: true, failing });
    await setup(request(mapE), world);
    const other = (world.states.get("wan_map") ?? "").replace(/(?<=address_interfaces=).*/, "wan_map__");
    world.states.set("wan_map", other);
    failing.set("network.interface down", new Refusal(10));
    expect(await setup(request(mapE), world)).toBe(0);
    expect(world.states.get("wan_map")).toContain("address_interfaces=wan_map_ wan_map__\n");
    failing.clear();
    expect(await setup(request(mapE), world)).toBe(0);
    expect(world.states.get("wan_map")).toContain("address_interfaces=wan_map_\n");
  });

  test("a state file that names other interfaces of netifd's has none of them taken down", async () => {
    const world = makeWorld({ withoutModule: true });
    await setup(request(mapE), world);
    const named = (world.states.get("wan_map") ?? "").replace(
      /(?<=address_interfaces=).*/,
      "lan wan_map_ wan6",
    );
    world.states.set("wan_map", named);
    world.done.length = 0;
    expect(await teardown(wanMap, world)).toBe(0);
    expect(effects(world).filter((line) => line.includes(" down "))).toEqual([
      'network.interface down {"interface":"wan_map_"}',
    ]);
  });

  test("a table that only drops, which a failed setup left, goes when the module takes over", async () => {
    const failing = new Map<string, Error>([["notify 0", new EffectError("ubus", "no answer")]]);
    const world = makeWorld({ withoutModule: true, failing });
    expect(await setup(request(mapE), world)).toBe(1);
    expect([...world.tables.values()].join()).toContain("chain closed_out");
    failing.clear();
    world.control = "";
    world.devices.delete("map-wan_map");
    for (const again of [renew, setup]) {
      expect(await again(request(mapE), world)).toBe(0);
      expect([world.tables.size, world.control === ""]).toEqual([0, false]);
    }
    expect(await teardown(wanMap, world)).toBe(0);
    expect([world.tables.size, world.control]).toEqual([0, ""]);
  });

  test("a teardown that was killed leaves the MAP address under its second name: the next setup takes it away first", async () => {
    const world = makeWorld({ withoutModule: true });
    await setup(request(mapE), world);
    world.status = { ...linkStatus, "ipv6-prefix": [{ address: "2001:db8:13:3400::", mask: 56 }] };
    expect(await renew(request(mapE), world)).toBe(0);
    expect(decodeState(world.states.get("wan_map") ?? "")?.address_interfaces).toBe("wan_map__");
    world.done.length = 0;
    expect(await setup(request(mapE), world)).toBe(0);
    const told = effects(world);
    const down = told.indexOf('network.interface down {"interface":"wan_map__"}');
    expect(down).toBeGreaterThan(-1);
    expect(down).toBeLessThan(told.findIndex((line) => line.startsWith("network add_dynamic")));
    expect(decodeState(world.states.get("wan_map") ?? "")?.address_interfaces).toBe("wan_map_");
  });

  test("a table that cannot be deleted when a setup fails stays, and netifd is told of the setup's failure", async () => {
    const world = makeWorld({
      withoutModule: true,
      failing: new Map([
        ["notify 0", new Refusal(6)],
        ["delete", new EffectError("nft", "busy")],
      ]),
    });
    expect(await setup(request(mapE), world)).toBe(1);
    expect(world.tables.size).toBe(1);
    expect(effects(world).at(-1)).toContain("ubus: status 6");
    expect(world.done.find((line) => line.startsWith("log failed remove the NAT"))).toContain("nft: busy");
    expect(await teardown(wanMap, world)).toBe(1);
  });

  test("a table that cannot be closed in the place of one that cannot be shut is a failure", async () => {
    const failing = new Map<string, Error>([["shut", new EffectError("flags", "I/O error")]]);
    const world = makeWorld({ withoutModule: true, failing });
    await setup(request(mapE), world);
    failing.set("close", new EffectError("nft", "no memory"));
    expect(await teardown(wanMap, world)).toBe(1);
    expect([...world.tables.values()].join()).toContain("chain translate");
  });

  test("a state file that cannot be removed is an error, once the rest is gone", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ failing });
    await setup(request(), world);
    failing.set("remove state", new EffectError("wan_map.state", "read-only file system"));
    await expect(teardown(wanMap, world)).rejects.toThrow("wan_map.state: read-only file system");
    expect(world.control).toBe("");
    expect(world.states.size).toBe(1);
  });

  test("works without a state, and twice", async () => {
    const world = makeWorld({ withoutModule: true });
    expect(await teardown(wanMap, world)).toBe(0);
    expect(await teardown(wanMap, world)).toBe(0);
  });

  test("gives 1 when something could not be removed, and tries the rest", async () => {
    const world = makeWorld();
    await setup(request(), world);
    world.done.length = 0;
    world.writeControl = () => {
      throw new EffectError("control", "EBUSY");
    };
    expect(await teardown(wanMap, world)).toBe(1);
    expect(effects(world)).toEqual([]);
    world.flushFlows = () => Promise.reject(new EffectError("conntrack", "not installed"));
    world.writeControl = () => {};
    expect(await teardown(wanMap, world)).toBe(0);
  });

  test("a state that cannot be read costs the kernel's part nothing", async () => {
    const world = makeWorld();
    await setup(request(), world);
    world.done.length = 0;
    world.readState = () => {
      throw new EffectError("wan_map.state", "I/O error");
    };
    expect(await teardown(wanMap, world)).toBe(0);
    expect(effects(world)).toEqual([
      "control del map-wan_map",
      "nft delete",
      "nft delete",
      'network.interface down {"interface":"wan_map_"}',
      'network.interface down {"interface":"wan_map__"}',
    ]);
  });

  test("leaves a tunnel of the same name to netifd", async () => {
    const world = makeWorld();
    world.control = "add map-other\n";
    await teardown(wanMap, world);
    expect(effects(world).slice(0, 2)).toEqual(["nft delete", "nft delete"]);
    expect(world.control).toBe("add map-other\n");
  });
});

describe("teardown of a setup that was killed", () => {
  for (const [title, config, withoutModule] of [
    ["MAP-T", { tunlink: "wan6" }, false],
    ["MAP-T with nftables", { tunlink: "wan6", nat: "nftables" }, false],
    ["MAP-E", mapE, false],
    ["MAP-E by netifd's tunnel", mapE, true],
  ] as const) {
    test(`${title}: whatever had been done is undone, after any step`, async () => {
      for (let steps = 0; ; steps++) {
        const world = makeWorld({ withoutModule });
        let left = steps;
        let killed = false;
        // From the moment of the kill on nothing is done any more, and what is asked for never ends.
        const dying: typeof world = { ...world, log: () => {} };
        for (const name of ["loadFirewall", "writeControl", "setDeviceMtu"] as const) {
          const real = world[name] as (...args: readonly unknown[]) => unknown;
          Object.assign(dying, {
            [name]: (...args: readonly unknown[]) => {
              if (left-- <= 0) killed = true;
              return killed ? new Promise(() => {}) : real(...args);
            },
          });
        }
        dying.readControl = () => world.control;
        dying.call = (object, method, args) => {
          const effect = method === "add_dynamic" || (args as { action?: number }).action === 0;
          if (effect && left-- <= 0) killed = true;
          return killed ? new Promise(() => {}) : world.call(object, method, args);
        };
        const ended = await Promise.race([
          setup(request(config), dying),
          new Promise((resolve) => setTimeout(resolve, 20, "killed")),
        ]);
        const given = effects(world).filter((line) => line.startsWith("network add_dynamic")).length;
        world.done.length = 0;
        expect(await teardown(wanMap, world)).toBe(0);
        expect(world.control ?? "").toBe("");
        expect(world.tables.size).toBe(0);
        const undone = effects(world);
        if (given > 0) expect(undone).toContain('network.interface down {"interface":"wan_map_"}');
        if (ended !== "killed") break;
      }
    });
  }
});

describe("another interface has the same address and ports", () => {
  const otherIface = parseInterfaceName("wan_old", "test");
  const of = (iface: typeof wanMap, config: Readonly<Record<string, unknown>>) => ({
    ...request(config),
    iface,
  });
  const ours = (world: ReturnType<typeof makeWorld>) => decodeState(world.states.get("wan_map") ?? "");

  describe.each([
    ["the module's", { tunlink: "wan6" }, false],
    ["MAP-E's", mapE, false],
    ["netifd's tunnel", mapE, true],
  ] as const)("%s", (_title, config, withoutModule) => {
    test("the second one is refused, and touches nothing of the first one's", async () => {
      const world = makeWorld({ withoutModule });
      expect(await setup(of(otherIface, config), world)).toBe(0);
      const before = [world.control, [...world.tables.keys()], world.states.get("wan_old")];
      world.done.length = 0;
      expect(await setup(request(config), world)).toBe(1);
      expect([world.control, [...world.tables.keys()], world.states.get("wan_old")]).toEqual(before);
      expect(effects(world).map((line) => line.split(" ", 2).join(" "))).toEqual(["notify 6", "notify 3"]);
      expect(effects(world).at(-1)).toContain('"SAME_PORT_SET","wan_old has the same address and ports"');
      expect(ours(world)?.state).toBe("failed");
      // The second one's failure does not keep the first one from being renewed.
      expect(await renew(of(otherIface, config), world)).toBe(0);
    });

    test("netifd no longer has it: what it left is taken away first", async () => {
      const going = { wan_old: [{ up: false }, { up: false, pending: false }] };
      const world = makeWorld({ withoutModule, going });
      expect(await setup(of(otherIface, config), world)).toBe(0);
      world.done.length = 0;
      expect(await setup(request(config), world)).toBe(0);
      expect(world.states.has("wan_old")).toBe(false);
      expect(world.control ?? "").not.toContain("wan_old");
      expect([...world.tables.keys()].join()).not.toContain("wan__old");
      // Two looks found it there.
      expect(world.asked.filter((line) => line === "sleep 200")).toHaveLength(1);
      const told = world.done.map((line) => line.split(" ", 4).join(" "));
      expect(told.indexOf("log note take away")).toBeLessThan(told.indexOf("log ok teardown"));
      const added = effects(world).findIndex((line) => /^(control add|nft load)/.test(line));
      const gone = effects(world).findLastIndex((line) => /^(control del|nft delete)/.test(line));
      expect(gone).toBeLessThan(added);
    });
  });

  test.each([
    ["2026-01-02T03:04:04.000Z", 1],
    ["2026-01-02T03:04:06.000Z", 0],
  ])(
    "of two that begin at once, the one goes on that began first: the other since %s",
    async (since, code) => {
      const world = makeWorld();
      expect(await setup(of(otherIface, { tunlink: "wan6" }), world)).toBe(0);
      const state = world.states.get("wan_old") ?? "";
      world.states.set(
        "wan_old",
        state.replace("state=up", "state=starting").replace(/^since=.*$/m, `since=${since}`),
      );
      expect(await setup(request({ tunlink: "wan6" }), world)).toBe(code);
    },
  );

  test("at the same moment it is the one whose name comes first", async () => {
    const codes = [];
    for (const name of ["wan_a", "wan_z"]) {
      const world = makeWorld();
      await setup(of(parseInterfaceName(name, "test"), { tunlink: "wan6" }), world);
      world.states.set(name, (world.states.get(name) ?? "").replace("state=up", "state=starting"));
      codes.push(await setup(request({ tunlink: "wan6" }), world));
    }
    expect(codes).toEqual([1, 0]);
  });

  test.each([
    ["one with another address", "map_address=2001:db8::1\n"],
    ["one without a MAP address", ""],
  ])("%s is not asked for", async (_title, address) => {
    const world = makeWorld();
    world.states.set("wan_old", `interface=wan_old\nstate=up\nsince=2026\n${address}`);
    expect(await setup(request({ tunlink: "wan6" }), world)).toBe(0);
    expect(world.asked.filter((line) => line.includes("wan_old"))).toEqual([]);
  });

  test("an interface without a MAP address of its own shares nothing", async () => {
    const world = makeWorld();
    world.states.set("wan_old", "interface=wan_old\nstate=up\nsince=2026\n");
    const b4 = { tunlink: "wan6", maptype: "lw4o6", peeraddr: "2001:db8:ffff::1" };
    await setup(request(b4), world);
    expect(world.asked.filter((line) => line.includes("wan_old"))).toEqual([]);
  });
});

describe("port forwards", () => {
  const forward = ["tcp 4928 192.168.1.10:80", "udp 4929 192.168.1.10"];
  const side = "mapmin_wan__map_fwd";
  const otherPrefix = { ...linkStatus, "ipv6-prefix": [{ address: "2001:db8:13:3400::", mask: 56 }] };
  const all = { ...mapE, offset: 4, forward };

  test.each([
    ["by the module", {}],
    ["by nftables", { withoutModule: true }],
  ])("are there before anything else can pass, and go first: %s", async (_title, options) => {
    const world = makeWorld(options);
    expect(await setup(request(all), world)).toBe(0);
    expect(world.tables.get(side)).toContain("tcp . 4928 : 192.168.1.10 . 80");
    expect(decodeState(world.states.get("wan_map") ?? "")?.forwards).toBe(forward.join(", "));
    const loads = effects(world).filter((line) => line === "nft load");
    expect(loads).toHaveLength(world.tables.size);
    world.done.length = 0;
    expect(await renew(request(all), world)).toBe(0);
    expect(effects(world)).toEqual([]);
    expect(await teardown(wanMap, world)).toBe(0);
    expect(world.tables.size).toBe(0);
  });

  test("a renewal loads what somebody has taken away, and takes away what the new set has no place for", async () => {
    const world = makeWorld();
    await setup(request(all), world);
    for (const take of [
      () => world.tables.delete(side),
      () => world.tables.set(side, withoutRules(world.tables.get(side))),
    ]) {
      take();
      world.done.length = 0;
      expect(await renew(request(all), world)).toBe(0);
      expect(effects(world)).toEqual(["nft load"]);
    }
    // Another PSID: the port is another subscriber's.
    world.status = { ...linkStatus, "ipv6-prefix": [{ address: "2001:db8:12:3500::", mask: 56 }] };
    world.done.length = 0;
    expect(await renew(request(all), world)).toBe(0);
    expect(world.tables.has(side)).toBe(false);
    expect(decodeState(world.states.get("wan_map") ?? "")?.forwards).toBeUndefined();
    expect(world.done).toContainEqual(
      expect.stringContaining('log note rule forward: "tcp 4928 192.168.1.10:80" is left out: port: 4928 is'),
    );
  });

  test("a setup that fails leaves none, and a renewal that fails leaves those of before", async () => {
    const failing = new Map<string, Error>([["notify 0", new Refusal(9)]]);
    const world = makeWorld({ failing });
    expect(await setup(request(all), world)).toBe(1);
    expect(world.tables.size).toBe(0);
    failing.clear();
    expect(await setup(request(all), world)).toBe(0);
    const before = world.tables.get(side);
    failing.set("notify 0", new Refusal(9));
    world.status = otherPrefix;
    expect(await renew(request(all), world)).toBe(1);
    expect(world.tables.get(side)).toBe(before);
  });

  test("a renewal that fails takes back the first ones", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ failing });
    expect(await setup(request({ ...all, forward: [] }), world)).toBe(0);
    failing.set("notify 0", new Refusal(9));
    world.done.length = 0;
    expect(await renew(request({ ...all, mtu: 1400 }), world)).toBe(1);
    expect(effects(world).map((line) => line.split(" {")[0])).toEqual([
      "nft load",
      "control remove map-wan_map",
      "notify 0",
      "control remove map-wan_map",
      "nft delete",
      "notify 3",
    ]);
    expect(world.tables.size).toBe(0);
  });

  test("where it is in doubt which tunnel netifd has, the NAT's table closes it, and theirs does not", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ failing, withoutModule: true });
    await setup(request(all), world);
    failing.set("notify 0", new EffectError("ubus", "no answer"));
    world.status = otherPrefix;
    expect(await renew(request(all), world)).toBe(1);
    expect(world.tables.get("mapmin_wan__map")).toContain("closed_out");
    expect(world.tables.get(side)).toContain("192.168.1.10 . 80");
  });
});

describe("renew", () => {
  test("nothing changed: nothing done", async () => {
    const world = makeWorld();
    await setup(request(), world);
    world.done.length = 0;
    expect(await renew(request(), world)).toBe(0);
    expect(effects(world)).toEqual([]);
  });

  /** What a renewal did, after a setup with other options and a change of the world. */
  async function renewed(
    options: Parameters<typeof makeWorld>[0],
    before: object,
    after: object,
    meanwhile: (world: ReturnType<typeof makeWorld>) => void = () => {},
  ) {
    const world = makeWorld(options);
    await setup(request(before), world);
    world.done.length = 0;
    meanwhile(world);
    const code = await renew(request(after), world);
    return { world, code, did: effects(world).map((line) => line.split(" {")[0]) };
  }
  const bare = { tunlink: "wan6" };
  const byNftables = { ...bare, nat: "nftables" };
  const otherRelay = { ...mapE, peeraddr: "2001:db8:ffff::2" };
  const otherSet = { ...mapE, offset: 4 };
  const otherPrefix = (world: ReturnType<typeof makeWorld>) => {
    world.status = { ...linkStatus, "ipv6-prefix": [{ address: "2001:db8:13:3400::", mask: 56 }] };
  };

  test("another MTU: the device's rules and netifd's routes", async () => {
    const { code, did, world } = await renewed({}, bare, { ...bare, mtu: 1300 });
    expect(code).toBe(0);
    // The MTU of fragments is the device's own affair.
    expect(did).toEqual(["control remove map-wan_map", "notify 0"]);
    expect(update(world).routes[0].mtu).toBe(1300);
  });

  test("another border relay: one transaction of the module, and netifd is not told", async () => {
    const { did, world } = await renewed({}, mapE, otherRelay);
    expect(did).toEqual(["control remove map-wan_map"]);
    expect(world.control).toContain("2001:db8:ffff::2/128");
    expect(world.control).not.toContain("2001:db8:ffff::1/128");
  });

  test("another prefix by netifd's tunnel: it is closed until it is the new one, and old flows end", async () => {
    const { did, world } = await renewed({ withoutModule: true }, mapE, mapE, otherPrefix);
    expect(did).toEqual([
      "network add_dynamic",
      "nft close",
      "flush 192.0.2.18/32",
      "notify 0",
      "notify 0",
      "nft load",
      "network.interface down",
    ]);
    expect(effects(world)[0]).toContain('"name":"wan_map__"');
    expect(effects(world)[6]).toContain('"interface":"wan_map_"');
    expect(await teardown(wanMap, world)).toBe(0);
    expect(effects(world).at(-1)).toBe('network.interface down {"interface":"wan_map__"}');
  });

  test.each([
    ["failed", "failed", ["wan_map_"]],
    ["killed", "up", ["wan_map__", "wan_map_"]],
  ])(
    "after a renewal that %s, both addresses are taken away before one is added",
    async (_how, state, then) => {
      const failing = new Map<string, Error>();
      const world = makeWorld({ withoutModule: true, failing });
      await setup(request(mapE), world);
      const before = world.status;
      otherPrefix(world);
      failing.set("notify 0", new Refusal(7));
      expect(await renew(request(mapE), world)).toBe(1);
      const left = world.states.get("wan_map") ?? "";
      world.states.set("wan_map", left.replace("state=failed", `state=${state}`));
      failing.clear();
      world.status = before;
      world.done.length = 0;
      expect(await renew(request(mapE), world)).toBe(0);
      const asked = effects(world).flatMap(
        (line) => / (add_dynamic|down) .*"(wan_map__?)"/.exec(line)?.slice(1, 3).join(" ") ?? [],
      );
      const [added = "", ...old] = then;
      expect(asked.slice(0, 2).sort()).toEqual(["down wan_map_", "down wan_map__"]);
      expect(asked.slice(2)).toEqual([`add_dynamic ${added}`, ...old.map((name) => `down ${name}`)]);
    },
  );

  test("the old tunnel serves until the kernel uses the new address, or three seconds are over", async () => {
    const renewedWith = async (looks: readonly unknown[]) => {
      const tentative = { "2001:db8:13:3400:0:c000:213:34": [...looks] };
      const { code, world } = await renewed({ withoutModule: true, tentative }, mapE, mapE, otherPrefix);
      const lines = world.asked.filter((line) => line.startsWith("sleep"));
      return { code, sleeps: lines.length, did: effects(world)[0]?.split(" {")[0] };
    };
    const did = "network add_dynamic";
    expect(await renewedWith([])).toEqual({ code: 0, sleeps: 0, did });
    expect(await renewedWith([1, 1])).toEqual({ code: 0, sleeps: 2, did });
    expect(await renewedWith(new Array(99).fill(1))).toEqual({ code: 0, sleeps: 15, did });
  });

  test("another prefix with the module's device: nothing is closed meanwhile, and it ends its flows itself", async () => {
    const byRules = await renewed({}, byNftables, byNftables, otherPrefix);
    expect(byRules.did[0]).toBe("nft load");
    expect(byRules.did.filter((line) => line === "nft close")).toEqual([]);
    const byModule = await renewed({}, mapE, mapE, otherPrefix);
    expect(byModule.did.filter((line) => line?.startsWith("nft") || line?.startsWith("flush"))).toEqual([]);
  });

  test("nft refuses the NAT of the new tunnel: it stays closed until a renewal can load it", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ withoutModule: true, failing });
    await setup(request(mapE), world);
    failing.set("nft", new EffectError("nft", "no"));
    otherPrefix(world);
    world.done.length = 0;
    expect(await renew(request(mapE), world)).toBe(1);
    expect(effects(world).map((line) => line.split(" {")[0])).toEqual([
      "network add_dynamic",
      "nft close",
      "flush 192.0.2.18/32",
      "notify 0",
      "notify 0",
      // Once more without timeouts, which a kernel may not have.
      "nft load",
      "nft load",
      "nft close",
      "network.interface down",
      "notify 3",
    ]);
    expect([...world.tables.values()].join()).toContain('oifname "map-wan_map" drop');
    expect(world.states.get("wan_map")).toContain("state=failed");
    failing.clear();
    world.done.length = 0;
    expect(await renew(request(mapE), world)).toBe(0);
    // What the tunnel is now nobody knows for sure: it is closed until it is told again.
    expect(effects(world).map((line) => line.split(" {")[0])).toEqual([
      "network.interface down",
      "network.interface down",
      "network add_dynamic",
      "nft close",
      "notify 0",
      "notify 0",
      "nft load",
    ]);
    expect([...world.tables.values()].join()).not.toContain('oifname "map-wan_map" drop');
    expect(world.states.get("wan_map")).toContain("state=up");
  });

  test("nft refuses to close the old tunnel: the last good state goes on", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ withoutModule: true, failing });
    await setup(request(mapE), world);
    const good = [...world.tables.values()];
    failing.set("close", new EffectError("nft", "no"));
    otherPrefix(world);
    world.done.length = 0;
    expect(await renew(request(mapE), world)).toBe(1);
    expect(effects(world).map((line) => line.split(" {")[0])).toEqual([
      "network add_dynamic",
      "nft close",
      "network.interface down",
      "notify 3",
    ]);
    expect([...world.tables.values()]).toEqual(good);
    expect(world.states.get("wan_map")).toContain("state=up");
  });

  test("the same address and set with nftables: flows are left alone", async () => {
    const { did } = await renewed({ withoutModule: true }, mapE, { ...mapE, mtu: 1400 });
    expect(did).toEqual(["nft load", "notify 0", "notify 0"]);
    const other = await renewed({ withoutModule: true }, mapE, otherSet);
    expect(other.did).toContain("flush 192.0.2.18/32");
  });

  test.each([
    ["MAP-T", {}, bare],
    ["MAP-T with nftables, on a prefix of the link's own", { status: onLinkStatus }, byNftables],
    ["MAP-E", {}, mapE],
    ["MAP-E by netifd's tunnel", { withoutModule: true }, mapE],
  ])("%s as it was: nothing done", async (_title, options, config) => {
    const { code, did, world } = await renewed(options, config, config);
    expect({ code, did }).toEqual({ code: 0, did: [] });
    expect(world.done).toEqual(["log ok renew nothing changed"]);
  });

  test("netifd's tunnel is gone: netifd is told again, and the address on the link stays", async () => {
    const { did } = await renewed({ withoutModule: true }, mapE, mapE, (world) => {
      world.devices.delete("map-wan_map");
    });
    expect(did).toEqual(["notify 0", "notify 0"]);
  });

  test("netifd has the new tunnel and refuses its addresses: the next renewal tells it again", async () => {
    const world = makeWorld({ withoutModule: true });
    await setup(request(mapE), world);
    const { call } = world;
    world.call = async (object, method, args) => {
      if ((args as { ipaddr?: unknown[] }).ipaddr?.length === 1) throw new Refusal(6);
      return call(object, method, args);
    };
    expect(await renew(request(otherRelay), world)).toBe(1);
    // The address and the set are the same, so that the NAT is right for either tunnel.
    expect(world.tables.get("mapmin_wan__map")).toContain("chain guard");
    expect(world.states.get("wan_map")).toContain("state=failed");
    world.call = call;
    expect(await renew(request(otherRelay), world)).toBe(0);
    expect(world.states.get("wan_map")).toContain("state=up");
  });

  test.each<[string, (text: string) => string]>([
    [
      "put another table in the place of the NAT",
      () => "table ip mapmin_wan__map {\n\tchain guard {\n\t}\n}\n",
    ],
    ["took all rules of the NAT, and left its chains", withoutRules],
    ["took one rule of the NAT", (text) => text.replace(/\n[^\n]*drop[^\n]*/, "")],
    ["emptied a map of the NAT", (text) => text.replace(/elements = \{[^}]*\}/, "")],
    ["took elements of a map", (text) => text.replace(/elements = \{[^,]*,/, "elements = {")],
  ])("somebody %s: it is closed, and loaded again", async (_title, changed) => {
    const rewritten = { ...mapE, offset: 4, reserved_ports: "4928" };
    const { did, world } = await renewed({ withoutModule: true }, rewritten, rewritten, ({ tables }) => {
      const [[name, text] = ["", ""]] = tables;
      expect(changed(text)).not.toBe(text);
      tables.set(name, changed(text));
    });
    expect(did).toEqual(["nft close", "nft load"]);
    expect([...world.tables.values()].join()).toContain("chain guard");
  });

  test("what the counters of a table say is no change of it", async () => {
    const world = makeWorld({ withoutModule: true });
    const { listTable } = world;
    let count = 0;
    world.listTable = async (table, form) => {
      const text = await listTable(table, form);
      if (form === "text" || text === undefined) return text;
      const { nftables } = JSON.parse(text) as { nftables: readonly object[] };
      const counter = { name: "out_port", packets: ++count, bytes: 90 * count };
      return JSON.stringify({ nftables: [...nftables, { counter }] });
    };
    await setup(request(mapE), world);
    world.done.length = 0;
    expect(await renew(request(mapE), world)).toBe(0);
    expect(count).toBeGreaterThan(1);
    expect(effects(world)).toEqual([]);
  });

  const behind = (prefix: string) => (world: ReturnType<typeof makeWorld>) => {
    world.status = { ...linkStatus, "ipv6-prefix": [{ address: prefix, mask: 56 }] };
  };
  test.each<[string, object, object, (world: ReturnType<typeof makeWorld>) => void]>([
    ["another PSID", mapE, mapE, behind("2001:db8:12:3500::")],
    ["a PSID of another length", { ...mapE, ealen: 16 }, { ...mapE, ealen: 15 }, behind("2001:db8:12::")],
    ["another offset", mapE, otherSet, () => {}],
    ["another address", mapE, mapE, behind("2001:db8:13:3400::")],
  ])("%s: the old flows end", async (_title, before, after, meanwhile) => {
    const world = makeWorld({ withoutModule: true });
    if (before !== after) meanwhile(world);
    await setup(request(before), world);
    meanwhile(world);
    world.done.length = 0;
    expect(await renew(request(after), world)).toBe(0);
    expect(effects(world).filter((line) => line.startsWith("flush"))).toEqual(["flush 192.0.2.18/32"]);
  });

  test("a state without its address names no flows to end", async () => {
    const { did } = await renewed({ withoutModule: true }, mapE, otherSet, ({ states }) => {
      states.set("wan_map", (states.get("wan_map") ?? "").replace(/^ipv4=.*\n/m, ""));
    });
    expect(did).toEqual(["nft load"]);
  });

  test("a state without the device's rules does not stand for a device that is gone", async () => {
    const { did } = await renewed({}, bare, bare, (world) => {
      world.states.set("wan_map", (world.states.get("wan_map") ?? "").replace(/^rules=.*\n/m, ""));
      world.control = "";
      world.devices.delete("map-wan_map");
    });
    expect(did).toEqual(["control add map-wan_map", "mtu map-wan_map 1500", "notify 0", "notify 0"]);
  });

  test("a tunnel without its table is closed, though the renewal itself comes to nothing", async () => {
    const noPrefix = (world: ReturnType<typeof makeWorld>) => {
      world.status = { ...linkStatus, "ipv6-prefix": [] };
    };
    const flushed = (world: ReturnType<typeof makeWorld>) => {
      noPrefix(world);
      world.tables.clear();
    };
    const open = await renewed({ withoutModule: true }, mapE, mapE, flushed);
    expect([open.code, open.did]).toEqual([1, ["nft close", "notify 3"]]);
    expect([...open.world.tables.values()].join()).toContain('oifname "map-wan_map" drop');
    const whole = await renewed({ withoutModule: true }, mapE, mapE, noPrefix);
    expect([whole.code, whole.did]).toEqual([1, ["notify 3"]]);
    const gone = await renewed({ withoutModule: true }, mapE, mapE, (world) => {
      flushed(world);
      world.devices.delete("map-wan_map");
    });
    expect([gone.code, gone.did]).toEqual([1, ["notify 3"]]);
    const byModule = await renewed({}, mapE, mapE, flushed);
    expect([byModule.code, byModule.did]).toEqual([1, ["notify 3"]]);
  });

  test.each([1, 99])(
    "a table that cannot be listed (%i times) may be right: nothing is closed",
    async (times) => {
      const world = makeWorld({ withoutModule: true });
      await setup(request(mapE), world);
      const tables = [...world.tables];
      const { listTable } = world;
      let asked = 0;
      world.listTable = async (table, form) => {
        asked++;
        if (asked <= times) throw new EffectError("nft", "no memory");
        return listTable(table, form);
      };
      world.done.length = 0;
      world.status = { ...linkStatus, "ipv6-prefix": [] };
      expect(await renew(request(mapE), world)).toBe(1);
      expect([...world.tables]).toEqual(tables);
    },
  );

  test.each<[string, () => Promise<string>]>([
    ["fails", () => Promise.reject(new EffectError("nft", "no memory"))],
    ["prints nonsense", () => Promise.resolve("Warning: table ip")],
  ])(
    "nft %s when the table is read back: the setup has gone well, and a renewal loads it again",
    async (_title, answer) => {
      const world = makeWorld({ withoutModule: true });
      const { listTable } = world;
      world.listTable = (table, form) => (form === "json" ? answer() : listTable(table, form));
      expect(await setup(request(mapE), world)).toBe(0);
      expect(world.states.get("wan_map")).toContain("state=up\n");
      expect(effects(world).some((line) => line.startsWith("notify 3"))).toBe(false);
      // It may be right: a renewal that comes to nothing leaves it as it is.
      world.listTable = listTable;
      const tables = [...world.tables];
      world.status = { ...linkStatus, "ipv6-prefix": [] };
      expect(await renew(request(mapE), world)).toBe(1);
      expect([...world.tables]).toEqual(tables);
      world.status = linkStatus;
      world.done.length = 0;
      expect(await renew(request(mapE), world)).toBe(0);
      expect(effects(world)).toEqual(["nft load"]);
      world.done.length = 0;
      expect(await renew(request(mapE), world)).toBe(0);
      expect(effects(world)).toEqual([]);
    },
  );

  test("what the kernel has lost is put back: the ruleset was flushed", async () => {
    const { code, did } = await renewed({ withoutModule: true }, mapE, mapE, (world) => world.tables.clear());
    expect({ code, did }).toEqual({ code: 0, did: ["nft close", "nft load"] });
  });

  test("what the kernel has lost is put back: the module was unloaded and loaded again", async () => {
    const { did, world } = await renewed({}, bare, bare, (world) => {
      world.control = "";
      world.devices.delete("map-wan_map");
    });
    expect(did).toEqual(["control add map-wan_map", "mtu map-wan_map 1500", "notify 0", "notify 0"]);
    // netifd would leave out what is as before, and the new device has nothing on it.
    const [none, all] = effects(world).slice(-2);
    expect(none).toContain('"ipaddr":[],"routes":[],"routes6":[]');
    expect(all).toMatch(/"ipaddr":\[\{.*"routes":\[\{.*"routes6":\[\{/);
  });

  test("somebody changed the device's rules: they are set again", async () => {
    const { did } = await renewed({}, bare, bare, (world) => {
      world.control = world.control?.replace("nat.mode ports", "nat.mode off");
    });
    expect(did).toEqual(["control remove map-wan_map"]);
  });

  test("the module has come since: netifd starts anew, because the device's name is its tunnel's", async () => {
    const { did } = await renewed({ withoutModule: true }, mapE, mapE, (world) => {
      world.control = "";
    });
    expect(did).toEqual(["notify 7"]);
  });

  test.each([
    ["nft refuses", "nft", { withoutModule: true }, otherSet, mapE],
    ["nft refuses another MTU", "nft", { withoutModule: true }, { ...mapE, mtu: 1300 }, mapE],
    ["the module refuses", "control", {}, otherSet, mapE],
    ["netifd refuses, by the module", "notify 0", {}, { ...bare, mtu: 1300 }, bare],
    ["netifd refuses, by its tunnel", "notify 0", { withoutModule: true }, { ...mapE, mtu: 1300 }, mapE],
    ["netifd refuses, MAP-T with nftables", "notify 0", {}, { ...byNftables, mtu: 1300 }, byNftables],
  ])(
    "%s: the last good state goes on, and netifd is told why",
    async (_title, what, options, after, before) => {
      const failing = new Map<string, Error>();
      const world = makeWorld({ ...options, failing });
      await setup(request(before), world);
      const good = {
        tables: [...world.tables.values()],
        control: world.control,
        devices: [...world.devices],
      };
      failing.set(what, new Refusal(6));
      expect(await renew(request(after), world)).toBe(1);
      expect({
        tables: [...world.tables.values()],
        control: world.control,
        devices: [...world.devices],
      }).toEqual(good);
      expect(effects(world).at(-1)).toContain("notify 3");
      // The next renewal does it all.
      failing.clear();
      expect(await renew(request(after), world)).toBe(0);
      expect(decodeState(world.states.get("wan_map") ?? "")).toMatchObject({ state: "up" });
      expect(decodeState(world.states.get("wan_map") ?? "")?.error).toBeUndefined();
    },
  );

  test("netifd gives no answer about its tunnel: closed, since neither table is right for sure", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ withoutModule: true, failing });
    await setup(request(mapE), world);
    failing.set("notify 0", new EffectError("ubus", "no answer"));
    expect(await renew(request({ ...mapE, mtu: 1300 }), world)).toBe(1);
    expect([...world.tables.values()].join()).toContain('oifname "map-wan_map" drop');
    expect(decodeState(world.states.get("wan_map") ?? "")).toMatchObject({ state: "failed" });
  });

  test("nft that fails while a tunnel is up says nothing about the tunnel: the last good state stays", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ withoutModule: true, failing });
    await setup(request(mapE), world);
    const table = [...world.tables.values()].join();
    failing.set("nft", new EffectError("nft", "no memory"));
    expect(await renew(request({ ...mapE, mtu: 1300 }), world)).toBe(1);
    expect([...world.tables.values()].join()).toBe(table);
    expect(decodeState(world.states.get("wan_map") ?? "")).toMatchObject({
      state: "up",
      error: "SETUP_FAILED: nft: no memory",
    });
  });

  test("adds no second dependency on the link", async () => {
    const failing = new Map<string, Error>([["control", new EffectError("control", "no")]]);
    const world = makeWorld({ failing });
    await setup(request(), world);
    failing.clear();
    expect(await renew(request(), world)).toBe(0);
    expect(effects(world).filter((line) => line.startsWith("notify 6"))).toHaveLength(1);
    expect(effects(world).at(-1)).toContain("notify 0");
  });

  test("a reply that no longer leads to a CE leaves the last good state", async () => {
    const good = makeWorld();
    await setup(request(), good);
    const bad = makeWorld({
      status: { ...linkStatus, data: { passthru: `beef0003${option48879.slice(0, 6)}` } },
    });
    bad.states.set("wan_map", good.states.get("wan_map") ?? "");
    expect(await renew(request(), bad)).toBe(1);
    expect(effects(bad).map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual(["notify 3"]);
  });

  test("a bug in it is reported, leaves the last good state, and is thrown", async () => {
    const world = makeWorld();
    await setup(request(), world);
    const before = world.states.get("wan_map");
    world.done.length = 0;
    world.deviceMtu = () => {
      throw new RangeError("Invalid array length");
    };
    await expect(renew(request(), world)).rejects.toThrow(RangeError);
    expect(effects(world)).toEqual([
      'notify 3 {"interface":"wan_map","action":3,"error":["INTERNAL_ERROR","this is a bug in mapmin, please report it: Invalid array length"]}',
    ]);
    expect(world.states.get("wan_map")).toBe(before);
  });
});

describe("report", () => {
  test("tells the log and netifd, and does not block the interface", async () => {
    const world = makeWorld();
    await report(wanMap, "setup", new InputError("mtu", "expected a whole number"), world);
    expect(world.done.filter((line) => !line.startsWith("log ok"))).toEqual([
      "log failed setup INVALID_OPTION: mtu: expected a whole number",
      'notify 3 {"interface":"wan_map","action":3,"error":["INVALID_OPTION","mtu: expected a whole number"]}',
    ]);
  });

  test("does not throw when netifd cannot be told", async () => {
    const world = makeWorld({ failing: new Map([["notify 3", new Refusal(7)]]) });
    await report(wanMap, "setup", new InputError("mtu", "x"), world);
    expect(world.done.at(-1)).toContain("log failed report the error");
  });
});
