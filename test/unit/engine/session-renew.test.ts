import { describe, expect, test } from "vitest";
import { renew, setup, teardown } from "../../../src/engine/session.ts";
import { decodeState } from "../../../src/engine/state.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { mapE, request, update, wanMap } from "./requests.ts";
import { effects, linkStatus, makeWorld, onLinkStatus, option48879, Refusal, withoutRules } from "./world.ts";

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

  test.each<[string, (tables: Map<string, string>) => void]>([
    ["all tables", (tables) => tables.clear()],
    [
      "the rules of the NAT",
      (tables) => {
        for (const [name, text] of tables) tables.set(name, withoutRules(text));
      },
    ],
  ])("somebody flushed %s before the setup had ended: the next renewal loads it", async (_title, flush) => {
    const world = makeWorld({ withoutModule: true });
    const { call } = world;
    world.call = async (object, method, args) => {
      if ((args as { action?: number }).action === 0) flush(world.tables);
      return call(object, method, args);
    };
    expect(await setup(request(mapE), world)).toBe(0);
    expect(world.states.get("wan_map")).toContain('tables="nat="\n');
    world.call = call;
    world.done.length = 0;
    expect(await renew(request(mapE), world)).toBe(0);
    expect(effects(world).at(-1)).toBe("nft load");
    expect([...world.tables.values()].join()).toContain("snat to");
    world.done.length = 0;
    expect(await renew(request(mapE), world)).toBe(0);
    expect(effects(world)).toEqual([]);
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
