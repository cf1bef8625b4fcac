import { decodeState, interfacesOf, STATE_DIRECTORY, statePath } from "../engine/state.ts";
import { parseInterfaceName } from "../ip/names.ts";
import { formatIpv4, parseIpv4Prefix } from "../ip/text.ts";
import { formatRange } from "../map/port-set.ts";
import { asRanges } from "../map/virtual-block.ts";
import { decodePorts } from "../provision/request.ts";
import { type Grant, upnpdCommands } from "../render/upnpd.ts";
import { openLog } from "../system/log.ts";
import type { System } from "../system/system.ts";
import { EffectError, InputError } from "../wire/errors.ts";
import { FLAG, parseOptions } from "./arguments.ts";
import { Exit } from "./io.ts";

export const upnpHelp = `usage: mapminctl upnp [--dry-run]

Tells miniupnpd which ports it may hand out: those that \`option upnp_ports\` keeps for it, with the interface and the
shared address. Where no interface has the option, takes away what it was told. The router calls this itself when a MAP
interface comes up or changes.
  --dry-run    prints the commands for \`uci batch\`, and does nothing
`;

const options = { "dry-run": FLAG, help: FLAG } as const;
const CONFIG = "/etc/config/upnpd";
const SERVICE = "/etc/init.d/miniupnpd";

/** What miniupnpd may hand out, of the first interface that has ports for it. */
function grantOf(files: System["files"]): Grant | undefined {
  for (const name of interfacesOf(files.namesIn(STATE_DIRECTORY))) {
    const state = decodeState(files.readText(statePath(name)) ?? "");
    if (state?.upnp_ports === undefined || state.ipv4 === undefined || state.state === "failed") continue;
    return {
      iface: parseInterfaceName(state.interface, statePath(name)),
      address: formatIpv4(parseIpv4Prefix(state.ipv4).address),
      ports: asRanges(decodePorts(state.upnp_ports, "upnp_ports")),
    };
  }
  return undefined;
}

/** Has the service read its configuration, where it runs or is to run. */
async function restart({ run }: Pick<System, "run">): Promise<string> {
  try {
    await run(SERVICE, ["enabled"]);
  } catch (error) {
    if (!(error instanceof EffectError)) throw error;
    return "miniupnpd is not enabled";
  }
  await run(SERVICE, ["restart"]);
  return "miniupnpd starts anew";
}

/** Brings miniupnpd's configuration about. */
export async function runUpnp(argv: readonly string[], system: System): Promise<number> {
  const { values } = parseOptions(argv, options);
  if (values.help === true) {
    system.stdout(upnpHelp);
    return Exit.ok;
  }
  const { files } = system;
  const grant = grantOf(files);
  if (files.readText(CONFIG) === undefined) {
    if (grant === undefined) return Exit.ok;
    throw new InputError("upnp_ports", `there is no ${CONFIG}: install the package miniupnpd-nftables`);
  }
  const commands = upnpdCommands(await system.run("uci", ["-q", "show", "upnpd"]), grant);
  const batch = commands.map((command) => `${command}\n`).join("");
  if (values["dry-run"] === true) {
    system.stdout(batch);
    return Exit.ok;
  }
  if (commands.length === 0) return Exit.ok;
  const log = openLog(system, grant?.iface ?? "upnpd");
  const what = grant === undefined ? "none any more" : grant.ports.map(formatRange).join(" ");
  try {
    await system.run("uci", ["batch"], { input: batch });
    log("ports for miniupnpd", "ok", `${what}; ${await restart(system)}`);
  } catch (error) {
    log("ports for miniupnpd", "failed", error instanceof Error ? error.message : String(error));
    throw error;
  }
  system.stdout(`ports for miniupnpd: ${what}\n`);
  return Exit.ok;
}
