/** Where a program's text goes, and where it comes from. */
export interface Io {
  stdout(text: string): void;
  stderr(text: string): void;
  readonly stdin: AsyncIterable<string | Buffer>;
  /** Width of the terminal, characters; 80 where standard output is not a terminal. */
  readonly columns: number;
}

/** Exit codes of every program in the bundle. `bug` is EX_SOFTWARE, the internal error of BSD's sysexits.h. */
export const Exit = { ok: 0, badInput: 1, usage: 2, bug: 70 } as const;
