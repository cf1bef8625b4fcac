/** What a test file imports from `vitest`, outside of vitest: the same collector and the same `expect`, without its workers. */

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from "@vitest/expect";
import * as collector from "@vitest/runner";
import { fn, spyOn } from "@vitest/spy";

let current;

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);
chai.use((_, utils) => {
  utils.addMethod(chai.Assertion.prototype, "toMatchFileSnapshot", function (path) {
    const expected = readFileSync(resolve(dirname(current.file.filepath), path), "utf8");
    const received = utils.flag(this, "object");
    return Promise.resolve().then(() => expect(received).toBe(expected));
  });
  utils.addMethod(chai.Assertion.prototype, "toMatchInlineSnapshot", function (text) {
    const indent = /^\n( *)/.exec(text)?.[1] ?? "";
    const inner = text
      .replace(/^\n/, "")
      .replace(/\n *$/, "")
      .replaceAll(new RegExp(`^${indent}`, "gm"), "");
    const received = utils.flag(this, "object");
    expect(typeof received === "string" ? `"${received}"` : received).toBe(inner);
  });
});

function expect(value, message) {
  const assertion = chai.expect(value, message);
  return current === undefined ? assertion : assertion.withTest(current);
}
Object.assign(expect, chai.expect, globalThis[ASYMMETRIC_MATCHERS_OBJECT]);
setState({ assertionCalls: 0, isExpectingAssertions: false, expectedAssertionsNumber: null }, expect);

const mocks = new Map();
const stubbed = new Map();

const vi = {
  fn,
  spyOn,
  hoisted: (make) => make(),
  // Each file's modules are evaluated for it alone.
  resetModules() {},
  mockFrom: (directory, path, make) => mocks.set(resolve(directory, path), make()),
  stubEnv(name, value) {
    if (!stubbed.has(name)) stubbed.set(name, process.env[name]);
    process.env[name] = value;
  },
  unstubAllEnvs() {
    for (const [name, value] of stubbed) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    stubbed.clear();
  },
};

export const vitest = { ...collector, expect, vi, mocked: (path) => mocks.get(path) };

const config = {
  root: process.cwd(),
  setupFiles: [],
  name: undefined,
  passWithNoTests: true,
  testNamePattern: undefined,
  allowOnly: true,
  sequence: { seed: 0, hooks: "stack", setupFiles: "list" },
  chaiConfig: undefined,
  maxConcurrency: 1,
  // Instrumented sources are slow, and a mutant that hangs is ended by Stryker.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  retry: 0,
  includeTaskLocation: false,
  tags: [],
  tagsFilter: undefined,
  strictTags: false,
};

function title(task) {
  const names = [];
  for (let at = task; at !== undefined && at.type !== undefined && at !== task.file; at = at.suite)
    names.unshift(at.name);
  return names.join(" > ");
}

function* testsOf(suite) {
  for (const task of suite.tasks) {
    if (task.type === "suite") yield* testsOf(task);
    else yield task;
  }
}

/**
 * Runs the tests of one file. `only` holds the ids to run, all of them without it; with `bail` the rest is left out after the
 * first failure.
 */
export async function runTestFile(file, { only, bail, before, after }) {
  const ids = new Map();
  let failed = false;
  vi.unstubAllEnvs();
  const [result] = await collector.startTests([file.path], {
    config: { ...config },
    importFile: () => file.evaluate(),
    onCollected([collected]) {
      const seen = new Map();
      for (const test of testsOf(collected)) {
        const name = title(test);
        const count = seen.get(name) ?? 0;
        seen.set(name, count + 1);
        const id = `${file.name}#${name}${count === 0 ? "" : ` (${count + 1})`}`;
        ids.set(test, id);
        if (only !== undefined && !only.has(id)) test.mode = "skip";
      }
    },
    onBeforeRunTask(test) {
      if (bail && failed) test.mode = "skip";
    },
    onBeforeTryTask(test) {
      current = test;
      before(ids.get(test));
    },
    onAfterRunTask(test) {
      current = undefined;
      after();
      failed ||= test.result?.state === "fail";
    },
  });
  if (result.result?.state === "fail" && ids.size === 0) {
    const message = result.result.errors?.[0]?.message ?? "the file cannot be loaded";
    return [
      { id: `${file.name}#`, name: file.name, status: "failed", failureMessage: message, timeSpentMs: 0 },
    ];
  }
  const suiteFailed =
    result.result?.state === "fail" && ![...ids.keys()].some((test) => test.result?.state === "fail");
  return [...ids].map(([test, id]) => ({
    id,
    name: title(test),
    fileName: file.path,
    timeSpentMs: test.result?.duration ?? 0,
    status:
      test.result?.state === "fail" || suiteFailed
        ? "failed"
        : test.result?.state === "pass"
          ? "success"
          : "skipped",
    ...(test.result?.state === "fail" || suiteFailed
      ? {
          failureMessage:
            test.result?.errors?.[0]?.message ?? result.result?.errors?.[0]?.message ?? "failed",
        }
      : {}),
  }));
}
