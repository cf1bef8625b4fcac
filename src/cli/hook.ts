import { applyLease, decodeLease } from "../engine/lease.ts";
import { run } from "../system/node/exec.ts";
import { openHost } from "../system/node/host.ts";
import { Exit, type Io } from "./io.ts";

const help = `usage: hook INTERFACE STATE

Run by /etc/odhcp6c.user.d/mapmin when a lease has changed. Reads OPTION_48879 and PREFIXES from the environment and
offers, replaces or withdraws the interface INTERFACE_4.
`;

/** The network configuration; empty where there is no UCI. */
async function networkConfiguration(): Promise<string> {
  try {
    return await run("uci", ["-q", "show", "network"]);
  } catch {
    return "";
  }
}

/** Runs the hook for one change of a lease. */
export async function runHook(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  io: Io,
): Promise<number> {
  const [link] = argv;
  if (link === "--help") {
    io.stdout(help);
    return Exit.ok;
  }
  if (link === undefined) {
    io.stderr(help);
    return Exit.usage;
  }
  const lease = decodeLease(link, environment);
  const host = await openHost(lease.iface);
  try {
    const zone = environment["ZONE"];
    await applyLease(lease, await networkConfiguration(), zone === "" ? undefined : zone, host);
    return Exit.ok;
  } finally {
    host.close();
  }
}
