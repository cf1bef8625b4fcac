"use strict";
"require baseclass";

/**
 * The 65,536 ports as a square: 256 rows of 256 ports, port 0 at the top left. From what `mapminctl status --json` says of an
 * interface to the outlines that a picture has. Nothing here knows the page.
 */

const SIDE = 256;
const LAST = 65535;
/** Where all ports are ours there are no ranges: then `cells` counts the ports in use, by so many. */
const CELL = 1024;

const isPort = (value) => Number.isInteger(value) && value >= 0 && value <= LAST;
const countAt = (list, index) => (Number.isInteger(list?.[index]) ? list[index] : null);

/** The ports that are ours, as `{ low, high, size, used }`; `used` is null where it is not known. */
function blocks(report) {
  const inUse = report.inUse ?? null;
  const block = (low, high, used) => ({ low, high, size: high - low + 1, used });
  if (Array.isArray(report.ranges) && report.ranges.length > 0)
    return report.ranges
      .map(([low, high], index) => block(low, high, countAt(inUse?.ranges, index)))
      .filter(({ low, high }) => isPort(low) && isPort(high) && low <= high);
  if (report.ports !== LAST) return [];
  // Port 0 is given to no flow.
  return Array.from({ length: (LAST + 1) / CELL }, (_, index) =>
    block(Math.max(index * CELL, 1), (index + 1) * CELL - 1, countAt(inUse?.cells, index)),
  );
}

/** How full a block is: nothing in use or not known (0), less than half (1), half or more (2), all (3). */
function level({ size, used }) {
  if (used === null || used === 0) return 0;
  if (used >= size) return 3;
  return 2 * used < size ? 1 : 2;
}

function rectangle(port, width, height) {
  return `M${port % SIDE} ${Math.floor(port / SIDE)}h${width}v${height}h${-width}z`;
}

/** The outline of a block, as the `d` of an SVG path: a block that does not begin or end with a row has up to three parts. */
function outline({ low, high }) {
  const parts = [];
  let from = low;
  while (from <= high) {
    const rows = from % SIDE === 0 ? Math.floor((high - from + 1) / SIDE) : 0;
    const width = rows > 0 ? SIDE : Math.min(SIDE - (from % SIDE), high - from + 1);
    parts.push(rectangle(from, width, Math.max(rows, 1)));
    from += width * Math.max(rows, 1);
  }
  return parts.join("");
}

/** One path for each level: however many ranges there are, the picture has four elements. */
function paths(list) {
  const found = ["", "", "", ""];
  for (const block of list) found[level(block)] += outline(block);
  return found;
}

/** The block that a port is in, or undefined. */
function blockOf(list, port) {
  return list.find(({ low, high }) => port >= low && port <= high);
}

return baseclass.extend({ SIDE, blocks, level, paths, blockOf });
