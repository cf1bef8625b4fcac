import { defineConfig } from "vitest/config";

/** Least coverage, percent. */
const atLeast = (percent: number) => ({ lines: percent, branches: percent });

export default defineConfig({
  test: {
    include: ["test/{unit,feed,engines}/**/*.test.ts", "src/ubus-client-ts/test/**/*.test.ts"],
    // One less would leave a processor of two idle.
    maxWorkers: "100%",
    // One process for all files of a worker: our modules keep no state, and loading them for each file takes half of the time.
    isolate: false,
    // Only a test that hangs takes so long: a busy machine must not fail one.
    testTimeout: 120_000,
    coverage: {
      provider: "v8",
      include: ["src/{wire,ip,dhcpv6,map,provision,render,engine,doctor,system,cli}/**/*.ts"],
      // What only QuickJS can load: test/engines runs it there and compares it with Node's.
      exclude: ["src/system/quickjs/**"],
      reporter: ["text-summary"],
      thresholds: {
        "src/{wire,ip,dhcpv6,map,provision,render,doctor}/**": atLeast(95),
        "src/{engine,system,cli}/**": atLeast(85),
      },
    },
  },
});
