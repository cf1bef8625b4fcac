/** QuickJS as the engine. */

import { makeFiles } from "../files.ts";
import { makeRun } from "../programs.ts";
import { DEFAULT_COLUMNS, type System } from "../system.ts";
import type { Os, Std } from "./engine.ts";
import { makeExecute } from "./programs.ts";
import { makeSyscalls } from "./syscalls.ts";
import { openBus } from "./ubus.ts";
import { decode, encode, unfinished } from "./utf8.ts";

declare const scriptArgs: readonly string[];

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const CHUNK = 65_536;
/** The same numbers on every architecture of Linux; `std.Error` has them not in every release. */
const EINTR = 4;
const EAGAIN = 11;
const EPIPE = 32;

export function openQuickjs(os: Os, std: Std): System {
  // Without a standard stream the first file or pipe that we open would take its place.
  for (let fd = 0; fd <= STDERR; ) {
    fd = os.open("/dev/null", os.O_RDWR);
    if (fd < 0 || fd > STDERR) {
      os.close(fd);
      break;
    }
  }
  // With a handler, write() says EPIPE, and programs that we start have the default again.
  os.signal(os.SIGPIPE, () => {});

  const syscalls = makeSyscalls(os, std);
  const environment = std.getenviron();
  const execute = makeExecute(os, environment);

  /** Does a read or write until it is done. @returns its answer, or a negative errno. */
  const insist = (action: () => number): number => {
    for (;;) {
      const answer = action();
      if (answer !== -EINTR && answer !== -EAGAIN) return answer;
      // Somebody who shares the stream has made it non-blocking.
      if (answer === -EAGAIN) os.sleep(5);
    }
  };
  const print = (fd: number, text: string): number => {
    const octets = encode(text);
    for (let done = 0; done < octets.length; ) {
      const count = insist(() => os.write(fd, octets.buffer, octets.byteOffset + done, octets.length - done));
      if (count <= 0) return count;
      done += count;
    }
    return 0;
  };
  // Where nobody hears us there is nobody to tell.
  const stderr = (text: string): void => void print(STDERR, text);
  const stdout = (text: string): void => {
    const answer = print(STDOUT, text);
    // A reader that goes away (`| head`) is no error.
    if (answer === -EPIPE) std.exit(0);
    if (answer < 0) {
      stderr(`standard output: ${std.strerror(-answer)}\n`);
      std.exit(1);
    }
  };

  async function* standardInput(): AsyncGenerator<string> {
    let rest = new Uint8Array(0);
    for (;;) {
      const octets = new Uint8Array(rest.length + CHUNK);
      octets.set(rest);
      const count = insist(() => os.read(STDIN, octets.buffer, rest.length, CHUNK));
      const found = octets.subarray(0, rest.length + Math.max(0, count));
      const whole = found.length - (count > 0 ? unfinished(found) : 0);
      if (whole > 0) yield decode(found.subarray(0, whole));
      if (count < 0) throw new Error(std.strerror(-count));
      if (count === 0) return;
      rest = found.slice(whole);
    }
  }

  return {
    args: scriptArgs.slice(1),
    environment,
    stdin: standardInput(),
    get columns() {
      return (os.isatty(STDOUT) && os.ttyGetWinSize(STDOUT)?.[0]) || DEFAULT_COLUMNS;
    },
    get isTerminal() {
      return os.isatty(STDOUT);
    },
    stdout,
    control: stdout,
    stderr,
    files: makeFiles(syscalls, Date.now),
    now: () => new Date(),
    sleep: (ms) => new Promise((resolve) => void os.setTimeout(() => resolve(), ms)),
    run: makeRun(execute),
    openBus: () => openBus(execute, environment["UBUS_SOCKET"]),
    exit: (code) => std.exit(code),
  };
}
