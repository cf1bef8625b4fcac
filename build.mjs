// Builds the one file that goes on the router. `--test-programs` is not its concern: the lab bundles its own.
import { readFileSync } from "node:fs";
import { build } from "esbuild";

const { version } = JSON.parse(readFileSync(new URL("./package.json", import.meta.url), "utf8"));

/** Largest bundle the router's flash is asked for, in octets. */
const BUNDLE_LIMIT = 100 * 1024;

const { metafile } = await build({
  entryPoints: ["src/main.ts"],
  outfile: "dist/mapmin.mjs",
  bundle: true,
  minify: true,
  // Class names reach people in error texts.
  keepNames: false,
  format: "esm",
  platform: "node",
  target: "node20",
  legalComments: "none",
  define: { MAPMIN_VERSION: JSON.stringify(version) },
  banner: { js: "#!/usr/bin/env node" },
  metafile: true,
  logLevel: "warning",
});

const { bytes } = metafile.outputs["dist/mapmin.mjs"];
console.log(`dist/mapmin.mjs ${bytes} octets`);
if (bytes > BUNDLE_LIMIT) {
  console.error(`dist/mapmin.mjs is ${bytes} octets, more than the ${BUNDLE_LIMIT} a router is asked for`);
  process.exit(1);
}
