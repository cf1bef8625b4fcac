/** The few calls of the kernel that files are handled by: what an engine has to give. */

/** What is known of a name in a directory. */
export interface FileStatus {
  readonly kind: "file" | "directory" | "other";
  /** User id of its owner. */
  readonly owner: number;
  /** Names that it has. */
  readonly links: number;
  /** Octets. */
  readonly size: number;
  /** When it was last written, ms since 1970. */
  readonly modified: number;
}

/** `create` makes a file that must not be there; the others open one that must. */
export type OpenFor = "read" | "write" | "append" | "create";

/** Each throws {@link SyscallError} when the kernel refuses. */
export interface Syscalls {
  /** Of the name itself when it is a link; undefined when there is none. */
  lstat(path: string): FileStatus | undefined;
  /** Of what the name leads to; undefined when there is nothing. */
  stat(path: string): FileStatus | undefined;
  open(path: string, purpose: OpenFor, mode?: number): number;
  close(fd: number): void;
  /** @returns the octets read; 0 at the end. */
  read(fd: number, octets: Uint8Array): number;
  /** @returns the octets written, which may be fewer. */
  write(fd: number, octets: Uint8Array): number;
  rename(from: string, to: string): void;
  remove(path: string): void;
  makeDirectory(path: string, mode: number): void;
  namesIn(path: string): readonly string[];
  /** Number of this process. */
  readonly pid: number;
  encode(text: string): Uint8Array;
  decode(octets: Uint8Array): string;
}

/** The kernel refused a call. The message is its words, without the path. */
export class SyscallError extends Error {
  override readonly name = "SyscallError";
  /** The two refusals that callers tell apart. */
  readonly kind: "no such file" | "file exists" | "other";

  constructor(message: string, kind: SyscallError["kind"]) {
    super(message);
    this.kind = kind;
  }
}
