import type { Host } from "../engine/host.ts";
import { renew, report, setup, teardown } from "../engine/session.ts";
import { STATE_DIRECTORY } from "../engine/state.ts";
import { type InterfaceName, isInterfaceName } from "../ip/names.ts";
import { decodeRequest, type HandlerRequest } from "../provision/request.ts";
import { openHost } from "../system/host.ts";
import type { System } from "../system/system.ts";
import { MapminError, messageOf } from "../wire/errors.ts";
import { Exit } from "./io.ts";

export const protoHelp = `usage: proto map setup|teardown|renew INTERFACE JSON [DEVICE]

The handler of the netifd protocol "map"; netifd calls it with an interface's options as JSON.
Each step is written to /tmp/map.log.
`;

/** `iface` is absent when the name of the interface is not valid: then nobody can be told but the log. */
async function handle(
  argv: readonly string[],
  iface: InterfaceName | undefined,
  host: Host,
): Promise<number> {
  let request: HandlerRequest;
  try {
    request = decodeRequest(argv);
  } catch (error) {
    // Report bad options to netifd, or the interface stays pending and `ifstatus` does not say why.
    if (iface === undefined) host.log(argv[1] ?? "", "failed", messageOf(error));
    else await report(iface, argv[1] ?? "", error, host);
    throw error;
  }
  switch (request.action) {
    case "setup":
      return setup(request, host);
    case "teardown":
      return teardown(request.iface, host);
    case "renew":
      return renew(request, host);
  }
}

/** Removes the file of the lock that map.sh took for us. A handler that waits sees that it is gone, and makes a new one. */
function removeLock(iface: InterfaceName, { files }: System): void {
  try {
    files.removeFile(`${STATE_DIRECTORY}/${iface}.lock`);
  } catch {
    // The lock ends with our process. A file that stays harms nobody.
  }
}

/** Runs one call of netifd. */
export async function runProto(argv: readonly string[], system: System): Promise<number> {
  if (argv.includes("--help")) {
    system.stdout(protoHelp);
    return Exit.ok;
  }
  if (argv.length < 3) {
    system.stderr(protoHelp);
    return Exit.usage;
  }
  const named = argv[2] ?? "";
  const iface = isInterfaceName(named) ? named : undefined;
  const host = openHost(system, iface ?? "-", argv[1] === "teardown" ? "teardown" : "otherwise");
  try {
    return await handle(argv, iface, host);
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    system.stderr(`${error.message}\n`);
    return Exit.badInput;
  } finally {
    host.close();
    if (iface !== undefined) removeLock(iface, system);
  }
}
