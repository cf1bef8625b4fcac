// Start-up time and memory of the commands on Node and on QuickJS, one after the other in each round, and the speed of
// `calc --ndjson`. Medians of one run. ROUNDS=n (15)
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const ROUNDS = Number(process.env["ROUNDS"] ?? 15);
const LINES = 100_000;
/** ms above the bare engine; ms and MiB for QuickJS's explain. */
const LIMITS = { version: 15, explain: 20, memory: 14 };

const root = new URL("../../", import.meta.url).pathname;
const tools = `${root}dist/tools.cjs`;
const qjs = execFileSync("sh", [`${root}test/kernels/quickjs.sh`], { encoding: "utf8" }).trim();
// Without the shell that starts it: on a router QuickJS is a program like any other.
const [, words = ""] = /^exec (.*) "\$@"$/m.exec(readFileSync(qjs, "utf8")) ?? [];
const engines = {
  node: [process.execPath],
  quickjs: words
    .replaceAll('"', "")
    .replaceAll("$root", qjs.replace(/\/qjs$/, ""))
    .trim()
    .split(/ +/),
};

const [vector] = JSON.parse(readFileSync(`${root}test/vectors/options.json`, "utf8")).option48879;
const commands = {
  bare: ["-e", "0"],
  version: [tools, "mapminctl", "--version"],
  explain: [tools, "mapminctl", "explain", vector.hex, "--pd", vector.prefixes.split(",")[0]],
};

const SILENT = { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" };

/** Runs a program and says how long it took, ms. */
function timeOf([program, ...argv]) {
  const start = process.hrtime.bigint();
  const { status } = spawnSync(program, argv, SILENT);
  if (status !== 0) throw new Error(`${program} ${argv.join(" ")} ended with ${status}`);
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** The most memory that a program had, MiB. Debian's `time` is small: what starts a program counts until it is another. */
function memoryOf(argv) {
  const { stderr, error } = spawnSync("/usr/bin/time", ["-f", "%M", ...argv], SILENT);
  if (error !== undefined) throw new Error("install the Debian package time", { cause: error });
  return Number(stderr.trim().split("\n").at(-1)) / 1024;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const found = {};
for (let round = -1; round < ROUNDS; round++) {
  for (const [engine, program] of Object.entries(engines)) {
    for (const [command, argv] of Object.entries(commands)) {
      const line = [...program, ...argv];
      const result = { ms: timeOf(line), mib: memoryOf(line) };
      // The first round fills the caches.
      if (round >= 0) {
        found[engine] ??= {};
        found[engine][command] ??= [];
        found[engine][command].push(result);
      }
    }
  }
}

const figures = {};
for (const [engine, of] of Object.entries(found)) {
  figures[engine] = {};
  for (const [command, results] of Object.entries(of)) {
    const ms = median(results.map((result) => result.ms));
    const mib = median(results.map((result) => result.mib));
    figures[engine][command] = { ms, mib };
    console.log(
      `${engine.padEnd(8)} ${command.padEnd(8)} ${ms.toFixed(1).padStart(6)} ms ${mib.toFixed(1).padStart(6)} MiB`,
    );
  }
}

let failed = false;
function judge(what, value, limit) {
  const holds = value <= limit;
  failed ||= !holds;
  console.log(`${holds ? "holds " : "FAILED"} ${what}: ${value.toFixed(1)} (limit ${limit})`);
}
for (const [engine, { bare, version }] of Object.entries(figures)) {
  judge(`--version on ${engine} above the bare engine, ms`, version.ms - bare.ms, LIMITS.version);
}
judge("explain on quickjs, ms", figures.quickjs.explain.ms, LIMITS.explain);
judge("explain on quickjs, MiB", figures.quickjs.explain.mib, LIMITS.memory);

const line = JSON.stringify({
  endUserIpv6Prefix: "2001:db8:12:3400::/56",
  ruleIpv6Prefix: "2001:db8::/40",
  ruleIpv4Prefix: "192.0.2.0/24",
  eaLength: 16,
  psidOffset: 6,
});
for (const [engine, [program, ...options]] of Object.entries(engines)) {
  const start = process.hrtime.bigint();
  const { stdout } = spawnSync(program, [...options, tools, "mapminctl", "calc", "--ndjson"], {
    input: `${line}\n`.repeat(LINES),
    maxBuffer: 1 << 28,
    encoding: "utf8",
  });
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const answers = stdout.trimEnd().split("\n").length;
  const perMinute = Math.round((answers / seconds) * 60);
  console.log(
    `${engine.padEnd(8)} calc --ndjson: ${answers} answers in ${seconds.toFixed(2)} s, ${perMinute} a minute`,
  );
  // A person's demand of the engine that people have on their machines; QuickJS has no compiler.
  if (engine === "node" && perMinute < 100_000) failed = true;
  if (answers !== LINES) failed = true;
}
process.exitCode = failed ? 1 : 0;
