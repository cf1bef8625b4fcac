/** The 65,536 ports as one line of text: 64 cells of 1,024 ports each, and a scale below. */

import type { PortRange } from "./port-set.ts";

const CELLS = 64;
const CELL_PORTS = 1_024;

/** The ranges of an address that is not shared. Port 0 is given to no flow. */
export const EVERY_PORT: readonly PortRange[] = [[1, 65_535]];

/** How dark a cell is, from blank to full. */
export type Shade = 0 | 1 | 2 | 3 | 4;

const GLYPHS = { utf8: " \u2591\u2592\u2593\u2588", ascii: " .:+#" } as const;

/** Columns that a picture takes: its cells, and a bar at either end. */
export const PICTURE_COLUMNS = CELLS + 2;

const cellOf = (port: number): number => Math.floor(port / CELL_PORTS);

/** How many ports of each cell are in the ranges. */
function portsByCell(ranges: readonly PortRange[]): number[] {
  const cells = new Array<number>(CELLS).fill(0);
  for (const [low, high] of ranges) {
    for (let cell = cellOf(low); cell <= cellOf(high); cell++) {
      const first = Math.max(low, cell * CELL_PORTS);
      const last = Math.min(high, cell * CELL_PORTS + CELL_PORTS - 1);
      cells[cell] = (cells[cell] ?? 0) + last - first + 1;
    }
  }
  return cells;
}

/** Of each cell, how much is in the ranges: nothing (0), less than half (1), half or more (2), all (4). */
export function ownShades(ranges: readonly PortRange[]): readonly Shade[] {
  return portsByCell(ranges).map((ports, cell) => {
    const room = cell === 0 ? CELL_PORTS - 1 : CELL_PORTS;
    if (ports === 0) return 0;
    return ports >= room ? 4 : 2 * ports >= room ? 2 : 1;
  });
}

/** How many of these ports are in each cell. */
export function countByCell(ports: Iterable<number>): readonly number[] {
  const cells = new Array<number>(CELLS).fill(0);
  for (const port of ports) cells[cellOf(port)] = (cells[cellOf(port)] ?? 0) + 1;
  return cells;
}

/**
 * Of each cell, how many of its ports in the ranges are in use: it has none (0), nothing is in use (1), less than half (2),
 * half or more (3), all (4). `used` is {@link countByCell} of those in use.
 */
export function useShades(ranges: readonly PortRange[], used: readonly number[]): readonly Shade[] {
  return portsByCell(ranges).map((ports, cell) => {
    const count = used[cell] ?? 0;
    if (ports === 0) return 0;
    if (count === 0) return 1;
    return count >= ports ? 4 : 2 * count >= ports ? 3 : 2;
  });
}

/** The line of cells, and the scale. */
export function drawPorts(shades: readonly Shade[], form: keyof typeof GLYPHS): readonly [string, string] {
  const cells = shades.map((shade) => GLYPHS[form].charAt(shade)).join("");
  return [`|${cells}|`, ` 0${"65535".padStart(CELLS - 1)}`];
}
