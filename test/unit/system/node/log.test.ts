import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appendBounded } from "../../../../src/system/node/files.ts";
import { formatRecord, LOG_LIMIT, openLog } from "../../../../src/system/node/log.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mapmin-log-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = new Date("2026-01-02T03:04:05.678Z");

describe("the log", () => {
  test("has time, interface, outcome, step and detail on a line", () => {
    expect(formatRecord(at, "wan", "load", "ok", "nft -f -")).toBe(
      "2026-01-02T03:04:05Z wan ok load | nft -f -\n",
    );
    expect(formatRecord(at, "wan", "setup", "failed")).toBe("2026-01-02T03:04:05Z wan failed setup\n");
  });

  test("keeps hostile text on its own line, and short", () => {
    const record = formatRecord(at, "wan", "x", "note", `a\n2026 wan ok\u001b[2J${"y".repeat(5000)}`);
    expect(record.indexOf("\n")).toBe(record.length - 1);
    expect(record).not.toContain("\u001b");
    expect(record.length).toBeLessThanOrEqual(2_001);
  });

  test("is bounded, with one older file", () => {
    const path = join(directory, "map.log");
    const log = openLog("wan", path, () => at);
    for (let i = 0; i < 300; i++) log("step", "ok", "z".repeat(1_000));
    expect(statSync(path).size).toBeLessThanOrEqual(LOG_LIMIT);
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(LOG_LIMIT);
    expect(() => statSync(`${path}.2`)).toThrow();
  });

  test("never follows a link out of its directory", () => {
    const victim = join(directory, "victim");
    writeFileSync(victim, "untouched");
    symlinkSync(victim, join(directory, "map.log"));
    expect(() => appendBounded(join(directory, "map.log"), "x\n", 100)).toThrow();
    expect(readFileSync(victim, "utf8")).toBe("untouched");
  });
});
