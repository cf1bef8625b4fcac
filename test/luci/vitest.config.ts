import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/luci/*.test.ts"],
    maxWorkers: "100%",
    // Only a test that hangs takes so long: a busy machine must not fail one.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
