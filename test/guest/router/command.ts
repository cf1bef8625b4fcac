/** Programs of the guest: run to their end, or kept running until stopped. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/** A program that ended with something else than 0, or never started. */
export class CommandError extends Error {
  constructor(argv: readonly string[], what: string) {
    super(`${argv.join(" ")}: ${what}`);
  }
}

/** What a program printed and how it ended; for callers to whom a failure is an answer. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** With `test/run -v`: each command, with the namespace that it runs in (`within`, or ip's own -n). */
function tell(argv: readonly string[], input = ""): void {
  if ((process.env["guest_verbose"] ?? "") === "") return;
  const inside = argv[0] === "ip" && argv[1] === "netns" && argv[2] === "exec";
  const namespace = inside ? argv[3] : argv[0] === "ip" && argv[1] === "-n" ? argv[2] : "";
  console.log(`[${namespace}] ${(inside ? argv.slice(4) : argv).join(" ")}`);
  for (const line of input === "" ? [] : input.trimEnd().split("\n"))
    console.log(`[${namespace}] <<< ${line}`);
}

/** Runs a program to its end, whatever that is. `timeoutMs` bounds it. */
export function attempt(argv: readonly string[], input = "", timeoutMs = 240_000): Outcome {
  tell(argv, input);
  const [program = "", ...args] = argv;
  const done = spawnSync(program, args, {
    input,
    encoding: "utf8",
    timeout: timeoutMs,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (done.error !== undefined) throw new CommandError(argv, done.error.message);
  return { code: done.status ?? 128, stdout: done.stdout, stderr: done.stderr };
}

/** Runs a program and gives its standard output. @throws CommandError with what it said. */
export function run(argv: readonly string[], input = ""): string {
  const { code, stdout, stderr } = attempt(argv, input);
  if (code !== 0) throw new CommandError(argv, `exit ${code}: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}

/** The same program inside a network namespace. */
export function within(namespace: string, argv: readonly string[]): readonly string[] {
  return ["ip", "netns", "exec", namespace, ...argv];
}

/** A program running beside the guest's own; what it prints goes to a file. */
export interface Daemon {
  readonly child: ChildProcess;
  readonly logFile: string;
  /** SIGTERM, then waits for the end. */
  stop(): Promise<void>;
}

export function start(argv: readonly string[], logFile: string, env: NodeJS.ProcessEnv = {}): Daemon {
  tell(argv);
  const [program = "", ...args] = argv;
  const log = openSync(logFile, "a");
  const child = spawn(program, args, { stdio: ["ignore", log, log], env: { ...process.env, ...env } });
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  return {
    child,
    logFile,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * How long a step is waited for. On a busy machine a guest takes seconds to start a program, and a setup on QuickJS starts
 * one for each ubus call; where all is well a wait costs nothing.
 */
export const PATIENCE_MS = 120_000;

/** Looking takes the processor from what is waited for: less and less often. */
const PAUSES = { first: 50, last: 500 };

/** Looks again until there is an answer. @throws Error naming `what` after `timeoutMs`. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (let pause = PAUSES.first; ; pause = Math.min(2 * pause, PAUSES.last)) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await sleep(pause);
  }
}
