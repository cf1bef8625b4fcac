/** What `test/run` does: reads the table of suites, makes what they need, runs them, and sums up. */

import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync, utimesSync } from "node:fs";
import { availableParallelism, homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parts, suites } from "../suites.mjs";

const USAGE = `usage: test/run [-v] [-k PATTERN] [--repeat N [--busy]] NAME...
       test/run --list | --plan NAME...

  NAME          a suite, a part (${parts.join(", ")}) or all; without a name: all
  -k PATTERN    only the cases whose name contains PATTERN
  -v            the programs of the lab print each command with the namespace that it runs in
  --repeat N    N times, each run's output in a file; prints a line a run and how many passed
  --busy        meanwhile other programs keep every processor busy
  --plan        the commands that would be run, a line a suite
  --list        each suite: what it shows, what it needs, and how long it takes`;

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
process.chdir(project);
const cache =
  process.env["MAPMIN_CACHE"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "mapmin");

function stop(message, code = 2) {
  console.error(`test/run: ${message}`);
  process.exit(code);
}

// --- processes -----------------------------------------------------------------------------------

/** Each child leads a process group of its own, so that what it has started ends with it. */
const children = new Set();

function endChildren() {
  for (const { pid } of children) {
    try {
      process.kill(-pid, "SIGTERM");
    } catch {
      // It has ended by itself.
    }
  }
}

let interrupted = false;
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
]) {
  process.on(signal, () => {
    interrupted = true;
    endChildren();
    // Guests take a moment to go; one that does not is left to the system.
    const deadline = setTimeout(() => process.exit(code), 5_000);
    const look = setInterval(() => {
      if (children.size > 0) return;
      clearTimeout(deadline);
      clearInterval(look);
      process.exit(code);
    }, 50);
  });
}
process.on("exit", endChildren);

/**
 * Runs a program to its end; gives its exit code. What it prints goes to `output`, a file or a function, instead of our
 * own output.
 */
function run([program, ...words], environment = {}, output = undefined) {
  return new Promise((resolve) => {
    const file = typeof output === "string" ? openSync(output, "w") : undefined;
    const where = typeof output === "function" ? "pipe" : (file ?? "inherit");
    const child = spawn(program, words, {
      stdio: ["ignore", where, where],
      env: { ...process.env, ...environment },
      detached: true,
    });
    if (file !== undefined) closeSync(file);
    if (where === "pipe") {
      child.stdout.on("data", output);
      child.stderr.on("data", output);
    }
    children.add(child);
    const end = (code) => {
      children.delete(child);
      resolve(code);
    };
    child.once("error", (error) => {
      console.error(`test/run: ${program}: ${error.message}`);
      end(127);
    });
    // "close" comes when all that it printed has been read.
    child.once(where === "pipe" ? "close" : "exit", (code) => end(code ?? 128));
  });
}

// --- what suites need ----------------------------------------------------------------------------

const installed = (command) =>
  spawnSync("sh", ["-c", 'command -v "$1"', "sh", command], { stdio: "ignore" }).status === 0;

/** npm writes node_modules/.package-lock.json last, so an interrupted installation is seen. */
async function npm() {
  const mark = "node_modules/.package-lock.json";
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync("package-lock.json").mtimeMs) return 0;
  console.log("\n==> npm ci");
  const code = await run(["npm", "ci", "--no-audit", "--no-fund"]);
  if (code === 0) utimesSync(mark, new Date(), new Date());
  return code;
}

const missing = (...packages) => {
  console.error(`test/run: install the Debian packages ${packages.join(" ")}`);
  return 1;
};

/** A program of the Debian package of the same name. */
const debian = (name) => ({
  what: `root for the Debian package ${name}`,
  make: () => {
    if (installed(name)) return 0;
    if (process.getuid() !== 0) return missing(name);
    const install = `apt-get update -qq && apt-get install -qq --no-install-recommends ${name}`;
    return run(["sh", "-c", install], { DEBIAN_FRONTEND: "noninteractive" });
  },
});

/** What a suite can need: what it is, and how it comes to be there. Each gives 0, or the exit code of a failure. */
const needs = {
  npm: { what: "the npm packages of the lock file (installed)", make: npm },
  bundle: { what: "dist (built)", make: () => run(["node", "build.mjs"]) },
  compiler: {
    what: "gcc libc6-dev linux-libc-dev python3",
    make: () =>
      installed("cc") && installed("python3") ? 0 : missing("gcc", "libc6-dev", "linux-libc-dev", "python3"),
  },
  clang: {
    what: "clang-19 libclang-rt-19-dev",
    make: () => (installed("clang-19") ? 0 : missing("clang-19", "libclang-rt-19-dev")),
  },
  foreign: {
    what: "root for Debian packages: compilers and emulators of other processors",
    make: () => run(["sh", "test/kernels/setup.sh", "foreign"]),
  },
  chromium: debian("chromium"),
  shellcheck: debian("shellcheck"),
  lab: {
    what: "root for Debian packages; the lab kernel (built once, 10 minutes)",
    make: () => run(["sh", "test/kernels/setup.sh"]),
  },
};

