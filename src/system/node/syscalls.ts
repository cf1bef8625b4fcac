import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { type FileStatus, type OpenFor, SyscallError, type Syscalls } from "../syscalls.ts";

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_EXCL } = constants;
const FLAGS: Readonly<Record<OpenFor, number>> = {
  read: O_RDONLY,
  write: O_WRONLY,
  append: O_WRONLY | O_APPEND,
  create: O_WRONLY | O_APPEND | O_CREAT | O_EXCL,
};

/** As the C library says it, which is what QuickJS gives: Node has sentences of its own for some. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: "Permission denied",
  EBADF: "Bad file descriptor",
  EBUSY: "Device or resource busy",
  EEXIST: "File exists",
  EFBIG: "File too large",
  EINVAL: "Invalid argument",
  EIO: "Input/output error",
  EISDIR: "Is a directory",
  ELOOP: "Too many levels of symbolic links",
  EMFILE: "Too many open files",
  EMSGSIZE: "Message too long",
  ENAMETOOLONG: "File name too long",
  ENETDOWN: "Network is down",
  ENODEV: "No such device",
  ENOENT: "No such file or directory",
  ENOMEM: "Cannot allocate memory",
  ENOSPC: "No space left on device",
  ENOTDIR: "Not a directory",
  ENOTEMPTY: "Directory not empty",
  ENXIO: "No such device or address",
  EPERM: "Operation not permitted",
  EROFS: "Read-only file system",
};

function asSyscallError(error: unknown): unknown {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === undefined || !(error instanceof Error)) return error;
  const kind = code === "ENOENT" ? "no such file" : code === "EEXIST" ? "file exists" : "other";
  return new SyscallError(WORDS[code] ?? error.message, kind);
}

function attempt<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asSyscallError(error);
  }
}

function statusOf(look: () => Stats): FileStatus | undefined {
  try {
    const found = look();
    return {
      kind: found.isFile() ? "file" : found.isDirectory() ? "directory" : "other",
      owner: found.uid,
      links: found.nlink,
      size: found.size,
      modified: found.mtimeMs,
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw asSyscallError(error);
  }
}

export const syscalls: Syscalls = {
  lstat: (path) => statusOf(() => lstatSync(path)),
  stat: (path) => statusOf(() => statSync(path)),
  open: (path, purpose, mode = 0o600) => attempt(() => openSync(path, FLAGS[purpose], mode)),
  close: (fd) => attempt(() => closeSync(fd)),
  read: (fd, octets) => attempt(() => readSync(fd, octets)),
  write: (fd, octets) => attempt(() => writeSync(fd, octets)),
  rename: (from, to) => attempt(() => renameSync(from, to)),
  remove: (path) => attempt(() => (lstatSync(path).isDirectory() ? rmdirSync(path) : unlinkSync(path))),
  makeDirectory: (path, mode) => attempt(() => mkdirSync(path, { mode })),
  namesIn: (path) => attempt(() => readdirSync(path)),
  pid: process.pid,
  encode: (text) => Buffer.from(text),
  decode: (octets) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(octets),
};
