/**
 * setup, teardown and renew of one interface. What is done, and in which order, is the list in `steps.ts`, which `walk.ts`
 * walks; this file says to netifd, to the log and to the state file (`record.ts`) how that went. A renewal of what is up is in
 * `change.ts`.
 */

import { type InterfaceName, parseInterfaceName } from "../ip/names.ts";
import { deviceName, tableName } from "../map/plan.ts";
import { type Provisioned, provision } from "../provision/choose.ts";
import { decodeLink, decodeNeighbours, decodeOffered } from "../provision/network.ts";
import type { HandlerRequest, InterfaceConfig } from "../provision/request.ts";
import {
  addressInterfaces,
  errorRequest,
  hostDependencyRequest,
  NETWORK,
  restartRequest,
} from "../render/netifd.ts";
import { MapminError, messageOf, SetupError } from "../wire/errors.ts";
import { change } from "./change.ts";
import { type Effect, isNotFound } from "./effect.ts";
import { explained, forLog } from "./failure.ts";
import type { Host } from "./host.ts";
import { presenceOf } from "./presence.ts";
import { carrierOf, inForce, printsOf, savedState, stateOf, summary, tablePrint } from "./record.ts";
import { rulesText } from "./rules-file.ts";
import { formatState, relayPath, type SavedState } from "./state.ts";
import { claimFrom, claimOf, type Step, type StepKey, sessionSteps, type Undo } from "./steps.ts";
import { untilAbsent } from "./waits.ts";
import {
  attempt,
  closedMeanwhile,
  closing,
  insist,
  notify,
  ontoNewDevice,
  run,
  undosOf,
  walkDown,
  walkUp,
} from "./walk.ts";

/** The link when `tunlink` is not set: OpenWrt's name for it. */
const DEFAULT_TUNLINK = parseInterfaceName("wan6", "tunlink");

/**
 * What a lease of the link has offered would have the ports of the interface that is configured. Until it is gone, the kernel
 * refuses a tunnel with the same ends.
 */
async function withdrawOffered(
  offered: readonly InterfaceName[],
  tunlink: InterfaceName,
  host: Host,
): Promise<void> {
  for (const iface of offered) {
    if (iface !== `${tunlink}_4` && savedState(iface, host)?.tunlink !== tunlink) continue;
    const remove: Effect = { kind: "ubus", object: NETWORK, method: "remove", args: { interface: iface } };
    if (await attempt(`withdraw ${iface}, which a lease offered`, remove, host))
      await untilAbsent(iface, host);
  }
}

/**
 * Sees to it that no other interface has the MAP address: packets to it would reach only one of the two, and the one that ends first
 * would take the address from the other. What an interface left that netifd no longer runs is taken away. Of two that begin at
 * once, the one that began first goes on.
 *
 * @throws SetupError SAME_PORT_SET
 */
async function insistOnAddress(own: SavedState, host: Host): Promise<void> {
  for (const iface of own.map_address ? host.stateNames() : []) {
    const other = savedState(iface, host);
    if (iface === own.interface || other?.map_address !== own.map_address) continue;
    if ((await presenceOf(iface, host)) !== "running") {
      host.log("take away", "note", iface);
      await untilAbsent(iface, host);
      await teardown(iface, host);
    } else if (other?.state === "up" || `${other?.since} ${iface}` < `${own.since} ${own.interface}`) {
      throw new SetupError("SAME_PORT_SET", `${iface} has the same address and ports`);
    }
  }
}

async function provisionFor(host: Host, iface: InterfaceName, config: InterfaceConfig): Promise<Provisioned> {
  const tunlink = config.tunlink ?? DEFAULT_TUNLINK;
  const dump = await host.call(NETWORK, "dump", {});
  const link = decodeLink(dump, tunlink);
  if (link === undefined) throw new SetupError("NO_LINK", `tunlink: netifd knows no interface "${tunlink}"`);
  const linkMtu = link.device ? host.deviceMtu(link.device) : undefined;
  const own = [iface, ...addressInterfaces(iface)];
  const neighbours = decodeNeighbours(dump, own);
  const moduleLoaded = host.readControl() !== undefined;
  const provisioned = provision(iface, config, {
    tunlink,
    link,
    linkMtu,
    neighbours,
    moduleLoaded,
    rulesText: rulesText(config, host.readText),
    relay: host.readText(relayPath(iface)),
  });
  for (const remark of provisioned.remarks) host.log("rule", "note", `${remark.path}: ${remark.text}`);
  // Not before there is something to take its place.
  await withdrawOffered(decodeOffered(dump, iface), tunlink, host);
  return provisioned;
}

