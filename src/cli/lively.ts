/** Colours, and how far a command has come: where somebody looks, and nowhere else. */

import type { Control, System } from "../system/system.ts";
import type { Screen } from "./picture.ts";

/** Where it is shown. */
export type LivelyScreen = Screen & Pick<System, "stdout" | "control">;

export type Colour = "red" | "green";
const COLOURS = { red: "\u001b[31m", green: "\u001b[32m" } as const satisfies Record<Colour, Control>;

/** Prints a line, in a colour if it is a terminal whose user has not set NO_COLOR (no-color.org). */
export function printLine(screen: LivelyScreen, text: string, colour?: Colour): void {
  const shown = colour !== undefined && screen.isTerminal && !screen.environment["NO_COLOR"];
  if (shown) screen.control(COLOURS[colour]);
  screen.stdout(text);
  if (shown) screen.control("\u001b[m");
  screen.stdout("\n");
}

/** Says what takes its time, in the place of what was said before; without words it is wiped away. */
export function progress(screen: LivelyScreen, text = ""): void {
  if (!screen.isTerminal) return;
  screen.control("\r\u001b[K");
  screen.stdout(text.slice(0, screen.columns - 1));
}
