/** Node as the engine. What takes long to load is loaded when it is needed. */

import { fstatSync } from "node:fs";
import { makeFiles } from "../files.ts";
import { makeRun } from "../programs.ts";
import { type Bus, DEFAULT_COLUMNS, type System } from "../system.ts";
import { syscalls } from "./syscalls.ts";

const STDIN = 0;

/** Standard input is opened when it is read: open, it would keep the process from ending. */
async function* standardInput(): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  // Node takes it for an empty input.
  if (fstatSync(STDIN).isDirectory()) throw new Error("Is a directory");
  for await (const chunk of process.stdin as AsyncIterable<Buffer>)
    yield decoder.decode(chunk, { stream: true });
  const rest = decoder.decode();
  if (rest !== "") yield rest;
}

/** ubus-client-ts is loaded at the first call. */
function lazyBus(path: string | undefined): Bus {
  let bus: Promise<Bus> | undefined;
  return {
    async call(...call) {
      bus ??= import("./ubus.ts").then(({ openBus }) => openBus(path));
      return (await bus).call(...call);
    },
    close() {
      void bus?.then((opened) => opened.close());
    },
  };
}

export function openNode(): System {
  // A reader that goes away (`| head`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`standard output: ${error.message}\n`);
    process.exit(1);
  });
  return {
    args: process.argv.slice(2),
    environment: process.env,
    stdin: standardInput(),
    get columns() {
      // A serial line, and a terminal that nobody has told, are 0 columns wide.
      return process.stdout.columns || DEFAULT_COLUMNS;
    },
    get isTerminal() {
      return process.stdout.isTTY === true;
    },
    stdout: (text) => void process.stdout.write(text),
    control: (sequence) => void process.stdout.write(sequence),
    stderr: (text) => {
      // Where nobody hears us there is nobody to tell.
      if (process.stderr.listenerCount("error") === 0) process.stderr.on("error", () => {});
      process.stderr.write(text);
    },
    files: makeFiles(syscalls, Date.now),
    now: () => new Date(),
    sleep: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
    run: makeRun(async (...call) => (await import("./programs.ts")).execute(...call)),
    openBus: () => lazyBus(process.env["UBUS_SOCKET"]),
    exit: (code) => {
      process.exitCode = code;
    },
  };
}
