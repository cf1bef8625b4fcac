import { describe, expect, test } from "vitest";
import type { CustomerEdge, MapRule } from "../../../src/map/model.ts";
import type { ModulePlan } from "../../../src/map/plan.ts";
import {
  CONTROL_PATH,
  linesOf,
  MODULE_MARK,
  replaceLines,
  ruleLines,
  rulesPrint,
  teardownLines,
} from "../../../src/render/control.ts";
import { SetupError } from "../../../src/wire/errors.ts";

const prefix6 = (address: bigint, length: number) => ({ address, length });
const bmr: MapRule = {
  ipv6Prefix: prefix6(0x20010db8n << 96n, 40),
  ipv4Prefix: { address: 0xc0000200, length: 24 },
  eaLength: 16,
  psidOffset: 4,
  forward: true,
};
const ce: CustomerEdge = {
  bmr,
  endUserPrefix: prefix6(0x20010db80012_3400n << 64n, 56),
  ipv4: { address: 0xc0000212, length: 32 },
  portSet: { offset: 4, psidLength: 8, psid: 52 },
  mapAddress: (0x20010db80012_3400n << 64n) | 0xc00002120034n,
};
const dmr = prefix6(0x20010db8ffff_0000n << 64n, 64);
const translated: ModulePlan = {
  carries: "translated",
  ce,
  legacyInterfaceId: false,
  fmrs: [],
  dmr,
  lowestIpv6Mtu: 1500,
};
const encapsulated: ModulePlan = {
  carries: "encapsulated",
  legacyInterfaceId: false,
  fmrs: [],
  local: 0x20010db8n << 96n,
  remote: (0x20010db8ffffn << 80n) | 1n,
  ttl: 64,
  encaplimit: "ignore",
  bound: false,
};

const edge =
  "ce.v4 192.0.2.18 ce.v6 2001:db8:12:3400:0:c000:212:34 ce.psid-offset 4 ce.psid-len 8 ce.psid 52";
const rule = "v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 16 local.psid-offset 4";
const default6 =
  "remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::/64 remote.ea-len 0 remote.psid-offset 0";
const relay = "remote.style NONE remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::1/128";

test("the module's files", () => {
  expect([CONTROL_PATH, MODULE_MARK]).toEqual(["/proc/net/nat46/control", "/proc/net/mapmint/counters"]);
});

describe("the rules of a device", () => {
  test("MAP-T, with rules for other subscribers in their order", () => {
    const fmr = { ...bmr, ipv4Prefix: { address: 0xc6336400, length: 24 }, eaLength: 12, psidOffset: 6 };
    expect(ruleLines("map-wan", { ...translated, fmrs: [fmr, bmr] })).toEqual([
      "config map-wan lowest-ipv6-mtu 1500",
      `config map-wan local.style MAP local.${rule} ${edge} ${default6}`,
      "insert map-wan remote.style MAP remote.v4 198.51.100.0/24 remote.v6 2001:db8::/40 remote.ea-len 12 remote.psid-offset 6",
      "insert map-wan remote.style MAP remote.v4 192.0.2.0/24 remote.v6 2001:db8::/40 remote.ea-len 16 remote.psid-offset 4",
      "config map-wan nat.mode off",
    ]);
  });

  test("the draft's interface identifier is MAP0, of ourselves and of others", () => {
    expect(ruleLines("map-wan", { ...translated, legacyInterfaceId: true, fmrs: [bmr] })).toEqual([
      "config map-wan lowest-ipv6-mtu 1500",
      `config map-wan local.style MAP0 local.${rule} ${edge} ${default6}`,
      "insert map-wan remote.style MAP0 remote.v4 192.0.2.0/24 remote.v6 2001:db8::/40 remote.ea-len 16 remote.psid-offset 4",
      "config map-wan nat.mode off",
    ]);
    const [, own, other] = ruleLines("map-wan", {
      ...encapsulated,
      ce,
      legacyInterfaceId: true,
      fmrs: [bmr],
    });
    expect(own).toContain(" local.style MAP0 ");
    expect(other).toContain(" remote.style MAP0 ");
  });

  test("a CE with a prefix is given it", () => {
    const whole = { ...ce, ipv4: { address: 0xc0000210, length: 28 } };
    expect(ruleLines("map-wan", { ...translated, ce: whole })[1]).toContain(" ce.v4 192.0.2.16/28 ");
  });

  test("MAP-E by a rule", () => {
    expect(ruleLines("map-wan", { ...encapsulated, ce, ttl: 9, encaplimit: "4" })).toEqual([
      "config map-wan transport encapsulate tunnel.hop-limit 9 tunnel.encap-limit 4",
      `config map-wan local.style MAP local.${rule} ${edge} ${relay}`,
      "config map-wan nat.mode off",
    ]);
  });

  test("lw4o6: the address is bound to the CE", () => {
    expect(ruleLines("map-wan", { ...encapsulated, ce, bound: true }).slice(0, 2)).toEqual([
      "config map-wan transport encapsulate tunnel.hop-limit 64 tunnel.encap-limit none",
      `config map-wan local.style NONE local.v4 192.0.2.18/32 local.v6 2001:db8:12:3400:0:c000:212:34/128 ${edge} ${relay}`,
    ]);
  });

  test("a B4 has no rule: everything from our end", () => {
    for (const bound of [false, true])
      expect(ruleLines("map-wan", { ...encapsulated, bound })[1]).toBe(
        `config map-wan local.style NONE local.v4 0.0.0.0/0 local.v6 2001:db8::/128 ${relay}`,
      );
  });

  test("reserved ports as ranges, at most 512 of them", () => {
    const nat = (reservedPorts: readonly number[]) =>
      ruleLines("d", { ...translated, nat: { reservedPorts } });
    expect(nat([]).at(-1)).toBe("config d nat.mode ports nat.reserved -");
    expect(nat([80]).at(-1)).toBe("config d nat.mode ports nat.reserved 80");
    expect(nat([80, 81, 82, 443]).at(-1)).toBe("config d nat.mode ports nat.reserved 80-82,443");
    const apart = Array.from({ length: 513 }, (_, i) => 2 * i + 1);
    expect(nat(apart.slice(1)).at(-1)?.split(",")).toHaveLength(512);
    expect(() => nat(apart)).toThrow(
      new SetupError("INVALID_OPTION", "reserved_ports, forward, upnp_ports: 513 ranges: give at most 512"),
    );
    try {
      nat(apart);
    } catch (error) {
      expect((error as SetupError).code).toBe("INVALID_OPTION");
    }
  });
});

