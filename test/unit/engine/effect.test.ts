import { describe, expect, test } from "vitest";
import { describeEffect, type Effect, isUncertain, perform } from "../../../src/engine/effect.ts";
import { parseDeviceName } from "../../../src/ip/names.ts";
import { renderNftClosed } from "../../../src/render/nft.ts";
import { EffectError, SetupError } from "../../../src/wire/errors.ts";
import { effects, makeWorld, Refusal } from "./world.ts";

const device = parseDeviceName("map-wan", "device");
const table = "mapmin_wan";
const loading: Effect = { kind: "nft", table, device, script: `table ip ${table} {\n}\n` };
const removing: Effect = { kind: "remove table", table, device };
const call: Effect = { kind: "ubus", object: "network.interface", method: "down", args: { interface: "x" } };
const rules = [`config ${device} nat.mode off`, `config ${device} debug 1`];

test.each<[Effect, string]>([
  [call, 'ubus call network.interface down {"interface":"x"}'],
  [loading, "nft -f - (table ip mapmin_wan)"],
  [removing, "nft delete table ip mapmin_wan"],
  [{ kind: "device", device, rules }, "add map-wan; config map-wan nat.mode off; config map-wan debug 1"],
  [{ kind: "remove device", device }, "del map-wan"],
  [{ kind: "device mtu", device, octets: 1400 }, "ip link set map-wan mtu 1400"],
  [{ kind: "flush flows", ipv4: "192.0.2.18/32" }, "conntrack -D -q 192.0.2.18/32"],
])("the log has a command for $kind", (effect, command) => {
  expect(describeEffect(effect)).toBe(command);
});

describe("an effect tells whether it did something, and what brings back what was there", () => {
  test("a call", async () => {
    expect(await perform(call, makeWorld())).toEqual({ did: true });
  });

  test("a call about what ubus does not know", async () => {
    const world = makeWorld({ failing: new Map([["network.interface down", new Refusal(4)]]) });
    await expect(perform(call, world)).rejects.toThrow("status 4");
    expect(await perform({ ...call, ifPresent: true }, world)).toEqual({ did: false });
    const denied = makeWorld({ failing: new Map([["network.interface down", new Refusal(6)]]) });
    await expect(perform({ ...call, ifPresent: true }, denied)).rejects.toThrow("status 6");
  });

  test("a table where there was none: a closed one comes back", async () => {
    const world = makeWorld();
    expect(await perform(loading, world)).toEqual({
      did: true,
      restore: { ...loading, script: renderNftClosed(table, device) },
    });
  });

  test("a table of no device where there was none: it goes", async () => {
    const { device: _, ...side } = { ...loading, device };
    expect(await perform(side as Effect, makeWorld())).toEqual({
      did: true,
      restore: { ...side, script: `add table ip ${table}\ndelete table ip ${table}\n` },
    });
  });

  test("a table in the place of another: the other comes back", async () => {
    const world = makeWorld();
    const old = `table ip ${table} {\n\tchain old {\n\t}\n}\n`;
    world.tables.set(table, old);
    expect(await perform(loading, world)).toEqual({
      did: true,
      restore: { ...loading, script: `add table ip ${table}\ndelete table ip ${table}\n${old}` },
    });
  });

  test("a device that is made, and one that gets other rules", async () => {
    const world = makeWorld();
    expect(await perform({ kind: "device", device, rules }, world)).toEqual({
      did: true,
      restore: { kind: "remove device", device },
    });
    expect(await perform({ kind: "device", device, rules: [] }, world)).toEqual({
      did: true,
      restore: { kind: "device", device, rules },
    });
  });

  test("a device that takes the place of a tunnel that nobody runs", async () => {
    const world = makeWorld();
    world.devices.set(device, 1460);
    world.tunnels.add(device);
    expect(await perform({ kind: "device", device, rules }, world)).toEqual({
      did: true,
      restore: { kind: "remove device", device },
    });
    expect(world.done.slice(0, 2)).toEqual([
      "delete map-wan",
      "log ok remove the tunnel that netifd left map-wan",
    ]);
    expect(world.done[2]).toMatch(/^control add map-wan/);
  });

  test("a tunnel that cannot be deleted is why there is no device", async () => {
    const world = makeWorld({
      failing: new Map([["delete tunnel", new EffectError("ip", "not permitted")]]),
    });
    world.tunnels.add(device);
    await expect(perform({ kind: "device", device, rules }, world)).rejects.toThrow("ip: not permitted");
    expect(effects(world)).toEqual(["delete map-wan"]);
  });

  test("a device without the module: what to install", async () => {
    const world = makeWorld({ withoutModule: true });
    const failure = await perform({ kind: "device", device, rules }, world).catch((error: unknown) => error);
    expect(failure).toEqual(
      new SetupError(
        "NO_KERNEL_MODULE",
        "the module of kmod-mapmint is not loaded (no /proc/net/nat46/control of its own): install it, or remove kmod-nat46",
      ),
    );
    expect(effects(world)).toEqual([]);
  });

  test("a device that is removed, and one that is not there", async () => {
    const world = makeWorld();
    world.control = `add ${device}\n`;
    expect(await perform({ kind: "remove device", device }, world)).toEqual({ did: true });
    expect(await perform({ kind: "remove device", device }, world)).toEqual({ did: false });
    expect(await perform({ kind: "remove device", device }, makeWorld({ withoutModule: true }))).toEqual({
      did: false,
    });
    expect(effects(world)).toEqual(["control del map-wan"]);
  });

  test("an MTU, of a device that had one and of one that had none", async () => {
    const world = makeWorld();
    const setting: Effect = { kind: "device mtu", device, octets: 1400 };
    expect(await perform(setting, world)).toEqual({ did: true });
    expect(await perform({ ...setting, octets: 1300 }, world)).toEqual({ did: true, restore: setting });
    expect(world.devices.get(device)).toBe(1300);
  });

  test("flows", async () => {
    expect(await perform({ kind: "flush flows", ipv4: "192.0.2.18" }, makeWorld())).toEqual({ did: true });
  });
});

