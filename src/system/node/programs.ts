import { type ChildProcess, spawn } from "node:child_process";
import { Collected } from "../files.ts";
import { type Ended, type Ending, type Execute, OUTPUT_LIMIT } from "../programs.ts";
import { syscalls } from "./syscalls.ts";

/** Longest wait for the end of a program that was killed: one that the kernel holds must not hold us, ms. */
const KILLED_MS = 1_000;

const running = new Set<ChildProcess>();
let watching = false;

/** Our own end is the end of what we have started: an nft left alone would load its table after the next teardown. */
function watchTermination(): void {
  if (watching) return;
  watching = true;
  process.once("SIGTERM", () => {
    const end = () => process.kill(process.pid, "SIGTERM");
    if (running.size === 0) {
      end();
      return;
    }
    setTimeout(end, KILLED_MS);
    for (const child of running) {
      child.once("exit", () => {
        running.delete(child);
        if (running.size === 0) end();
      });
      child.kill("SIGKILL");
    }
  });
}

export const execute: Execute = (file, argv, input, limitMs) => {
  watchTermination();
  return new Promise((resolve) => {
    const stdout = new Collected(OUTPUT_LIMIT);
    const stderr = new Collected(OUTPUT_LIMIT);
    let stopped: Ending | undefined;
    let waiting: NodeJS.Timeout | undefined;
    const child = spawn(file, argv);
    const end = (ending: Ending) => {
      clearTimeout(limit);
      clearTimeout(waiting);
      running.delete(child);
      const ended: Ended = {
        ending,
        stdout: syscalls.decode(stdout.whole()),
        stderr: syscalls.decode(stderr.whole()),
      };
      resolve(ended);
    };
    const stop = (ending: Ending) => {
      if (stopped !== undefined) return;
      stopped = ending;
      child.kill("SIGKILL");
      // A program of its own may hold its output open: nobody reads it any more.
      child.stdout.destroy();
      child.stderr.destroy();
      waiting = setTimeout(() => end(ending), KILLED_MS);
    };
    const limit = setTimeout(() => stop({ how: "late" }), limitMs);
    running.add(child);
    for (const [stream, kept] of [
      [child.stdout, stdout],
      [child.stderr, stderr],
    ] as const) {
      stream.on("data", (piece: Buffer) => {
        if (!kept.add(piece)) stop({ how: "flood" });
      });
    }
    child.once("error", (error: NodeJS.ErrnoException) =>
      end(error.code === "ENOENT" ? { how: "missing" } : { how: "refused", why: error.message }),
    );
    child.once("close", (code) =>
      end(stopped ?? (code === null ? { how: "signal" } : { how: "exit", code })),
    );
    // A program that ends before it has read everything must not end us with EPIPE.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
};
