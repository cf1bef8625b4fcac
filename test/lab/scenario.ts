/** The guest program: runs the scenario named by its argument. Exit 0 says that it came to its end, not that checks held. */

import { mkdirSync } from "node:fs";
import { faults } from "./faults.ts";
import { check } from "./report.ts";
import { walk } from "./walk.ts";

const scenarios: Readonly<Record<string, () => Promise<void>>> = {
  "map-t": () => walk("map-t"),
  "map-e": () => walk("map-e"),
  faults,
};

const [wanted = ""] = process.argv.slice(2);
const scenario = scenarios[wanted];
if (scenario === undefined) {
  process.stderr.write(`usage: scenario.mjs ${Object.keys(scenarios).join("|")}\n`);
  process.exit(2);
}
mkdirSync("/run/lab", { recursive: true });
try {
  await scenario();
} catch (error) {
  check(`${wanted}: runs to its end`, false, error instanceof Error ? error.message : String(error));
}
// Daemons of the guest end with it.
process.exit(0);