describe("a table goes once nothing can leave by its device", () => {
  const withDevice = (error?: Error) => {
    const world = makeWorld(error === undefined ? {} : { failing: new Map([["shut", error]]) });
    world.devices.set(device, 1500);
    return world;
  };

  test("a device that is shut", async () => {
    const world = withDevice();
    expect(await perform(removing, world)).toEqual({ did: true });
    expect(effects(world)).toEqual(["shut map-wan", "nft delete"]);
  });

  test("a device that cannot be shut and stays: a closed table takes its place", async () => {
    const world = withDevice(new EffectError("flags", "I/O error"));
    expect(await perform(removing, world)).toEqual({ did: true });
    expect(effects(world)).toEqual(["shut map-wan", "nft close"]);
  });

  test("a device that goes while it is to be shut", async () => {
    const world = withDevice();
    world.shutDevice = () => {
      world.devices.delete(device);
      throw new EffectError("flags", "No such device");
    };
    expect(await perform(removing, world)).toEqual({ did: true });
    expect(effects(world)).toEqual(["nft delete"]);
  });

  test("a bug in shutting it is not taken for the router's refusal", async () => {
    const world = withDevice(new TypeError("x is not a function"));
    await expect(perform(removing, world)).rejects.toThrow(TypeError);
    expect(effects(world)).toEqual(["shut map-wan"]);
  });
});

test.each<[string, boolean, unknown]>([
  ["a refusal", false, new Refusal(6)],
  ["an answer that netifd knows no such interface", false, new Refusal(4)],
  ["an answer that came too late", true, new Refusal(7)],
  ["a call that was not answered", true, new EffectError("ubus", "no answer")],
  ["a bug", true, new TypeError("x")],
])("after %s it is open whether it was done: %s", (_title, uncertain, error) => {
  expect(isUncertain(error)).toBe(uncertain);
});

const script = [
  "add table ip mapmin_wan",
  "delete table ip mapmin_wan",
  "table ip mapmin_wan {",
  "\tct timeout closed_tcp {",
  "\t\tprotocol tcp",
  "\t\tl3proto ip",
  "\t\tpolicy = { time_wait : 2, close : 2 }",
  "\t}",
  "",
  "\tchain translate {",
  '\t\toifname "map-wan" meta l4proto tcp ct timeout set "closed_tcp" comment "closed connections"',
  '\t\toifname "map-wan" snat to 192.0.2.18:5000-5239',
  "\t}",
  "}",
  "",
].join("\n");
const plain = [
  "add table ip mapmin_wan",
  "delete table ip mapmin_wan",
  "table ip mapmin_wan {",
  "\tchain translate {",
  '\t\toifname "map-wan" snat to 192.0.2.18:5000-5239',
  "\t}",
  "}",
  "",
].join("\n");

describe("a kernel without timeouts of connection tracking", () => {
  const refuse = (refused: (script: string) => boolean) => {
    const world = makeWorld();
    const real = world.loadFirewall;
    world.loadFirewall = async (given) => {
      if (!refused(given)) return real(given);
      world.scripts.push(given);
      throw new EffectError("nft", `Not supported (try ${world.scripts.length})`);
    };
    return world;
  };
  const nft = { kind: "nft", table: "mapmin_wan", device, script } as const;

  test("it is given the NAT without them, and the log tells what that means", async () => {
    const world = refuse((given) => given.includes("ct timeout"));
    expect((await perform(nft, world)).did).toBe(true);
    expect(world.scripts).toEqual([script, plain]);
    expect(world.done).toEqual([
      "nft load",
      "log note load the NAT without `ct timeout`: closed connections keep their ports for two minutes",
    ]);
  });

  test("what is refused for another reason is tried once more, and fails", async () => {
    const world = refuse(() => true);
    await expect(perform(nft, world)).rejects.toThrow("Not supported (try 2)");
    expect(world.done).toEqual([]);
  });

  test("a script without them is tried once", async () => {
    const world = refuse(() => true);
    await expect(perform({ ...nft, script: plain }, world)).rejects.toThrow("Not supported (try 1)");
    expect(world.scripts).toEqual([plain]);
  });
});
