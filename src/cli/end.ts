/** What a program prints, and its exit code, when an error ends it. */

import { MapminError } from "../wire/errors.ts";
import { Exit } from "./io.ts";

/** The text for standard error, and the exit code. An error that we do not declare ourselves is a bug in mapmin. */
export function endOf(error: unknown, version: string): { readonly text: string; readonly code: number } {
  if (error instanceof MapminError) return { text: `${error.message}\n`, code: Exit.badInput };
  const stack = error instanceof Error ? error.stack : String(error);
  return {
    text: `this is a bug in mapmin ${version}, please report it with these lines:\n${stack}\n`,
    code: Exit.bug,
  };
}
