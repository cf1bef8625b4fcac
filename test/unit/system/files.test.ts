import {
  chmodSync,
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
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Collected, makeFiles } from "../../../src/system/files.ts";
import { syscalls } from "../../../src/system/node/syscalls.ts";
import { type FileStatus, SyscallError, type Syscalls } from "../../../src/system/syscalls.ts";
import { EffectError } from "../../../src/wire/errors.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mapmin-files-"));
  path = join(directory, "run/mapmin/wan.state");
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Files over the kernel's calls, of which some are a test's own; `log` tells what was asked for that changes a name. */
function filesWith(own: Partial<Syscalls> = {}) {
  const log: string[] = [];
  const calls: Syscalls = {
    ...syscalls,
    open: (name, purpose, mode) => {
      log.push(`open ${purpose} ${mode?.toString(8) ?? "-"} ${name}`);
      return syscalls.open(name, purpose, mode);
    },
    close: (fd) => {
      log.push("close");
      syscalls.close(fd);
    },
    rename: (from, to) => {
      log.push(`rename ${from} ${to}`);
      syscalls.rename(from, to);
    },
    ...own,
  };
  return { log, files: makeFiles(calls, Date.now) };
}
const files = makeFiles(syscalls, Date.now);
function full(): never {
  throw new SyscallError("No space left on device", "other");
}

describe("a state file", () => {
  test("is for its owner alone, whatever the umask, and its directory can be entered", () => {
    const before = process.umask(0);
    try {
      files.replaceFile(path, "state=up\n");
    } finally {
      process.umask(before);
    }
    expect((statSync(path).mode & 0o7777).toString(8)).toBe("600");
    expect((statSync(join(directory, "run/mapmin")).mode & 0o7777).toString(8)).toBe("700");
    expect(readFileSync(path, "utf8")).toBe("state=up\n");
    // One that somebody made readable is not so any more.
    chmodSync(path, 0o644);
    files.replaceFile(path, "state=failed\n");
    expect((statSync(path).mode & 0o7777).toString(8)).toBe("600");
  });

  test("is written beside the old one, closed, and takes its place by its name", () => {
    files.replaceFile(path, "old\n");
    const seen: string[] = [];
    const { files: watched, log } = filesWith({
      write: (fd, octets) => {
        seen.push(readFileSync(path, "utf8"));
        return syscalls.write(fd, octets.subarray(0, 2));
      },
    });
    const inode = statSync(path).ino;
    watched.replaceFile(path, "new one\n");
    // Whoever reads while it is written reads the old one.
    expect(seen).toEqual(["old\n", "old\n", "old\n", "old\n"]);
    const temporary = `${path}.${process.pid}`;
    expect(log).toEqual([`open create 600 ${temporary}`, "close", `rename ${temporary} ${path}`]);
    expect(readFileSync(path, "utf8")).toBe("new one\n");
    expect(statSync(path).ino).not.toBe(inode);
    expect(readdirSync(join(directory, "run/mapmin"))).toEqual(["wan.state"]);
  });

  test.each<readonly [string, Partial<Syscalls>, string]>([
    ["there is no space", { write: full }, "No space left on device"],
    ["a write takes nothing", { write: () => 0 }, "only 0 of 4 octets were written"],
    ["it cannot be renamed", { rename: full }, "No space left on device"],
  ])("%s: the old one stays, nothing is left beside it", (_title, own, message) => {
    files.replaceFile(path, "old\n");
    const { files: failing, log } = filesWith(own);
    expect(() => failing.replaceFile(path, "new\n")).toThrow(new EffectError(path, message));
    expect(readFileSync(path, "utf8")).toBe("old\n");
    expect(readdirSync(join(directory, "run/mapmin"))).toEqual(["wan.state"]);
    expect(log.filter((line) => line === "close")).toHaveLength(1);
  });

  test("what a process of the same number left is no obstacle", () => {
    files.replaceFile(path, "old\n");
    writeFileSync(`${path}.${process.pid}`, "half");
    files.replaceFile(path, "new\n");
    expect(readFileSync(path, "utf8")).toBe("new\n");
  });

  test("another error while the rest of a failed write is removed is what is told", () => {
    let calls = 0;
    const { files: failing } = filesWith({
      write: full,
      remove: () => {
        calls++;
        if (calls === 1) throw new SyscallError("No such file or directory", "no such file");
        throw new SyscallError("Read-only file system", "other");
      },
    });
    expect(() => failing.replaceFile(path, "x")).toThrow(`${path}: Read-only file system`);
  });

  test("its directory may be made by somebody else meanwhile; another refusal is told", () => {
    const { files: raced } = filesWith({
      makeDirectory: (name, mode) => {
        mkdirSync(name, { mode });
        throw new SyscallError("File exists", "file exists");
      },
    });
    raced.replaceFile(path, "x\n");
    expect(readFileSync(path, "utf8")).toBe("x\n");
    const { files: refused } = filesWith({ makeDirectory: full });
    expect(() => refused.replaceFile(join(directory, "other/x"), "x")).toThrow("No space left on device");
  });

  test("that cannot be made is told in the kernel's words, though there is nothing to remove", () => {
    const { files: refused } = filesWith({ open: full });
    expect(() => refused.replaceFile(path, "x")).toThrow(new EffectError(path, "No space left on device"));
  });

  test("by a name without a directory needs none", () => {
    const asked: string[] = [];
    const { files: bare } = filesWith({
      open: (name) => {
        asked.push(`open ${name}`);
        return 3;
      },
      write: (_fd, octets) => octets.length,
      close: () => {},
      stat: () => undefined,
      makeDirectory: (name) => void asked.push(`make ${name}`),
      rename: (from, to) => void asked.push(`rename ${from} ${to}`),
    });
    bare.replaceFile("mapmin-test.state", "x");
    const temporary = `mapmin-test.state.${process.pid}`;
    expect(asked).toEqual([`open ${temporary}`, `rename ${temporary} mapmin-test.state`]);
  });

  test("is removed, and one that is not there is no error", () => {
    files.replaceFile(path, "x");
    files.removeFile(path);
    files.removeFile(path);
    expect(readdirSync(join(directory, "run/mapmin"))).toEqual([]);
    const { files: failing } = filesWith({ remove: full });
    expect(() => failing.removeFile(path)).toThrow(new EffectError(path, "No space left on device"));
  });
});