/**
 * Writes a failure to the log and reports it to netifd. Without a task of ours netifd does not try again by itself. It is not asked
 * to block the interface: it would then stay down, and without an error, when its options have been corrected.
 */
export async function report(
  iface: InterfaceName,
  action: string,
  error: unknown,
  host: Host,
): Promise<void> {
  const { code, text } = explained(error);
  host.log(action, "failed", `${code}: ${forLog(error)}`);
  await insist("report the error", notify(errorRequest(iface, code, text)), host);
}

/**
 * Ends a setup that failed: says so in the state file, in the log and to netifd. Gives 1.
 *
 * @throws the error itself when it is not a declared one, so that the program ends as for a bug
 */
async function refuse(iface: InterfaceName, error: unknown, host: Host): Promise<number> {
  const { code, text } = explained(error);
  const since = host.now().toISOString();
  try {
    // What netifd did not refuse may be there, and so may what could not be taken back: the next setup and the teardown look for it.
    const { carrier, table, forwards, address_interfaces } = savedState(iface, host) ?? {};
    host.writeState(
      iface,
      formatState({
        interface: iface,
        state: "failed",
        since,
        error: `${code}: ${text}`,
        carrier,
        table,
        // `status` shows the forwards that are named here as loaded. It is enough to know that there may be some.
        forwards: forwards === undefined ? undefined : "",
        address_interfaces: address_interfaces || undefined,
      }),
    );
  } catch (unwritten) {
    // A full disk must not keep netifd from learning of the failure.
    host.log("write the state", "failed", forLog(unwritten));
  }
  await report(iface, "setup", error, host);
  if (!(error instanceof MapminError)) throw error;
  return 1;
}

/**
 * Takes away what an earlier session left and no step replaces. netifd's interface for the MAP address may have the other name, or
 * this name and another address. Gives the names of those that may be there still.
 *
 * @throws SetupError where a table stays: what the module's device sends would have to pass it
 */
async function removeLeft(
  iface: InterfaceName,
  steps: readonly Step[],
  saved: SavedState,
  host: Host,
): Promise<readonly string[]> {
  const replaced = (key: StepKey) =>
    key !== "address" && steps.some((step) => step.key === key && step.do !== undefined);
  const claim = claimFrom(iface, saved);
  const left = undosOf(sessionSteps(claim).filter(({ key }) => !replaced(key)));
  const isOfNetifd = ({ do: { kind } }: Undo) => kind === "ubus";
  const clean = await walkUp(
    left.filter((undo) => !isOfNetifd(undo)),
    host,
  );
  // A state that names no carrier does not tell whether there is a table.
  if (!clean && saved.carrier !== undefined)
    throw new SetupError(
      "SETUP_FAILED",
      "what an earlier setup left cannot be removed: /tmp/map.log says why",
    );
  return (await walkUp(left.filter(isOfNetifd), host)) ? [] : claim.addressInterfaces;
}

/**
 * Puts a plan into force where none is, and undoes what was done when a step fails. `saved` is the state that an earlier
 * session left; `again` says that netifd may still have what it was told of an earlier plan.
 */
