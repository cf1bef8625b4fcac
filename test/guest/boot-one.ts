/**
 * Boots a guest for one program and prints what it prints.
 *
 *   boot-one.mjs PROJECT CACHE ROOT KERNEL MEMORY SECONDS PROGRAM [ARGUMENT ...]
 *
 * ROOT is what the guest has as its files: / is this machine's. SECONDS is how long it may say nothing. Ends with the program's exit code.
 */

import { bootOnceMoreIfFrozen } from "./boot.ts";

const [project, cache, root, kernel, memory, seconds, ...argv] = process.argv.slice(2);
if (
  project === undefined ||
  cache === undefined ||
  root === undefined ||
  kernel === undefined ||
  memory === undefined ||
  argv.length === 0
) {
  console.error("usage: boot-one.mjs PROJECT CACHE ROOT KERNEL MEMORY SECONDS PROGRAM [ARGUMENT ...]");
  process.exit(2);
}

// A guest is a process group of its own: without this, one that is interrupted would go on.
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.once(signal, () => process.exit(code));
}

try {
  process.exitCode = await bootOnceMoreIfFrozen(
    {
      kernel,
      project,
      cache,
      root,
      memory,
      argv,
      layer: false,
      silentSeconds: Number(seconds),
      onLine: (line) => console.log(line),
    },
    (why) => console.log(`FROZEN   ${why}\n\nIt is booted once more.`),
  );
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
