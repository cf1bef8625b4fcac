/** docs/router.md has a row for each finding of the doctor, and for nothing else. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, "utf8");

test("each finding is a row of docs/router.md, and has a row in the tests", () => {
  const sources = [
    "src/cli/doctor.ts",
    ...readdirSync(`${root}src/doctor`).map((name) => `src/doctor/${name}`),
  ];
  const codes = sources.flatMap((path) =>
    [...read(path).matchAll(/(?:fault\(|code:)\s*"([A-Z0-9_]+)"/g)].map(([, code = ""]) => code),
  );
  const manual = read("docs/router.md").split("\n## Find out what is wrong\n")[1]?.split("\n## ")[0] ?? "";
  const rows = manual.split("\n").filter((line) => line.startsWith("| `"));
  const told = rows.flatMap((line) => [...line.matchAll(/`([A-Z0-9_]+)`/g)].map(([, code = ""]) => code));
  const sorted = (words: readonly string[]) => [...new Set(words)].sort();
  expect(codes.length).toBeGreaterThan(40);
  expect(sorted(told)).toEqual(sorted(codes));
  const tests = read("test/unit/cli/doctor.test.ts");
  expect(sorted(codes).filter((code) => !tests.includes(code))).toEqual([]);
});
