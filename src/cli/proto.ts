import { renew, setup, teardown } from "../engine/session.ts";
import { decodeRequest } from "../provision/request.ts";
import { blockRequest, errorRequest } from "../render/netifd.ts";
import { type ConnectedHost, openHost } from "../system/node/host.ts";
import { openLog } from "../system/node/log.ts";
import { InputError } from "../wire/errors.ts";
import { Exit, type Io } from "./io.ts";

export const protoHelp = `usage: proto map setup|teardown|renew INTERFACE JSON [DEVICE]

The handler of the netifd protocol "map"; netifd calls it with an interface's options as JSON. It sets the MAP customer
edge up or takes it away, reports to netifd over ubus, and writes each step to /tmp/map.log.
`;

/** Bad options have to reach \`ifstatus\`, or the interface stays pending and nobody knows why. */
async function reportBadOptions(
  argv: readonly string[],
  error: InputError,
  host: ConnectedHost,
): Promise<void> {
  const iface = argv[2] ?? "";
  await host.call("network.interface", "notify_proto", errorRequest(iface, "INVALID_OPTION", error.message));
  await host.call("network.interface", "notify_proto", blockRequest(iface));
}

/** Runs one call of netifd. */
export async function runProto(argv: readonly string[], io: Io): Promise<number> {
  if (argv.includes("--help")) {
    io.stdout(protoHelp);
    return Exit.ok;
  }
  if (argv.length < 3) {
    io.stderr(protoHelp);
    return Exit.usage;
  }
  const iface = /^[A-Za-z0-9_.-]{1,64}$/.test(argv[2] ?? "") ? (argv[2] ?? "-") : "-";
  let host: ConnectedHost;
  try {
    host = await openHost(iface, argv[1] === "teardown" ? "teardown" : "otherwise");
  } catch (error) {
    const text = `ubus: ${error instanceof Error ? error.message : String(error)}`;
    openLog(iface)(argv[1] ?? "", "failed", text);
    io.stderr(`${text}\n`);
    return Exit.badInput;
  }
  try {
    const request = decodeRequest(argv);
    switch (request.action) {
      case "setup":
        return await setup(request, host);
      case "teardown":
        return await teardown(request.iface, host);
      case "renew":
        return await renew(request, host);
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    host.log(argv[1] ?? "", "failed", error.message);
    io.stderr(`${error.message}\n`);
    if (iface !== "-") await reportBadOptions(argv, error, host);
    return Exit.badInput;
  } finally {
    host.close();
  }
}
