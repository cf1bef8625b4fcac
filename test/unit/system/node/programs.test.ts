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
