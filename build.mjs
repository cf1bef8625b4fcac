// Builds the one file that goes on the router. The lab bundles its own programs.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { minify } from "terser";

const { version } = JSON.parse(readFileSync(new URL("./package.json", import.meta.url), "utf8"));

/** Largest bundle the router's flash is asked for, in octets. */
const BUNDLE_LIMIT = 128 * 1024;

const { outputFiles } = await build({
  entryPoints: ["src/main.ts"],
  bundle: true,
  minify: true,
  format: "esm",
  platform: "node",
  target: "node20",
  legalComments: "none",
  define: { MAPMIN_VERSION: JSON.stringify(version) },
  banner: { js: "#!/usr/bin/env node" },
  write: false,
  logLevel: "warning",
});

// What terser still finds is 1.7 KB of a router's flash.
const { code = "" } = await minify(outputFiles[0]?.text ?? "", {
  module: true,
  ecma: 2020,
  compress: { passes: 3, unsafe_methods: true, pure_getters: true },
  format: { comments: false, shebang: true },
});
mkdirSync("dist", { recursive: true });
writeFileSync("dist/mapmin.mjs", `${code}\n`);

const octets = Buffer.byteLength(code) + 1;
console.log(`dist/mapmin.mjs ${octets} octets`);
if (octets > BUNDLE_LIMIT) {
  console.error(`dist/mapmin.mjs is ${octets} octets, more than the ${BUNDLE_LIMIT} a router is asked for`);
  process.exit(1);
}
