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
const without = { link, iface, prefixes: "" };
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

  test("is without option and prefixes where odhcp6c gives none", () => {
    const bare = { link: "wan6", iface: "wan6_4", prefixes: "" };
    expect(decodeLease("wan6", {})).toEqual(bare);
    expect(decodeLease("wan6", { OPTION_48879: "", IFACE_MAP: "" })).toEqual(bare);
  });

  test("that is refused is told why", () => {
    expect(() => decodeLease("wan6", { OPTION_48879: "0" })).toThrow(
      "OPTION_48879: expected whole octets in hexadecimal",
    );
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
    await applyLease(without, "", undefined, world);
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

describe("the log of a lease says", () => {
  const configuration = uci("network.wan_map.tunlink='wan6'");
  const note = "log note lease wan_map is configured for wan6: nothing offered";

  test.each<[string, Parameters<typeof makeWorld>[0], typeof lease | typeof without, string, string[]]>([
    ["what was offered", absent, lease, "", [offer, `log ok offer the interface ubus call ${offer}`]],
    [
      "that the interface was asked to renew",
      {},
      lease,
      "",
      ['network.interface renew {"interface":"wan6_4"}', "log ok renew the interface wan6_4"],
    ],
    [
      "the same of one that is coming up",
      { status: { up: false, pending: true } },
      lease,
      "",
      ['network.interface renew {"interface":"wan6_4"}', "log ok renew the interface wan6_4"],
    ],
    [
      "that the interface was asked to come up",
      { status: null },
      lease,
      "",
      ['network.interface up {"interface":"wan6_4"}', "log ok up the interface wan6_4"],
    ],
    ["what was withdrawn", {}, without, "", [withdrawal, "log ok withdraw the interface wan6_4"]],
    ["which interface is configured", absent, lease, configuration, [note]],
    [
      "that an offered one was withdrawn for it",
      {},
      lease,
      configuration,
      [note, withdrawal, "log ok withdraw the interface wan6_4"],
    ],
    [
      "that the interface itself is configured, which is not withdrawn",
      {},
      lease,
      "network.wan6_4.proto='map'\nnetwork.wan6_4.tunlink='wwan6'",
      ["log note lease wan6_4 is configured for wan6: nothing offered"],
    ],
  ])("%s", async (_title, options, given, shown, expected) => {
    const world = makeWorld(options);
    await applyLease(given, shown, undefined, world);
    expect(world.done).toEqual(expected);
  });

  test("nothing of an interface that netifd does not have when it is to be withdrawn", async () => {
    const world = makeWorld({ failing: new Map([["network.interface remove", new Refusal(4)]]) });
    await applyLease(without, "", undefined, world);
    expect(world.done).toEqual([withdrawal]);
  });
});

test.each([
  ["to withdraw the interface", "network.interface remove", without],
  ["to tell of the interface", "network.interface status", lease],
  ["to renew the interface", "network.interface renew", lease],
])("netifd refuses %s: the error is for the caller", async (_title, what, given) => {
  const world = makeWorld({ failing: new Map([[what, new Refusal(6)]]) });
  await expect(applyLease(given, "", undefined, world)).rejects.toThrow("status 6");
  expect(world.done.filter((line) => line.startsWith("log"))).toEqual([]);
});

test("netifd is asked about the interface of the lease alone", async () => {
  const world = makeWorld(absent);
  await applyLease(lease, "", "wan", world);
  expect(world.asked).toEqual(['network.interface status {"interface":"wan6_4"}']);
  expect(effects(world)).toEqual([
    'network add_dynamic {"name":"wan6_4","ifname":"@wan6","proto":"map","tunlink":"wan6","zone":"wan"}',
  ]);
});

test("an offer without a zone has no field for it", async () => {
  const world = makeWorld(absent);
  const given: string[][] = [];
  const { call } = world;
  world.call = (object, method, args) => {
    given.push(Object.keys(args));
    return call(object, method, args);
  };
  await applyLease(lease, "", undefined, world);
  expect(given.at(-1)).toEqual(["name", "ifname", "proto", "tunlink"]);
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
  expect(configuredMapInterfaces("network.x.proto='map' ")).toEqual([]);
  expect(configuredMapInterfaces("xnetwork.x.proto='map'")).toEqual([]);
  const [bare] = configuredMapInterfaces("network.@interface[3].proto='map'");
  expect(bare).toStrictEqual({ name: "@interface[3]" });
});
