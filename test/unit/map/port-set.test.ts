import { describe, expect, test } from "vitest";
import { checkPortSet, contains, portCount, portRanges, rangeIndex } from "../../../src/map/port-set.ts";

const set = (offset: number, psidLength: number, psid: number) => ({ offset, psidLength, psid });

// a, k, PSID | number of ranges, first, second, last, number of ports
test.each([
  // RFC 7597 Appendix A, example 1.
  [6, 8, 0x34, 63, [1232, 1235], [2256, 2259], [64720, 64723], 252],
  [15, 1, 0, 32767, [2, 2], [4, 4], [65534, 65534], 32767],
  [15, 1, 1, 32767, [3, 3], [5, 5], [65535, 65535], 32767],
  [1, 1, 0, 1, [32768, 49151], undefined, [32768, 49151], 16384],
  [1, 15, 0x7fff, 1, [65535, 65535], undefined, [65535, 65535], 1],
  [0, 1, 0, 1, [1, 32767], undefined, [1, 32767], 32767],
  [0, 1, 1, 1, [32768, 65535], undefined, [32768, 65535], 32768],
  [0, 15, 0, 1, [1, 1], undefined, [1, 1], 1],
  [0, 16, 1, 1, [1, 1], undefined, [1, 1], 1],
  [0, 16, 65535, 1, [65535, 65535], undefined, [65535, 65535], 1],
  // Port 0 is never given, so this set has none.
  [0, 16, 0, 0, undefined, undefined, undefined, 0],
] as const)("a=%i k=%i PSID %i", (a, k, psid, count, first, second, last, ports) => {
  const of = set(a, k, psid);
  const ranges = portRanges(of);
  expect([ranges.length, ranges[0], ranges[1], ranges.at(-1)]).toEqual([count, first, second, last]);
  expect(portCount(of)).toBe(ports);
  if (first !== undefined && last !== undefined) {
    expect([first[0], last[1]].map((port) => contains(of, port))).toEqual([true, true]);
    expect(contains(of, first[0] - 1)).toBe(false);
  }
  expect(contains(of, 0)).toBe(false);
});

test("the range that a port is in", () => {
  for (const of of [set(6, 8, 52), set(4, 8, 0), set(15, 1, 1), set(1, 15, 3), set(0, 8, 52), set(0, 8, 0)]) {
    const ranges = portRanges(of);
    const expected = new Array<number | undefined>(65_536).fill(undefined);
    for (const [i, [low, high]] of ranges.entries()) expected.fill(i, low, high + 1);
    expect(expected.map((_, port) => rangeIndex(of, port))).toEqual(expected);
  }
  for (const port of [0, 1, 65_535]) expect(rangeIndex(set(0, 0, 0), port)).toBeUndefined();
});

test("k = 0 restricts nothing, port 0 apart in the count", () => {
  for (const offset of [0, 6, 15]) {
    expect(portRanges(set(offset, 0, 0))).toEqual([]);
    expect(portCount(set(offset, 0, 0))).toBe(65535);
    expect(contains(set(offset, 0, 0), 80)).toBe(true);
    expect(contains(set(offset, 0, 0), 0)).toBe(true);
  }
});

describe("what may be: a 0 to 15, k 0 to 16, both 16 bits together, the PSID k bits", () => {
  test.each([
    [0, 0, 0],
    [15, 1, 1],
    [15, 0, 0],
    [0, 16, 65535],
    [8, 8, 255],
  ])("a=%i k=%i PSID %i", (a, k, psid) => {
    expect(checkPortSet(set(a, k, psid))).toEqual(set(a, k, psid));
  });

  test.each([
    [16, 0, 0, "offset: PSID offset 16 is not 0 to 15"],
    [-1, 0, 0, "offset: PSID offset -1 is not 0 to 15"],
    [1.5, 0, 0, "offset: PSID offset 1.5 is not 0 to 15"],
    [0, 17, 0, "psidlen: PSID length 17 is not 0 to 16"],
    [0, -1, 0, "psidlen: PSID length -1 is not 0 to 16"],
    [0, 0.5, 0, "psidlen: PSID length 0.5 is not 0 to 16"],
    [15, 2, 0, "psidlen: PSID offset 15 and length 2 exceed 16 bits together"],
    [1, 16, 0, "psidlen: PSID offset 1 and length 16 exceed 16 bits together"],
    [4, 8, 256, "psid: PSID 256 does not fit 8 bits"],
    [0, 0, 1, "psid: PSID 1 does not fit 0 bits"],
    [4, 8, -1, "psid: PSID -1 does not fit 8 bits"],
    [4, 8, 0.5, "psid: PSID 0.5 does not fit 8 bits"],
  ])("not a=%d k=%d PSID %d", (a, k, psid, message) => {
    expect(() => checkPortSet(set(a, k, psid))).toThrow(expect.objectContaining({ message }));
  });
});
