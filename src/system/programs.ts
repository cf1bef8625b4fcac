/** Other programs: how they end, in the words that both engines share. */

import { EffectError } from "../wire/errors.ts";
import { PATIENCE_MS, type System } from "./system.ts";

/** Most output that is kept of each stream, octets: a full conntrack table of a large router. */
export const OUTPUT_LIMIT = 16 * 1024 * 1024;

/** How a program ended. */
export type Ending =
  | { readonly how: "exit"; readonly code: number }
  | { readonly how: "signal" }
  /** It was ended by us: it took longer than it may, or printed more. */
  | { readonly how: "late" }
  | { readonly how: "flood" }
  /** There is no such program, or the kernel would not start it. */
  | { readonly how: "missing" }
  | { readonly how: "refused"; readonly why: string };

export interface Ended {
  readonly ending: Ending;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Never rejects. */
export type Execute = (
  file: string,
  argv: readonly string[],
  input: string,
  limitMs: number,
) => Promise<Ended>;

/** Why a program's end is a failure, or undefined when it is none. */
export function failureOf({ ending, stderr }: Ended, limitMs: number): string | undefined {
  switch (ending.how) {
    case "exit":
      return ending.code === 0 ? undefined : stderr.trim() || `exit code ${ending.code}`;
    case "signal":
      return stderr.trim() || "ended by a signal";
    case "late":
      return `no end after ${limitMs} ms`;
    case "flood":
      return `printed more than ${OUTPUT_LIMIT} octets`;
    case "missing":
      return "not installed";
    case "refused":
      return ending.why;
  }
}

export function makeRun(execute: Execute): System["run"] {
  return async (file, argv, { input = "", limitMs = PATIENCE_MS } = {}) => {
    const ended = await execute(file, argv, input, limitMs);
    const why = failureOf(ended, limitMs);
    if (why !== undefined) throw new EffectError(`${file} ${argv.join(" ")}`.trim(), why);
    return ended.stdout;
  };
}
