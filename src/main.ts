/** Composition: picks the program by its first argument and maps errors to exit codes. */

import { endOf } from "./cli/end.ts";
import { Exit, type Io } from "./cli/io.ts";

declare const MAPMIN_VERSION: string;

const help = `usage: mapmin PROGRAM [ARGUMENT ...]

  mdpc        reads OPTION_48879 and PREFIXES, prints the commands that set the CE up
  mapminctl   explains, calculates, plans and shows MAP customer edges
  proto       the handler of the netifd protocol "map"
  hook        what odhcp6c's script runs when a lease changes

Each has --help. --version prints ${MAPMIN_VERSION}.
`;

const io: Io = {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  stdin: process.stdin,
  columns: process.stdout.columns ?? 80,
};

// Programs are loaded when asked for: start-up counts on a router.
async function main(argv: readonly string[]): Promise<number> {
  const [program, ...rest] = argv;
  if (rest[0] === "--version" || program === "--version") {
    io.stdout(`${MAPMIN_VERSION}\n`);
    return Exit.ok;
  }
  switch (program) {
    case "mapminctl":
      return (await import("./cli/mapminctl.ts")).runMapminctl(rest, io);
    case "mdpc":
      return (await import("./cli/mdpc.ts")).runMdpc(rest, process.env, io);
    case "proto":
      return (await import("./cli/proto.ts")).runProto(rest, io);
    case "hook":
      return (await import("./cli/hook.ts")).runHook(rest, process.env, io);
    case "--help":
    case "help":
      io.stdout(help);
      return Exit.ok;
    default:
      io.stderr(program === undefined ? help : `unknown program "${program}"\n\n${help}`);
      return Exit.usage;
  }
}

// A reader that goes away (`| head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const { text, code } = endOf(error, MAPMIN_VERSION);
    io.stderr(text);
    process.exitCode = code;
  },
);
