/** The guest program: runs the scenario named by its argument. Exit 0 says that it came to its end, not that checks held. */

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { capacity } from "./capacity.ts";
import { doctor } from "./doctor.ts";
import { faults } from "./faults.ts";
import { forwards } from "./forwards.ts";
import { optionsOf } from "./link.ts";
import { openwrtTimes } from "./openwrt-times.ts";
import { openwrtWalk } from "./openwrt-walk.ts";
import { check, detail } from "./report.ts";
import { isEngine, useEngine } from "./router.ts";
import { schedules } from "./schedules.ts";
import { upnp } from "./upnp.ts";
import { walk } from "./walk.ts";

const LOGS = "/run/lab";

const scenarios: Readonly<Record<string, (root: string) => Promise<void>>> = {
  "map-t": () => walk("map-t"),
  "map-e": () => walk("map-e"),
  "map-e-nftables": () => walk("map-e", "nftables"),
  faults,
  forwards,
  upnp,
  doctor,
  capacity,
  "openwrt-map-t": (root) => openwrtWalk(root, "map-t"),
  "openwrt-map-e": (root) => openwrtWalk(root, "map-e"),
  "openwrt-times": openwrtTimes,
  "openwrt-map-e-nftables": (root) => openwrtWalk(root, "map-e", "nftables"),
};

/** `schedules:TRANSPORT:CARRIER:short|long:FIRST:STEP:COUNT`: so many schedules, whose seeds are FIRST, FIRST + STEP, ... */
function faultRun(words: readonly string[]): (() => Promise<void>) | undefined {
  const [kind, maptype = "", carrier, length, ...numbers] = words;
  if (kind !== "schedules" || !(maptype in optionsOf)) return undefined;
  const by = carrier === "module" ? "module" : "nftables";
  const [first = 0, step = 1, count = 1] = numbers.map(Number);
  const seeds = Array.from({ length: count }, (_, index) => first + index * step);
  return () => schedules(maptype as keyof typeof optionsOf, by, seeds, length === "long");
}

const [wanted = "", engine = "node", root = ""] = process.argv.slice(2);
const scenario = scenarios[wanted] ?? faultRun(wanted.split(":"));
if (scenario === undefined || !isEngine(engine)) {
  process.stderr.write(`usage: scenario.mjs ${Object.keys(scenarios).join("|")} [node|qjs]\n`);
  process.exit(2);
}

/** The last lines of every log of the guest: what a failure is understood by. */
function tellLogs(): void {
  for (const file of readdirSync(LOGS).filter((name) => name.endsWith(".log"))) {
    const lines = readFileSync(`${LOGS}/${file}`, "utf8").trimEnd().split("\n");
    for (const line of lines.slice(-20)) detail(`${file}: ${line}`);
  }
}

mkdirSync(LOGS, { recursive: true });
try {
  useEngine(engine);
  await scenario(root);
} catch (error) {
  tellLogs();
  check(`${wanted}: runs to its end`, false, error instanceof Error ? error.message : String(error));
}
// Daemons of the guest end with it.
process.exit(0);
