/**
 * docs/architecture.md: the walk names files, functions and values. Each file has to exist and to define the function, and
 * each value has to be what the programs print for the walk's own option and prefix.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { runExplain } from "../../../src/cli/explain.ts";
import { runPlan } from "../../../src/cli/plan.ts";
import { makeTerminal } from "../cli/terminal.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const text = readFileSync(join(root, "docs/architecture.md"), "utf8");

function section(title: string): string {
  const found = text.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  if (found === undefined) throw new Error(`no section "${title}"`);
  return found;
}

const walk = section("A walk");
const lines = walk.split("\n").filter((line) => /^\d+\. /.test(line));
const quoted = lines.flatMap((line) => [...line.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""));
const isPath = (word: string) => /^(src|netifd-proto|files|docs|test)\//.test(word);

/** The text of a file, or of all the files in a folder. */
function sources(path: string): string {
  const full = join(root, path);
  if (!statSync(full).isDirectory()) return readFileSync(full, "utf8");
  return readdirSync(full)
    .map((name) => readFileSync(join(full, name), "utf8"))
    .join("\n");
}

describe("the walk", () => {
  test("has at most 15 lines", () => {
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.length).toBeLessThanOrEqual(15);
  });

  const functions = lines.flatMap((line) =>
    [...line.matchAll(/`([^`]+)` `([A-Za-z_]\w*)`/g)].map(
      ([, path = "", name = ""]) => [path, name] as const,
    ),
  );
  test.each(functions)("%s defines %s", (path, name) => {
    // In TypeScript a function or a table, in C a definition at the start of a line.
    const definition = new RegExp(`\\b(?:function|const) ${name}\\b|^[a-z][\\w \\t*]*\\b${name}\\(`, "m");
    expect(sources(path)).toMatch(definition);
  });

  const names = new Set(functions.map(([, name]) => name));
  const values = quoted.filter((word) => !isPath(word) && !names.has(word));
  test("every value is what the programs print", () => {
    const [code = "", option = ""] = values;
    const prefix = /`([0-9a-f:]+\/\d+)`/.exec(walk)?.[1] ?? "";
    const explained = makeTerminal();
    const length = (option.length / 2).toString(16).padStart(4, "0");
    expect(runExplain([code + length + option, "--pd", prefix], explained)).toBe(0);
    const planned = makeTerminal();
    expect(runPlan(["--option", option, "--pd", prefix, "--json"], planned)).toBe(0);
    const script = makeTerminal();
    expect(runPlan(["--option", option, "--pd", prefix, "--nft"], script)).toBe(0);
    const { control } = JSON.parse(planned.out());
    const typed = [code, option, "nft -f -", "option nat 'nftables'"];
    const printed = [...typed, explained.out(), script.out(), ...control].join("\n").replaceAll(/\s+/g, " ");
    expect(values.length).toBeGreaterThan(12);
    for (const part of values.flatMap((value) => value.split(" ..."))) expect(printed).toContain(part.trim());
  });
});

test("every file and folder that is named exists", () => {
  const named = [...text.matchAll(/`([^`\s]+)`/g)].map((match) => match[1] ?? "").filter(isPath);
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("the glossary is in order, and each term has one row", () => {
  const terms = [...section("Glossary").matchAll(/^\| \*\*([^*]+)\*\*/gm)].map((match) => match[1] ?? "");
  expect(terms.length).toBeGreaterThan(20);
  const byName = (a: string, b: string) => a.toLowerCase().localeCompare(b.toLowerCase(), "en");
  expect(terms).toEqual([...new Set(terms)].sort(byName));
});
