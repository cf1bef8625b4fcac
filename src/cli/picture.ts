/** The picture of the ports, where there is somebody to look at it. */

import { drawPorts, PICTURE_COLUMNS, type Shade } from "../map/port-picture.ts";
import type { System } from "../system/system.ts";

/** What has to be known of where a picture is shown. */
export type Screen = Pick<System, "isTerminal" | "columns" | "environment">;

const INDENT = "  ";

/** The first of these that is set and not empty names the character set (POSIX, Base Definitions 8.2). */
function speaksUtf8({ environment }: Screen): boolean {
  const locale = environment["LC_ALL"] || environment["LC_CTYPE"] || environment["LANG"] || "";
  return /utf-?8/i.test(locale);
}

/** The lines of the picture; none where standard output is not a terminal, or is too narrow. */
export function pictureLines(screen: Screen, shades: () => readonly Shade[]): readonly string[] {
  if (!screen.isTerminal || screen.columns < INDENT.length + PICTURE_COLUMNS) return [];
  return drawPorts(shades(), speaksUtf8(screen) ? "utf8" : "ascii").map((line) => INDENT + line);
}
