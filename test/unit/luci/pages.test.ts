/** The pages' files: lint, and the rule that data is text. LuCI's modules end with a `return`, which no linter reads by itself. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { required } from "../../luci/load.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const resources = join(root, "files/www/luci-static/resources");
const files = readdirSync(resources, { recursive: true, encoding: "utf8" }).filter((path) =>
  path.endsWith(".js"),
);
const text = (path: string) => readFileSync(join(resources, path), "utf8");

/** Each file as a function of the modules that it names. */
let wrapped: string;
beforeAll(() => {
  wrapped = mkdtempSync(join(root, ".luci-"));
  for (const path of files) {
    const source = text(path).replaceAll(/^"(use strict|require .*)";\n/gm, "");
    const names = ["E", "_", ...required(text(path)).map(([, as]) => as)];
    const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(source) || name === "_");
    writeFileSync(
      join(wrapped, path.replaceAll("/", "-")),
      `export function module(${used.join(", ")}) {\n${source}\n}\nexport const unused = ${JSON.stringify(
        names.filter((name) => !used.includes(name) && name !== "E"),
      )};\n`,
    );
  }
});
afterAll(() => rmSync(wrapped, { recursive: true, force: true }));

test("the linter finds nothing", () => {
  const { status, stdout, stderr } = spawnSync(
    join(root, "node_modules/.bin/biome"),
    [
      "lint",
      "--vcs-enabled=false",
      "--error-on-warnings",
      // The last argument of a module is there where it is not used.
      "--skip=correctness/noUnusedFunctionParameters",
      wrapped,
    ],
    { cwd: root, encoding: "utf8" },
  );
  expect(stdout + stderr).toContain(`Checked ${files.length} files`);
  expect(status, stdout + stderr).toBe(0);
});

describe.each(files)("%s", (path) => {
  test("requires what it uses, and nothing else", () => {
    expect(readFileSync(join(wrapped, path.replaceAll("/", "-")), "utf8")).toContain("unused = [];");
  });

  test("makes no HTML of text: E() is given its contents in a list", () => {
    const source = text(path);
    expect(source).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\bnew Function\b|\beval\(/,
    );
    // E(name, attributes, contents): contents that are not a list, or a list that a method gives, would be HTML.
    const contents = [...source.matchAll(/\bE\("\w+", (?:\{[^}]*\}), ([^\n]*)/g)].map(
      ([, after = ""]) => after,
    );
    expect(contents.filter((after) => !after.startsWith("["))).toEqual([]);
    expect(source).not.toMatch(/\bE\("\w+", [^{\n]/);
  });
});