describe("the control file", () => {
  test("has the lines of one device, whatever blanks are around them", () => {
    const text =
      "add map-a\n  config map-a nat.mode off \nadd map-b\nconfig map-b nat.mode ports\ninsert map-c x y\n";
    expect(linesOf(text, "map-a")).toEqual(["config map-a nat.mode off"]);
    expect(linesOf(text, "map-b")).toEqual(["config map-b nat.mode ports"]);
    // No device, whatever else names it.
    expect(linesOf(text, "map-c")).toBeUndefined();
    expect(linesOf("", "map-a")).toBeUndefined();
    expect(linesOf("add map-a", "map-a")).toEqual([]);
  });

  test("a print of lines tells them apart, where one ends too", () => {
    expect(rulesPrint(["ab", "c"])).not.toBe(rulesPrint(["a", "bc"]));
    expect(rulesPrint(["ab", "c"])).toBe(rulesPrint(["ab", "c"]));
  });

  test("a device that is not there is added, and removed by its name", () => {
    expect(replaceLines("d", undefined, ["config d x"])).toEqual(["add d", "config d x"]);
    expect(teardownLines("d")).toEqual(["del d"]);
  });

  test("new rules take the place of the pairs that are there: each is removed by its own words", () => {
    const present = [
      "config d lowest-ipv6-mtu 1500",
      "config d local.style MAP local.v4 192.0.2.0/24 ce.psid 1 remote.style RFC6052 debug 0",
      "insert d xlocal.v4 1 remote.v4 192.0.2.0/24",
      "config d nat.mode ports nat.reserved -",
    ];
    expect(replaceLines("d", present, ["config d new"])).toEqual([
      "remove d local.style MAP local.v4 192.0.2.0/24 ce.psid 1 remote.style RFC6052",
      "remove d remote.v4 192.0.2.0/24",
      "config d new",
    ]);
    // A word without its value is not one of a pair.
    expect(replaceLines("d", ["config d local.v4"], ["config d new"])).toEqual(["config d new"]);
    expect(replaceLines("d", [], ["config d new"])).toEqual(["config d new"]);
  });

  test("a device that tunnelled is told to translate, unless the new rules tunnel", () => {
    const tunnel = ["config d x y", "config d transport encapsulate tunnel.hop-limit 64"];
    expect(replaceLines("d", tunnel, ["config d new", "config d a b"])).toEqual([
      "config d transport translate",
      "config d new",
      "config d a b",
    ]);
    const other = ["config d transport encapsulate tunnel.hop-limit 1", "config d new"];
    expect(replaceLines("d", tunnel, other)).toEqual(other);
    expect(replaceLines("d", ["config d nat.mode off"], other)).toEqual(other);
  });
});