describe("reading", () => {
  test("a file in pieces, whole, and its descriptor is closed", () => {
    const text = "é".repeat(100_000);
    files.replaceFile(path, text);
    const { files: watched, log } = filesWith();
    expect(watched.readText(path)).toBe(text);
    expect(log).toEqual([`open read - ${path}`, "close"]);
    files.replaceFile(path, "");
    expect(files.readText(path)).toBe("");
  });

  test("a file of one piece, of /proc, and none", () => {
    files.replaceFile(path, "a\n");
    expect(files.readText(path)).toBe("a\n");
    expect(files.readText("/proc/version")).toBe(readFileSync("/proc/version", "utf8"));
    expect(files.readText(join(directory, "none"))).toBeUndefined();
    expect(files.readText(join(path, "none"))).toBeUndefined();
  });

  test("what is not a regular file is not opened", () => {
    symlinkSync("/dev/null", join(directory, "link"));
    const { files: watched, log } = filesWith();
    for (const name of [directory, join(directory, "link")]) {
      expect(() => watched.readText(name)).toThrow(new EffectError(name, "is not a regular file"));
    }
    expect(log).toEqual([]);
  });

  test("16 MiB or another limit, and not an octet more", () => {
    const status = { kind: "file", owner: 0, links: 1, size: 0, modified: 0 } as const;
    const read = (octets: number, limit?: number) => {
      let left = octets;
      let closed = 0;
      const endless = makeFiles(
        {
          ...syscalls,
          stat: () => status,
          open: () => 3,
          close: () => {
            closed++;
          },
          read: (_fd, buffer) => {
            const count = Math.min(left, buffer.length);
            left -= count;
            return count;
          },
        },
        Date.now,
      );
      try {
        return endless.readText("/proc/x", limit)?.length;
      } finally {
        expect(closed).toBe(1);
      }
    };
    expect(read(16 * 1024 * 1024)).toBe(16 * 1024 * 1024);
    expect(() => read(16 * 1024 * 1024 + 1)).toThrow("/proc/x: larger than 16777216 octets");
    expect(read(70_000, 70_000)).toBe(70_000);
    expect(() => read(70_001, 70_000)).toThrow("/proc/x: larger than 70000 octets");
  });

  test("what is thrown that is no Error is told too", () => {
    const { files: odd } = filesWith({
      stat: () => {
        throw "a text";
      },
    });
    expect(() => odd.readText(path)).toThrow(`${path}: a text`);
  });

  test("names in a directory, sorted; none where there is none", () => {
    for (const name of ["b", "c", "a"]) writeFileSync(join(directory, name), "");
    expect(files.namesIn(directory)).toEqual(["a", "b", "c"]);
    const { files: backwards } = filesWith({ namesIn: () => ["b", "a"] });
    expect(backwards.namesIn(directory)).toEqual(["a", "b"]);
    expect(files.namesIn(join(directory, "none"))).toEqual([]);
    expect(() => files.namesIn(join(directory, "a"))).toThrow("Not a directory");
  });
});

