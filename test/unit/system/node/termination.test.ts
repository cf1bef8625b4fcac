import { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Execute } from "../../../../src/system/programs.ts";

let execute: Execute;
beforeAll(async () => {
  // It handles SIGTERM from the first program on: another file's test may have started one.
  vi.resetModules();
  ({ execute } = await import("../../../../src/system/node/programs.ts"));
});

const undo: (() => void)[] = [];
afterEach(() => {
  for (const action of undo.splice(0)) action();
});

/** A limit of time that comes when a test says so. */
const HELD_LIMIT = 61_001;

/**
 * Timers of exactly a second, which is the wait for a program that was killed, and of `HELD_LIMIT` are kept for the test to
 * run.
 */
function heldTimers() {
  const held: (() => void)[] = [];
  const real = globalThis.setTimeout;
  const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation(((action: () => void, ms: number) => {
    if (ms !== 1_000 && ms !== HELD_LIMIT) return real(action, ms);
    held.push(action);
    return real(() => {}, 0);
  }) as typeof setTimeout);
  undo.push(() => spy.mockRestore());
  return held;
}

/** Our own end, which must not come about. */
function ownEnd() {
  const kill = vi.spyOn(process, "kill").mockReturnValue(true);
  undo.push(() => kill.mockRestore());
  return kill.mock.calls;
}

/** Programs that signals do not end. */
function undying() {
  const kills: unknown[][] = [];
  const spy = vi.spyOn(ChildProcess.prototype, "kill").mockImplementation((...call: unknown[]) => {
    kills.push(call);
    return true;
  });
  undo.push(() => spy.mockRestore());
  return kills;
}

const until = async (done: () => boolean) => {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
};

describe("SIGTERM", () => {
  let handlers: [string, () => void][];
  let terminate: () => void;
  beforeAll(async () => {
    const once = vi.spyOn(process, "once").mockReturnThis();
    await execute("true", [], "", 5_000);
    await execute("true", [], "", 5_000);
    handlers = once.mock.calls.slice() as unknown as typeof handlers;
    terminate = handlers[0]?.[1] ?? (() => {});
    once.mockRestore();
  });

  test("has one handler for all programs", () => {
    expect(handlers.map(([signal]) => signal)).toEqual(["SIGTERM"]);
  });

  test("ends us where no program runs", () => {
    const held = heldTimers();
    const ends = ownEnd();
    terminate();
    expect(ends).toEqual([[process.pid, "SIGTERM"]]);
    expect(held).toEqual([]);
  });

  test("ends the programs that run, and us once the last of them has ended", async () => {
    heldTimers();
    const ends = ownEnd();
    const { kill } = ChildProcess.prototype;
    let dying = 1;
    // The second program takes its time.
    const kills = vi.spyOn(ChildProcess.prototype, "kill").mockImplementation(function (
      this: ChildProcess,
      signal,
    ) {
      return dying-- > 0 ? kill.call(this, signal) : true;
    });
    undo.push(() => kills.mockRestore());
    const first = execute("sleep", ["2"], "", 60_000);
    const second = execute("sleep", ["0.2"], "", 60_000);
    try {
      terminate();
      expect(kills.mock.calls).toEqual([["SIGKILL"], ["SIGKILL"]]);
      expect((await first).ending).toEqual({ how: "signal" });
      expect(ends).toEqual([]);
    } finally {
      // Their end is ours, if that is not what a test stands in for.
      await Promise.all([first, second]);
    }
    expect(ends).toEqual([[process.pid, "SIGTERM"]]);
  });

  test("ends us after a second though a program does not die", async () => {
    const held = heldTimers();
    const ends = ownEnd();
    undying();
    const program = execute("sleep", ["0.1"], "", 60_000);
    try {
      terminate();
      expect(ends).toEqual([]);
      expect(held).toHaveLength(1);
      held[0]?.();
      expect(ends).toEqual([[process.pid, "SIGTERM"]]);
    } finally {
      await program;
    }
  });
});

test("a program that does not die of being killed is left alone after a second", async () => {
  const directory = mkdtempSync(join(tmpdir(), "mapmin-termination-"));
  undo.push(() => rmSync(directory, { recursive: true, force: true }));
  const mark = join(directory, "begun");
  const held = heldTimers();
  const kills = undying();
  const ended = execute("sh", ["-c", 'echo begun; : >"$1"; exec sleep 0.8', "sh", mark], "", HELD_LIMIT);
  // What was printed before is there to be read now: it has been after some turns.
  await until(() => existsSync(mark));
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve));
  const [limit] = held;
  limit?.();
  expect(kills).toEqual([["SIGKILL"]]);
  held[1]?.();
  const soon = await Promise.race([ended, new Promise((resolve) => setImmediate(resolve))]);
  expect(soon).toEqual({ ending: { how: "late" }, stdout: "begun\n", stderr: "" });
});

test("a program that is ended for its output is not ended again for its time", async () => {
  const held = heldTimers();
  const kills = undying();
  const script = "trap '' PIPE; head -c 17000000 /dev/zero 2>/dev/null; exec sleep 0.8";
  const ended = execute("sh", ["-c", script], "", HELD_LIMIT);
  // The limit, and after the flood the wait for its end.
  await until(() => held.length === 2);
  expect(kills).toEqual([["SIGKILL"]]);
  const [limit, wait] = held;
  limit?.();
  expect(kills).toEqual([["SIGKILL"]]);
  expect(held).toHaveLength(2);
  wait?.();
  expect((await ended).ending).toEqual({ how: "flood" });
});
