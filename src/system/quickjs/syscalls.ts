import { type FileStatus, type OpenFor, SyscallError, type Syscalls } from "../syscalls.ts";
import type { Os, Stat, Std } from "./engine.ts";
import { decode, encode } from "./utf8.ts";

/** The same number on every architecture of Linux; `std.Error` does not have it. */
const ENOTDIR = 20;

export function makeSyscalls(os: Os, std: Std): Syscalls {
  const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_EXCL } = os;
  const flags: Readonly<Record<OpenFor, number>> = {
    read: O_RDONLY,
    write: O_WRONLY,
    append: O_WRONLY | O_APPEND,
    create: O_WRONLY | O_APPEND | O_CREAT | O_EXCL,
  };
  const { ENOENT, EEXIST } = std.Error;

  const refuse = (errno: number): never => {
    const kind = errno === ENOENT ? "no such file" : errno === EEXIST ? "file exists" : "other";
    throw new SyscallError(std.strerror(errno), kind);
  };
  const checked = (answer: number): number => (answer < 0 ? refuse(-answer) : answer);

  const statusOf = ([found, errno]: [Stat | null, number]): FileStatus | undefined => {
    if (errno === ENOENT || errno === ENOTDIR) return undefined;
    if (errno !== 0 || found === null) return refuse(errno);
    const type = found.mode & os.S_IFMT;
    return {
      kind: type === os.S_IFREG ? "file" : type === os.S_IFDIR ? "directory" : "other",
      owner: found.uid,
      links: found.nlink,
      size: found.size,
      modified: found.mtime,
    };
  };

  return {
    lstat: (path) => statusOf(os.lstat(path)),
    stat: (path) => statusOf(os.stat(path)),
    open: (path, purpose, mode = 0o600) => checked(os.open(path, flags[purpose], mode)),
    close: (fd) => void checked(os.close(fd)),
    read: (fd, octets) => checked(os.read(fd, octets.buffer, octets.byteOffset, octets.length)),
    write: (fd, octets) => checked(os.write(fd, octets.buffer, octets.byteOffset, octets.length)),
    rename: (from, to) => void checked(os.rename(from, to)),
    remove: (path) => void checked(os.remove(path)),
    makeDirectory: (path, mode) => void checked(os.mkdir(path, mode)),
    namesIn: (path) => {
      const [names, errno] = os.readdir(path);
      if (errno !== 0) refuse(errno);
      return names.filter((name) => name !== "." && name !== "..");
    },
    pid: os.getpid(),
    encode,
    decode,
  };
}
