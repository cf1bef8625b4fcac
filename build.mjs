// Builds the three files that go on the router; each runs on Node and on QuickJS. The lab bundles its own programs.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { minify } from "terser";

const { version } = JSON.parse(readFileSync(new URL("./package.json", import.meta.url), "utf8"));

/** Most that the router's flash is asked for, in octets. */
const LIMITS = { handler: 110 * 1024, tools: 200 * 1024, seldom: 130 * 1024 };

mkdirSync("dist", { recursive: true });
for (const [name, limit] of Object.entries(LIMITS)) {
  const { outputFiles } = await build({
    entryPoints: [`src/${name}.ts`],
    bundle: true,
    minify: true,
    // A script with neither import nor export: CommonJS to Node, which starts 20 ms sooner so, and a script to QuickJS.
    // In a function: what is global is slower to reach on QuickJS.
    format: "iife",
    platform: "node",
    target: "node20",
    // QuickJS's modules, loaded on QuickJS alone.
    external: ["os", "std"],
    legalComments: "none",
    // `global` is a name of Node's for what every engine has.
    define: { MAPMIN_VERSION: JSON.stringify(version), global: "globalThis" },
    write: false,
    logLevel: "warning",
  });
  // What terser still finds is 1.7 KB of a router's flash.
  const { code = "" } = await minify(outputFiles[0]?.text ?? "", {
    ecma: 2020,
    compress: { passes: 3, unsafe_methods: true, pure_getters: true },
    format: { comments: false },
  });
  writeFileSync(`dist/${name}.cjs`, `${code}\n`);
  const octets = Buffer.byteLength(code) + 1;
  console.log(`dist/${name}.cjs ${octets} octets`);
  if (octets > limit) {
    console.error(`dist/${name}.cjs is ${octets} octets, more than the ${limit} that a router is asked for`);
    process.exitCode = 1;
  }
}
