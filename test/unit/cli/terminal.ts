import { Readable } from "node:stream";
import type { Io } from "../../../src/cli/io.ts";

/** A terminal that keeps what was printed. */
export interface Terminal extends Io {
  readonly out: () => string;
  readonly err: () => string;
}

export function makeTerminal(input = "", columns = 80): Terminal {
  let out = "";
  let err = "";
  return {
    stdout: (text) => {
      out += text;
      return true;
    },
    stderr: (text) => {
      err += text;
      return true;
    },
    stdin: Readable.from([input]) as unknown as Io["stdin"],
    columns,
    out: () => out,
    err: () => err,
  };
}
