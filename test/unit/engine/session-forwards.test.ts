import { describe, expect, test } from "vitest";
import { renew, setup, teardown } from "../../../src/engine/session.ts";
import { decodeState } from "../../../src/engine/state.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { mapE, request, wanMap } from "./requests.ts";
import { effects, linkStatus, makeWorld, Refusal, withoutRules } from "./world.ts";

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
