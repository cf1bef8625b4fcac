import { describe, expect, test } from "vitest";
import { renew, setup, teardown } from "../../../src/engine/session.ts";
import { decodeState } from "../../../src/engine/state.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { effects, linkStatus, makeWorld, option48879, Refusal } from "./world.ts";

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
  test("MAP-T from DHCPv6: dependency, NAT, translator, MTU, netifd, in this order", async () => {
    const world = makeWorld();
    expect(await setup(request(), world)).toBe(0);
    expect(effects(world).map((line) => line.split(" {")[0])).toEqual([
      "notify 6",
      "nft load",
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
    });
  });

  test("MAP-E from options: the tunnel's address, then the tunnel, MTU less 40", async () => {
    const world = makeWorld();
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
    [
      "no prefix yet",
      { status: { up: true, l3_device: "eth1", data: linkStatus.data } },
      "NO_MATCHING_PREFIX",
    ],
    ["a passthru that is no hex", { status: { ...linkStatus, data: { passthru: "xyz" } } }, "INVALID_RULE"],
    ["a passthru cut short", { status: { ...linkStatus, data: { passthru: "beef00ff00" } } }, "INVALID_RULE"],
    ["no kernel module", { withoutModule: true }, "NO_KERNEL_MODULE"],
    ["nft refuses", { failing: new Map([["nft", new EffectError("nft", "no")]]) }, "SETUP_FAILED"],
    [
      "the module refuses",
      { failing: new Map([["control", new EffectError("control", "EINVAL")]]) },
      "SETUP_FAILED",
    ],
    ["netifd refuses", { failing: new Map([["notify 0", new Refusal(6)]]) }, "SETUP_FAILED"],
    ["no such tunlink", { failing: new Map([["network.interface status", new Refusal(4)]]) }, "NO_LINK"],
  ] as const)("%s: reported, blocked, everything undone", async (_title, options, code) => {
    const world = makeWorld(options);
    expect(await setup(request(), world)).toBe(1);
    const done = effects(world);
    expect(done.at(-2)).toContain(`"error":["${code}"`);
    expect(done.at(-1)).toBe('notify 4 {"interface":"wan_map","action":4}');
    const loads = done.filter((line) => line === "nft load").length;
    expect(done.filter((line) => line === "nft delete").length).toBe(loads);
    expect(world.control ?? "").toBe("");
    expect(decodeState(world.states.get("wan_map") ?? "")).toMatchObject({ state: "failed" });
  });

  test("a link that is down is left to netifd: no block", async () => {
    const world = makeWorld({ failing: new Map([["notify 6", new Refusal(4)]]) });
    expect(await setup(request(), world)).toBe(1);
    expect(effects(world).at(-1)).toContain("LINK_DOWN");
    expect(effects(world).some((line) => line.startsWith("notify 4"))).toBe(false);
  });

  test("undoes in reverse order, the step that failed included", async () => {
    const world = makeWorld({ failing: new Map([["notify 0", new Refusal(7)]]) });
    expect(await setup(request(mapE), world)).toBe(1);
    const undone = effects(world).slice(effects(world).findIndex((line) => line.startsWith("notify 0")) + 1);
    expect(undone.map((line) => line.split(" {")[0])).toEqual([
      "network.interface down",
      "nft delete",
      "flush 192.0.2.18/32",
      "notify 3",
      "notify 4",
    ]);
  });

  test("the state is `starting` before the first effect", async () => {
    const world = makeWorld({ failing: new Map([["nft", new EffectError("nft", "no")]]) });
    const written: string[] = [];
    const writeState = world.writeState;
    world.writeState = (iface, text) => {
      written.push(`${decodeState(text)?.state} after ${effects(world).length}`);
      writeState(iface, text);
    };
    await setup(request(), world);
    // The dependency on the link comes before; loading and removing the NAT and the flows after.
    expect(written).toEqual(["starting after 1", "failed after 4"]);
  });

  test("a state that cannot be written does not keep the failure from netifd", async () => {
    const world = makeWorld();
    world.writeState = () => {
      throw new EffectError("/var/run/mapmin", "no space left");
    };
    expect(await setup(request(), world)).toBe(1);
    expect(effects(world).at(-2)).toContain("no space left");
    expect(effects(world).at(-1)).toContain("notify 4");
  });

  test("a bug is reported to netifd and the log as a bug, and thrown", async () => {
    const world = makeWorld({ failing: new Map([["mtu", new TypeError("x is not a function")]]) });
    await expect(setup(request(), world)).rejects.toThrow(TypeError);
    expect(effects(world).at(-2)).toContain(
      '"error":["INTERNAL_ERROR","this is a bug in mapmin, please report it: x is not a function"]',
    );
    expect(world.control).toBe("");
    expect(world.done.find((line) => line.startsWith("log failed setup"))).toContain("session.test.ts");
  });

  test("a device that an interrupted run left is replaced", async () => {
    const world = makeWorld();
    world.control = "add map-wan_map\n";
    expect(await setup(request(), world)).toBe(0);
    expect(effects(world)).toContain("control del map-wan_map");
  });
});

