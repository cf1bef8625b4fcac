import { describe, expect, test } from "vitest";
import { renew, setup } from "../../../src/engine/session.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { linkStatus, makeWorld, onLinkStatus, Refusal, type World } from "./world.ts";

const iface = parseInterfaceName("wan_map", "interface");
const request = (config: object) => ({ action: "setup", iface, config }) as Parameters<typeof setup>[0];

const mapE = {
  maptype: "map-e",
  ip6prefix: "2001:db8::/40",
  ipaddr: "192.0.2.0/24",
  ealen: 16,
  peeraddr: "2001:db8:ffff::1",
};
/** OPTION_S46_CONT_MAPE with a border relay and no rule. */
const withoutRules = {
  ...linkStatus,
  data: { passthru: "005e0014005a001020010db8ffff00000000000000000001" },
};
const otherPrefix = { ...linkStatus, "ipv6-prefix": [{ address: "2001:db8:13:3400::", mask: 56 }] };

/** A state file's lines; fingerprints, which `steps` and `rules` have, are `#`. */
function lines(world: World): string[] {
  return linesOf(world.states.get("wan_map") ?? "");
}

function linesOf(text: string): string[] {
  return text
    .replaceAll(/=[0-9a-f]{32}\b/g, "=#")
    .trim()
    .split("\n");
}

/** Each state that is written from here on. */
function written(world: World): string[][] {
  const found: string[][] = [];
  const { writeState } = world;
  world.writeState = (name, text) => {
    found.push(linesOf(text));
    writeState(name, text);
  };
  return found;
}

describe("the state file of an interface that is up says", () => {
  test("MAP-T by the module, with remarks", async () => {
    const world = makeWorld({
      status: { ...linkStatus, "ipv6-prefix": [{ address: "2001:db8:12:3412::", mask: 60 }] },
    });
    expect(await setup(request({ reserved_ports: "80" }), world)).toBe(0);
    expect(lines(world)).toEqual([
      "interface=wan_map",
      "state=up",
      "since=2026-01-02T03:04:05.000Z",
      "transport=map-t",
      "tunlink=wan6",
      "device=map-wan_map",
      "reserved_ports=80",
      "ipv4=192.0.2.18/32",
      "map_address=2001:db8:12:3410:0:c000:212:34",
      "offset=4",
      "psid_length=8",
      "psid=52",
      "mtu=1480",
      "source=DHCPv6",
      'remarks="the 4 bits behind the EA bits are not zero; the border relay may want zeros; not in the port set, so that nothing reaches you there: 80 (nearest of the set: 4928)"',
      "carrier=module",
      "nat_by=the kernel module",
      'address_interfaces=""',
      'steps="device=# mtu=# netifd=#"',
      "rules=#",
      'tables=""',
    ]);
    expect(world.done.filter((line) => line.startsWith("log note"))).toEqual([
      "log note rule end-user prefix: the 4 bits behind the EA bits are not zero; the border relay may want zeros",
      "log note rule reserved_ports: not in the port set, so that nothing reaches you there: 80 (nearest of the set: 4928)",
    ]);
  });

  test("MAP-E by netifd's tunnel", async () => {
    const world = makeWorld({ withoutModule: true });
    expect(await setup(request({ ...mapE, reserved_ports: "1232 1234-1235" }), world)).toBe(0);
    expect(lines(world)).toEqual([
      "interface=wan_map",
      "state=up",
      "since=2026-01-02T03:04:05.000Z",
      "transport=map-e",
      "tunlink=wan6",
      "device=map-wan_map",
      "table=mapmin_wan__map",
      "reserved_ports=1232 1234-1235",
      "ipv4=192.0.2.18/32",
      "map_address=2001:db8:12:3400:0:c000:212:34",
      "offset=6",
      "psid_length=8",
      "psid=52",
      "mtu=1460",
      'source="the interface\'s options"',
      'remarks=""',
      "carrier=tunnel",
      "nat_by=nftables: the kernel module is not loaded",
      "address_interfaces=wan_map_",
      'steps="nat=# address=# netifd=#"',
      'tables="nat=#"',
    ]);
  });

  test("a domain without rules: no address and no port set of our own", async () => {
    const world = makeWorld({ status: withoutRules });
    expect(await setup(request({}), world)).toBe(0);
    expect(lines(world)).toEqual([
      "interface=wan_map",
      "state=up",
      "since=2026-01-02T03:04:05.000Z",
      "transport=map-e",
      "tunlink=wan6",
      "device=map-wan_map",
      "ipv4=192.0.0.2/32",
      "mtu=1460",
      "source=DHCPv6",
      'remarks=""',
      "carrier=module",
      "nat_by=the provider: there is no rule",
      'address_interfaces=""',
      'steps="device=# mtu=# netifd=#"',
      "rules=#",
      'tables=""',
    ]);
    expect(world.done.at(-1)).toBe(
      "log ok setup map-e 192.0.0.2/32, MTU 1460, rule from DHCPv6, NAT by the provider: there is no rule",
    );
  });
});

