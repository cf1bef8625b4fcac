/**
 * A test runner for Stryker that runs vitest's tests in Stryker's own process.
 *
 * Stryker's runner for vitest starts a worker and loads every module again for each mutant: 1 to 2 s of processor time.
 * Here a test file and the sources that it imports are one script. It is evaluated anew for each mutant, so that mutants of
 * constants count and nothing is left of the mutant before; that takes some milliseconds. The collecting and running of
 * tests and `expect` are vitest's own packages (`vitest-api.mjs`).
 */

import { readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import { declareFactoryPlugin, PluginKind, tokens } from "@stryker-mutator/api/plugin";
import { determineHitLimitReached, toMutantRunResult } from "@stryker-mutator/api/test-runner";
import { build } from "esbuild";
import { runTestFile, vitest } from "./vitest-api.mjs";

/** Where Stryker's instrumented sources look for the active mutant and count what they meet. */
const NAMESPACE = "__stryker__";

/** `import.meta.url` keeps the meaning that it has in the file itself, and `vi.mock` replaces whole modules. */
function asInVitest(testFile) {
  const mocked = new Set(
    [...readFileSync(testFile, "utf8").matchAll(/vi\.mock\("([^"]+)"/g)].map(([, path]) =>
      resolve(dirname(testFile), path),
    ),
  );
  return {
    name: "as-in-vitest",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        if (mocked.has(path)) {
          const names = [...text.matchAll(/^export (?:async )?(?:function|const) (\w+)/gm)].map(
            ([, name]) => name,
          );
          const contents = names
            .map(
              (name) =>
                `export const ${name} = (...args) => vitest.mocked(${JSON.stringify(path)}).${name}(...args);`,
            )
            .join("\n");
          return { loader: "js", contents: `import * as vitest from "vitest";\n${contents}` };
        }
        const url = JSON.stringify(pathToFileURL(path).href);
        const directory = JSON.stringify(dirname(path));
        return {
          loader: "ts",
          contents: text
            .replaceAll("import.meta.url", url)
            .replace(/\bvi\.mock\(("[^"]+")/g, (_, mock) => `vi.mockFrom(${directory}, ${mock}`),
        };
      });
    },
  };
}

export async function compile(path) {
  const { outputFiles, metafile } = await build({
    entryPoints: [path],
    absWorkingDir: process.cwd(),
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    external: ["vitest", "fast-check", "esbuild", "std"],
    plugins: [asInVitest(path)],
    logLevel: "silent",
  });
  const script = new vm.Script(`(function (exports, require, module) {${outputFiles[0].text}\n})`, {
    filename: path,
  });
  const require = createRequire(path);
  const find = (name) => (name === "vitest" ? vitest : require(name));
  const evaluate = () => {
    const module = { exports: {} };
    script.runInThisContext()(module.exports, find, module);
  };
  return { evaluate, sources: new Set(Object.keys(metafile.inputs).map((source) => resolve(source))) };
}

class InProcessRunner {
  #files;
  #durations = new Map();
  #options;

  constructor(options) {
    this.#options = options;
  }

  capabilities() {
    return { reloadEnvironment: true };
  }

  async init() {
    // A mutant may leave a promise behind that nobody waits for.
    process.on("unhandledRejection", () => {});
    const root = realpathSync(process.cwd());
    const paths = this.#options.mutants.tests.map((path) => resolve(root, path));
    const compiled = await Promise.all(paths.map(compile));
    this.#files = paths.map((path, i) => ({ path, name: relative(root, path), ...compiled[i] }));
  }

  /** `wanted` holds ids of tests by file; without it every file runs that `reaches` picks. */
  async #run({ wanted, reaches = () => true, bail }) {
    const results = [];
    const files = this.#files
      .filter((file) => (wanted === undefined ? reaches(file) : wanted.has(file.name)))
      .sort((a, b) => (this.#durations.get(a.name) ?? 0) - (this.#durations.get(b.name) ?? 0));
    for (const file of files) {
      const ids = wanted?.get(file.name);
      const tests = await runTestFile(file, {
        only: ids,
        bail,
        before: (id) => {
          globalThis[NAMESPACE].currentTestId = id;
        },
        after: () => {
          globalThis[NAMESPACE].currentTestId = undefined;
        },
      });
      results.push(...tests);
      this.#durations.set(
        file.name,
        tests.reduce((sum, { timeSpentMs }) => sum + timeSpentMs, 0),
      );
      if (bail && tests.some(({ status }) => status === "failed")) break;
    }
    return results;
  }

  async dryRun() {
    globalThis[NAMESPACE] = {};
    const results = await this.#run({ bail: false });
    return {
      status: "complete",
      tests: results.map(({ status, ...test }) =>
        status === "failed" ? { ...test, status: 1 } : { ...test, status: status === "success" ? 0 : 2 },
      ),
      mutantCoverage: globalThis[NAMESPACE].mutantCoverage,
    };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, sandboxFileName }) {
    globalThis[NAMESPACE] = { activeMutant: activeMutant.id, hitCount: 0, hitLimit };
    const mutated = realpathSync(sandboxFileName);
    const reaches = ({ sources }) => sources.has(mutated);
    let wanted;
    if (testFilter !== undefined) {
      wanted = new Map();
      for (const id of testFilter) {
        const name = id.slice(0, id.indexOf("#"));
        wanted.set(name, (wanted.get(name) ?? new Set()).add(id));
      }
    }
    const results = await this.#run({ wanted, reaches, bail: true });
    const limit = determineHitLimitReached(globalThis[NAMESPACE].hitCount, hitLimit);
    return toMutantRunResult(
      limit ?? {
        status: "complete",
        tests: results.map(({ status, ...test }) =>
          status === "failed" ? { ...test, status: 1 } : { ...test, status: status === "success" ? 0 : 2 },
        ),
      },
    );
  }
}

function create(options) {
  return new InProcessRunner(options);
}
create.inject = tokens("options");

export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, "in-process", create)];
