import { execFile } from "node:child_process";
import { EffectError } from "../../wire/errors.ts";

/** Longest wait for what should take a moment, where nobody else waits with a limit, ms. */
export const PATIENCE_MS = 30_000;
/** Most output that is kept, octets: a full conntrack table of a large router. */
const OUTPUT_LIMIT = 16 * 1024 * 1024;

/**
 * Runs one program and gives its standard output. `argv` is never seen by a shell.
 *
 * @param limitMs when the program is ended.
 * @throws EffectError when the program is missing, fails or takes longer; its message holds the program's own.
 */
export function run(
  file: string,
  argv: readonly string[],
  { input = "", limitMs = PATIENCE_MS }: { readonly input?: string; readonly limitMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      argv,
      { timeout: limitMs, maxBuffer: OUTPUT_LIMIT, killSignal: "SIGKILL" },
      (error, stdout, stderr) => {
        if (error === null) {
          resolve(stdout);
          return;
        }
        const why =
          error.code === "ENOENT"
            ? "not installed"
            : error.killed
              ? `no end after ${limitMs} ms`
              : stderr.trim() || error.message;
        reject(new EffectError(`${file} ${argv.join(" ")}`.trim(), why));
      },
    );
    // A program that ends before it has read everything must not end us with EPIPE.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
