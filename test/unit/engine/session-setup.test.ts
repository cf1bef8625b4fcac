import { describe, expect, test } from "vitest";
import { renew, report, setup, teardown } from "../../../src/engine/session.ts";
import { decodeState } from "../../../src/engine/state.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { EffectError, InputError } from "../../../src/wire/errors.ts";
import { mapE, request, update, wanMap } from "./requests.ts";
import { effects, linkStatus, makeWorld, onLinkStatus, Refusal, type World } from "./world.ts";

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
    expect(effects(world).slice(0, 2)).toEqual(["shut map-wan_map", "nft delete"]);
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
    expect(world.done.find((line) => line.startsWith("log failed setup"))).toContain("session-setup.test.ts");
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
