import { expect, test } from "vitest";
import { savedNat, savedPortCount, savedPortSet } from "../../../src/engine/saved-nat.ts";
import type { SavedState } from "../../../src/engine/state.ts";

const saved: SavedState = {
  interface: "wan_map",
  state: "up",
  since: "2026-01-02T03:04:05.000Z",
  device: "map-wan_map",
  table: "mapmin_wan__map",
  ipv4: "192.0.2.18/32",
  offset: "6",
  psid_length: "8",
  psid: "52",
  mtu: "1460",
  reserved_ports: "1232 1234-1235",
};
const nat = {
  table: "mapmin_wan__map",
  device: "map-wan_map",
  ipv4: { address: 0xc0000212, length: 32 },
  portSet: { offset: 6, psidLength: 8, psid: 52 },
  reservedPorts: [1232, 1234, 1235],
  mtu: 1460,
};
const without = (...keys: (keyof SavedState)[]) => {
  const rest = { ...saved };
  for (const key of keys) delete rest[key];
  return rest;
};

test("a state has the NAT that was loaded", () => {
  expect(savedNat(saved)).toEqual(nat);
  expect(savedNat(without("reserved_ports"))).toEqual({ ...nat, reservedPorts: [] });
  expect(savedPortSet(saved)).toEqual(nat.portSet);
});

test.each<[string, SavedState]>([
  ["no table", without("table")],
  ["no address", without("ipv4")],
  ["no device", without("device")],
  ["no offset", without("offset")],
  ["no length of the PSID", without("psid_length")],
  ["no PSID", without("psid")],
  ["a PSID that is not a number", { ...saved, psid: "x" }],
  ["a device that is not a name", { ...saved, device: "a b" }],
  ["an address that is not an address", { ...saved, ipv4: "192.0.2" }],
  ["reserved ports that are not ports", { ...saved, reserved_ports: "70000" }],
])("a state with %s has no NAT", (_title, state) => {
  expect(savedNat(state)).toBeUndefined();
});

test.each<[string, SavedState]>([
  ["no PSID", without("psid")],
  ["an offset of 40", { ...saved, offset: "40" }],
  ["a PSID of 9 bits", { ...saved, psid: "256" }],
  ["a PSID of 17 bits", { ...saved, offset: "0", psid_length: "17" }],
])("a state with %s has no port set", (_title, state) => {
  expect([savedPortSet(state), savedPortCount(state), savedNat(state)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test.each<[string, SavedState, number | undefined]>([
  ["without those that are reserved", saved, 249],
  ["of the whole set", without("reserved_ports"), 252],
  ["reserved ports of others do not count", { ...saved, reserved_ports: "80 1232" }, 251],
  ["a whole address", { ...saved, psid_length: "0", psid: "0", reserved_ports: "80 443" }, 65_533],
  [
    "offset 0: no system ports",
    { ...saved, offset: "0", psid: "0", psid_length: "5", reserved_ports: "1024" },
    1_023,
  ],
  ["reserved ports that are not ports", { ...saved, reserved_ports: "70000" }, undefined],
])("ports that NAT has: %s", (_title, state, count) => {
  expect(savedPortCount(state)).toBe(count);
});

test("a bug is not taken for a damaged state", () => {
  const odd = { ...saved, ipv4: 5 } as unknown as SavedState;
  expect(() => savedNat(odd)).toThrow(TypeError);
});