describe("teardown", () => {
  test("takes away what MAP-T set up, and its state", async () => {
    const world = makeWorld();
    await setup(request(), world);
    world.done.length = 0;
    expect(await teardown(wanMap, world)).toBe(0);
    expect(effects(world)).toEqual(["control del map-wan_map", "nft delete", "flush 192.0.2.18/32"]);
    expect(world.states.size).toBe(0);
  });

  test("takes away the tunnel's address of MAP-E", async () => {
    const world = makeWorld();
    await setup(request(mapE), world);
    world.done.length = 0;
    expect(await teardown(wanMap, world)).toBe(0);
    expect(effects(world)).toContain('network.interface down {"interface":"wan_map_"}');
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
    expect(effects(world)).toEqual(["nft delete", "flush 192.0.2.18/32"]);
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
    expect(effects(world)).toEqual(["control del map-wan_map", "nft delete"]);
  });

  test("leaves a tunnel of the same name to netifd", async () => {
    const world = makeWorld();
    world.control = "add map-other\n";
    await teardown(wanMap, world);
    expect(effects(world)).toEqual(["nft delete"]);
  });
});

describe("teardown of a setup that was killed", () => {
  for (const [title, config] of [
    ["MAP-T", { tunlink: "wan6" }],
    ["MAP-E", mapE],
  ] as const) {
    test(`${title}: whatever had been done is undone, after any step`, async () => {
      for (let steps = 0; ; steps++) {
        const world = makeWorld();
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
        const loaded = effects(world).includes("nft load");
        world.done.length = 0;
        expect(await teardown(wanMap, world)).toBe(0);
        expect(world.control).toBe("");
        const undone = effects(world);
        if (loaded) expect(undone).toContain("nft delete");
        if (given > 0) expect(undone).toContain('network.interface down {"interface":"wan_map_"}');
        if (ended !== "killed") break;
      }
    });
  }
});

describe("renew", () => {
  test("nothing changed: nothing done", async () => {
    const world = makeWorld();
    await setup(request(), world);
    world.done.length = 0;
    expect(await renew(request(), world)).toBe(0);
    expect(effects(world)).toEqual([]);
  });

  test("another option: down and up", async () => {
    const world = makeWorld();
    await setup(request({ tunlink: "wan6" }), world);
    world.done.length = 0;
    expect(await renew(request({ tunlink: "wan6", mtu: 1300 }), world)).toBe(0);
    expect(effects(world)).toContain("control del map-wan_map");
    expect(update(world).routes[0].mtu).toBe(1300);
  });

  test("a reply that no longer leads to a CE leaves the last good state", async () => {
    const good = makeWorld();
    await setup(request(), good);
    const bad = makeWorld({
      status: { ...linkStatus, data: { passthru: `beef0003${option48879.slice(0, 6)}` } },
    });
    bad.states.set("wan_map", good.states.get("wan_map") ?? "");
    expect(await renew(request(), bad)).toBe(1);
    expect(effects(bad)).toEqual([]);
  });
});
