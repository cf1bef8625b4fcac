import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UbusCaller } from "ubus-client-ts";
import { startBroker } from "ubus-client-ts/broker";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { openSystem } from "../../../../src/system/engine.ts";
import { syscalls } from "../../../../src/system/node/syscalls.ts";
import { openNode } from "../../../../src/system/node/system.ts";
import { SyscallError } from "../../../../src/system/syscalls.ts";

const directory = mkdtempSync(join(tmpdir(), "mapmin-node-"));
afterAll(() => rmSync(directory, { recursive: true }));
const undo: (() => void)[] = [];
afterEach(() => {
  for (const action of undo.splice(0)) action();
});

/** Puts a function in the place of one of an object's for a test, and keeps what it was called with. */
function standIn<T extends object, K extends keyof T>(object: T, key: K) {
  const calls: unknown[][] = [];
  const spy = vi.spyOn(object as Record<string, (...args: unknown[]) => unknown>, key as string);
  spy.mockImplementation((...args: unknown[]) => {
    calls.push(args);
    return true;
  });
  undo.push(() => spy.mockRestore());
  return calls;
}

/** As of `process.stdout`'s listener for errors that the system adds. */
function opened() {
  const before = new Set(process.stdout.listeners("error"));
  const system = openNode();
  const added = process.stdout.listeners("error").filter((listener) => !before.has(listener));
  for (const listener of added) process.stdout.off("error", listener as () => void);
  return { system, onError: added[0] as (error: Error & { code?: string }) => void };
}

