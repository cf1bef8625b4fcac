import { describe, expect, test } from "vitest";
import type { PortSet } from "../../../src/map/model.ts";
import {
  countByCell,
  drawPorts,
  EVERY_PORT,
  ownShades,
  PICTURE_COLUMNS,
  useShades,
} from "../../../src/map/port-picture.ts";
import { type PortRange, portRanges } from "../../../src/map/port-set.ts";

const set = (offset: number, psidLength: number, psid: number): PortSet => ({ offset, psidLength, psid });
const cells = (ranges: readonly PortRange[]) => ownShades(ranges).join("");
const times = (text: string, count: number) => text.repeat(count);

describe("which cells are ours", () => {
  test.each<[string, readonly PortRange[], string]>([
    ["nothing", [], times("0", 64)],
    ["a whole address (k = 0)", EVERY_PORT, times("4", 64)],
    ["a whole address, told by its port set", portRanges(set(6, 0, 0)), times("0", 64)],
    ["63 ranges of 4 ports", portRanges(set(6, 8, 0x34)), `0${times("1", 63)}`],
    ["63 ranges of 512 ports", portRanges(set(6, 1, 1)), `0${times("2", 63)}`],
    ["15 ranges of 16 ports", portRanges(set(4, 8, 0x34)), times("0000", 1) + times("1000", 15)],
    ["offset 0, in the middle", portRanges(set(0, 2, 1)), times("0", 16) + times("4", 16) + times("0", 32)],
    ["offset 0, port 0 left out", portRanges(set(0, 6, 0)), `4${times("0", 63)}`],
    ["offset 0, the last cell", portRanges(set(0, 6, 63)), `${times("0", 63)}4`],
    ["offset 15: every other port, but not the first two", portRanges(set(15, 1, 1)), `1${times("2", 63)}`],
    ["less than half", [[1_024, 1_535 - 1]], `01${times("0", 62)}`],
    ["half", [[1_024, 1_535]], `02${times("0", 62)}`],
    ["all but one", [[1_024, 2_046]], `02${times("0", 62)}`],
    ["all but port 1 of the first", [[2, 1_023]], `2${times("0", 63)}`],
    [
      "two ranges in a cell add up",
      [
        [1_024, 1_535],
        [1_536, 2_047],
      ],
      `04${times("0", 62)}`,
    ],
    ["a range over the ends of cells", [[1_023, 3_072]], `1441${times("0", 60)}`],
  ])("%s", (_title, ranges, expected) => {
    expect(cells(ranges)).toBe(expected);
  });
});

describe("how full they are", () => {
  const ranges: readonly PortRange[] = [
    [1_024, 1_027],
    [2_048, 2_051],
    [65_532, 65_535],
  ];
  test.each<[string, readonly number[], string]>([
    ["nothing is in use", [], `011${times("0", 60)}1`],
    ["one of four", [1_024], `021${times("0", 60)}1`],
    ["two of four", [1_024, 1_027], `031${times("0", 60)}1`],
    ["three of four", [2_048, 2_049, 2_050], `013${times("0", 60)}1`],
    ["all", [65_532, 65_533, 65_534, 65_535, 2_051], `012${times("0", 60)}4`],
  ])("%s", (_title, used, expected) => {
    expect(useShades(ranges, countByCell(used)).join("")).toBe(expected);
  });

  test("a whole address", () => {
    expect(useShades(EVERY_PORT, countByCell(new Set([1]))).join("")).toBe(`2${times("1", 63)}`);
    const first = Array.from({ length: 1_023 }, (_, i) => i + 1);
    expect(useShades(EVERY_PORT, countByCell(first)).join("")).toBe(`4${times("1", 63)}`);
  });
});

describe("the line of text", () => {
  const shades = [0, 1, 2, 3, 4, ...new Array<0>(58).fill(0), 4] as const;
  test("in UTF-8", () => {
    expect(drawPorts(shades, "utf8")).toEqual([`| ░▒▓█${times(" ", 58)}█|`, ` 0${times(" ", 58)}65535`]);
  });

  test("in ASCII", () => {
    const [line, scale] = drawPorts(shades, "ascii");
    expect(line).toBe(`| .:+#${times(" ", 58)}#|`);
    expect([line.length, scale.length]).toEqual([PICTURE_COLUMNS, PICTURE_COLUMNS - 1]);
  });
});
