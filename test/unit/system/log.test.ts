import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeFiles } from "../../../src/system/files.ts";
import { formatRecord, LOG_LIMIT, openLog } from "../../../src/system/log.ts";
import { syscalls } from "../../../src/system/node/syscalls.ts";

let directory: string;
let path: string;
let bound: { limit: number; lock: string };
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mapmin-log-"));
  path = join(directory, "map.log");
  bound = { limit: 100, lock: join(directory, "run/log.lock") };
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = new Date("2026-01-02T03:04:05.678Z");
const files = makeFiles(syscalls, Date.now);
const append = (record: string) => files.appendBounded(path, record, bound);

describe("the log", () => {
  test("has time, interface, outcome, step and detail on a line", () => {
    expect(formatRecord(at, "wan", "load", "ok", "nft -f -")).toBe(
      "2026-01-02T03:04:05Z wan ok load | nft -f -\n",
    );
    expect(formatRecord(at, "wan", "setup", "failed")).toBe("2026-01-02T03:04:05Z wan failed setup\n");
    expect(formatRecord(at, "wan", "renew", "note", "")).toBe("2026-01-02T03:04:05Z wan note renew\n");
  });

  test("keeps hostile text on its own line, and short", () => {
    const record = formatRecord(at, "wan", "x", "note", `a\n2026 wan ok\u001b[2J${"y".repeat(5000)}`);
    expect(record.indexOf("\n")).toBe(record.length - 1);
    expect(record).not.toContain("\u001b");
    expect(record.length).toBeLessThanOrEqual(2_001);
  });

  test("is bounded, with one older file, and leaves no lock", () => {
    bound.limit = LOG_LIMIT;
    for (let i = 0; i < 300; i++) append(`${"z".repeat(1_000)}\n`);
    expect(statSync(path).size).toBeLessThanOrEqual(LOG_LIMIT);
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(LOG_LIMIT);
    expect(readdirSync(directory).sort()).toEqual(["map.log", "map.log.1", "run"]);
    expect(readdirSync(join(directory, "run"))).toEqual([]);
  });

  test("while somebody else moves it aside, records go into the full one", () => {
    append("a".repeat(90));
    mkdirSync(join(directory, "run"));
    writeFileSync(bound.lock, "");
    append("b".repeat(90));
    expect(readFileSync(path, "utf8")).toHaveLength(180);
    // A lock that its owner did not live to take away.
    utimesSync(bound.lock, 1, 1);
    append("c".repeat(90));
    expect(readFileSync(path, "utf8")).toBe("c".repeat(90));
    expect(existsSync(bound.lock)).toBe(false);
  });

  test.each([
    ["a link", (victim: string) => symlinkSync(victim, path)],
    ["a link to nothing", () => symlinkSync(join(directory, "nothing"), path)],
    ["a second name of a file", (victim: string) => linkSync(victim, path)],
    ["a FIFO, which would hang us", () => execFileSync("mkfifo", [path])],
    ["a directory", () => mkdirSync(path)],
  ])("is not written through %s", (_what, put) => {
    const victim = join(directory, "victim");
    writeFileSync(victim, "untouched");
    put(victim);
    expect(() => append("x\n")).toThrow("is not a regular file of our own");
    expect(readFileSync(victim, "utf8")).toBe("untouched");
    expect(existsSync(join(directory, "nothing"))).toBe(false);
  });

  test("one that cannot be written goes to standard error", () => {
    const said: string[] = [];
    mkdirSync(path);
    const log = openLog({ files, now: () => at, stderr: (text) => said.push(text) }, "wan", path);
    log("step", "ok");
    expect(said).toEqual(["2026-01-02T03:04:05Z wan ok step\n"]);
  });

  test("takes 64 KiB at most, and its lock is where nobody but root may write", () => {
    const bounds: unknown[] = [];
    const appendBounded = (...call: unknown[]) => void bounds.push(call);
    const log = openLog({ files: { ...files, appendBounded }, now: () => at, stderr: () => {} }, "wan");
    log("step", "ok");
    expect(bounds).toEqual([
      [
        "/tmp/map.log",
        "2026-01-02T03:04:05Z wan ok step\n",
        { limit: 65_536, lock: "/var/run/mapmin/log.lock" },
      ],
    ]);
  });

  test("three writers that rotate at once lose no record of the last two files", async () => {
    const program = join(directory, "writer.mjs");
    await build({
      stdin: {
        contents: `
          import { makeFiles } from "./src/system/files.ts";
          import { syscalls } from "./src/system/node/syscalls.ts";
          const [path, lock, who] = process.argv.slice(2);
          const files = makeFiles(syscalls, Date.now);
          for (let i = 0; i < 400; i++) files.appendBounded(path, who + " " + i + "\\n", { limit: 2000, lock });`,
        resolveDir: process.cwd(),
      },
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: program,
    });
    await Promise.all(
      ["a", "b", "c"].map(
        (who) =>
          new Promise((resolve) => {
            spawn(process.execPath, [program, path, bound.lock, who], { stdio: "inherit" }).once(
              "exit",
              resolve,
            );
          }),
      ),
    );
    const kept = [`${path}.1`, path].map((file) => readFileSync(file, "utf8")).join("");
    // More than one file's worth, and of each writer the last records without a gap.
    expect(kept.length).toBeGreaterThan(1_900);
    for (const who of ["a", "b", "c"]) {
      const numbers = [...kept.matchAll(new RegExp(`^${who} (\\d+)$`, "gm"))].map(([, n]) => Number(n));
      const first = numbers[0] ?? 400;
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => first + i));
    }
  });
});
