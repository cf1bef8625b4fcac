import { expect, test, vi } from "vitest";
import { execute } from "../../../../src/system/node/programs.ts";
import { makeRun } from "../../../../src/system/programs.ts";

const run = makeRun(execute);

test("gives standard output, passes input, and no shell sees the arguments", async () => {
  expect(await run("cat", [], { input: "text" })).toBe("text");
  expect(await run("printf", ["%s", "$(id); a b"])).toBe("$(id); a b");
});

test("failures name the command and hold its own words", async () => {
  await expect(run("ls", ["/nowhere"])).rejects.toThrow(/^ls \/nowhere: .*No such file/);
  // A directory on the way that may not be read would be another answer.
  vi.stubEnv("PATH", "/usr/bin:/bin");
  await expect(run("mapmin-no-such-program", [])).rejects.toThrow("not installed");
  vi.unstubAllEnvs();
});

test("a program that does not read its input is no error", async () => {
  expect(await run("true", [], { input: "x".repeat(1 << 20) })).toBe("");
});

test("a program that does not end is ended, and so named", async () => {
  await expect(run("sleep", ["60"], { limitMs: 50 })).rejects.toThrow("sleep 60: no end after 50 ms");
});

test("a program that fails, is killed, or cannot be started is so named", async () => {
  await expect(run("sh", ["-c", "echo words >&2; exit 3"])).rejects.toThrow(/: words$/);
  await expect(run("sh", ["-c", "exit 3"])).rejects.toThrow("exit code 3");
  await expect(run("sh", ["-c", "kill -9 $$"])).rejects.toThrow("ended by a signal");
  await expect(run("/", [])).rejects.toThrow(/EACCES/);
});

test("a program that prints without end is ended", async () => {
  await expect(run("yes", [])).rejects.toThrow("yes: printed more than 16777216 octets");
});

test("a program whose child holds its output open does not hold us", async () => {
  await expect(run("sh", ["-c", "sleep 2 & exec sleep 60"], { limitMs: 50 })).rejects.toThrow("no end after");
});
