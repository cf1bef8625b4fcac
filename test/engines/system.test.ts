/** What the programs ask of the world, on Node and on QuickJS: both have to give the answers that stand here. */

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { UbusClient } from "ubus-client-ts";
import { startBroker } from "ubus-client-ts/broker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { quickjs, repositoryFile, start } from "./engines.ts";

const LIMIT_MS = 120_000;
const top = mkdtempSync(join(tmpdir(), "mapmin-engines-"));
const script = join(top, "probe.cjs");
const bin = join(top, "bin");

beforeAll(async () => {
  mkdirSync(bin);
  // As build.mjs makes the bundles.
  await build({
    entryPoints: [repositoryFile("test/engines/probe.ts")],
    bundle: true,
    format: "iife",
    platform: "node",
    target: "node20",
    external: ["os", "std"],
    outfile: script,
  });
  await build({
    entryPoints: [repositoryFile("test/engines/ubus-command.ts")],
    bundle: true,
    format: "esm",
    platform: "node",
    outfile: join(bin, "ubus.mjs"),
  });
  writeFileSync(join(bin, "ubus"), `#!/bin/sh\nexec '${process.execPath}' '${bin}/ubus.mjs' "$@"\n`);
  chmodSync(join(bin, "ubus"), 0o755);
}, LIMIT_MS);
afterAll(() => rmSync(top, { recursive: true, force: true }));

