/** The two engines, as programs that run a script. */

import { execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const repositoryFile = (path: string): string =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** QuickJS from the cache, fetched when it is not there. */
export function quickjs(): string {
  return execFileSync("sh", [repositoryFile("test/kernels/quickjs.sh")], { encoding: "utf8" }).trim();
}

/** How a program ended. */
export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code, or the signal's name. */
  readonly code: number | string | null;
}

export interface StartOptions {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** What runs beside it; it is ended when this does. */
  readonly meanwhile?: (pid: number, said: () => string) => Promise<void>;
}

/** All that a program's environment has. */
export const environmentOf = (
  environment: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> => ({ PATH: process.env["PATH"] ?? "", LC_ALL: "C", ...environment });

/** Runs `engine script ARGUMENT ...` with an environment of its own. */
export function start(
  engine: string,
  argv: readonly string[],
  { input = "", environment, meanwhile }: StartOptions = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(engine, argv, { env: environmentOf(environment) });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ stdout, stderr, code: code ?? signal }));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    meanwhile?.(child.pid ?? 0, () => stdout).catch(reject);
  });
}
