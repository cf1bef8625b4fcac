import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { EffectError } from "../../wire/errors.ts";

/** Largest file that is read, octets; the state and control files we know are far smaller. */
const READ_LIMIT = 16 * 1024 * 1024;

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new EffectError(path, error instanceof Error ? error.message : String(error));
  }
}

/** The text of a file, or undefined when there is none. @throws EffectError when it is there and cannot be read. */
export function readText(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  return attempt(path, () => {
    const fd = openSync(path, "r");
    try {
      // Files of /proc and /sys have no size: read until the end is seen.
      const chunks: Buffer[] = [];
      let total = 0;
      for (;;) {
        const chunk = Buffer.alloc(65_536);
        const count = readSync(fd, chunk);
        if (count === 0) break;
        total += count;
        if (total > READ_LIMIT) throw new Error(`larger than ${READ_LIMIT} octets`);
        chunks.push(chunk.subarray(0, count));
      }
      return Buffer.concat(chunks).toString("utf8");
    } finally {
      closeSync(fd);
    }
  });
}

/** Writes a file whole or not at all, with mode 0600, making its directory. @throws EffectError */
export function replaceFile(path: string, text: string): void {
  attempt(path, () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const temporary = `${path}.new`;
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, "wx", 0o600);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  });
}

/** One write() to a file of /proc or /sys, whose error is the kernel's answer. @throws EffectError */
export function writeOnce(path: string, text: string): void {
  attempt(path, () => {
    const fd = openSync(path, constants.O_WRONLY);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  });
}

/** Removes a file; one that is not there is no error. @throws EffectError */
export function removeFile(path: string): void {
  attempt(path, () => rmSync(path, { force: true }));
}

/** Names in a directory, sorted; none when there is no such directory. @throws EffectError */
export function namesIn(path: string): readonly string[] {
  return existsSync(path) ? attempt(path, () => readdirSync(path).sort()) : [];
}

/** Appends one record to a log file, moving it to `PATH.1` first when it would grow above `limit` octets. */
export function appendBounded(path: string, record: string, limit: number): void {
  // The log is in a directory that everybody may write: never follow somebody's link out of it.
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  attempt(path, () => {
    let fd = openSync(path, flags, 0o644);
    try {
      if (fstatSync(fd).size + Buffer.byteLength(record) > limit) {
        renameSync(path, `${path}.1`);
        closeSync(fd);
        fd = openSync(path, flags, 0o644);
      }
      writeSync(fd, record);
    } finally {
      closeSync(fd);
    }
  });
}
