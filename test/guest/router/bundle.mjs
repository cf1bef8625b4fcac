// Bundles the lab's programs for Node 20, which runs no TypeScript, into CACHE/lab. Usage: bundle.mjs CACHE
import { build } from "esbuild";

const [cache] = process.argv.slice(2);
if (cache === undefined) throw new Error("usage: bundle.mjs CACHE");

await build({
  entryPoints: {
    host: "test/guest/router/host.ts",
    scenario: "test/guest/router/scenario.ts",
    traffic: "test/guest/router/traffic.ts",
    netifd: "test/guest/router/netifd-service.ts",
    lease: "test/guest/router/lease.ts",
    upnpd: "test/guest/router/upnpd.ts",
    ubus: "test/guest/router/ubus-service.ts",
  },
  outdir: `${cache}/lab`,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "warning",
});