describe("Node's system", () => {
  test("waits", async () => {
    const { system } = opened();
    const before = performance.now();
    await system.sleep(30);
    // A timer may be early by a part of a millisecond.
    expect(performance.now() - before).toBeGreaterThan(28);
  });

  test("gives arguments, environment, time, width and exit code", () => {
    const { system } = opened();
    expect(system.args).toEqual(process.argv.slice(2));
    expect(system.environment["PATH"]).toBe(process.env["PATH"]);
    expect(Math.abs(system.now().getTime() - Date.now())).toBeLessThan(60_000);
    const { columns } = process.stdout;
    undo.push(() => {
      Object.assign(process.stdout, { columns });
      process.exitCode = 0;
    });
    process.stdout.columns = 133;
    expect(system.columns).toBe(133);
    for (const none of [undefined, 0]) {
      Object.assign(process.stdout, { columns: none });
      expect(system.columns).toBe(80);
    }
    const { isTTY } = process.stdout;
    undo.push(() => Object.assign(process.stdout, { isTTY }));
    for (const [given, is] of [
      [true, true],
      [undefined, false],
    ]) {
      Object.assign(process.stdout, { isTTY: given });
      expect(system.isTerminal).toBe(is);
    }
    system.exit(3);
    expect(process.exitCode).toBe(3);
  });

  test("prints to the two outputs, and hears an error of standard error once", () => {
    const out = standIn(process.stdout, "write");
    const err = standIn(process.stderr, "write");
    const others = process.stderr.listeners("error");
    process.stderr.removeAllListeners("error");
    undo.push(() => {
      process.stderr.removeAllListeners("error");
      for (const listener of others) process.stderr.on("error", listener as () => void);
    });
    const { system } = opened();
    expect(process.stderr.listenerCount("error")).toBe(0);
    system.stdout("a");
    system.stderr("b");
    system.stderr("c");
    expect([out, err]).toEqual([[["a"]], [["b"], ["c"]]]);
    system.control("\u001b[H\u001b[J");
    expect(out[1]).toEqual(["\u001b[H\u001b[J"]);
    expect(process.stderr.listenerCount("error")).toBe(1);
  });

  test("a reader that goes away ends it well; another error of standard output is told", () => {
    const exits = standIn(process, "exit");
    const err = standIn(process.stderr, "write");
    const { onError } = opened();
    onError(Object.assign(new Error("write EIO"), { code: "EIO" }));
    expect([exits, err]).toEqual([[[1]], [["standard output: write EIO\n"]]]);
    exits.length = 0;
    onError(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    expect(exits[0]).toEqual([0]);
  });

  test.each<[string, number[][], string[]]>([
    [
      "over the pieces it comes in",
      [
        [0x61, 0xc3],
        [0xa9, 0xe2, 0x82],
      ],
      ["a", "é", "\ufffd"],
    ],
    ["with the mark of its order", [[0xef, 0xbb, 0xbf, 0x61]], ["\ufeffa"]],
    ["of nothing", [], []],
  ])("reads standard input as UTF-8, %s", async (_title, octets, expected) => {
    const pieces = octets.map((piece) => Buffer.from(piece));
    const stdin = Object.getOwnPropertyDescriptor(process, "stdin");
    Object.defineProperty(process, "stdin", {
      configurable: true,
      value: (async function* () {
        yield* pieces;
      })(),
    });
    undo.push(() => stdin && Object.defineProperty(process, "stdin", stdin));
    const read: string[] = [];
    for await (const piece of opened().system.stdin) read.push(piece);
    expect(read).toEqual(expected);
  });

  test("runs programs, and its ubus is that of UBUS_SOCKET", async () => {
    const { system } = opened();
    expect(await system.run("cat", [], { input: "x" })).toBe("x");
    vi.stubEnv("UBUS_SOCKET", join(directory, "nowhere.sock"));
    const bus = system.openBus();
    vi.unstubAllEnvs();
    await expect(bus.call("a", "b", {}, 1_000)).rejects.toThrow("ubus call a b: CONNECTION_FAILED");
    bus.close();
    system.openBus().close();
  });

  test("connects to ubusd at the first call, by UBUS_SOCKET, and closes the connection", async () => {
    const path = join(directory, "ubus.sock");
    const broker = await startBroker({ path });
    const connect = vi.spyOn(UbusCaller, "connect");
    const close = vi.spyOn(UbusCaller.prototype, "close");
    undo.push(
      () => connect.mockRestore(),
      () => close.mockRestore(),
    );
    const { system } = opened();
    vi.stubEnv("UBUS_SOCKET", path);
    const bus = system.openBus();
    vi.unstubAllEnvs();
    expect(connect.mock.calls).toEqual([]);
    await expect(bus.call("a", "b", {}, 1_000)).rejects.toMatchObject({ status: 4 });
    await expect(bus.call("a", "c", {}, 1_000)).rejects.toMatchObject({ status: 4 });
    expect(connect.mock.calls).toEqual([[{ path, timeoutMs: 1_000 }]]);
    bus.close();
    await new Promise(setImmediate);
    expect(close.mock.calls).toHaveLength(1);
    await broker.close();
  });

  test("what is printed by way of openSystem is fit to be shown", async () => {
    const out = standIn(process.stdout, "write");
    const err = standIn(process.stderr, "write");
    const before = process.stdout.listeners("error");
    const system = await openSystem();
    for (const listener of process.stdout.listeners("error"))
      if (!before.includes(listener)) process.stdout.off("error", listener as () => void);
    system.stdout("a\u001b[2J\n");
    system.stderr("b\u202e\n");
    const printed = [...out, ...err].join("");
    for (const hidden of ["\u001b", "\u202e"]) expect(printed).not.toContain(hidden);
    expect(out[0]?.[0]).toMatch(/^a.*\[2J\n$/);
    expect(err[0]?.[0]).toMatch(/^b.*\n$/);
    // All else is the engine's own.
    expect(system.args).toEqual(process.argv.slice(2));
  });
});

describe("Node's calls of the kernel", () => {
  const at = (name: string) => join(directory, name);
  const refused = (action: () => unknown) => {
    try {
      action();
    } catch (error) {
      if (error instanceof SyscallError) return `${error.message} (${error.kind})`;
      throw error;
    }
    return "not refused";
  };

  test("status of a file, a directory, a device and nothing", () => {
    writeFileSync(at("file"), "abc");
    expect(syscalls.stat(at("file"))).toMatchObject({ kind: "file", links: 1, size: 3 });
    expect(syscalls.stat(at("file"))?.owner).toBe(statSync(at("file")).uid);
    expect(Math.abs((syscalls.lstat(at("file"))?.modified ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(syscalls.lstat(directory)?.kind).toBe("directory");
    expect(syscalls.lstat("/dev/null")?.kind).toBe("other");
    expect(syscalls.stat(at("none"))).toBeUndefined();
    expect(syscalls.stat(at("file/none"))).toBeUndefined();
    expect(refused(() => syscalls.stat(at("x".repeat(300))))).toBe("File name too long (other)");
  });

  test("files are opened for one purpose, and refusals have the C library's words", () => {
    const fd = syscalls.open(at("new"), "create");
    expect(syscalls.write(fd, syscalls.encode("é"))).toBe(2);
    syscalls.close(fd);
    expect(statSync(at("new")).mode & 0o777).toBe(0o600);
    const more = syscalls.open(at("new"), "append");
    syscalls.write(more, syscalls.encode("x"));
    expect(refused(() => syscalls.read(more, new Uint8Array(1)))).toBe("Bad file descriptor (other)");
    syscalls.close(more);
    expect(readFileSync(at("new"), "utf8")).toBe("éx");
    const over = syscalls.open(at("new"), "write");
    syscalls.write(over, syscalls.encode("A"));
    syscalls.close(over);
    expect(readFileSync(at("new"))[0]).toBe(0x41);
    const read = syscalls.open(at("new"), "read");
    expect(refused(() => syscalls.write(read, new Uint8Array(1)))).toBe("Bad file descriptor (other)");
    syscalls.close(read);
    expect(refused(() => syscalls.close(read))).toBe("Bad file descriptor (other)");
    expect(refused(() => syscalls.open(at("new"), "create"))).toBe("File exists (file exists)");
    for (const purpose of ["read", "write", "append"] as const)
      expect(refused(() => syscalls.open(at("none"), purpose))).toBe(
        "No such file or directory (no such file)",
      );
  });

  test("names are made, moved and removed", () => {
    syscalls.makeDirectory(at("d"), 0o700);
    expect(statSync(at("d")).mode & 0o777).toBe(0o700);
    expect(refused(() => syscalls.makeDirectory(at("d"), 0o700))).toBe("File exists (file exists)");
    writeFileSync(at("d/a"), "");
    expect(refused(() => syscalls.remove(at("d")))).toBe("Directory not empty (other)");
    syscalls.rename(at("d/a"), at("d/b"));
    expect(syscalls.namesIn(at("d"))).toEqual(["b"]);
    syscalls.remove(at("d/b"));
    syscalls.remove(at("d"));
    expect(readdirSync(directory)).not.toContain("d");
    expect(refused(() => syscalls.remove(at("d")))).toBe("No such file or directory (no such file)");
    expect(refused(() => syscalls.rename(at("d"), at("e")))).toBe("No such file or directory (no such file)");
    mkdirSync(at("e"));
    expect(refused(() => syscalls.open(at("e"), "write"))).toBe("Is a directory (other)");
    expect(refused(() => syscalls.namesIn(at("e/x")))).toBe("No such file or directory (no such file)");
  });

  /** What comes of an error that Node's function throws. */
  function passedOn(thrown: unknown): unknown {
    const name = {
      get href() {
        throw thrown;
      },
    };
    try {
      syscalls.remove(name as unknown as string);
    } catch (error) {
      return error;
    }
    return "nothing was thrown";
  }

  test.each<[string, unknown]>([
    ["a bug", new TypeError("x is not a function")],
    ["what is no error", { code: "ENOENT" }],
  ])("%s that is thrown stays what it is", (_title, thrown) => {
    expect(passedOn(thrown)).toBe(thrown);
  });

  test.each([
    ["EACCES", "Permission denied"],
    ["EBUSY", "Device or resource busy"],
    ["EFBIG", "File too large"],
    ["EINVAL", "Invalid argument"],
    ["EIO", "Input/output error"],
    ["ELOOP", "Too many levels of symbolic links"],
    ["EMFILE", "Too many open files"],
    ["EMSGSIZE", "Message too long"],
    ["ENETDOWN", "Network is down"],
    ["ENODEV", "No such device"],
    ["ENOMEM", "Cannot allocate memory"],
    ["ENOSPC", "No space left on device"],
    ["ENXIO", "No such device or address"],
    ["EPERM", "Operation not permitted"],
    ["EROFS", "Read-only file system"],
    ["EOTHER", "words of Node's"],
  ])("the refusal %s is told as: %s", (code, words) => {
    const thrown = Object.assign(new Error("words of Node's"), { code });
    expect(passedOn(thrown)).toEqual(new SyscallError(words, "other"));
  });

  test("a refusal has its name", () => {
    expect(String(new SyscallError("File exists", "file exists"))).toBe("SyscallError: File exists");
  });

  test("text is UTF-8; a mark of its order stays", () => {
    expect([...syscalls.encode("é")]).toEqual([0xc3, 0xa9]);
    expect(syscalls.decode(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61, 0xff))).toBe("\ufeffa\ufffd");
  });
});
