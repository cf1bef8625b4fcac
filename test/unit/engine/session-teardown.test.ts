import { describe, expect, test } from "vitest";
import { renew, setup, teardown } from "../../../src/engine/session.ts";
import { decodeState } from "../../../src/engine/state.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { mapE, request, wanMap } from "./requests.ts";
import { effects, linkStatus, makeWorld, onLinkStatus, Refusal } from "./world.ts";

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
    // netifd may have its tunnel by now: it is to take that away.
    expect(await renew(request(mapE), world)).toBe(0);
    expect(effects(world).at(-1)).toContain('"action":7');
    expect([world.tables.size, world.control]).toEqual([1, ""]);
    expect(await setup(request(mapE), world)).toBe(0);
    expect([world.tables.size, world.control === ""]).toEqual([0, false]);
    expect(await teardown(wanMap, world)).toBe(0);
    expect([world.tables.size, world.control]).toEqual([0, ""]);
  });

  test("tables that cannot be deleted keep the module's device from coming up, until they can", async () => {
    const config = { ...mapE, offset: 4, forward: ["tcp 4928 192.168.1.10:80"] };
    const failing = new Map<string, Error>();
    const world = makeWorld({ withoutModule: true, failing });
    expect(await setup(request(config), world)).toBe(0);
    expect(world.tables.size).toBe(2);
    failing.set("delete", new EffectError("nft", "broken"));
    failing.set("close", new EffectError("nft", "broken"));
    expect(await teardown(wanMap, world)).toBe(1);
    world.devices.delete("map-wan_map");
    world.control = "";
    for (const again of [setup, setup]) {
      expect(await again(request(mapE), world)).toBe(1);
      expect([world.tables.size, world.control]).toEqual([2, ""]);
      expect(world.states.get("wan_map")).toContain("what an earlier setup left cannot be removed");
    }
    failing.clear();
    expect(await setup(request(mapE), world)).toBe(0);
    expect([world.tables.size, world.control === ""]).toEqual([0, false]);
  });

  test("a state that does not tell of a table is no reason to wait for nft", async () => {
    const world = makeWorld({ failing: new Map([["delete", new EffectError("nft", "not installed")]]) });
    world.states.set("wan_map", "interface=wan_map\nstate=failed\nsince=x\n");
    expect(await setup(request(mapE), world)).toBe(0);
    expect(world.states.get("wan_map")).toContain("carrier=module\n");
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
