import { describe, expect, test } from "vitest";
import { parseDeviceName } from "../../../src/ip/names.ts";
import type { NatPlan } from "../../../src/map/plan.ts";
import { keptPorts, unreservedRange, virtualBlock } from "../../../src/map/virtual-block.ts";
import { mapBlockToSet } from "../../support/block-to-set.ts";

function plan(offset: number, psidLength: number, psid: number, reservedPorts: number[] = []): NatPlan {
  return {
    table: "t",
    device: parseDeviceName("map0", "device"),
    ipv4: { address: 0xc0000212, length: 32 },
    portSet: { offset, psidLength, psid },
    reservedPorts,
    mtu: 1480,
  };
}

// a, k, PSID, reserved | block's first and last port, number of ports, first and last port of the set, rewritten
test.each([
  ["15x16", plan(4, 8, 100), [65296, 65535, 240, 5696, 63055, true]],
  ["63x16, between two ranges", plan(6, 6, 17), [63776, 64783, 1008, 1296, 64799, true]],
  ["63x4", plan(6, 8, 52), [65284, 65535, 252, 1232, 64723, true]],
  ["a = 0", plan(0, 8, 52), [13312, 13567, 256, 13312, 13567, false]],
  ["a = 0, among the system's ports", plan(0, 4, 0), [1024, 4095, 3072, 1024, 4095, false]],
  ["a = 0, nothing but the system's ports", plan(0, 8, 0), [1, 255, 255, 1, 255, false]],
  ["a = 0, one port", plan(0, 16, 5000), [5000, 5000, 1, 5000, 5000, false]],
  ["a = 0, reserved at the edge", plan(0, 8, 52, [13312]), [13313, 13567, 255, 13313, 13567, false]],
  ["a = 0, reserved within", plan(0, 8, 52, [13400]), [65281, 65535, 255, 13312, 13567, true]],
  ["a = 15, where well-known ports are in the set", plan(15, 1, 0), [32769, 65535, 32767, 2, 65534, true]],
  [
    "no gap for all of the set: the longest",
    plan(6, 1, 1, [23128, 45656]),
    [23129, 45655, 22527, 1536, 46592, true],
  ],
  ["two gaps alike: the higher one", plan(6, 1, 1, [22280, 43908]), [43909, 65535, 21627, 1536, 44668, true]],
  ["overlapping: no stretch apart from the set", plan(6, 1, 1), [33280, 65535, 32256, 1536, 65535, true]],
])("virtual block: %s", (_title, of, [start, end, count, first, last, rewritten]) => {
  const block = virtualBlock(of);
  expect([
    block?.start,
    (block?.start ?? 0) + (block?.ports.length ?? 0) - 1,
    block?.ports.length,
    block?.ports[0],
    block?.ports.at(-1),
    block?.rewritten,
  ]).toEqual([start, end, count, first, last, rewritten]);
});

test.each([
  ["k = 0", plan(6, 0, 0)],
  ["the set is port 0 alone", plan(0, 16, 0)],
  ["every port reserved", plan(0, 15, 1000, [2000, 2001])],
])("no block: %s", (_title, of) => {
  expect(virtualBlock(of)).toBeUndefined();
});

test.each([
  [4, 8, 100, [5696, 63055]],
  [6, 1, 0, [1024, 40000 - (40000 % 1024) + 5]],
  [6, 1, 1, [65535, 33000]],
  [4, 2, 1, [5120, 6000, 60000]],
  [15, 1, 0, [2, 30000, 65532]],
  [0, 1, 1, [50000]],
])("a=%i k=%i PSID %i: no port that stays as it is lies in the block", (a, k, psid, reserved) => {
  const of = plan(a, k, psid, reserved);
  const block = virtualBlock(of);
  if (block === undefined) throw new Error("expected a block");
  const end = block.start + block.ports.length - 1;
  expect(keptPorts(of).length).toBeGreaterThan(0);
  expect(keptPorts(of).filter((port) => port >= block.start && port <= end)).toEqual([]);
  expect(new Set(block.ports).size).toBe(block.ports.length);
  expect(block.start).toBeGreaterThanOrEqual(1024);
  expect(end).toBeLessThanOrEqual(65535);
});

test("a reserved port in the middle of half the port space costs capacity, not correctness", () => {
  const of = plan(0, 1, 1, [49152]);
  expect(virtualBlock(of)?.ports.length).toBe(32767);
  const split = plan(6, 1, 1, [33279 + 512]);
  expect(virtualBlock(split)?.ports.length).toBeLessThan(32256);
});

test.each([
  ["block port", plan(4, 8, 100), 65296, 5696],
  ["last block port", plan(4, 8, 100), 65535, 63055],
  ["a port of the set, which connection tracking never shows", plan(4, 8, 100), 5696, undefined],
  ["neither", plan(4, 8, 100), 80, undefined],
  ["reserved port", plan(4, 8, 100, [5700]), 5700, 5700],
  ["one range", plan(0, 8, 52), 13400, 13400],
  ["beside the one range", plan(0, 8, 52), 13568, undefined],
  ["k = 0", plan(6, 0, 0), 80, 80],
])("block port to port of the set: %s", (_title, of, port, expected) => {
  expect(mapBlockToSet(of, port)).toBe(expected);
});

describe("where no set restricts NAT, it allocates between the reserved ports", () => {
  const all = Array.from({ length: 65_535 }, (_, i) => i + 1);

  test.each([
    ["below 1024 only", [80, 443], [1024, 65_535]],
    ["one in the middle", [20_000], [20_001, 65_535]],
    ["one high up", [60_000], [1024, 59_999]],
    ["two alike: the higher one", [1024, 33_280], [33_281, 65_535]],
    ["both ends", [1024, 65_535], [1025, 65_534]],
    ["a stretch", all.slice(4999, 6000), [6001, 65_535]],
    ["all but the system's", all.slice(1023), [1, 1023]],
    ["all but one", all.filter((port) => port !== 7), [7, 7]],
    ["all", all, undefined],
  ] as const)("%s", (_title, reserved, range) => {
    expect(unreservedRange(reserved)).toEqual(range);
  });
});