async function bringUp(
  provisioned: Provisioned,
  saved: SavedState | undefined,
  host: Host,
  again = false,
): Promise<void> {
  const { plan } = provisioned;
  const wanted = claimOf(plan);
  const steps = sessionSteps(wanted, plan);
  const left = saved === undefined ? [] : await removeLeft(plan.iface, steps, saved, host);
  const claim = { ...wanted, addressInterfaces: [...new Set([...wanted.addressInterfaces, ...left])] };
  // Written before the first effect: a teardown that cuts us short must know what to look for.
  const starting = stateOf(provisioned, claim, "starting", host.now());
  host.writeState(plan.iface, formatState(starting));
  await insistOnAddress(starting, host);
  const ordered = host.deviceMtu(plan.device) === undefined ? steps : closedMeanwhile(plan, steps);
  await walkDown(plan, again ? ontoNewDevice(plan, ordered) : ordered, host);
  const state = {
    ...stateOf(provisioned, claim, "up", host.now()),
    ...(await inForce(steps, plan.device, host)),
  };
  host.writeState(plan.iface, formatState(state));
  host.log("setup", "ok", summary(provisioned));
}

/** Brings an interface up. Gives 0, or 1 after everything done was undone and the error reported. */
export async function setup(request: HandlerRequest, host: Host): Promise<number> {
  const { iface, config } = request;
  const tunlink = config.tunlink ?? DEFAULT_TUNLINK;
  try {
    try {
      await host.call(NETWORK, "notify_proto", hostDependencyRequest(iface, tunlink));
      host.log("depend on the link", "ok", tunlink);
    } catch (error) {
      host.log("depend on the link", "failed", `${tunlink}: ${messageOf(error)}`);
      if (!isNotFound(error)) throw error;
      // netifd has marked us unavailable and calls again when the link is up: no error to stop at.
      const down = errorRequest(iface, "LINK_DOWN", `tunlink: ${tunlink} is not up`);
      await host.call(NETWORK, "notify_proto", down);
      return 1;
    }
    const saved = savedState(iface, host);
    await bringUp(await provisionFor(host, iface, config), saved, host);
    return 0;
  } catch (error) {
    return refuse(iface, error, host);
  }
}

/**
 * Takes everything of an interface away, whether setup finished or not. Gives 1 if something could not be removed: the state
 * file says so then, and the next setup tries again, because it may have another carrier and would know nothing of it.
 */
export async function teardown(iface: InterfaceName, host: Host): Promise<number> {
  const saved = savedState(iface, host);
  const complete = await walkUp(undosOf(sessionSteps(claimFrom(iface, saved))), host);
  if (complete || saved === undefined) host.removeState(iface);
  else host.writeState(iface, formatState({ ...saved, state: "failed", error: "teardown failed" }));
  host.log("teardown", complete ? "ok" : "failed");
  return complete ? 0 : 1;
}

/** Closes a device whose table somebody took away or changed: nothing says that what follows can load another. */
async function shutIfOpen(iface: InterfaceName, saved: SavedState | undefined, host: Host): Promise<void> {
  const table = tableName(iface);
  const device = deviceName(iface);
  if (saved?.table === undefined || host.deviceMtu(device) === undefined) return;
  const loaded = printsOf(saved.tables).get("nat");
  // What cannot be listed may be there, and right.
  const found = await tablePrint(table, host).catch(() => loaded ?? "");
  if (found === undefined || (loaded || found) !== found) await walkUp([closing({ table, device })], host);
}

/** Looks again at what the link gives, and at what the kernel has; does what is not as it should be. */
export async function renew(request: HandlerRequest, host: Host): Promise<number> {
  const { iface, config } = request;
  const saved = savedState(iface, host);
  await shutIfOpen(iface, saved, host);
  let provisioned: Provisioned;
  try {
    provisioned = await provisionFor(host, iface, config);
    if (saved?.carrier !== undefined && saved.carrier !== carrierOf(provisioned.plan)) {
      // A device of netifd's has the name that the module's is to have, or the other way round.
      await run("have netifd start anew", notify(restartRequest(iface)), host);
      return 0;
    }
    if (saved?.state === "up") {
      await change(provisioned, saved, host);
      return 0;
    }
  } catch (error) {
    // The last good state stays in force until there is something better.
    await report(iface, "renew", error, host);
    if (error instanceof MapminError) return 1;
    throw error;
  }
  try {
    // The dependency on the link is still the one of the setup that failed.
    await bringUp(provisioned, saved, host, true);
  } catch (error) {
    return refuse(iface, error, host);
  }
  return 0;
}