describe("one write to a file of the kernel's", () => {
  test("makes no file, and makes one write", () => {
    expect(() => files.writeOnce(path, "x")).toThrow(new EffectError(path, "No such file or directory"));
    writeFileSync(join(directory, "control"), "");
    const writes: number[] = [];
    const { files: watched, log } = filesWith({
      write: (fd, octets) => {
        writes.push(octets.length);
        return syscalls.write(fd, octets);
      },
    });
    watched.writeOnce(join(directory, "control"), "add é\n");
    expect(writes).toEqual([7]);
    expect(log).toEqual([`open write - ${join(directory, "control")}`, "close"]);
    expect(readFileSync(join(directory, "control"), "utf8")).toBe("add é\n");
  });

  test("that is taken in part is an error, with the kernel's own words if it has any", () => {
    writeFileSync(join(directory, "control"), "");
    const name = join(directory, "control");
    const { files: short } = filesWith({ write: () => 3 });
    expect(() => short.writeOnce(name, "abcdef")).toThrow(`${name}: took only 3 of 6 octets`);
    const { files: failing, log } = filesWith({ write: full });
    expect(() => failing.writeOnce(name, "x")).toThrow(`${name}: No space left on device`);
    expect(log.at(-1)).toBe("close");
  });
});

describe("octets that come in pieces", () => {
  const octets = (...values: number[]) => Uint8Array.from(values);

  test("are put together, up to the limit", () => {
    const kept = new Collected(4);
    expect(kept.whole()).toEqual(octets());
    expect(kept.add(octets(1, 2))).toBe(true);
    expect(kept.whole()).toEqual(octets(1, 2));
    expect(kept.add(octets(3, 4, 5))).toBe(false);
    expect(kept.add(octets(3))).toBe(true);
    expect(kept.add(octets(4))).toBe(true);
    expect(kept.add(octets(5))).toBe(false);
    expect(kept.whole()).toEqual(octets(1, 2, 3, 4));
  });

  test("are given as they came where there is one piece", () => {
    const piece = octets(1, 2);
    const kept = new Collected(4);
    kept.add(piece);
    expect(kept.whole()).toBe(piece);
  });
});

