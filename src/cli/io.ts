export type { Io } from "../system/system.ts";

/** Exit codes of every program of ours. `bug` is EX_SOFTWARE, the internal error of BSD's sysexits.h. */
export const Exit = { ok: 0, badInput: 1, usage: 2, bug: 70 } as const;
