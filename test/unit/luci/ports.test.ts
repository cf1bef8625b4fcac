/** The picture of the ports: its outlines cover exactly the port set, for every vector. */

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { portCount, portRanges } from "../../../src/map/port-set.ts";
import { load } from "../../luci/load.ts";

interface Block {
  readonly low: number;
  readonly high: number;
  readonly size: number;
  readonly used: number | null;
}

const ports = load<{
  blocks(report: object): readonly Block[];
  level(block: Pick<Block, "size" | "used">): number;
  paths(blocks: readonly Block[]): readonly string[];
  blockOf(blocks: readonly Block[], port: number): Block | undefined;
}>("mapmin.ports");

/** The ports that a path covers; a port that is covered twice is there twice. */
function covered(path: string): readonly number[] {
  const found: number[] = [];
  const rest = path.replaceAll(
    /M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z/g,
    (_whole, x: string, y: string, width: string, height: string, back: string) => {
      expect(back).toBe(width);
      expect(Number(x) + Number(width)).toBeLessThanOrEqual(256);
      for (let row = Number(y); row < Number(y) + Number(height); row++)
        for (let column = Number(x); column < Number(x) + Number(width); column++)
          found.push(row * 256 + column);
      return "";
    },
  );
  expect(rest).toBe("");
  return found.sort((a, b) => a - b);
}

const reportOf = (set: Parameters<typeof portRanges>[0], used?: readonly number[]) => ({
  ports: portCount(set),
  psidLength: set.psidLength,
  ranges: portRanges(set),
  ...(used === undefined ? {} : { inUse: { ranges: used, cells: used } }),
});

const expand = (ranges: readonly (readonly [number, number])[]) =>
  ranges.flatMap(([low, high]) => Array.from({ length: high - low + 1 }, (_, i) => low + i));

const vectors = JSON.parse(
  readFileSync(new URL("../../vectors/ce.json", import.meta.url), "utf8"),
) as readonly {
  title: string;
  psidOffset: number;
  expect: { psid: number; psidLength: number; rangeCount: number; lastRange: [number, number] | null };
}[];

describe("the picture covers the port set", () => {
  const shared = vectors.filter(({ expect: { rangeCount } }) => rangeCount > 0);
  test.each(shared)("$title", ({ psidOffset, expect: { psid, psidLength, rangeCount, lastRange } }) => {
    const blocks = ports.blocks(reportOf({ offset: psidOffset, psidLength, psid }));
    expect(blocks).toHaveLength(rangeCount);
    expect([blocks.at(-1)?.low, blocks.at(-1)?.high]).toEqual(lastRange);
    const [none = "", ...others] = ports.paths(blocks);
    expect(others).toEqual(["", "", ""]);
    expect(covered(none)).toEqual(expand(portRanges({ offset: psidOffset, psidLength, psid })));
  });

  test("any port set, whatever is in use", () => {
    const sets = fc
      .record({ offset: fc.integer({ min: 0, max: 9 }), psidLength: fc.integer({ min: 1, max: 7 }) })
      .chain(({ offset, psidLength }) =>
        fc.record({
          offset: fc.constant(offset),
          psidLength: fc.constant(psidLength),
          psid: fc.integer({ min: 0, max: 2 ** psidLength - 1 }),
        }),
      );
    fc.assert(
      fc.property(sets, fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 600 }), (set, used) => {
        const blocks = ports.blocks(reportOf(set, used));
        const all = ports.paths(blocks).flatMap(covered);
        expect(all.sort((a, b) => a - b)).toEqual(expand(portRanges(set)));
      }),
      { numRuns: 60 },
    );
  });

  test("an address that is not shared: every port but 0, by 1,024", () => {
    const whole = { offset: 6, psidLength: 0, psid: 0 };
    const used = Array.from({ length: 64 }, (_, index) => (index === 2 ? 1024 : index === 0 ? 1023 : 0));
    const blocks = ports.blocks(reportOf(whole, used));
    expect(blocks[0]).toEqual({ low: 1, high: 1023, size: 1023, used: 1023 });
    expect(covered(ports.paths(blocks)[3] ?? "")).toEqual(
      expand([
        [1, 1023],
        [2048, 3071],
      ]),
    );
    expect(ports.paths(blocks).flatMap(covered)).toHaveLength(65_535);
  });
});

test.each([
  [null, 4, 0],
  [0, 4, 0],
  [1, 4, 1],
  [2, 4, 2],
  [3, 4, 2],
  [4, 4, 3],
  [5, 4, 3],
  [1, 1, 3],
])("%s of %s in use is level %s", (used, size, level) => {
  expect(ports.level({ used, size })).toBe(level);
});

test("what is no port set is no picture", () => {
  expect(ports.blocks({})).toEqual([]);
  expect(
    ports.blocks({
      ports: 4,
      ranges: [
        ["a", 5],
        [9, 3],
        [-1, 2],
        [65_535, 65_536],
      ],
    }),
  ).toEqual([]);
  expect(ports.blocks({ ports: 4, ranges: [[1, 4]], inUse: null })).toEqual([
    { low: 1, high: 4, size: 4, used: null },
  ]);
});

test("the block that a port is in", () => {
  const blocks = ports.blocks({
    ports: 8,
    ranges: [
      [8, 11],
      [20, 23],
    ],
  });
  expect(ports.blockOf(blocks, 23)?.low).toBe(20);
  expect(ports.blockOf(blocks, 24)).toBeUndefined();
});
