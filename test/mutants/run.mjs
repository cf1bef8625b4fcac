/**
 * Mutation testing: `npm run mutants`, or `npm run mutants -- map dhcpv6` for some folders of `src/`; `--fresh` forgets
 * what earlier runs found.
 *
 * Stryker changes the sources in one place at a time and runs the tests that reach the place. A change that no test notices
 * is a survivor. A survivor that stays has its reason in `survivors.json`. Results are kept in `.mutants/`, so that the next
 * run tries only mutants whose source or tests have changed.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { Stryker } from "@stryker-mutator/core";

/** Least share of the mutants that must be killed, percent; a folder without a number has a part in `OVERALL` alone. */
const bars = {
  map: 95,
  dhcpv6: 95,
  ip: undefined,
  wire: undefined,
  provision: 95,
  render: undefined,
  engine: undefined,
  doctor: undefined,
  system: undefined,
  cli: undefined,
};
const OVERALL = 85;

const OUT = ".mutants";

/**
 * These start programs, judge documents or try thousands of random inputs: too slow to be run for each mutant.
 * `module-names` reads the sources of the kernel module, which the sandbox does not have, and `luci` judges scripts that are not
 * in `src/`.
 */
const leftOut = /^(files|netifd-proto|docs|luci)\/|^runner\.|malformed|fuzz|table-oracle|module-names/;
/** These try many inputs too, and judge the mutants of their own folder alone. */
const ownFolderOnly = /^(wire\/printable|map\/(ce|virtual-block)|provision\/(port-params|options-oracle))\./;

/** A survivor that stays. `lab` names the run of a real kernel that kills it: it counts as killed. */
const reasons = JSON.parse(readFileSync(new URL("survivors.json", import.meta.url), "utf8"));

const testFiles = (folder) =>
  readdirSync("test/unit", { recursive: true })
    .filter((path) => path.endsWith(".test.ts") && !leftOut.test(path))
    .filter((path) => !ownFolderOnly.test(path) || path.startsWith(`${folder}/`))
    .map((path) => `test/unit/${path}`);

/** The text that a mutant replaces. */
function originalOf(source, { start, end }) {
  const lines = source.split("\n").slice(start.line - 1, end.line);
  lines[lines.length - 1] = lines.at(-1).slice(0, end.column - 1);
  lines[0] = lines[0].slice(start.column - 1);
  return lines.join("\n");
}

const reasonFor = (file, original, replacement) =>
  reasons.find((row) => row.file === file && row.original === original && row.replacement === replacement);

async function judge(folder) {
  const results = await new Stryker({
    // What only QuickJS can load has no tests in this process: test/engines runs it there, beside Node's.
    mutate: [`src/${folder}/**/*.ts`, "!src/system/quickjs/{programs,syscalls,system,ubus}.ts"],
    testRunner: "in-process",
    plugins: ["./test/mutants/runner.mjs"],
    mutants: { tests: testFiles(folder) },
    coverageAnalysis: "perTest",
    // The sandbox has the same depth of folders as the project, and Stryker's rewriting wants TypeScript 5.
    tsconfigFile: "none",
    concurrency: 2,
    reporters: ["json", "progress-append-only"],
    jsonReporter: { fileName: `${OUT}/${folder}.json` },
    incremental: true,
    incrementalFile: `${OUT}/${folder}.incremental.json`,
    tempDirName: `${OUT}/sandbox`,
    ignorePatterns: ["dist", "test/core", "test/guest", "test/kernels", "src/kmod", OUT],
    // Endless loops are found by counting; this is for what hangs in other ways, on a busy machine too.
    timeoutMS: 20_000,
    warnings: false,
    logLevel: "warn",
  }).runMutationTest();
  const { files } = JSON.parse(readFileSync(`${OUT}/${folder}.json`, "utf8"));
  const total = { folder, mutants: 0, killed: 0, lab: 0, explained: 0, unexplained: [] };
  for (const [file, { source, mutants }] of Object.entries(files)) {
    for (const { status, location, replacement, mutatorName } of mutants) {
      if (status === "Ignored" || status === "CompileError") continue;
      total.mutants++;
      const original = originalOf(source, location);
      const reason = reasonFor(file, original, replacement);
      // What ends the engine (an array without end) ends every run of the tests.
      if (status === "Killed" || status === "Timeout" || status === "RuntimeError") total.killed++;
      else if (reason?.lab !== undefined) total.lab++;
      else if (reason !== undefined) total.explained++;
      else {
        const place = `${file}:${location.start.line}:${location.start.column}`;
        total.unexplained.push(`${place} ${mutatorName} (${status}): ${original} => ${replacement}`);
      }
    }
  }
  if (results.length === 0) throw new Error(`no mutants in src/${folder}`);
  return total;
}

const share = ({ mutants, killed, lab }) => (100 * (killed + lab)) / mutants;

const words = process.argv.slice(2);
const option = words.find((word) => word.startsWith("-") && word !== "--fresh");
if (option !== undefined) {
  console.error(
    `usage: npm run mutants -- [--fresh] [FOLDER ...]   the folders are ${Object.keys(bars).join(" ")}`,
  );
  process.exit(option === "--help" ? 0 : 2);
}
const asked = words.filter((word) => word !== "--fresh");
const unknown = asked.filter((folder) => !Object.hasOwn(bars, folder));
if (unknown.length > 0) {
  console.error(`no bar for ${unknown.join(", ")}: the folders are ${Object.keys(bars).join(" ")}`);
  process.exit(2);
}
if (words.includes("--fresh")) rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });

const totals = [];
for (const folder of asked.length > 0 ? asked : Object.keys(bars)) {
  console.log(`==> src/${folder}`);
  const total = await judge(folder);
  totals.push(total);
  for (const line of total.unexplained) console.log(`survivor without a reason: ${line}`);
}
const all = { folder: "all of these", mutants: 0, killed: 0, lab: 0, explained: 0, unexplained: [] };
for (const total of totals) {
  for (const key of ["mutants", "killed", "lab", "explained"]) all[key] += total[key];
  all.unexplained.push(...total.unexplained);
}
let failed = all.unexplained.length > 0;
for (const total of [...totals, all]) {
  const bar = total === all ? (asked.length > 0 ? undefined : OVERALL) : bars[total.folder];
  const low = bar !== undefined && share(total) < bar;
  failed ||= low;
  console.log(
    `${total.folder}: ${share(total).toFixed(1)} % of ${total.mutants} mutants killed` +
      `${total.lab > 0 ? `, ${total.lab} of them in the lab` : ""}` +
      `; survivors: ${total.explained} with a reason, ${total.unexplained.length} without` +
      `${bar === undefined ? "" : ` (bar: ${bar} %${low ? ": NOT REACHED" : ""})`}`,
  );
}
process.exit(failed ? 1 : 0);
