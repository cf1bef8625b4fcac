/**
 * A script for either engine that runs many command lines in its one process: most of a program's time is its engine's start.
 * Its argument is a file of JSON, `[{entry, argv, environment}]`, where `entry` is the path of a file that is started. It
 * prints JSON, `[{stdout, stderr, code}]`. Nothing comes by standard input.
 */

import type { Os, Std } from "../../src/system/quickjs/engine.ts";
import { decode } from "../../src/system/quickjs/utf8.ts";

interface CommandLine {
  readonly entry: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** What a command line has said, and its exit code; the first counts, as it ends a process. */
interface Heard {
  stdout: string;
  stderr: string;
  code: number | undefined;
}

/** What an engine puts in the place of a process of its own. */
interface Stage {
  /** The text of a file. */
  read(path: string): string;
  /** A stage for a command line, of which `heard` is to learn. */
  prepare(line: CommandLine, heard: Heard): void;
  /** When nothing runs any more: the exit code, if it is known then only. */
  code(): number;
  print(text: string): void;
}

const world = globalThis as unknown as {
  require: unknown;
  scriptArgs: readonly string[];
  part: unknown;
};

/** Node's own module system loads the parts. */
async function onNode(): Promise<Stage> {
  const { createRequire } = await import("node:module");
  const { readFileSync } = await import("node:fs");
  const print = process.stdout.write.bind(process.stdout);
  // Each program listens to it for errors, and one process has one program.
  process.stdout.setMaxListeners(0);
  process.stderr.setMaxListeners(0);
  return {
    read: (path) => readFileSync(path, "utf8"),
    prepare({ entry, argv, environment }, heard) {
      world.require = createRequire(entry);
      process.argv = [process.execPath, entry, ...argv];
      process.env = { ...environment };
      process.exitCode = undefined;
      for (const name of ["stdout", "stderr"] as const) {
        process[name].write = ((text: string) => {
          heard[name] += text;
          return true;
        }) as typeof process.stdout.write;
      }
    },
    code: () => Number(process.exitCode ?? 0),
    print(text) {
      process.exitCode = undefined;
      print(text);
    },
  };
}

/** As the files that are started do, but what they load as `os` and `std` is ours. */
async function onQuickjs(): Promise<Stage> {
  // biome-ignore lint/style/useNodejsImportProtocol: QuickJS's own.
  const os = (await import("os")) as unknown as Os;
  // @ts-expect-error: QuickJS's own, which no types describe.
  const std = (await import("std")) as Std & {
    loadFile(path: string): string | null;
    loadScript(path: string): void;
    readonly out: { puts(text: string): void; flush(): void };
  };
  const parts = new Map<string, unknown>();
  let part: (load: unknown, module: { exports: unknown }) => void;
  world.part = (found: typeof part) => {
    part = found;
  };
  return {
    read: (path) => std.loadFile(path) ?? "",
    prepare({ entry, argv, environment }, heard) {
      world.scriptArgs = [entry, ...argv];
      const names = { 1: "stdout", 2: "stderr" } as const;
      const modules: Readonly<Record<string, unknown>> = {
        os: {
          ...os,
          write(fd: number, buffer: ArrayBufferLike, at: number, length: number) {
            if (fd !== 1 && fd !== 2) return os.write(fd, buffer, at, length);
            heard[names[fd]] += decode(new Uint8Array(buffer, at, length));
            return length;
          },
        },
        std: {
          ...std,
          getenviron: () => environment,
          exit(code: number) {
            heard.code ??= code;
          },
        },
      };
      parts.clear();
      world.require = function load(name: string): unknown {
        if (modules[name] !== undefined) return modules[name];
        const known = parts.get(name);
        if (known !== undefined) return known;
        const module = { exports: {} };
        std.loadScript(entry.replace(/[^/]*$/, name.slice(2)));
        part(load, module);
        parts.set(name, module.exports);
        return module.exports;
      };
    },
    code: () => 0,
    print(text) {
      std.out.puts(text);
      std.out.flush();
    },
  };
}

async function main(): Promise<void> {
  const onQuick = typeof process === "undefined";
  const stage = onQuick ? await onQuickjs() : await onNode();
  const path = onQuick ? world.scriptArgs[1] : process.argv[2];
  const results: unknown[] = [];
  for (const line of JSON.parse(stage.read(path ?? "")) as readonly CommandLine[]) {
    const heard: Heard = { stdout: "", stderr: "", code: undefined };
    stage.prepare(line, heard);
    // The text of a file that is started is an expression: the promise of its end.
    // biome-ignore lint/security/noGlobalEval: that file is ours, and the global scope is where an engine runs it.
    await globalThis.eval(stage.read(line.entry));
    results.push({ stdout: heard.stdout, stderr: heard.stderr, code: heard.code ?? stage.code() });
  }
  stage.print(`${JSON.stringify(results)}\n`);
}

void main();
