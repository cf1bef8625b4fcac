import { describe, expect, test } from "vitest";
import { perform } from "../../../src/engine/effect.ts";
import { parseDeviceName } from "../../../src/ip/names.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { makeWorld } from "./world.ts";

const device = parseDeviceName("map-wan", "device");
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
