/** What a program prints, and its exit code, when an error ends it. */

import { MapminError } from "../wire/errors.ts";
import { Exit } from "./io.ts";

/** The text for standard error, and the exit code. An error that we do not declare ourselves is a bug in mapmin. */
export function endOf(error: unknown, version: string): { readonly text: string; readonly code: number } {
  if (error instanceof MapminError) return { text: `${error.message}\n`, code: Exit.badInput };
  // Node begins a stack with the message, QuickJS does not.
  const what = String(error);
  const frames = error instanceof Error ? (error.stack ?? "").replace(`${what}\n`, "").trimEnd() : "";
  const lines = [what, frames].filter((line) => line !== "").join("\n");
  return {
    text: `this is a bug in mapmin ${version}, please report it with these lines:\n${lines}\n`,
    code: Exit.bug,
  };
}
