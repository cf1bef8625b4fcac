import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/{unit,feed}/**/*.test.ts", "src/ubus-client-ts/test/**/*.test.ts"],
    testTimeout: 20_000,
  },
});
