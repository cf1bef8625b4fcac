// Bundles the lab's programs for Node 20, which runs no TypeScript, into CACHE/lab. Usage: bundle.mjs CACHE
import { build } from "esbuild";

const [cache] = process.argv.slice(2);
if (cache === undefined) throw new Error("usage: bundle.mjs CACHE");

await build({
  entryPoints: {
    host: "test/lab/host.ts",
    scenario: "test/lab/scenario.ts",
    traffic: "test/lab/traffic.ts",
    netifd: "test/lab/netifd-service.ts",
    lease: "test/lab/lease.ts",
  },
  outdir: `${cache}/lab`,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "warning",
});
