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
  remove(): void;
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
      const [command = "", ...rest] = shell;
      const { status, stdout, stderr } = spawnSync(command, [...rest, path("sourcing.sh"), ...argv], {
        cwd: directory,
        encoding: "utf8",
        env: { PATH: bin, HOOK: repositoryFile(hook), MAPMIN_RUN: path("run"), ...environment },
      });
      return { status, stdout, stderr };
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
