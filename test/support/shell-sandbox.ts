/** A directory with fake programs, in which the router's shell hooks run as they do there: sourced by another script. */

import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The shells of a router and of the lab. A missing one is an error, not a skipped test. */
export const shells: readonly (readonly [string, readonly string[]])[] = [
  ["dash", ["/bin/dash"]],
  ["busybox", ["/bin/busybox", "sh"]],
];

export const repositoryFile = (path: string): string =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url));

export interface Sandbox {
  readonly directory: string;
  path(name: string): string;
  /** Puts a program of that name, and no other than those put there, on the hook's PATH. */
  program(name: string, text: string): void;
  /** What the fake programs have recorded since the last call, a line each. */
  calls(): string[];
  /** Sources the hook with these arguments and environment; gives what the sourcing script saw afterwards. */
  source(hook: string, argv: readonly string[], environment: Record<string, string>): Sourced;
  /** The same, without waiting for its end. */
  start(hook: string, argv: readonly string[], environment: Record<string, string>): Started;
  remove(): void;
}

export interface Started {
  /** Resolves at its end. */
  readonly ended: Promise<void>;
  /** SIGTERM to the script alone, as odhcp6c sends it. */
  kill(): void;
}

export interface Sourced {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The sourcing script: tells whether it lived on, and which variables, options and directory it has then. */
const SOURCING = `
[ -z "\${STRICT-}" ] || set -eu
hook=$HOOK; unset HOOK
file=mine; state=mine; known=mine
before="$- $PWD"
. "$hook" "$@"
after="$- $PWD"
echo "alive \${file-} \${state-} \${known-} \${lease-unset} \${outcome-unset}"
[ "$before" = "$after" ] && echo unchanged
`;

export const UNTOUCHED = "alive mine mine mine unset unset\nunchanged\n";

export function makeSandbox(shell: readonly string[]): Sandbox {
  const directory = mkdtempSync(join(tmpdir(), "mapmin-hook-"));
  const path = (name: string) => join(directory, name);
  const log = path("calls");
  const bin = path("bin");
  spawnSync("mkdir", [bin]);
  writeFileSync(path("sourcing.sh"), SOURCING);
  const program = (name: string, text: string) => {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  };
  for (const tool of ["mkdir", "mv", "rm", "cat", "tr"]) {
    program(tool, `#!/bin/sh\necho ${tool} >>'${log}'\nexec /bin/busybox ${tool} "$@"\n`);
  }
  const sourcing = (hook: string, argv: readonly string[], environment: Record<string, string>) => {
    const [command = "", ...rest] = shell;
    const env = { PATH: bin, HOOK: repositoryFile(hook), MAPMIN_RUN: path("run"), ...environment };
    return [[command, [...rest, path("sourcing.sh"), ...argv]], { cwd: directory, env }] as const;
  };
  // Debian's busybox has none; it takes the descriptor alone, as busybox's does.
  program("flock", `#!/bin/sh\necho flock >>'${log}'\nexec /usr/bin/flock "$1"\n`);
  return {
    directory,
    path,
    program,
    calls() {
      const text = existsSync(log) ? readFileSync(log, "utf8") : "";
      rmSync(log, { force: true });
      return text.split("\n").filter((line) => line !== "");
    },
    source(hook, argv, environment) {
      const [command, options] = sourcing(hook, argv, environment);
      const { status, stdout, stderr } = spawnSync(...command, { ...options, encoding: "utf8" });
      return { status, stdout, stderr };
    },
    start(hook, argv, environment) {
      const [command, options] = sourcing(hook, argv, environment);
      const child = spawn(...command, { ...options, stdio: "ignore" });
      return {
        ended: new Promise((resolve) => child.once("exit", () => resolve())),
        kill: () => void child.kill("SIGTERM"),
      };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export interface Jsonfilter {
  /** A shell program that asks it, for `Sandbox.program`. */
  readonly program: string;
  stop(): void;
}

/** Starts the process that stands in for jsonfilter; it answers one question at a time. */
export function startJsonfilter(): Jsonfilter {
  const directory = mkdtempSync(join(tmpdir(), "mapmin-jsonfilter-"));
  const [question, reply] = [join(directory, "question"), join(directory, "reply")];
  for (const pipe of [question, reply]) {
    if (spawnSync("mkfifo", [pipe]).status !== 0) throw new Error(`${pipe} cannot be made`);
  }
  const server = spawn(process.execPath, [repositoryFile("test/support/jsonfilter.mjs"), question, reply], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return {
    program: `#!/bin/sh
{ printf '%s\\n' "$@" ''; /bin/busybox cat; } >'${question}'
found=$(/bin/busybox cat '${reply}')
[ -n "$found" ] && printf '%s\\n' "$found"
`,
    stop() {
      server.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
