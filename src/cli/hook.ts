import { applyLease, decodeLease } from "../engine/lease.ts";
import { openHost } from "../system/host.ts";
import type { System } from "../system/system.ts";
import { messageOf } from "../wire/errors.ts";
import { Exit } from "./io.ts";

const help = `usage: hook INTERFACE STATE

Run by /etc/odhcp6c.user.d/mapmin when a lease has changed. Reads OPTION_48879 and PREFIXES from the environment and
offers, replaces or withdraws the interface INTERFACE_4.
`;

const NETWORK_CONFIGURATION = "/etc/config/network";

/**
 * The network configuration as UCI shows it; empty where there is none.
 *
 * @throws EffectError when UCI cannot show it: an interface could be configured that has the same ports
 */
async function networkConfiguration(system: System): Promise<string> {
  if (system.files.readText(NETWORK_CONFIGURATION) === undefined) return "";
  return system.run("uci", ["-q", "show", "network"]);
}

/** Runs the hook for one change of a lease. */
export async function runHook(argv: readonly string[], system: System): Promise<number> {
  const { environment } = system;
  const [link] = argv;
  if (link === "--help") {
    system.stdout(help);
    return Exit.ok;
  }
  if (link === undefined) {
    system.stderr(help);
    return Exit.usage;
  }
  const lease = decodeLease(link, environment);
  const host = openHost(system, lease.iface);
  try {
    const zone = environment["ZONE"];
    await applyLease(lease, await networkConfiguration(system), zone === "" ? undefined : zone, host);
    return Exit.ok;
  } catch (error) {
    host.log("lease", "failed", messageOf(error));
    throw error;
  } finally {
    host.close();
  }
}
