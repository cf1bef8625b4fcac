import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { printLine, progress } from "../../../src/cli/lively.ts";
import { runRules } from "../../../src/cli/rules.ts";
import { makeTerminal } from "./terminal.ts";

const vector = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../vectors/rules/${name}`, import.meta.url)), "utf8");

function screen(isTerminal: boolean, environment: Readonly<Record<string, string>> = {}) {
  const terminal = makeTerminal("", 20);
  return { ...terminal, isTerminal, environment, control: terminal.stdout };
}

test.each([
  ["a terminal", screen(true), "\u001b[31mbad\u001b[m\n"],
  ["NO_COLOR that is empty", screen(true, { NO_COLOR: "" }), "\u001b[31mbad\u001b[m\n"],
  ["NO_COLOR", screen(true, { NO_COLOR: "1" }), "bad\n"],
  ["a file", screen(false), "bad\n"],
])("colours on %s", (_title, where, expected) => {
  printLine(where, "bad", "red");
  expect(where.out()).toBe(expected);
});

test("without a colour nothing is told to the terminal", () => {
  const where = screen(true);
  printLine(where, "plain");
  expect(where.out()).toBe("plain\n");
});

test("progress is on one line of a terminal, and is wiped away; a file has none of it", () => {
  const where = screen(true);
  progress(where, "row 1000 of 20000, and on");
  progress(where);
  expect(where.out()).toBe("\r\u001b[Krow 1000 of 20000, \r\u001b[K");
  const file = screen(false);
  progress(file, "row 1000 of 20000");
  progress(file);
  expect(file.out()).toBe("");
});

test("rules check says how far it is, each 500 rows, and tells by colour whether all is well", () => {
  const check = (text: string, isTerminal: boolean) => {
    const where = screen(isTerminal, {});
    const files = { readText: () => text };
    return { code: runRules(["check", "/r"], { ...where, files }), out: where.out() };
  };
  const rows = Array.from({ length: 501 }, (_, i) => `2001:db8:${i.toString(16)}::/48,192.0.2.0/24,8`);
  const table = ["# br = 2001:db8:ffff::1", "ruleIpv6Prefix,ruleIpv4Prefix,eaLength", ...rows].join("\n");
  const { code, out } = check(table, true);
  expect(code).toBe(0);
  expect(out.startsWith("\r\u001b[Krow 500 of 501\r\u001b[Kline 3: ")).toBe(true);
  expect(out.endsWith("\n\n\u001b[32m501 good rows, 0 faults\u001b[m\n")).toBe(true);
  expect(check(vector("bad.csv"), true).out.endsWith("\u001b[31m3 good rows, 5 faults\u001b[m\n")).toBe(true);
  expect(check(table, false).out).not.toContain("\u001b");
});