describe("a log's file", () => {
  const bound = () => ({ limit: 10, lock: join(directory, "lock") });

  test("is readable by everybody; what is appended is written whole", () => {
    const name = join(directory, "log");
    const before = process.umask(0);
    const { files: slow } = filesWith({ write: (fd, octets) => syscalls.write(fd, octets.subarray(0, 1)) });
    try {
      slow.appendBounded(name, "abc\n", bound());
    } finally {
      process.umask(before);
    }
    slow.appendBounded(name, "def\n", bound());
    expect(readFileSync(name, "utf8")).toBe("abc\ndef\n");
    expect((statSync(name).mode & 0o7777).toString(8)).toBe("644");
  });

  test("is moved aside when it would be more than its limit, and not at the limit", () => {
    const name = join(directory, "log");
    files.appendBounded(name, "12345\n", bound());
    files.appendBounded(name, "123\n", bound());
    expect(readdirSync(directory)).toEqual(["log"]);
    files.appendBounded(name, "x", bound());
    expect(readFileSync(`${name}.1`, "utf8")).toBe("12345\n123\n");
    expect(readFileSync(name, "utf8")).toBe("x");
    expect(readdirSync(directory)).toEqual(["log", "log.1"]);
  });

  test("one record may be longer than the limit: an empty log is not moved", () => {
    const name = join(directory, "log");
    files.appendBounded(name, "more than ten octets\n", bound());
    expect(readdirSync(directory)).toEqual(["log"]);
  });

  test("that is created and removed all the time is given up", () => {
    let tries = 0;
    const { files: raced } = filesWith({
      open: () => {
        tries++;
        throw new SyscallError("File exists", "file exists");
      },
    });
    expect(() => raced.appendBounded(join(directory, "log"), "x", bound())).toThrow(
      "is created and removed all the time",
    );
    expect(tries).toBe(102);
  });

  test("the lock is made by whoever rotates, for nobody else, and removed when the move fails", () => {
    const name = join(directory, "log");
    files.appendBounded(name, "1234567890", bound());
    const { files: failing, log } = filesWith({ rename: full });
    expect(() => failing.appendBounded(name, "x", bound())).toThrow("No space left on device");
    expect(log[0]).toBe(`open create 600 ${join(directory, "lock")}`);
    expect(readdirSync(directory)).toEqual(["log"]);
  });
});

