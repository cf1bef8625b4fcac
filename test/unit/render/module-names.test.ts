import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { moduleRefusals } from "../../../src/render/module-counters.ts";

test("every counter of the module that counts a refusal has a meaning, and no other", () => {
  const source = readFileSync(
    fileURLToPath(new URL("../../../src/kmod/core/counters.c", import.meta.url)),
    "utf8",
  );
  const names = [...source.matchAll(/"(\w+)",$/gm)].map(([, name = ""]) => name);
  const refusals = names.filter((name) => /^drop_|^nat_(exhausted|filtered)$/.test(name));
  expect(Object.keys(moduleRefusals).sort()).toEqual(refusals.sort());
  expect(new Set(Object.values(moduleRefusals)).size).toBe(refusals.length);
});
