/** `test/run` itself, and the commands that the documents tell a reader to type. */

import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parts, suites } from "../suites.mjs";

const project = fileURLToPath(new URL("../../", import.meta.url));
const text = (path: string) => readFileSync(`${project}${path}`, "utf8");
const { scripts } = JSON.parse(text("package.json")) as { scripts: Record<string, string> };

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program from the project's directory. Tests run several at once: most of each is a start. */
function ended(command: string, words: readonly string[], environment: Record<string, string> = {}) {
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(command, words, { cwd: project, env: { ...process.env, ...environment } });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (part: string) => {
        said[name] += part;
      });
    }
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, ...said }));
  });
}

function testRun(words: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  return ended("test/run", words, environment);
}

describe.concurrent("test/run", () => {
  test("every suite has a name of its own, says what it shows, and is started by a program that exists", () => {
    expect(new Set(suites.map(({ name }) => name)).size).toBe(suites.length);
    for (const { name, shows, seconds, part, command } of suites) {
      expect(shows, name).not.toBe("");
      expect(seconds, name).toBeGreaterThan(0);
      expect([...parts, "more"], name).toContain(part);
      for (const word of command.filter((argument) => argument.startsWith("test/"))) {
        expect(readdirSync(`${project}${word.slice(0, word.lastIndexOf("/"))}`), name).toContain(
          word.slice(word.lastIndexOf("/") + 1),
        );
      }
    }
  });

  test("--list names every suite", async () => {
    const { status, stdout } = await testRun(["--list"]);
    expect(status).toBe(0);
    for (const { name, shows } of suites)
      expect(stdout).toMatch(new RegExp(`^  ${name} .*${shows.slice(0, 20)}`, "m"));
  });

  test("without a name it runs the four parts, in their order", async () => {
    const { stdout } = await testRun(["--plan"]);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(":")[0]),
    ).toEqual(parts.flatMap((part) => suites.filter((row) => row.part === part).map(({ name }) => name)));
  });

  test.each([
    [["relay"], 'there is no suite "relay": did you mean "relays"? test/run --list shows all'],
    [["modul-nat"], 'there is no suite "modul-nat": did you mean "module-nat"? test/run --list shows all'],
    [["--frobnicate"], "there is no option --frobnicate"],
    [["-k"], "-k needs a value"],
    [["--repeat", "0", "relays"], "--repeat takes a whole number above 0"],
    [["-k", "x", "lint"], "lint has no cases to choose from by -k"],
  ])("%j is refused: %s", async (words, message) => {
    const { status, stdout, stderr } = await testRun(words);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(`test/run: ${message}`);
  });

  test.each([
    ["COUNT", "0"],
    ["COUNT", "many"],
    ["SEED", "-1"],
    ["ROUNDS", ""],
  ])("%s=%j is refused", async (name, value) => {
    const { status, stderr } = await testRun(["--plan", "module"], { [name]: value });
    expect(status).toBe(2);
    expect(stderr).toMatch(new RegExp(`test/run: ${name}: expected a whole number from [01]`));
  });
});

describe.concurrent("commands in documents", () => {
  const documents = ["README.md", "CONTRIBUTING.md", "test/README.md", "src/kmod/README.md"];
  const all = documents.map(text).join("\n");
  const found = (pattern: RegExp) => [
    ...new Set([...all.matchAll(pattern)].map(([, words = ""]) => words.trim())),
  ];

  const named = found(/npm (?:run )?((?:test|demo|bench|fuzz|kmod|check|format|build)[a-z0-9:]*)/g);
  const typed = found(
    /test\/run ((?:-k [a-z]+ |-v |--repeat \d+ )?[a-z][a-z0-9-]*(?: [a-z][a-z-]*)*)(?=`| {2}|$)/gm,
  );

  test.each(named)("npm run %s is a script", (name) => {
    expect(Object.keys(scripts)).toContain(name);
  });

  test("what npm's scripts and test/run are to run exists", async () => {
    const scripted = named.flatMap((name) => /^sh test\/run (.+)$/.exec(scripts[name] ?? "")?.[1] ?? []);
    const words = [...scripted, ...typed.filter((line) => !line.startsWith("-"))];
    expect(words.length).toBeGreaterThan(15);
    // One start for all: a name that is not known is said.
    const { status, stderr } = await testRun([
      "--plan",
      ...new Set(words.flatMap((line) => line.split(" "))),
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  test.each(typed.filter((line) => line.startsWith("-")))("test/run %s runs something", async (words) => {
    expect(await testRun(["--plan", ...words.split(" ")])).toMatchObject({ status: 0, stderr: "" });
  });

  test.each(found(/npx vitest run (test\/[a-z/-]+)/g))(
    "npx vitest run %s finds tests, and they pass",
    async (path) => {
      const { status, stdout } = await ended("npx", ["vitest", "run", path]);
      expect(stdout).toMatch(/Tests .*passed/);
      expect(status).toBe(0);
    },
  );
});
