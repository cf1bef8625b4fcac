import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { repositoryFile, shells } from "../../support/shell-sandbox.ts";

describe.each(shells)("one handler at a time in %s", (_name, [shell = "", ...argv]) => {
  let directory: string;
  const running = new Set<ChildProcess>();
  const path = (name: string) => join(directory, name);
  const lock = () => path("run/wan_map.lock");
  /** Whole lines: the file is there a moment before its first one. */
  const told = () =>
    existsSync(path("told")) ? readFileSync(path("told"), "utf8").split("\n").slice(0, -1) : [];

  /** The engine says when it begins and ends, and removes the lock's file as the handler does. */
  const engine = (does = "/bin/sleep 0.2") => {
    const remove = `/bin/rm -f "${path("run")}/$5.lock"`;
    const text = `#!/bin/sh\necho "begin $5" >>"${path("told")}"\n${does}\necho "end $5" >>"${path("told")}"\n${remove}\n`;
    writeFileSync(path("bin/node"), text);
    chmodSync(path("bin/node"), 0o755);
  };

  const begin = (action: string, iface = "wan_map") => {
    const child = spawn(shell, [...argv, repositoryFile("netifd-proto/map.sh"), "map", action, iface, "{}"], {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        PATH: path("bin"),
        MAPMIN_LIB: repositoryFile("files/usr/lib/mapmin"),
        MAPMIN_BIN: path("bin"),
        MAPMIN_RUN: path("run"),
      },
    });
    running.add(child);
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const ended = new Promise<string>((resolve) => child.once("close", () => resolve(stderr)));
    return { child, ended };
  };
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "mapmin-turns-"));
    mkdirSync(path("bin"));
    for (const name of ["flock", "mkdir", "rm", "sleep"])
      symlinkSync(execFileSync("which", [name], { encoding: "utf8" }).trim(), path(`bin/${name}`));
    engine();
  });
  afterEach(() => {
    // One that never ends, where a test has failed.
    for (const child of running) child.kill("SIGKILL");
    running.clear();
    rmSync(directory, { recursive: true, force: true });
  });

  test("of three that come at once each begins when the one before has ended", async () => {
    const all = ["renew", "renew", "renew"].map((action) => begin(action).ended);
    expect(await Promise.all(all)).toEqual(["", "", ""]);
    expect(told()).toEqual(Array(3).fill(["begin wan_map", "end wan_map"]).flat());
    expect(existsSync(lock())).toBe(false);
    // Another user who could open it could hold its lock.
    expect(statSync(path("run")).mode & 0o777).toBe(0o700);
  });

  test("one of another interface does not wait", async () => {
    engine("/bin/sleep 1");
    const first = begin("renew").ended;
    await until(() => told().length === 1);
    const other = begin("renew", "wan_map2").ended;
    await until(() => told().length === 2);
    expect(told()).toEqual(["begin wan_map", "begin wan_map2"]);
    await Promise.all([first, other]);
  });

  test("one that is killed makes nobody wait, though its file stays", async () => {
    engine("while :; do /bin/sleep 0.01; done");
    const first = begin("renew");
    await until(() => told().length === 1);
    first.child.kill("SIGKILL");
    await first.ended;
    expect(existsSync(lock())).toBe(true);
    engine(":");
    expect(await begin("teardown").ended).toBe("");
    expect(told().slice(1)).toEqual(["begin wan_map", "end wan_map"]);
  });

  test("a teardown goes on beside one that does not end: netifd would end it", async () => {
    engine(`[ "$4" = teardown ] || while :; do /bin/sleep 0.01; done`);
    const first = begin("renew");
    await until(() => told().length === 1);
    expect(await begin("teardown").ended).toBe(
      "mapmin: wan_map: another handler has not ended after 2 s: we go on beside it\n",
    );
    expect(told()).toEqual(["begin wan_map", "begin wan_map", "end wan_map"]);
    first.child.kill("SIGKILL");
    await first.ended;
  });

  test.each([
    ["a FIFO in the place of its file", () => execFileSync("mkfifo", [lock()]), ""],
    ["a directory in the place of its file", () => mkdirSync(lock()), "wan_map.lock"],
  ])("%s keeps nobody waiting", async (_what, put, said) => {
    mkdirSync(path("run"));
    put();
    expect(await begin("teardown").ended).toContain(said);
    expect(told()).toEqual(["begin wan_map", "end wan_map"]);
  });

  test("without flock, or a directory for its file, a handler runs all the same", async () => {
    rmSync(path("bin/flock"));
    await begin("renew").ended;
    rmSync(path("run"), { recursive: true });
    writeFileSync(path("run"), "");
    await begin("renew").ended;
    expect(told()).toEqual(Array(2).fill(["begin wan_map", "end wan_map"]).flat());
  });
});
