/** Boots the lab kernel for one guest program, passes on what it prints, and gives its exit code. */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface Guest {
  /** The kernel: the program `linux` of the lab tree. */
  readonly kernel: string;
  /** The project's directory and the cache, as the machine has them. */
  readonly project: string;
  readonly cache: string;
  /** The guest program, relative to the cache, and its arguments (no spaces inside one). */
  readonly program: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  readonly onLine: (line: string) => void;
}

const EXIT_MARKER = /^@@lab-exit (\d+)$/;

/** @throws Error when the guest gave no exit code: it panicked, hung, or never came up. */
export function boot(guest: Guest): Promise<number> {
  const child = spawn(
    guest.kernel,
    [
      "mem=1536M",
      "root=/dev/root",
      "rootfstype=hostfs",
      "rootflags=/",
      // A mistake in the guest would be a mistake on the machine.
      "ro",
      "init=/bin/sh",
      "con=null",
      "con0=null,fd:1",
      "quiet",
      "panic=-1",
      `lab_project=${guest.project}`,
      `lab_cache=${guest.cache}`,
      `lab_node=${process.execPath}`,
      `lab_program=${guest.program}`,
      `lab_args="${guest.args.join(" ")}"`,
      "--",
      `${guest.project}/test/lab/guest-init.sh`,
    ],
    // A group of its own: User Mode Linux runs as several processes.
    { stdio: ["ignore", "pipe", "pipe"], detached: true },
  );
  return new Promise((resolve, reject) => {
    let code: number | undefined;
    let timedOut = false;
    const last: string[] = [];
    const stop = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      stop();
    }, guest.timeoutMs);
    process.once("exit", stop);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (raw) => {
        const line = raw.replace(/\r+$/, "");
        const marker = EXIT_MARKER.exec(line);
        if (marker !== null) {
          code = Number(marker[1]);
          return;
        }
        last.push(line);
        if (last.length > 40) last.shift();
        guest.onLine(line);
      });
    }
    child.once("error", reject);
    child.once("close", () => {
      clearTimeout(timer);
      process.removeListener("exit", stop);
      stop();
      if (code !== undefined) resolve(code);
      else if (timedOut) reject(new Error(`the guest did not end within ${guest.timeoutMs / 1000} s`));
      else reject(new Error(`the guest ended without an exit code; its last lines:\n${last.join("\n")}`));
    });
  });
}
