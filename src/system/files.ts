/** Files, the same on both engines: written over the few calls that an engine gives. */

import { EffectError } from "../wire/errors.ts";
import { type FileStatus, SyscallError, type Syscalls } from "./syscalls.ts";
import type { Files } from "./system.ts";

/** Largest file that is read, octets; the state and control files we know are far smaller. */
const READ_LIMIT = 16 * 1024 * 1024;
const CHUNK = 65_536;
/** A lock that is older was left behind by a process that was killed, ms. */
const STALE_LOCK_MS = 10_000;

/** @param now the time, ms since 1970. */
export function makeFiles(calls: Syscalls, now: () => number): Files {
  const attempt = <T>(path: string, action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw new EffectError(path, error instanceof Error ? error.message : String(error));
    }
  };

  /** Does what may find that somebody else was first. @returns false then. */
  const unless = (kind: SyscallError["kind"], action: () => void): boolean => {
    try {
      action();
      return true;
    } catch (error) {
      if (error instanceof SyscallError && error.kind === kind) return false;
      throw error;
    }
  };

  const withFile = <T>(fd: number, action: (fd: number) => T): T => {
    try {
      return action(fd);
    } finally {
      calls.close(fd);
    }
  };

  const writeWhole = (fd: number, octets: Uint8Array): void => {
    for (let done = 0; done < octets.length; ) {
      const count = calls.write(fd, octets.subarray(done));
      if (count === 0) throw new Error(`only ${done} of ${octets.length} octets were written`);
      done += count;
    }
  };

  /** Makes a directory, and those above it, which only our own user may enter: whoever can open a file can lock it. */
  const makeDirectories = (path: string): void => {
    if (path === "" || calls.stat(path) !== undefined) return;
    makeDirectories(directoryOf(path));
    unless("file exists", () => calls.makeDirectory(path, 0o700));
  };

  /** Our own user: who else owns a file in a directory that everybody may write may be up to something. */
  const isOurs = (status: FileStatus): boolean =>
    status.kind === "file" &&
    status.links === 1 &&
    (status.owner === 0 || status.owner === calls.stat("/proc/self")?.owner);

  /** The log as it lies there, or undefined. @throws Error for what must not be opened. */
  const ownLog = (path: string): FileStatus | undefined => {
    const status = calls.lstat(path);
    if (status !== undefined && !isOurs(status)) throw new Error("is not a regular file of our own");
    return status;
  };

  /**
   * Moves a full log aside. The lock keeps two from doing so one after the other, the second with the new log: that would
   * cost the older one. Who does not get it appends to the full log, which is what it is for a moment longer.
   */
  const rotate = (path: string, lock: string, isFull: () => boolean): void => {
    makeDirectories(directoryOf(lock));
    const create = () => calls.close(calls.open(lock, "create", 0o600));
    if (!unless("file exists", create)) {
      const status = calls.lstat(lock);
      if (status !== undefined && isOurs(status) && Math.abs(now() - status.modified) < STALE_LOCK_MS) return;
      unless("no such file", () => calls.remove(lock));
      if (!unless("file exists", create)) return;
    }
    try {
      if (isFull()) calls.rename(path, `${path}.1`);
    } finally {
      unless("no such file", () => calls.remove(lock));
    }
  };

  /** A log of our own, opened. Between look and open nobody but us can put another file there (/tmp is sticky). */
  const openLog = (path: string): number => {
    for (let tries = 0; ; tries++) {
      let fd: number | undefined;
      const isThere = ownLog(path) !== undefined;
      unless(isThere ? "no such file" : "file exists", () => {
        fd = calls.open(path, isThere ? "append" : "create", 0o644);
      });
      if (fd !== undefined) return fd;
      if (tries > 100) throw new Error("is created and removed all the time");
    }
  };

  return {
    readText: (path, limit = READ_LIMIT) =>
      attempt(path, () => {
        const status = calls.stat(path);
        if (status === undefined) return undefined;
        if (status.kind !== "file") throw new Error("is not a regular file");
        return withFile(calls.open(path, "read"), (fd) => {
          // Files of /proc and /sys have no size: read until the end is seen.
          const text = new Collected(limit);
          for (;;) {
            const chunk = new Uint8Array(CHUNK);
            const count = calls.read(fd, chunk);
            if (count === 0) return calls.decode(text.whole());
            if (!text.add(chunk.subarray(0, count))) throw new Error(`larger than ${limit} octets`);
          }
        });
      }),

    replaceFile: (path, text) =>
      attempt(path, () => {
        makeDirectories(directoryOf(path));
        const temporary = `${path}.${calls.pid}`;
        // What a process of the same number left.
        unless("no such file", () => calls.remove(temporary));
        try {
          withFile(calls.open(temporary, "create", 0o600), (fd) => writeWhole(fd, calls.encode(text)));
          calls.rename(temporary, path);
        } catch (error) {
          unless("no such file", () => calls.remove(temporary));
          throw error;
        }
      }),

    writeOnce: (path, text) =>
      attempt(path, () =>
        withFile(calls.open(path, "write"), (fd) => {
          const octets = calls.encode(text);
          const count = calls.write(fd, octets);
          if (count !== octets.length) throw new Error(`took only ${count} of ${octets.length} octets`);
        }),
      ),

    removeFile: (path) => attempt(path, () => void unless("no such file", () => calls.remove(path))),

    namesIn: (path) =>
      attempt(path, () => (calls.stat(path) === undefined ? [] : [...calls.namesIn(path)].sort())),

    appendBounded: (path, record, { limit, lock }) =>
      attempt(path, () => {
        const octets = calls.encode(record);
        const isFull = () => {
          const size = ownLog(path)?.size ?? 0;
          return size > 0 && size + octets.length > limit;
        };
        if (isFull()) rotate(path, lock, isFull);
        withFile(openLog(path), (fd) => writeWhole(fd, octets));
      }),
  };
}

/** Octets that come in pieces, up to a limit. */
export class Collected {
  readonly #pieces: Uint8Array[] = [];
  readonly #limit: number;
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns false when it would be more than the limit; the piece is then left out. */
  add(piece: Uint8Array): boolean {
    if (this.#length + piece.length > this.#limit) return false;
    this.#length += piece.length;
    this.#pieces.push(piece);
    return true;
  }

  whole(): Uint8Array {
    const [first, second] = this.#pieces;
    if (first !== undefined && second === undefined) return first;
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }
}

function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
