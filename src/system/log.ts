import type { Log, Outcome } from "../engine/host.ts";
import { STATE_DIRECTORY } from "../engine/state.ts";
import { printable } from "../wire/printable.ts";
import type { System } from "./system.ts";

/** Where people read what happened. */
export const LOG_PATH = "/tmp/map.log";
/** Most the log takes, octets, beside one older file of the same size. */
export const LOG_LIMIT = 64 * 1024;
/** Beside the state: nobody but root may write there. */
const LOG_LOCK = `${STATE_DIRECTORY}/log.lock`;
/** Most one record takes, characters: input that is quoted must not push everything else out. */
const RECORD_LIMIT = 2_000;

/** One record as text: a line of its own, whatever the input it quotes. */
export function formatRecord(
  time: Date,
  iface: string,
  what: string,
  outcome: Outcome,
  detail?: string,
): string {
  const stamp = time.toISOString().replace(/\.\d+/, "");
  const tail = detail === undefined || detail === "" ? "" : ` | ${detail}`;
  return `${printable(`${stamp} ${iface} ${outcome} ${what}${tail}`, RECORD_LIMIT)}\n`;
}

/** A log for one interface. A log that cannot be written never stops the work: the record goes to standard error. */
export function openLog(
  system: Pick<System, "files" | "now" | "stderr">,
  iface: string,
  path = LOG_PATH,
): Log {
  return (what, outcome, detail) => {
    const record = formatRecord(system.now(), iface, what, outcome, detail);
    try {
      system.files.appendBounded(path, record, { limit: LOG_LIMIT, lock: LOG_LOCK });
    } catch {
      system.stderr(record);
    }
  };
}
