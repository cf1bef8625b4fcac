import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { repositoryFile, shells } from "../../support/shell-sandbox.ts";

const LIB = repositoryFile("files/usr/lib/mapmin");
/** Says what it is and what it was given, a word between bars. */
const TELLING = `#!/bin/sh\nprintf '%s|' "\${0##*/}" "\${1##*/}"\nshift\nprintf '%s|' "$@"\n`;

describe.each(shells)("finding the engine in %s", (_name, [shell = "", ...argv]) => {
  let directory: string;
  const path = (name: string) => join(directory, name);
  const engine = (name: string) => {
    writeFileSync(path(name), TELLING);
    chmodSync(path(name), 0o755);
  };
  const start = (file: string, ...words: string[]) => {
    const { stdout, stderr, status } = spawnSync(shell, [...argv, repositoryFile(file), ...words], {
      encoding: "utf8",
      timeout: 10_000,
      env: { PATH: path("bin"), MAPMIN_LIB: path("lib"), MAPMIN_BIN: path("bin"), MAPMIN_RUN: path("run") },
    });
    return { stdout, stderr, status };
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "mapmin-engine-"));
    for (const name of ["lib", "bin"]) mkdirSync(path(name));
    writeFileSync(path("lib/engine.sh"), `. ${LIB}/engine.sh\n`);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test.each(["mdpc", "mapminctl"])("%s gives its arguments on as they are", (name) => {
    engine("bin/node");
    const words = ["-w", "wan 6", "$(reboot)", ""];
    expect(start(`files/usr/sbin/${name}`, ...words)).toEqual({
      stdout: `node|tools.cjs|${[name, ...words].join("|")}|`,
      stderr: "",
      status: 0,
    });
  });

  test("Node, then QuickJS; the one that is written down comes first", () => {
    const word = () => start("files/usr/sbin/mdpc", "x").stdout.split("|")[0];
    engine("bin/qjs");
    expect(word()).toBe("qjs");
    engine("bin/node");
    expect(word()).toBe("node");
    writeFileSync(path("lib/engine"), `${path("bin/qjs")}\n`);
    expect(word()).toBe("qjs");
    rmSync(path("bin/qjs"));
    expect(word()).toBe("node");
  });

  test("without an engine there is a sentence, and netifd is told", () => {
    expect(start("files/usr/sbin/mapminctl", "status")).toEqual({
      stdout: "",
      stderr:
        "mapmin: there is neither /usr/bin/node nor /usr/bin/qjs to run it: install the package node or quickjs\n",
      status: 127,
    });
    engine("bin/ubus");
    const told = (action: string) =>
      `ubus|-S|call|network.interface|notify_proto|{"interface":"wan6_4",${action}}|`;
    expect(start("netifd-proto/map.sh", "map", "setup", "wan6_4", "{}")).toMatchObject({
      stdout: told('"action":3,"error":["NO_ENGINE"]'),
      status: 127,
    });
    expect(start("netifd-proto/map.sh", "map", "setup", '","', "{}")).toMatchObject({
      stdout: "",
      status: 127,
    });
  });

  test("map.sh becomes the handler", () => {
    engine("bin/qjs");
    expect(start("netifd-proto/map.sh", "map", "renew", "wan6_4", "{}")).toMatchObject({
      stdout: "qjs|handler.cjs|proto|map|renew|wan6_4|{}|",
      status: 0,
    });
  });

  describe("a setup that ends", () => {
    const setupFile = () => path("run/wan6_4.setup");
    /** netifd, which gives that status of the interface, and the engine, which does that. */
    const setup = (status: string, engineDoes: string, ubusDoes = "") => {
      for (const name of ["mkdir", "rm"]) symlinkSync(`/bin/${name}`, path(`bin/${name}`));
      const program = (name: string, text: string) => {
        writeFileSync(path(`bin/${name}`), `#!/bin/sh\n${text}\n`);
        chmodSync(path(`bin/${name}`), 0o755);
      };
      program(
        "ubus",
        `echo "$*" >>"${path("told")}"\ncase $* in *' status '*) ${ubusDoes}\necho '${status}' ;; esac`,
      );
      program("sleep", "exec /bin/sleep 0.02");
      program("node", engineDoes);
      return start("netifd-proto/map.sh", "map", "setup", "wan6_4", "{}");
    };
    const asked = '-S call network.interface status {"interface":"wan6_4"}\n';
    /** What netifd was asked and told, once it has been asked. */
    const told = () =>
      vi.waitFor(
        () => {
          const text = readFileSync(path("told"), "utf8");
          expect(existsSync(setupFile())).toBe(false);
          return text;
        },
        { timeout: 10_000 },
      );

    test("without a word: netifd is told, so that nobody waits without an error", async () => {
      setup('{"up":false,"pending":true}', "kill -9 $$");
      await vi.waitFor(
        async () =>
          expect(await told()).toBe(
            `${asked}-S call network.interface notify_proto {"interface":"wan6_4","action":3,"error":["HANDLER_ENDED"]}\n`,
          ),
        { timeout: 10_000 },
      );
    });

    test.each([
      ["up", '{"up":true,"pending":false}'],
      ["with an error of its own", '{"up":false,"pending":true,"errors":[{"code":"NO_RULE"}]}'],
      ["because the interface is taken down", '{"up":false,"pending":false}'],
    ])("%s: netifd is told nothing", async (_how, status) => {
      setup(status, "exit 1");
      expect(await told()).toBe(asked);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await told()).toBe(asked);
    });

    test.each([
      ["has begun", "engine"],
      ["begins while netifd is asked", "ubus"],
    ])("while a later one %s: netifd is told nothing", async (_when, who) => {
      const later = `echo 1 >"${setupFile()}"`;
      setup('{"up":false,"pending":true}', who === "engine" ? later : "exit 1", who === "ubus" ? later : "");
      await vi.waitFor(() => expect(readFileSync(path("told"), "utf8")).toBe(asked), { timeout: 10_000 });
      // Busybox has a sleep of its own.
      await new Promise((resolve) => setTimeout(resolve, 1_300));
      expect(readFileSync(path("told"), "utf8")).toBe(asked);
      expect(readFileSync(setupFile(), "utf8")).toBe("1\n");
    });

    test("a FIFO in the place of the file that says which is the newest keeps nobody waiting", async () => {
      mkdirSync(path("run"));
      execFileSync("mkfifo", [setupFile()]);
      expect(setup('{"up":false,"pending":true}', "exit 1").status).toBe(1);
      await vi.waitFor(() => expect(readFileSync(path("told"), "utf8")).toContain("HANDLER_ENDED"), {
        timeout: 10_000,
      });
    });

    test("without a word, where the file that says which is the newest cannot be written", async () => {
      writeFileSync(path("run"), "");
      setup('{"up":false,"pending":true}', "exit 1");
      await vi.waitFor(() => expect(readFileSync(path("told"), "utf8")).toContain("HANDLER_ENDED"), {
        timeout: 10_000,
      });
    });
  });

  test.each(["odhcp6c.user.d/mapmin", "hotplug.d/iface/30-mapmin"])(
    "the stub %s does and says nothing where its code is not",
    (stub) => {
      const script = `set -eu; . '${repositoryFile(`files/etc/${stub}`)}'; echo on`;
      const { stdout, stderr } = spawnSync(shell, [...argv, "-c", script], {
        encoding: "utf8",
        env: { MAPMIN_LIB: path("lib"), ACTION: "ifup", INTERFACE: "wan6" },
      });
      expect({ stdout, stderr }).toEqual({ stdout: "on\n", stderr: "" });
    },
  );
});
