/** What went wrong, in words: for netifd and the state file, and for the log. A bug of ours says that it is one. */

import { MapminError, messageOf } from "../wire/errors.ts";

const BUG = "this is a bug in mapmin, please report it";

/** The code and the sentence that netifd and the state file are given for a failure. */
export function explained(error: unknown): { readonly code: string; readonly text: string } {
  if (error instanceof MapminError) return { code: error.code, text: error.message };
  return { code: "INTERNAL_ERROR", text: `${BUG}: ${messageOf(error)}` };
}

/** What the log is told of a failure: of a bug also where it happened. */
export function forLog(error: unknown): string {
  if (error instanceof MapminError) return error.message;
  return `${BUG}: ${error instanceof Error ? error.stack : String(error)}`;
}
