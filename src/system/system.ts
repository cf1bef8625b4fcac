/**
 * What the programs need of the world they run in. `node/` and `quickjs/` are the two engines that give it; nothing above
 * this folder knows which one it runs on.
 */

/** Variables of the environment; one that is not set is undefined. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a program's text goes, and where it comes from. */
export interface Io {
  stdout(text: string): void;
  stderr(text: string): void;
  /** Standard input as text, in pieces of any length; malformed UTF-8 is read as U+FFFD. */
  readonly stdin: AsyncIterable<string>;
  /** Width of the terminal, characters; 80 where standard output is not a terminal. */
  readonly columns: number;
  /** Standard output is a terminal. */
  readonly isTerminal: boolean;
}

/** Files, read and written as UTF-8. Each throws EffectError when the kernel refuses. */
export interface Files {
  /**
   * The text of a file, or undefined when there is none. What is not a regular file is never opened, and one that has more
   * octets than `limit` is refused.
   */
  readText(path: string, limit?: number): string | undefined;
  /** Writes a file whole or not at all, with mode 0600, making its directory. */
  replaceFile(path: string, text: string): void;
  /** One write() to a file of /proc or /sys that is there: its error is the kernel's answer. */
  writeOnce(path: string, text: string): void;
  /** Removes a file; one that is not there is no error. */
  removeFile(path: string): void;
  /** Names in a directory, sorted; none when there is no such directory. */
  namesIn(path: string): readonly string[];
  /**
   * Appends one record to a log file, moving it to `PATH.1` first when it would grow above the limit. The file may be in a
   * directory that everybody may write: what is not a regular file of our own user's is never opened.
   */
  appendBounded(path: string, record: string, bound: LogBound): void;
}

/** How large a log grows. */
export interface LogBound {
  /** Octets. */
  readonly limit: number;
  /** A file that is there while the log is moved aside, in a directory that only we may write. */
  readonly lock: string;
}

/** How a program is run. */
export interface RunOptions {
  /** What it reads on standard input; nothing when not given. */
  readonly input?: string;
  /** When it is ended, ms; {@link PATIENCE_MS} when not given. */
  readonly limitMs?: number;
}

/** Columns of a terminal that does not say how wide it is. */
export const DEFAULT_COLUMNS = 80;

/**
 * What a terminal is told (ECMA-48), and nothing else: to clear the screen (CUP, ED; terminals keep what has scrolled away), to
 * begin this line anew (CR, EL), and colours (SGR).
 */
export type Control = "\u001b[H\u001b[J" | "\r\u001b[K" | "\u001b[31m" | "\u001b[32m" | "\u001b[m";

/** Longest wait for what should take a moment, where nobody else waits with a limit, ms. */
export const PATIENCE_MS = 30_000;

/** A connection to ubus. Close it, or the process may never end. */
export interface Bus {
  /**
   * Calls a method. @returns the first object of the answer, or an empty one.
   * @throws EffectError with ubus's `status`; without one when the call could not be made.
   */
  call(object: string, method: string, args: object, limitMs: number): Promise<unknown>;
  close(): void;
}

export interface System extends Io {
  /** The arguments after the program's own file. */
  readonly args: readonly string[];
  readonly environment: Environment;
  readonly files: Files;
  now(): Date;
  sleep(ms: number): Promise<void>;
  /** Tells the terminal, which standard output is. What others have written never comes this way. */
  control(sequence: Control): void;
  /**
   * Runs one program and gives its standard output. `argv` is never seen by a shell. When we are told to end (SIGTERM),
   * the programs that still run are ended first.
   *
   * @throws EffectError when the program is missing, fails or takes longer; its message holds the program's own.
   */
  run(file: string, argv: readonly string[], options?: RunOptions): Promise<string>;
  /** Nothing is connected before the first call; one after a lost connection connects anew. */
  openBus(): Bus;
  /** Ends the process with this code once what was printed has been written. */
  exit(code: number): void;
}
