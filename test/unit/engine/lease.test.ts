import { describe, expect, test } from "vitest";
import { applyLease, configuredMapInterfaces, decodeLease } from "../../../src/engine/lease.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { effects, makeWorld, option48879, Refusal } from "./world.ts";

const link = parseInterfaceName("wan6", "link");
const iface = parseInterfaceName("wan6_4", "iface");
const lease = {
  link,
  iface,
  option: option48879,
  prefixes: "2001:db8:12:3400::/56,100,200",
};
const offer = 'network add_dynamic {"name":"wan6_4","ifname":"@wan6","proto":"map","tunlink":"wan6"}';
const absent = { failing: new Map([["network.interface status", new Refusal(4)]]) };
const withdrawal = 'network.interface remove {"interface":"wan6_4"}';

const uci = (tunlink: string) => `network.wan6=interface
network.wan6.proto='dhcpv6'
network.wan_map=interface
network.wan_map.proto='map'
${tunlink}`;

describe("a lease", () => {
  test("is decoded from odhcp6c's environment", () => {
    expect(decodeLease("wan6", { OPTION_48879: "00AB", PREFIXES: "x" })).toEqual({
      link: "wan6",
      iface: "wan6_4",
      option: "00ab",
      prefixes: "x",
    });
  });

  test.each([
    ["a/b", "00", "INTERFACE"],
    [undefined, "00", "INTERFACE"],
    ["wan6", "0", "OPTION_48879"],
    ["wan6", "zz", "OPTION_48879"],
    ["wan6", "00 01", "OPTION_48879"],
  ])("%s with option %s is refused naming %s", (link, option, field) => {
    expect(() => decodeLease(link, { OPTION_48879: option })).toThrow(field);
  });

  test("with the option offers the interface, or renews the one that is there", async () => {
    const world = makeWorld(absent);
    await applyLease(lease, "", undefined, world);
    expect(effects(world)).toEqual([offer]);
    const known = makeWorld();
    await applyLease(lease, "", undefined, known);
    expect(effects(known)).toEqual(['network.interface renew {"interface":"wan6_4"}']);
    const down = makeWorld({ status: { up: false, pending: false } });
    await applyLease(lease, "", undefined, down);
    expect(effects(down)).toEqual(['network.interface up {"interface":"wan6_4"}']);
  });

  test("IFACE_MAP names the interface to offer", () => {
    expect(decodeLease("wan6", { IFACE_MAP: "net4" }).iface).toBe("net4");
    expect(() => decodeLease("wan6", { IFACE_MAP: "a b" })).toThrow("IFACE_MAP");
  });

  test("without the option withdraws it", async () => {
    const world = makeWorld();
    await applyLease({ link, iface, prefixes: "" }, "", undefined, world);
    expect(effects(world)).toEqual([withdrawal]);
  });

  test("a zone goes with the offer", async () => {
    const world = makeWorld(absent);
    await applyLease(lease, "", "wan", world);
    expect(effects(world).at(-1)).toContain('"zone":"wan"');
  });

  test.each([
    ["a MAP interface for the link", uci("network.wan_map.tunlink='wan6'"), []],
    ["a MAP interface without tunlink, which takes wan6", uci(""), []],
    ["a MAP interface for another link", uci("network.wan_map.tunlink='wwan6'"), [offer]],
    ["no MAP interface", "network.wan6.proto='dhcpv6'", [offer]],
  ])("where the configuration has %s", async (_title, configuration, expected) => {
    const world = makeWorld(absent);
    await applyLease(lease, configuration, undefined, world);
    expect(effects(world)).toEqual(expected);
  });
});

describe("a MAP interface is configured after one was offered", () => {
  const configuration = uci("network.wan_map.tunlink='wan6'");
  test("the offered one is withdrawn: it would use the same ports", async () => {
    const world = makeWorld();
    await applyLease(lease, configuration, undefined, world);
    expect(effects(world)).toEqual([withdrawal]);
  });

  test("an interface of that name that the user has configured stays", async () => {
    const world = makeWorld();
    await applyLease(lease, `${configuration}\nnetwork.wan6_4=interface`, undefined, world);
    expect(effects(world)).toEqual([]);
  });
});

test("sections of proto map are found in what uci prints", () => {
  expect(configuredMapInterfaces(uci("network.wan_map.tunlink='wan6'"))).toEqual([
    { name: "wan_map", tunlink: "wan6" },
  ]);
  expect(configuredMapInterfaces("network.x.proto='it'\\''s'\nnonsense")).toEqual([]);
});
