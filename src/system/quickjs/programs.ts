import { Collected } from "../files.ts";
import { type Ending, type Execute, OUTPUT_LIMIT } from "../programs.ts";
import type { Environment } from "../system.ts";
import type { Os } from "./engine.ts";
import { decode, encode } from "./utf8.ts";

/** Where programs are looked for when PATH is not set. */
const DEFAULT_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
/** What a pipe that select() calls writable takes without waiting, octets: PIPE_BUF of Linux. */
const PIECE = 4_096;
const CHUNK = 65_536;
/** Longest wait for the end of a program that was killed: one that the kernel holds must not hold us, ms. */
const KILLED_MS = 1_000;
/** Pauses between two looks whether a program has ended whose output has, ms. */
const PAUSES = { first: 1, last: 50 };
/** The same number on every architecture of Linux; `os` does not have it. */
const SIGKILL = 9;

/** Programs by `os.exec`: an argv, pipes, and an end by the clock. */
export function makeExecute(os: Os, environment: Environment): Execute {
  const running = new Set<number>();
  let watching = false;

  /** The wait status of a program that has ended, and undefined for one that runs. */
  const ended = (pid: number): number | undefined => {
    const [found, status] = os.waitpid(pid, os.WNOHANG);
    if (found === 0) return undefined;
    running.delete(pid);
    return found === pid ? status : 0;
  };

  /** Our own end is the end of what we have started: an nft left alone would load its table after the next teardown. */
  const watchTermination = (): void => {
    if (watching) return;
    watching = true;
    os.signal(os.SIGTERM, () => {
      for (const pid of running) os.kill(pid, SIGKILL);
      for (let waited = 0; running.size > 0 && waited < KILLED_MS; waited += 2) {
        for (const pid of [...running]) ended(pid);
        if (running.size > 0) os.sleep(2);
      }
      os.signal(os.SIGTERM, null);
      os.kill(os.getpid(), os.SIGTERM);
    });
  };

  const isProgram = (path: string): boolean => {
    const [found] = os.stat(path);
    return found !== null && (found.mode & os.S_IFMT) === os.S_IFREG && (found.mode & 0o111) !== 0;
  };
  /** A child that cannot be executed says so by exit code 127 alone, so that it is looked for beforehand. */
  const find = (file: string): string | undefined =>
    file.includes("/")
      ? [file].find(isProgram)
      : (environment["PATH"] || DEFAULT_PATH)
          .split(":")
          .map((directory) => `${directory || "."}/${file}`)
          .find(isProgram);

  return (file, argv, input, limitMs) => {
    watchTermination();
    return new Promise((resolve) => {
      const stdout = new Collected(OUTPUT_LIMIT);
      const stderr = new Collected(OUTPUT_LIMIT);
      const fail = (ending: Ending) => resolve({ ending, stdout: "", stderr: "" });
      const program = find(file);
      if (program === undefined) return fail({ how: "missing" });
      const pipes: [number, number][] = [];
      for (let i = 0; i < 3; i++) {
        const pipe = os.pipe();
        if (pipe !== null) pipes.push(pipe);
      }
      const [toChild, fromOut, fromErr] = pipes;
      const closeAll = (fds: readonly number[]) => {
        for (const fd of fds) os.close(fd);
      };
      if (toChild === undefined || fromOut === undefined || fromErr === undefined) {
        closeAll(pipes.flat());
        return fail({ how: "refused", why: "Too many open files" });
      }
      let pid: number;
      try {
        const fds = { stdin: toChild[0], stdout: fromOut[1], stderr: fromErr[1] };
        pid = os.exec([file, ...argv], { block: false, usePath: false, file: program, ...fds });
      } catch (error) {
        closeAll(pipes.flat());
        return fail({ how: "refused", why: error instanceof Error ? error.message : String(error) });
      }
      running.add(pid);
      closeAll([toChild[0], fromOut[1], fromErr[1]]);

      const reading = new Set<number>();
      let writing: number | undefined = toChild[1];
      const stopWriting = () => {
        if (writing === undefined) return;
        os.setWriteHandler(writing, null);
        os.close(writing);
        writing = undefined;
      };
      const stopReading = (fd: number) => {
        os.setReadHandler(fd, null);
        os.close(fd);
        reading.delete(fd);
      };
      const end = (ending: Ending) => {
        os.clearTimeout(limit);
        stopWriting();
        resolve({ ending, stdout: decode(stdout.whole()), stderr: decode(stderr.whole()) });
      };
      let stopped: Ending | undefined;
      const reap = (pause: number, left: number) => {
        const status = ended(pid);
        if (status !== undefined) {
          // The low seven bits are the signal that ended it.
          const signal = status & 0x7f;
          return end(
            stopped ?? (signal === 0 ? { how: "exit", code: (status >> 8) & 0xff } : { how: "signal" }),
          );
        }
        if (stopped !== undefined && left <= 0) return end(stopped);
        os.setTimeout(() => reap(Math.min(2 * pause, PAUSES.last), left - pause), pause);
      };
      const stop = (ending: Ending) => {
        if (stopped !== undefined) return;
        stopped = ending;
        os.kill(pid, SIGKILL);
        // A program of its own may hold its output open: nobody reads it any more.
        const looking = reading.size === 0;
        for (const fd of reading) stopReading(fd);
        if (!looking) reap(PAUSES.first, KILLED_MS);
      };
      const limit = os.setTimeout(() => stop({ how: "late" }), limitMs);

      for (const [fd, kept] of [
        [fromOut[0], stdout],
        [fromErr[0], stderr],
      ] as const) {
        reading.add(fd);
        os.setReadHandler(fd, () => {
          const buffer = new ArrayBuffer(CHUNK);
          const count = os.read(fd, buffer, 0, CHUNK);
          if (count > 0) {
            // Some programs, nft among them, write a few octets at a time: the rest of the buffer is not kept.
            if (!kept.add(new Uint8Array(buffer.slice(0, count)))) stop({ how: "flood" });
            return;
          }
          stopReading(fd);
          if (reading.size === 0) reap(PAUSES.first, KILLED_MS);
        });
      }
      const octets = encode(input);
      let sent = 0;
      const send = () => {
        if (writing === undefined) return;
        if (sent < octets.length) {
          const length = Math.min(PIECE, octets.length - sent);
          const count = os.write(writing, octets.buffer, octets.byteOffset + sent, length);
          sent += count;
          // A program that ends before it has read everything is no error.
          if (count >= 0 && sent < octets.length) return;
        }
        stopWriting();
      };
      if (octets.length === 0) stopWriting();
      else os.setWriteHandler(toChild[1], send);
    });
  };
}
