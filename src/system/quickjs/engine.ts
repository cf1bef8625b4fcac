/**
 * What we use of QuickJS's modules `os` and `std`: what 2025-04-26 has and later releases document. Calls of `os` answer
 * with a negative errno where the kernel refuses, and errnos above 34 differ by architecture.
 */

export interface Stat {
  readonly mode: number;
  readonly uid: number;
  readonly nlink: number;
  readonly size: number;
  /** ms. */
  readonly mtime: number;
}

export interface ExecOptions {
  readonly block: boolean;
  readonly usePath: boolean;
  readonly file: string;
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
}

export interface Os {
  readonly O_RDONLY: number;
  readonly O_RDWR: number;
  readonly O_WRONLY: number;
  readonly O_APPEND: number;
  readonly O_CREAT: number;
  readonly O_EXCL: number;
  readonly S_IFMT: number;
  readonly S_IFREG: number;
  readonly S_IFDIR: number;
  readonly SIGPIPE: number;
  readonly SIGTERM: number;
  readonly WNOHANG: number;
  open(path: string, flags: number, mode?: number): number;
  close(fd: number): number;
  read(fd: number, buffer: ArrayBufferLike, at: number, length: number): number;
  write(fd: number, buffer: ArrayBufferLike, at: number, length: number): number;
  stat(path: string): [Stat | null, number];
  lstat(path: string): [Stat | null, number];
  rename(from: string, to: string): number;
  remove(path: string): number;
  mkdir(path: string, mode: number): number;
  readdir(path: string): [string[], number];
  exec(argv: readonly string[], options: ExecOptions): number;
  pipe(): [number, number] | null;
  waitpid(pid: number, options: number): [number, number];
  kill(pid: number, signal: number): number;
  getpid(): number;
  /** null: as the system does by default. */
  signal(signal: number, handler: (() => void) | null): void;
  setReadHandler(fd: number, handler: (() => void) | null): void;
  setWriteHandler(fd: number, handler: (() => void) | null): void;
  setTimeout(handler: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  sleep(ms: number): void;
  isatty(fd: number): boolean;
  ttyGetWinSize(fd: number): [number, number] | null;
}

export interface Std {
  getenviron(): Record<string, string>;
  strerror(errno: number): string;
  exit(code: number): never;
  readonly Error: { readonly ENOENT: number; readonly EEXIST: number };
}
