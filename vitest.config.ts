import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/{unit,feed,engines}/**/*.test.ts", "src/ubus-client-ts/test/**/*.test.ts"],
    // Only a test that hangs takes so long: a busy machine must not fail one.
    testTimeout: 120_000,
  },
});