test("a domain without rules, by netifd's tunnel: there is no NAT to load, and a renewal closes nothing", async () => {
  const world = makeWorld({ status: withoutRules, withoutModule: true });
  expect(await setup(request({}), world)).toBe(0);
  const state = lines(world);
  expect(state).toContain("carrier=tunnel");
  expect(state.filter((line) => /^(table|reserved_ports)=/.test(line))).toEqual([]);
  world.status = { ...withoutRules, "ipv6-prefix": [{ address: "2001:db8:13:3400::", mask: 56 }] };
  expect(await renew(request({}), world)).toBe(0);
  expect(world.tables.size).toBe(0);
});

test("ports for miniupnpd are kept from NAT, beside the others; half of those that are free at most", async () => {
  const world = makeWorld();
  const config = { reserved_ports: "62287", forward: ["tcp 62286 10.0.0.1"], upnp_ports: 2 };
  expect(await setup(request(config), world)).toBe(0);
  expect(lines(world)).toContain("reserved_ports=62284-62287");
  expect(lines(world)).toContain("upnp_ports=62284-62285");
  expect(world.control).toContain("nat.reserved 62284-62287");
  expect(await setup(request({ upnp_ports: 121 }), world)).toBe(0);
  expect(world.done).toContain(
    "log note rule upnp_ports: 121 are more than half of the ports that are free: 120 are given",
  );
});

test("the state file of a setup that failed has the error's code and text", async () => {
  const world = makeWorld({ failing: new Map([["mtu", new EffectError("mtu", "no such device")]]) });
  const states = written(world);
  expect(await setup(request({}), world)).toBe(1);
  expect(states.map((state) => state[1])).toEqual(["state=starting", "state=failed"]);
  expect(states[1]).toEqual([
    "interface=wan_map",
    "state=failed",
    "since=2026-01-02T03:04:05.000Z",
    "error=SETUP_FAILED: mtu: no such device",
    // What could not be taken back is found by it.
    "carrier=module",
  ]);
});

describe("while a renewal changes the MAP address the state file", () => {
  const addresses = (states: readonly (readonly string[])[]) =>
    states.map((state) => state.filter((line) => /^(state|ipv4|steps|address_interfaces|error)=/.test(line)));

  test("has both addresses and no step as done, then the new one", async () => {
    const world = makeWorld({ withoutModule: true });
    await setup(request(mapE), world);
    world.status = otherPrefix;
    const states = written(world);
    expect(await renew(request(mapE), world)).toBe(0);
    expect(addresses(states)).toEqual([
      ["state=up", "ipv4=192.0.2.18/32", "address_interfaces=wan_map_ wan_map__", 'steps=""'],
      ["state=up", "ipv4=192.0.2.19/32", "address_interfaces=wan_map__", 'steps="nat=# address=# netifd=#"'],
    ]);
  });

  test("keeps the old address where netifd does not take it back", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ withoutModule: true, failing });
    await setup(request(mapE), world);
    world.status = otherPrefix;
    failing.set("network.interface down", new Refusal(6));
    expect(await renew(request(mapE), world)).toBe(0);
    expect(addresses([lines(world)])).toEqual([
      [
        "state=up",
        "ipv4=192.0.2.19/32",
        "address_interfaces=wan_map_ wan_map__",
        'steps="nat=# address=# netifd=#"',
      ],
    ]);
  });

  test("says failed, with the error, where netifd's tunnel is in doubt", async () => {
    const failing = new Map<string, Error>();
    const world = makeWorld({ withoutModule: true, failing });
    await setup(request(mapE), world);
    world.status = otherPrefix;
    failing.set("notify 0", new Refusal(7));
    expect(await renew(request(mapE), world)).toBe(1);
    expect(addresses([lines(world)])).toEqual([
      [
        "state=failed",
        "ipv4=192.0.2.18/32",
        "address_interfaces=wan_map_ wan_map__",
        'steps=""',
        "error=SETUP_FAILED: ubus: status 7",
      ],
    ]);
  });

  test("drops the address that the link does not need any more", async () => {
    const world = makeWorld({ status: onLinkStatus });
    await setup(request({}), world);
    world.status = linkStatus;
    expect(await renew(request({ mtu: 1400 }), world)).toBe(0);
    expect(addresses([lines(world)])).toEqual([
      ["state=up", "ipv4=192.0.2.18/32", 'address_interfaces=""', 'steps="device=# mtu=# netifd=#"'],
    ]);
    world.status = onLinkStatus;
    expect(await renew(request({ mtu: 1400 }), world)).toBe(0);
    expect(addresses([lines(world)])).toEqual([
      [
        "state=up",
        "ipv4=192.0.2.18/32",
        "address_interfaces=wan_map_",
        'steps="device=# mtu=# address=# netifd=#"',
      ],
    ]);
  });
});
