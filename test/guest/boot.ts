/** Boots a kernel of the lab for one guest program, passes on what it prints, and gives its exit code. */

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

export interface Guest {
  /** The kernel: the program `linux` of a tree of the lab. */
  readonly kernel: string;
  /** The project's directory and the cache, as the machine has them. */
  readonly project: string;
  readonly cache: string;
  /**
   * The directory of this machine that is the guest's root. In one that is not this machine's own, the guest finds this
   * machine's files below /machine.
   */
  readonly root: string;
  /** The memory that the guest has, as the kernel reads it, for example 768M. */
  readonly memory: string;
  /** The guest program and its arguments (no space or comma in one). */
  readonly argv: readonly string[];
  /** Whether a writable layer lies over the machine's files; the project is then /lab/project, the cache /lab/cache. */
  readonly layer: boolean;
  /** A guest that says nothing for so long is ended. Seconds in which the machine stood still do not count. */
  readonly silentSeconds: number;
  /**
   * Which of the machine's processors has the guest, counted from 0 among those that we may use; without it, what
   * MAPMIN_PROCESSOR says, or the one that is idle most.
   */
  readonly processor?: number;
  readonly onLine: (line: string) => void;
}

/** What `test/run` was asked for reaches the guest by words of the kernel's command line. */
const passedOn = { guest_case: "MAPMIN_CASE", guest_verbose: "MAPMIN_VERBOSE", guest_count: "COUNT" };

const EXIT_MARKER = /^@@guest-exit (\d+)$/;

/** What a process has done so far, or undefined when there is none. */
function work(pid: number): { readonly state: string; readonly seconds: number } | undefined {
  try {
    // proc(5): the name, in brackets, may have spaces; state is field 3, utime and stime are fields 14 and 15.
    const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(/\) (.*)/s);
    const fields = rest.split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { state: fields[0] ?? "?", seconds: ticks / 100 };
  } catch {
    return undefined;
  }
}