describe("who moves a full log aside", () => {
  const NOW = 1_000_000;
  const OURS = 1_000;
  const mine: FileStatus = { kind: "file", owner: OURS, links: 1, size: 0, modified: NOW };
  const noSuchFile = () => new SyscallError("No such file or directory", "no such file");

  /** Names with their status, on a kernel that tells what it was asked for, and does what a test wants before that. */
  function kernel(names: Record<string, FileStatus>, before: (call: string) => void = () => {}) {
    const there = new Map(Object.entries(names));
    const asked: string[] = [];
    const ask = (call: string) => {
      asked.push(call);
      before(call);
    };
    const calls: Syscalls = {
      ...syscalls,
      lstat: (name) => {
        ask(`look at ${name}`);
        return there.get(name);
      },
      stat: (name) => (name === "/proc/self" ? there.get(name) : { ...mine, kind: "directory" }),
      open: (name, purpose, mode) => {
        ask(`${purpose} ${name} ${mode?.toString(8)}`);
        if (purpose === "create" && there.has(name)) throw new SyscallError("File exists", "file exists");
        if (purpose !== "create" && !there.has(name)) throw noSuchFile();
        if (purpose === "create") there.set(name, mine);
        return 3;
      },
      close: () => {},
      write: (_fd, octets) => octets.length,
      rename: (from, to) => {
        ask(`move ${from} to ${to}`);
        there.delete(from);
      },
      remove: (name) => {
        ask(`remove ${name}`);
        if (!there.delete(name)) throw noSuchFile();
      },
    };
    const append = () => {
      makeFiles(calls, () => NOW).appendBounded("log", "record", { limit: 10, lock: "lock" });
      return asked;
    };
    return { there, asked, append };
  }
  const self = { "/proc/self": { ...mine, kind: "directory" } as const };
  const full = { ...mine, size: 10 };

  test("holds the lock while it looks again and moves", () => {
    const { append } = kernel({ ...self, log: full });
    expect(append()).toEqual([
      "look at log",
      "create lock 600",
      "look at log",
      "move log to log.1",
      "remove lock",
      "look at log",
      "create log 644",
    ]);
  });

  const held = ["look at log", "create lock 600", "look at lock"];
  const taken = [
    ...held,
    "remove lock",
    "create lock 600",
    "look at log",
    "move log to log.1",
    "remove lock",
  ];
  test.each<[string, FileStatus, boolean]>([
    ["is fresh", { ...mine, modified: NOW - 9_999 }, false],
    ["is of the superuser's", { ...mine, owner: 0 }, false],
    ["is 10 s old", { ...mine, modified: NOW - 10_000 }, true],
    ["is of another time to come", { ...mine, modified: NOW + 10_000 }, true],
    ["is another user's", { ...mine, owner: 1_001 }, true],
    ["has two names", { ...mine, links: 2 }, true],
    ["is a directory", { ...mine, kind: "directory" }, true],
  ])("where the lock %s", (_title, lock, isTaken) => {
    const { append } = kernel({ ...self, log: full, lock });
    expect(append()).toEqual(
      isTaken ? [...taken, "look at log", "create log 644"] : [...held, "look at log", "append log 644"],
    );
  });

  test("takes a lock that is given back while it looks", () => {
    const { append, there } = kernel({ ...self, log: full, lock: mine }, (call) => {
      if (call === "look at lock") there.delete("lock");
    });
    expect(append()).toEqual([...taken, "look at log", "create log 644"]);
  });

  test("leaves it to somebody who was faster with an old lock", () => {
    let tries = 0;
    const { append, there } = kernel({ ...self, log: full, lock: { ...mine, modified: 0 } }, (call) => {
      if (call === "create lock 600" && ++tries === 2) there.set("lock", mine);
    });
    expect(append()).toEqual([...held, "remove lock", "create lock 600", "look at log", "append log 644"]);
    expect([...there.keys()]).toContain("lock");
  });

  test("leaves alone a log that somebody else has moved meanwhile, and a lock that is gone", () => {
    const { append, there } = kernel({ ...self, log: full }, (call) => {
      if (call === "create lock 600") there.set("log", mine);
      if (call === "remove lock") there.delete("lock");
    });
    expect(append()).toEqual([
      "look at log",
      "create lock 600",
      "look at log",
      "remove lock",
      "look at log",
      "append log 644",
    ]);
  });

  test("a log that is moved between look and open is made anew", () => {
    const { append, there } = kernel({ ...self, log: mine }, (call) => {
      if (call === "append log 644") there.delete("log");
    });
    expect(append()).toEqual([
      "look at log",
      "look at log",
      "append log 644",
      "look at log",
      "create log 644",
    ]);
  });

  test.each<[string, string, Record<string, FileStatus>]>([
    ["our own", "appended to", { ...self, log: mine }],
    ["the superuser's", "appended to", { ...self, log: { ...mine, owner: 0 } }],
    ["another user's", "refused", { ...self, log: { ...mine, owner: 1_001 } }],
    ["somebody's, where /proc does not tell who we are,", "refused", { log: mine }],
  ])("a log that is %s is %s", (_title, what, names) => {
    const { append, asked } = kernel(names);
    if (what === "appended to") expect(append().at(-1)).toBe("append log 644");
    else expect(append).toThrow(new EffectError("log", "is not a regular file of our own"));
    expect(asked.filter((call) => call.startsWith("append"))).toHaveLength(what === "refused" ? 0 : 1);
  });
});
