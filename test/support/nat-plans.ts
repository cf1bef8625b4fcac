import { parseDeviceName } from "../../src/ip/names.ts";
import { parseIpv4Prefix } from "../../src/ip/text.ts";
import type { NatPlan } from "../../src/map/plan.ts";

function plan(
  ipv4: string,
  [offset, psidLength, psid]: readonly [number, number, number],
  reservedPorts: readonly number[] = [],
): NatPlan {
  return {
    table: "mapmin_wan6__4",
    device: parseDeviceName("map-wan6_4", "device"),
    ipv4: parseIpv4Prefix(ipv4),
    portSet: { offset, psidLength, psid },
    reservedPorts,
    mtu: 1480,
  };
}

/** One file of expected text for each, and for each form of firewall. */
export const cases: readonly (readonly [name: string, NatPlan])[] = [
  ["15x16", plan("106.72.50.97/32", [4, 8, 100])],
  ["63x16", plan("192.0.2.0/32", [6, 6, 17])],
  ["one-range", plan("192.0.2.18/32", [0, 8, 52])],
  ["first-range", plan("192.0.2.18/32", [0, 4, 0])],
  ["unrestricted", plan("192.0.2.18/32", [6, 0, 0])],
  ["prefix", plan("192.0.2.80/28", [6, 0, 0])],
  ["reserved", plan("106.72.50.97/32", [4, 8, 100], [5696, 9800, 9801, 40000])],
  ["unrestricted-reserved", plan("192.0.2.18/32", [6, 0, 0], [80, 443, 20000, 20001])],
  ["prefix-reserved", plan("192.0.2.80/28", [6, 0, 0], [8080])],
  [
    "all-reserved",
    plan(
      "192.0.2.18/32",
      [6, 0, 0],
      Array.from({ length: 65_535 }, (_, i) => i + 1),
    ),
  ],
  ["one-range-reserved", plan("192.0.2.18/32", [0, 8, 52], [13400])],
];