/** The numbers in a list as the kernel writes it, for example 0-3,8. */
function listed(text: string): readonly number[] {
  return text.split(",").flatMap((part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Ticks of idleness of each processor so far, by its number: proc(5), field 4 of /proc/stat. */
function idleTicks(): ReadonlyMap<number, number> {
  const rows = readFileSync("/proc/stat", "utf8").matchAll(/^cpu(\d+) \d+ \d+ \d+ (\d+)/gm);
  return new Map([...rows].map(([, processor, idle]) => [Number(processor), Number(idle)]));
}

/** How long we look for the processor that is idle most. */
const LOOK_MS = 200;

/** How many processors a guest has, where its kernel can have more than one. */
const PROCESSORS = Number(process.env["MAPMIN_GUEST_PROCESSORS"] ?? 1);

/**
 * The processor for a guest that has one. User Mode Linux is a process for itself and one for each program in it, which wake
 * each other at every system call: spread over two processors, they need four times as long.
 */
async function processorFor(guest: Guest): Promise<number | undefined> {
  const several = () => /^CONFIG_SMP=y$/m.test(readFileSync(join(dirname(guest.kernel), ".config"), "utf8"));
  if (PROCESSORS > 1 && several()) return undefined;
  const [, allowed = "0"] =
    /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  const processors = listed(allowed);
  const named = guest.processor ?? process.env["MAPMIN_PROCESSOR"];
  if (named !== undefined) return processors[Number(named) % processors.length];
  const before = idleTicks();
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  const after = idleTicks();
  const idle = (processor: number) => (after.get(processor) ?? 0) - (before.get(processor) ?? 0);
  return processors.reduce((best, one) => (idle(one) > idle(best) ? one : best));
}

/** Lines of each answer of a guest's kernel that are worth telling. */
const TOLD = 150;

/**
 * Where the guest's kernel is, from outside: one that spins answers nothing. User Mode Linux takes a fault on an address
 * of its own that is not mapped again and again, so whoever uses freed memory of a module looks like this.
 */
function whereIs(pid: number): string {
  const argv = ["-batch", "-nx", "-p", `${pid}`, "-ex", "info registers pc", "-ex", "backtrace 30"];
  const { stdout, error } = spawnSync("gdb", argv, { encoding: "utf8", timeout: 60_000 });
  return error === undefined ? `gdb:\n${stdout.trimEnd()}` : `gdb cannot be run: ${error.message}`;
}

/** What is to be known of a guest that did not come to its end. */
function autopsy(pid: number, guest: Guest, directory: string, seconds: number): string {
  const ask = (command: string) => {
    const argv = [`${guest.project}/test/guest/mconsole.py`, `${directory}/lab/mconsole`, command];
    const { stdout, stderr } = spawnSync("python3", argv, { encoding: "utf8", timeout: 30_000 });
    return `${command}: ${stdout}${stderr}`.trimEnd().split("\n").slice(0, TOLD).join("\n");
  };
  const now = work(pid);
  const busy = now === undefined ? "gone" : `state ${now.state}, ${(now.seconds - seconds).toFixed(1)} s`;
  // All levels are let through to the console first; then: tasks that are blocked, timers, tasks.
  ask("sysrq 9");
  const answers = ["w", "q", "t"].map((key) => ask(`sysrq ${key}`));
  answers.push(whereIs(pid));
  return `its process: ${busy} of processor time in the last minute\n${answers.join("\n")}`;
}

/** The guest said nothing any more: all that is to be known of it then. */
export class Frozen extends Error {}

/** @throws Frozen, or Error when the guest gave no exit code for another reason: it panicked, or never came up. */
export async function boot(guest: Guest): Promise<number> {
  const processor = await processorFor(guest);
  const directory = mkdtempSync(join(tmpdir(), "mapmin-lab-"));
  const init = `${guest.project}/test/guest/init.sh`;
  const child = spawn(
    processor === undefined ? guest.kernel : "taskset",
    [
      ...(processor === undefined ? [] : ["-c", `${processor}`, guest.kernel]),
      `uml_dir=${directory}`,
      "umid=lab",
      `mem=${guest.memory}`,
      "root=/dev/root",
      "rootfstype=hostfs",
      `rootflags=${guest.root}`,
      // A mistake in the guest would be a mistake on the machine.
      "ro",
      "init=/bin/sh",
      "con=null",
      "con0=null,fd:1",
      "quiet",
      "panic=-1",
      // Linux 7 knows these words; older ones skip them.
      `ncpus=${PROCESSORS}`,
      "seccomp=on",
      "log_buf_len=4M",
      ...(guest.layer
        ? ["guest_layer=1", `guest_project=${guest.project}`, `guest_cache=${guest.cache}`]
        : []),
      `guest_run=${guest.argv.join(",")}`,
      ...Object.entries(passedOn).flatMap(([word, name]) => {
        const value = process.env[name] ?? "";
        return value === "" ? [] : [`${word}="${value}"`];
      }),
      "--",
      // Where the root is not this machine's, its shell has to mount this machine's files before it finds the script there.
      ...(guest.root === "/"
        ? [init]
        : ["-c", `"mount -t hostfs -o ro,/ machine /machine && exec /bin/sh /machine${init}"`]),
    ],
    // A group of its own: User Mode Linux runs as several processes. They begin as copies of the first one, and unmap what it
    // had: where that takes away what its C library has asked the machine's kernel to write into (rseq), they are killed.
    {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, GLIBC_TUNABLES: "glibc.pthread.rseq=0" },
    },
  );
  return new Promise((resolve, reject) => {
    let code: number | undefined;
    let hung: string | undefined;
    const last: string[] = [];
    const stop = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
      rmSync(directory, { recursive: true, force: true });
    };
    // By ticks: after a pause of the whole machine a timer of the whole time would be due at once.
    let silent = 0;
    let minute = 0;
    const timer = setInterval(() => {
      silent += 1;
      if (child.pid === undefined) return;
      if (silent === guest.silentSeconds - 60) minute = work(child.pid)?.seconds ?? 0;
      if (silent < guest.silentSeconds) return;
      clearInterval(timer);
      const until = [...last];
      hung = `${autopsy(child.pid, guest, directory, minute)}\nits last lines before:\n${until.join("\n")}`;
      stop();
    }, 1_000);
    process.once("exit", stop);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (raw) => {
        const line = raw.replace(/\r+$/, "");
        const marker = EXIT_MARKER.exec(line);
        if (marker !== null) {
          code = Number(marker[1]);
          return;
        }
        silent = 0;
        last.push(line);
        if (last.length > 40) last.shift();
        guest.onLine(line);
      });
    }
    child.once("error", (error) => {
      clearInterval(timer);
      stop();
      reject(error);
    });
    child.once("close", () => {
      clearInterval(timer);
      process.removeListener("exit", stop);
      stop();
      if (code !== undefined) resolve(code);
      else if (hung !== undefined)
        reject(new Frozen(`the guest said nothing for ${guest.silentSeconds} s; ${hung}`));
      else reject(new Error(`the guest ended without an exit code; its last lines:\n${last.join("\n")}`));
    });
  });
}

/**
 * A guest that freezes is booted once more, and `onFrozen` is told why: not seen since the stacks of tasks are out of
 * vmalloc's reach (config.fragment). With our module on a stack, or at an address that no symbol tells of, as where a module was,
 * it is a failure like any other.
 * @throws as `boot` does, the second time also Frozen
 */
export async function bootOnceMoreIfFrozen(guest: Guest, onFrozen: (why: string) => void): Promise<number> {
  try {
    return await boot(guest);
  } catch (error) {
    if (!(error instanceof Frozen) || /\[mapmint\]|^#0 .* in \?\? \(\)/m.test(error.message)) throw error;
    onFrozen(error.message);
    return boot(guest);
  }
}