describe.concurrent.each([
  ["Node", process.execPath],
  ["QuickJS", quickjs()],
])("%s", (name, engine) => {
  const PATH = `${bin}:${process.env["PATH"]}`;
  const probe = async (argv: readonly string[], options: Parameters<typeof start>[2] = {}) => {
    const environment = { PATH, ...options.environment };
    const ended = await start(engine, [script, ...argv], { ...options, environment });
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    return JSON.parse(ended.stdout);
  };
  const json = (calls: readonly unknown[]) => calls.map((call) => JSON.stringify(call));
  const directory = () => mkdtempSync(join(top, "case-"));

  test(
    "programs: their input, output, words and ends; no shell sees the arguments",
    async () => {
      const rows: readonly (readonly [unknown, unknown])[] = [
        [["cat", [], { input: "text é\u{1f600}" }], "text é\u{1f600}"],
        [["printf", ["%s", "$(id); a b"]], "$(id); a b"],
        [["cat", [], { input: 1_000_000 }], "1000000 characters"],
        [["true", [], { input: 1_000_000 }], ""],
        [
          ["sh", ["-c", "echo out; echo words >&2; exit 3"]],
          "threw: sh -c echo out; echo words >&2; exit 3: words",
        ],
        [["sh", ["-c", "exit 3"]], "threw: sh -c exit 3: exit code 3"],
        [["sh", ["-c", "kill -9 $$"]], "threw: sh -c kill -9 $$: ended by a signal"],
        [["mapmin-no-such-program", []], "threw: mapmin-no-such-program: not installed"],
        [["/no/such", ["x"]], "threw: /no/such x: not installed"],
        [["sleep", ["60"], { limitMs: 300 }], "threw: sleep 60: no end after 300 ms"],
        // It closes its output and lives on; and one of its own holds the output open.
        [
          ["sh", ["-c", "exec >&- 2>&-; exec sleep 60"], { limitMs: 300 }],
          expect.stringContaining("no end after 300 ms"),
        ],
        [
          ["sh", ["-c", "sleep 2 & exec sleep 60"], { limitMs: 300 }],
          expect.stringContaining("no end after 300 ms"),
        ],
        [["sh", ["-c", "yes"], { limitMs: 60_000 }], "threw: sh -c yes: printed more than 16777216 octets"],
      ];
      expect(await probe(["run", ...json(rows.map(([program]) => program))])).toEqual(
        rows.map(([, expected]) => expected),
      );
    },
    LIMIT_MS,
  );

  test(
    "programs: 30 scripts, one after the other, each arrives whole and leaves no descriptor open",
    async () => {
      // More than a pipe takes at once, as a ruleset of many ranges is.
      const program = JSON.stringify(["cat", [], "add rule\n".repeat(9_000)]);
      expect(await probe(["again", "30", program])).toEqual({ done: 30, more: 0 });
    },
    LIMIT_MS,
  );

  test(
    "files: whole or not at all, and in the kernel's words",
    async () => {
      const at = directory();
      execFileSync("mkfifo", [join(at, "fifo")]);
      symlinkSync(join(at, "fifo"), join(at, "link"));
      writeFileSync(join(at, "malformed"), Buffer.from([0x61, 0xff, 0xc3, 0xa9, 0xe2, 0x82]));
      writeFileSync(join(at, "full"), "before");
      const rows: readonly (readonly [unknown, unknown])[] = [
        [["readText", `${at}/none`], null],
        [["readText", `${at}/full/none`], null],
        [["readText", "/proc/version"], readFileSync("/proc/version", "utf8")],
        [["readText", `${at}/malformed`], "a\ufffdé\ufffd"],
        [["readText", `${at}/fifo`], `threw: ${at}/fifo: is not a regular file`],
        [["readText", `${at}/link`], `threw: ${at}/link: is not a regular file`],
        [["readText", at], `threw: ${at}: is not a regular file`],
        [["replaceFile", `${at}/a/b/c`, "é"], null],
        [["readText", `${at}/a/b/c`], "é"],
        [["replaceFile", `${at}/a/b/c`, ""], null],
        [["readText", `${at}/a/b/c`], ""],
        [["replaceFile", `${at}/full/x`, ""], expect.stringMatching(/: (File exists|Not a directory)$/)],
        [["namesIn", `${at}/none`], []],
        [
          ["namesIn", at],
          ["a", "fifo", "full", "link", "malformed"],
        ],
        [["writeOnce", `${at}/none`, "x"], `threw: ${at}/none: No such file or directory`],
        [
          ["writeOnce", "/proc/self/oom_score_adj", "x\n"],
          "threw: /proc/self/oom_score_adj: Invalid argument",
        ],
        [["removeFile", `${at}/none`], null],
        [["removeFile", `${at}/a/b/c`], null],
        [["namesIn", `${at}/a/b`], []],
      ];
      expect(await probe(["files", ...json(rows.map(([call]) => call))])).toEqual(
        rows.map(([, expected]) => expected),
      );
    },
    LIMIT_MS,
  );

  test(
    "a full device is noticed, and the file that was there stays",
    async () => {
      const at = directory();
      // A file of at most 1024 octets is what this process may write: as on a full /tmp, a write comes back short.
      const limited = (call: unknown[]) =>
        start(
          "sh",
          ["-c", 'trap "" XFSZ; ulimit -f 2; exec "$@"', "sh", engine, script, "files", ...json([call])],
          {
            environment: { PATH },
          },
        );
      writeFileSync(join(at, "state"), "before");
      const { stdout } = await limited(["replaceFile", `${at}/state`, "x".repeat(5_000)]);
      expect(stdout).toBe(`["threw: ${at}/state: File too large"]\n`);
      expect(readFileSync(join(at, "state"), "utf8")).toBe("before");
      expect(readdirSync(at)).toEqual(["state"]);
      writeFileSync(join(at, "control"), "");
      expect((await limited(["writeOnce", `${at}/control`, "x".repeat(5_000)])).stdout).toBe(
        `["threw: ${at}/control: took only 1024 of 5000 octets"]\n`,
      );
    },
    LIMIT_MS,
  );

  test(
    "the log: never a FIFO, a link or a directory; work goes on, with standard error closed too",
    async () => {
      for (const put of [
        (path: string) => execFileSync("mkfifo", [path]),
        (path: string) => symlinkSync("/dev/null", path),
        (path: string) => mkdirSync(path),
      ]) {
        const path = join(directory(), "map.log");
        put(path);
        const { stdout, stderr } = await start(engine, [script, "log-once", path]);
        expect(stdout).toBe('"gone on"\n');
        expect(stderr).toMatch(/^\S+Z wan6_4 ok step \| detail\n$/);
        const closing = ['"$@" 2>&-', '{ "$@" 2>&1 >&3 3>&- | :; } 3>&1'];
        for (const line of closing) {
          const ended = await start("sh", ["-c", line, "sh", engine, script, "log-once", path]);
          expect(ended.stdout).toBe('"gone on"\n');
        }
      }
    },
    LIMIT_MS,
  );

  test(
    "the log: three writers that rotate at once lose no record of the last two files",
    async () => {
      const at = directory();
      const path = join(at, "map.log");
      await Promise.all(["a", "b", "c"].map((who) => probe(["log", path, join(at, "run/lock"), who])));
      expect(statSync(path).size).toBeLessThanOrEqual(4_000);
      const kept = [`${path}.1`, path].map((file) => readFileSync(file, "utf8")).join("");
      expect(kept.length).toBeGreaterThan(1_900);
      for (const who of ["a", "b", "c"]) {
        const numbers = [...kept.matchAll(new RegExp(`^${who} (\\d+)$`, "gm"))].map(([, n]) => Number(n));
        const first = numbers[0] ?? 300;
        expect(numbers).toEqual(Array.from({ length: 300 - first }, (_, i) => first + i));
      }
      expect(readdirSync(join(at, "run"))).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    "arguments, environment, standard input",
    async () => {
      const input = `${"é".repeat(100_000)}\u{1f600}`;
      const argv = ["echo", "", "a b", "é\u{1f600}", "--", "-h"];
      expect(await probe(argv, { input, environment: { VARIABLE: "é" } })).toEqual({
        args: ["", "a b", "é\u{1f600}", "--", "-h"],
        variable: "é",
        text: input,
        columns: 80,
        terminal: false,
      });
    },
    LIMIT_MS,
  );

  test(
    "sleep, and a screen that is cleared",
    async () => {
      expect(await probe(["sleep", "200"])).toEqual({ ended: ["0.25", "1"], long: true });
      const { stdout } = await start(engine, [script, "clear"]);
      expect(stdout).toBe('\u001b[H\u001b[J"cleared"\n');
    },
    LIMIT_MS,
  );

  test(
    "SIGTERM ends the programs that run, then us, by that signal",
    async () => {
      const at = directory();
      const loaded = join(at, "loaded");
      const child = `echo $$ >'${at}/pid'; sleep 3; echo >'${loaded}'`;
      const ended = await start(engine, [script, "run", JSON.stringify(["sh", ["-c", child]])], {
        async meanwhile(pid) {
          while (!existsSync(`${at}/pid`) || readFileSync(`${at}/pid`, "utf8") === "") {
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          // The engine itself: what a wrapper starts has its number.
          process.kill(pid, "SIGTERM");
        },
      });
      expect(ended).toEqual({ stdout: "", stderr: "", code: "SIGTERM" });
      const pid = Number(readFileSync(`${at}/pid`, "utf8"));
      expect(() => process.kill(pid, 0)).toThrow("ESRCH");
      expect(existsSync(loaded)).toBe(false);
    },
    LIMIT_MS,
  );

  describe("ubus", () => {
    const socket = join(top, `${name}.sock`);
    const environment = { UBUS_SOCKET: socket };
    let broker: Awaited<ReturnType<typeof startBroker>>;
    let server: UbusClient;

    beforeAll(async () => {
      broker = await startBroker({ path: socket });
      server = await UbusClient.connect({ path: socket });
      await server.addObject("test", {
        echo: (args) => args as Record<string, never>,
        nothing: () => undefined,
        refuse: () => {
          throw Object.assign(new Error("no"), { status: 6 });
        },
        silent: () => new Promise(() => {}),
      });
    });
    afterAll(async () => {
      server.close();
      await broker.close();
    });

    test(
      "answers and status codes",
      async () => {
        const sent = {
          text: "é\n\u0007\"'$(id)",
          list: [1, -2, { yes: true, no: false }],
          empty: {},
          none: [],
        };
        const calls = [
          ["test", "echo", sent],
          ["test", "nothing", {}],
          ["test", "refuse", {}],
          ["test", "unknown", {}],
          ["none", "echo", {}],
        ];
        expect(await probe(["call", ...json(calls)], { environment })).toEqual([
          sent,
          {},
          "threw: ubus call test refuse: PERMISSION_DENIED (status 6)",
          "threw: ubus call test unknown: METHOD_NOT_FOUND (status 3)",
          "threw: ubus call none echo: NOT_FOUND (status 4)",
        ]);
      },
      LIMIT_MS,
    );

    test(
      "somebody who never answers; no ubusd",
      async () => {
        expect(await probe(["call-late"], { environment })).toBe(
          "threw: ubus call test silent: TIMEOUT (status 7)",
        );
        const nowhere = { UBUS_SOCKET: join(top, "nowhere.sock") };
        expect(await probe(["call", ...json([["test", "echo", {}]])], { environment: nowhere })).toEqual([
          "threw: ubus call test echo: CONNECTION_FAILED (status 10)",
        ]);
      },
      LIMIT_MS,
    );

    test(
      "long arguments: what a program cannot be handed is said",
      async () => {
        // {"text":""} is 11 octets.
        expect(await probe(["call-long", `${131_071 - 11}`], { environment })).toBe("answered");
        expect(await probe(["call-long", `${131_072 - 11}`], { environment })).toBe(
          name === "Node"
            ? "answered"
            : "threw: ubus call test echo: its arguments have 131072 octets, and QuickJS can hand over 131071",
        );
      },
      LIMIT_MS,
    );
  });
});
