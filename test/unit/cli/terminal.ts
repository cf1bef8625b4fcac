import { Readable } from "node:stream";
import type { System } from "../../../src/system/system.ts";

/** A system that keeps what was printed and has nothing else: no files, no programs, no ubus. */
export interface Terminal extends System {
  readonly out: () => string;
  readonly err: () => string;
}

function refuse(): never {
  throw new Error("the test's system has neither files nor ubus");
}

export function makeTerminal(input = "", columns = 80): Terminal {
  let out = "";
  let err = "";
  return {
    args: [],
    environment: {},
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    stdin: Readable.from([input]),
    columns,
    isTerminal: false,
    files: {
      readText: () => undefined,
      namesIn: () => [],
      replaceFile: refuse,
      writeOnce: refuse,
      removeFile: refuse,
      appendBounded: refuse,
    },
    now: () => new Date("2026-01-02T03:04:05Z"),
    run: () => Promise.reject(new Error("no such program")),
    openBus: refuse,
    exit: refuse,
    sleep: refuse,
    control: refuse,
    out: () => out,
    err: () => err,
  };
}
