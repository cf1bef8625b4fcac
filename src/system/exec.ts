import { execFile } from "node:child_process";
import { EffectError } from "./errors.ts";

/** Longest a program may run, ms: netifd kills a teardown after 5 s. */
const TIME_LIMIT_MS = 4_000;
/** Most output that is kept, octets: a full conntrack table of a large router. */
const OUTPUT_LIMIT = 16 * 1024 * 1024;

/**
 * Runs one program and gives its standard output. `argv` is never seen by a shell.
 *
 * @throws EffectError when the program is missing, fails or takes longer than 4 s; its message holds the program's own.
 */
export function run(file: string, argv: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      argv,
      { timeout: TIME_LIMIT_MS, maxBuffer: OUTPUT_LIMIT, killSignal: "SIGKILL" },
      (error, stdout, stderr) => {
        if (error === null) {
          resolve(stdout);
          return;
        }
        const why =
          error.code === "ENOENT"
            ? "not installed"
            : error.killed
              ? `no end after ${TIME_LIMIT_MS} ms`
              : stderr.trim() || error.message;
        reject(new EffectError(`${file} ${argv.join(" ")}`.trim(), why));
      },
    );
    // A program that ends before it has read everything must not end us with EPIPE.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