// --- the command line ----------------------------------------------------------------------------

function list() {
  const width = Math.max(...suites.map(({ name }) => name.length));
  for (const part of [...parts, "more"]) {
    console.log(part === "more" ? "\nby name alone" : `\n${part}`);
    for (const { name, shows, needs: needed, seconds, variables = [] } of suites.filter(
      (row) => row.part === part,
    )) {
      const heeds = variables.length === 0 ? "" : `; heeds ${variables.join(", ")}`;
      console.log(`  ${name.padEnd(width)}  ${shows}`);
      console.log(`  ${" ".repeat(width)}  about ${seconds} s; needs ${needed.join(", ")}${heeds}`);
    }
  }
  console.log("\nneeds");
  for (const [name, { what }] of Object.entries(needs)) console.log(`  ${name.padEnd(width)}  ${what}`);
}

/** Levenshtein's distance: insertions, deletions and substitutions. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      next.push(Math.min(next[j] + 1, row[j + 1] + 1, row[j] + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}

function unknown(name) {
  const known = ["all", ...parts, ...suites.map((row) => row.name)];
  const [nearest] = known.sort((a, b) => distance(name, a) - distance(name, b));
  stop(`there is no suite "${name}": did you mean "${nearest}"? test/run --list shows all`);
}

function chosen(names) {
  return names.flatMap((name) => {
    if (name === "all") return suites.filter((row) => parts.includes(row.part));
    const found = suites.filter((row) => row.name === name || row.part === name);
    return found.length === 0 ? unknown(name) : found;
  });
}

function options(words) {
  const found = {
    names: [],
    pattern: undefined,
    verbose: false,
    plan: false,
    repeat: undefined,
    busy: false,
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const value = () => words[++i] ?? stop(`${word} needs a value\n${USAGE}`);
    if (word === "--list") return { list: true };
    if (word === "-h" || word === "--help") return { help: true };
    if (word === "-v") found.verbose = true;
    else if (word === "--plan") found.plan = true;
    else if (word === "-k") found.pattern = value();
    else if (word === "--busy") found.busy = true;
    else if (word === "--repeat") {
      found.repeat = Number(value());
      if (!Number.isSafeInteger(found.repeat) || found.repeat < 1)
        stop("--repeat takes a whole number above 0");
    } else if (word.startsWith("-")) stop(`there is no option ${word}\n${USAGE}`);
    else found.names.push(word);
  }
  return found;
}

/** A run of nothing would fail at nothing. */
function checkVariables() {
  for (const name of ["COUNT", "GUESTS", "RUNS", "ROUNDS", "BOOTS", "SEED", "FIRST"]) {
    const value = process.env[name];
    if (value === undefined) continue;
    const from = ["SEED", "FIRST"].includes(name) ? 0 : 1;
    if (!/^[0-9]+$/.test(value) || Number(value) < from)
      stop(`${name}: expected a whole number from ${from}`);
  }
}

function commandOf(suite, pattern) {
  if (pattern === undefined) return suite.command;
  if (suite.cases === undefined) stop(`${suite.name} has no cases to choose from by -k`);
  if (suite.cases !== "vitest") return suite.command;
  // One case does not reach what all of them must reach together.
  return [...suite.command.filter((word) => word !== "--coverage"), "-t", pattern];
}

// --- runs ----------------------------------------------------------------------------------------

/** Runs a suite many times; prints a line a run. Gives how many failed. */
async function repeated(suite, command, environment, times) {
  const directory = join(cache, "repeat");
  mkdirSync(directory, { recursive: true });
  let failed = 0;
  for (let i = 1; i <= times && !interrupted; i++) {
    const output = join(directory, `${suite.name}-${i}.log`);
    const start = Date.now();
    const code = await run(command, environment, output);
    if (code !== 0) failed += 1;
    const seconds = Math.round((Date.now() - start) / 1000);
    console.log(
      `${suite.name} ${i} of ${times}: ${code === 0 ? "passed" : "FAILED"} in ${seconds} s${code === 0 ? "" : `: ${output}`}`,
    );
    if (code !== 0) {
      const lines = readFileSync(output, "utf8")
        .split("\n")
        .filter((line) => /FAILED|FROZEN/.test(line));
      for (const line of lines.slice(0, 10)) console.log(`    ${line.slice(0, 400)}`);
    }
  }
  console.log(`${suite.name}: ${times - failed} of ${times} passed`);
  return failed;
}

