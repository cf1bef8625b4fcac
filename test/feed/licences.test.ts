/**
 * The licences of other people's code in the bundle: MIT and ISC want their text beside every copy. What is in a bundle is
 * asked of the bundler, so a dependency that is new in it fails here until its licence is shipped.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const shipped = join(root, "files/usr/lib/mapmin/LICENSES");

/** The packages that a bundle of any of our sources holds. */
async function bundledPackages(): Promise<string[]> {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: sources
      .filter((path) => path.endsWith(".ts") && !path.includes("/test/") && !path.includes("node_modules"))
      .map((path) => join("src", path)),
    bundle: true,
    metafile: true,
    write: false,
    outdir: "unused",
    platform: "node",
    format: "esm",
    external: ["os", "std"],
    logLevel: "silent",
  });
  const names = Object.keys(metafile.inputs).map(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1],
  );
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

test("each has its licence's text in the package, word for word, and is named in the Makefile", async () => {
  const packages = await bundledPackages();
  expect(packages).toContain("zod");
  expect(readdirSync(shipped).sort()).toEqual(packages.map((name) => name.replace("/", "+")));
  const makefile = readFileSync(join(root, "Makefile"), "utf8");
  const named = (variable: string) =>
    new RegExp(`^${variable}:=(.*)$`, "m").exec(makefile)?.[1]?.split(" ") ?? [];
  expect(named("PKG_LICENSE_FILES")).toEqual([
    "LICENSE",
    ...readdirSync(shipped).map((name) => `LICENSES/${name}`),
  ]);
  const licences = packages.map((name) => {
    const directory = join(root, "node_modules", name);
    const text = readFileSync(join(shipped, name.replace("/", "+")), "utf8");
    expect(text).toBe(readFileSync(join(directory, "LICENSE"), "utf8"));
    return JSON.parse(readFileSync(join(directory, "package.json"), "utf8")).license;
  });
  expect(named("PKG_LICENSE").sort()).toEqual([...new Set(["GPL-2.0-only", ...licences])].sort());
});
