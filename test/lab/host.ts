/** The machine's side: boots a guest for each scenario and repeats what it prints. Usage: host.mjs PROJECT CACHE SCENARIO */

import { boot } from "./uml.ts";

/** Nothing here should take long; a guest that hangs is ended. */
const LIMIT_MS = 300_000;

const [project, cache, ...args] = process.argv.slice(2);
if (project === undefined || cache === undefined || args.length === 0) {
  console.error("usage: host.mjs PROJECT CACHE SCENARIO");
  process.exit(2);
}
try {
  process.exitCode = await boot({
    kernel: `${cache}/linux-current/linux`,
    project,
    cache,
    program: "lab/scenario.mjs",
    args,
    timeoutMs: LIMIT_MS,
    onLine: (line) => console.log(line),
  });
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