const resultOf = ({ name }, start, failed) => ({
  name,
  failed,
  seconds: Math.round((Date.now() - start) / 1000),
});

/**
 * Suites that need one processor each, side by side, as many as there are processors: shows one at a time, the first as it
 * runs. Gives a result a suite.
 */
async function sideBySide(planned, environment) {
  // What they build in the cache they build one after the other; who else uses the cache waits for all of them.
  mkdirSync(cache, { recursive: true });
  const waiting = `flock -n 9 || { echo "waiting for another run that uses $1" >&2; flock 9; }; echo held; exec cat`;
  const held = spawn("sh", ["-c", `exec 9>"$1/test-run.lock"; ${waiting}`, "sh", cache], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await new Promise((resolve) => held.stdout.once("data", resolve));
  const kept = planned.map(() => []);
  let shown = 0;
  const results = [];
  const show = (index) => {
    const { suite } = planned[index];
    console.log(`\n==> ${suite.name}: ${suite.shows}`);
    for (const chunk of kept[index].splice(0)) process.stdout.write(chunk);
  };
  show(0);
  let next = 0;
  const worker = async (_, processor) => {
    while (next < planned.length && !interrupted) {
      const index = next++;
      const { suite, command } = planned[index];
      const start = Date.now();
      const code = await run(
        command,
        { ...environment, MAPMIN_LOCKED: "1", MAPMIN_PROCESSOR: processor },
        (chunk) => {
          if (index === shown) process.stdout.write(chunk);
          else kept[index].push(chunk);
        },
      );
      results[index] = resultOf(suite, start, code !== 0);
      while (results[shown] !== undefined && shown + 1 < planned.length) show(++shown);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  held.stdin.end();
  return results;
}

/** Neighbours that need one processor each belong together; all others are alone. */
function groups(planned) {
  const found = [];
  for (const row of planned) {
    const last = found.at(-1);
    if (row.suite.processors === 1 && last?.[0].suite.processors === 1) last.push(row);
    else found.push([row]);
  }
  return found;
}

async function main() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 20)) {
    stop(`Node ${process.versions.node} is too old: 20.20 or later is needed`, 1);
  }
  const asked = options(process.argv.slice(2));
  if (asked.help) return console.log(USAGE);
  if (asked.list) return list();
  checkVariables();
  const rows = chosen(asked.names.length === 0 ? ["all"] : asked.names);
  const planned = rows.map((suite) => ({ suite, command: commandOf(suite, asked.pattern) }));
  if (asked.plan) {
    for (const { suite, command } of planned) console.log(`${suite.name}: ${command.join(" ")}`);
    return;
  }
  const made = new Set();
  for (const need of rows.flatMap((suite) => suite.needs)) {
    if (made.has(need)) continue;
    made.add(need);
    const code = await needs[need].make();
    if (code !== 0) stop(`${need} could not be made ready`, code);
  }
  const environment = {
    ...(asked.pattern === undefined ? {} : { MAPMIN_CASE: asked.pattern }),
    ...(asked.verbose ? { MAPMIN_VERBOSE: "1" } : {}),
  };
  if (asked.busy) {
    for (let i = 0; i < availableParallelism(); i++) void run(["sh", "-c", "while :; do :; done"]);
  }
  const done = [];
  for (const group of groups(planned)) {
    if (interrupted) break;
    if (group.length > 1 && asked.repeat === undefined) {
      done.push(...(await sideBySide(group, environment)));
      continue;
    }
    for (const { suite, command } of group) {
      if (interrupted) break;
      console.log(`\n==> ${suite.name}: ${suite.shows}`);
      const start = Date.now();
      const failed =
        asked.repeat === undefined
          ? (await run(command, environment)) !== 0
          : (await repeated(suite, command, environment, asked.repeat)) > 0;
      done.push(resultOf(suite, start, failed));
    }
  }
  // The end comes by the signal's own handler.
  if (interrupted) return;
  console.log("");
  for (const { name, failed, seconds } of done) {
    console.log(`${failed ? "FAILED" : "passed"}  ${name}  (${seconds} s)`);
  }
  process.exit(done.some(({ failed }) => failed) ? 1 : 0);
}

await main();
