/** biome.json keeps imports going downward: main, cli, doctor, engine, render and provision, map, dhcpv6, ip, wire. */

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const biome = join(root, "node_modules/.bin/biome");

/** File, what it imports, and the rule that must refuse it; none where the import is right. */
const rows = [
  ["src/wire/a.ts", "../ip/text.ts", "noRestrictedImports"],
  ["src/ip/a.ts", "../wire/errors.ts", undefined],
  ["src/ip/b.ts", "../map/plan.ts", "noRestrictedImports"],
  ["src/dhcpv6/a.ts", "../ip/text.ts", undefined],
  ["src/dhcpv6/b.ts", "../map/model.ts", "noRestrictedImports"],
  ["src/map/a.ts", "../dhcpv6/node.ts", undefined],
  ["src/map/b.ts", "../render/nft.ts", "noRestrictedImports"],
  ["src/map/c.ts", "node:fs", "noNodejsModules"],
  ["src/provision/a.ts", "../map/model.ts", undefined],
  ["src/provision/b.ts", "../render/nft.ts", "noRestrictedImports"],
  ["src/render/a.ts", "../map/plan.ts", undefined],
  ["src/render/b.ts", "../provision/uci.ts", "noRestrictedImports"],
  ["src/render/c.ts", "../engine/host.ts", "noRestrictedImports"],
  ["src/engine/a.ts", "../render/nft.ts", undefined],
  ["src/engine/b.ts", "../system/node/log.ts", "noRestrictedImports"],
  ["src/engine/c.ts", "../cli/io.ts", "noRestrictedImports"],
  ["src/engine/d.ts", "ubus-client-ts", "noRestrictedImports"],
  ["src/engine/e.ts", "../doctor/check.ts", "noRestrictedImports"],
  ["src/doctor/a.ts", "../engine/state.ts", undefined],
  ["src/doctor/b.ts", "../system/node/log.ts", "noRestrictedImports"],
  ["src/doctor/c.ts", "../cli/io.ts", "noRestrictedImports"],
  ["src/cli/c.ts", "../doctor/check.ts", undefined],
  ["src/system/node/a.ts", "../../engine/host.ts", undefined],
  ["src/system/node/b.ts", "../../cli/io.ts", "noRestrictedImports"],
  ["src/cli/a.ts", "../system/node/log.ts", undefined],
  ["src/cli/b.ts", "../main.ts", "noRestrictedImports"],
  ["src/map/circle.ts", "./elcric.ts", "noImportCycles"],
  ["src/map/elcric.ts", "./circle.ts", "noImportCycles"],
] as const;

/** The rules that biome says a file breaks, by file. */
function broken(directory: string): ReadonlyMap<string, readonly string[]> {
  const { stdout } = spawnSync(biome, ["lint", "--reporter=json", "--max-diagnostics=none", "."], {
    cwd: directory,
    encoding: "utf8",
  });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: readonly { category: string; location: { path: string } }[];
  };
  const found = new Map<string, string[]>();
  for (const { category, location } of diagnostics) {
    const rules = found.get(location.path) ?? [];
    rules.push(category.split("/").at(-1) ?? "");
    found.set(location.path, rules);
  }
  return found;
}

test("a file that imports upward is refused, one that imports downward is not", () => {
  const directory = mkdtempSync(join(tmpdir(), "mapmin-layers-"));
  try {
    execFileSync("git", ["init", "-q", directory]);
    for (const file of ["biome.json", ".gitignore"]) cpSync(join(root, file), join(directory, file));
    for (const [file, target] of rows) {
      mkdirSync(dirname(join(directory, file)), { recursive: true });
      writeFileSync(join(directory, file), `import { x } from "${target}";\n\nexport const y = x;\n`);
    }
    const found = broken(directory);
    for (const [file, target, rule] of rows) {
      expect([file, target, found.get(file) ?? []]).toEqual([file, target, rule === undefined ? [] : [rule]]);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
