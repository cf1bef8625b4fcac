/**
 * setup, teardown and renew of one interface. What is done, and in which order, is the list in `steps.ts`, which `walk.ts`
 * walks; this file says to netifd, to the log and to the state file how that went.
 */

import type { DeviceName } from "../ip/names.ts";
import { type InterfaceName, parseInterfaceName } from "../ip/names.ts";
import { formatIpv4Prefix, formatIpv6 } from "../ip/text.ts";
import { deviceName, type Plan, tableName } from "../map/plan.ts";
import { type Provisioned, provision } from "../provision/choose.ts";
import { decodeLink, decodeNeighbours, decodeOffered } from "../provision/network.ts";
import type { HandlerRequest, InterfaceConfig } from "../provision/request.ts";
import { formatPorts } from "../provision/reserved-ports.ts";
import { linesOf, rulesPrint } from "../render/control.ts";
import {
  addressInterfaces,
  errorRequest,
  hostDependencyRequest,
  NETWORK,
  restartRequest,
} from "../render/netifd.ts";
import { checkLoaded, parseTable } from "../render/readback.ts";
import { MapminError, messageOf, SetupError } from "../wire/errors.ts";
import { fingerprint } from "../wire/fingerprint.ts";
import { type Effect, isNotFound } from "./effect.ts";
import { explained, forLog } from "./failure.ts";
import type { Host } from "./host.ts";
import { presenceOf } from "./presence.ts";
import { rulesText } from "./rules-file.ts";
import { decodeState, formatState, relayPath, type SavedState, stateDamage, statePath } from "./state.ts";
import { type Claim, claimFrom, claimOf, type Step, type StepKey, sessionSteps } from "./steps.ts";
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
  walkOver,
  walkUp,
} from "./walk.ts";

/** The link when `tunlink` is not set: OpenWrt's name for it. */
const DEFAULT_TUNLINK = parseInterfaceName("wan6", "tunlink");

/** How long netifd may take to remove an interface, and how often we look, ms: its handler has 5 s for a teardown. */
const REMOVAL_MS = 8_000;
const LOOK_MS = 200;

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
    if (await attempt(`withdraw ${iface}, which a lease offered`, remove, host)) await removal(iface, host);
  }
}

/** Waits until netifd knows an interface no more. */
async function removal(iface: InterfaceName, host: Host): Promise<void> {
  for (let waited = 0; waited < REMOVAL_MS; waited += LOOK_MS) {
    if ((await presenceOf(iface, host)) === "absent") return;
    await host.sleep(LOOK_MS);
  }
}

/**
 * Sees to it that no other interface has the MAP address: what comes to it would come to one of the two, and whichever ends
 * would take it from the other. What netifd no longer runs is taken away. Of two that begin at once, one goes on.
 *
 * @throws SetupError SAME_PORT_SET
 */
async function insistOnAddress(own: SavedState, host: Host): Promise<void> {
  for (const iface of own.map_address ? host.stateNames() : []) {
    const other = savedState(iface, host);
    if (iface === own.interface || other?.map_address !== own.map_address) continue;
    if ((await presenceOf(iface, host)) !== "running") {
      host.log("take away", "note", iface);
      await removal(iface, host);
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

function printOf(step: Step): string {
  return fingerprint(JSON.stringify(step.do));
}

/** The fingerprint of the rules of the module's device; undefined where there is no device. */
function rulesOf(device: DeviceName, host: Host): string | undefined {
  const lines = linesOf(host.readControl() ?? "", device);
  return lines === undefined ? undefined : rulesPrint(lines);
}

const carrierOf = (plan: Plan) => (plan.module === undefined ? "tunnel" : "module");

function describe(provisioned: Provisioned, claim: Claim, state: SavedState["state"], now: Date): SavedState {
  const { plan } = provisioned;
  const set = plan.ce?.portSet;
  const reserved = (plan.nat ?? plan.module?.nat)?.reservedPorts;
  return {
    interface: plan.iface,
    state,
    since: now.toISOString(),
    transport: plan.transport,
    tunlink: plan.link.iface,
    device: plan.device,
    table: plan.nat && tableName(plan.iface),
    reserved_ports: reserved && formatPorts(reserved),
    upnp_ports: provisioned.upnp.length === 0 ? undefined : formatPorts(provisioned.upnp),
    ipv4: formatIpv4Prefix(plan.ipv4),
    map_address: plan.ce && formatIpv6(plan.ce.mapAddress),
    ...(set && { offset: `${set.offset}`, psid_length: `${set.psidLength}`, psid: `${set.psid}` }),
    mtu: `${plan.mtu}`,
    source: provisioned.source,
    remarks: provisioned.remarks.map((remark) => remark.text).join("; "),
    carrier: carrierOf(plan),
    forwards: plan.forward && provisioned.forwarded.join(", "),
    nat_by: plan.natBy,
    address_interfaces: claim.addressInterfaces.join(" "),
  };
}

/** One line for the log: what this CE is. */
function summary({ plan, source }: Provisioned): string {
  const set = plan.ce?.portSet;
  const shared =
    set !== undefined && set.psidLength > 0 ? `, PSID ${set.psid} of ${set.psidLength} bits` : "";
  return `${plan.transport} ${formatIpv4Prefix(plan.ipv4)}${shared}, MTU ${plan.mtu}, rule from ${source}, NAT by ${plan.natBy}`;
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
    // What netifd was asked for and did not say no to may be there: a teardown has to look for it.
    const { address_interfaces } = savedState(iface, host) ?? {};
    host.writeState(
      iface,
      formatState({
        interface: iface,
        state: "failed",
        since,
        error: `${code}: ${text}`,
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

/** What the state file says; undefined when it does not exist or cannot be read. */
function savedState(iface: InterfaceName, host: Host): SavedState | undefined {
  try {
    const content = host.readState(iface) ?? "";
    const damage = stateDamage(content);
    if (damage !== undefined) host.log("read the state", "note", `${statePath(iface)}: ${damage}`);
    return decodeState(content);
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    host.log("read the state", "failed", error.message);
    return undefined;
  }
}

/** What is in force once all steps are done: by that a renewal tells what is left to do. */
function inForce(
  steps: readonly Step[],
  device: DeviceName,
  host: Host,
): Pick<SavedState, "steps" | "rules"> {
  const done = steps.filter((step) => step.do !== undefined);
  return {
    steps: done.map((step) => `${step.key}=${printOf(step)}`).join(" "),
    rules: rulesOf(device, host),
  };
}

/**
 * Puts a plan into force where none is, and undoes what was done when a step fails. `saved`: what an earlier session left;
 * `again`: netifd may know its plan.
 */
async function bringUp(
  provisioned: Provisioned,
  saved: SavedState | undefined,
  host: Host,
  again = false,
): Promise<void> {
  const { plan } = provisioned;
  // They may have another name, or another address under the name that is asked for.
  await removeAddresses(claimFrom(plan.iface, saved), host);
  const claim = claimOf(plan);
  const steps = sessionSteps(claim, plan);
  // Written before the first effect: a teardown that cuts us short must know what to look for.
  const starting = describe(provisioned, claim, "starting", host.now());
  host.writeState(plan.iface, formatState(starting));
  await insistOnAddress(starting, host);
  const ordered = host.deviceMtu(plan.device) === undefined ? steps : closedMeanwhile(plan, steps);
  await walkDown(plan, again ? ontoNewDevice(plan, ordered) : ordered, host);
  const state = { ...describe(provisioned, claim, "up", host.now()), ...inForce(steps, plan.device, host) };
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
    if (saved?.state === "failed") await teardown(iface, host);
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

/** The fingerprints that a state file keeps, by step. */
function printsOf(saved: SavedState): ReadonlyMap<string, string> {
  return new Map(
    (saved.steps ?? "").split(" ").map((word) => {
      const [key = "", print = ""] = word.split("=");
      return [key, print];
    }),
  );
}

/**
 * The claim of a plan that takes the place of another: the MAP address keeps netifd's interface where it is the same, and
 * takes the other name where it is not.
 */
function nextClaim(plan: Plan, saved: SavedState): Claim {
  const old = claimFrom(plan.iface, saved);
  const [current] = old.addressInterfaces;
  const claim = (name?: string) => {
    const next = claimOf(plan, name);
    return { ...next, forwards: next.forwards || old.forwards };
  };
  const other = addressInterfaces(plan.iface).find((name) => name !== current);
  const kept = claim(current);
  const print = printsOf(saved).get("address");
  const same = sessionSteps(kept, plan).some((step) => step.do !== undefined && printOf(step) === print);
  return same ? kept : claim(other);
}

/** Whether what a step did is still what the kernel has. */
async function stillInForce(step: Step, plan: Plan, saved: SavedState, host: Host): Promise<boolean> {
  switch (step.key) {
    case "nat": {
      if (plan.nat === undefined) return true;
      const table = await host.listTable(plan.nat.table, "json");
      return table !== undefined && checkLoaded(plan.nat, parseTable(table, plan.nat.table)).length === 0;
    }
    case "forward":
      return plan.forward === undefined || (await host.listTable(plan.forward.table, "text")) !== undefined;
    case "device":
      return saved.rules !== undefined && rulesOf(plan.device, host) === saved.rules;
    case "mtu":
      return host.deviceMtu(plan.device) === plan.link.mtu;
    case "address":
      return true;
    case "netifd":
      return host.deviceMtu(plan.device) !== undefined;
  }
}

/** The steps that a change has to do: those that are new, and those that the kernel has lost. */
async function dueSteps(
  steps: readonly Step[],
  plan: Plan,
  saved: SavedState,
  host: Host,
): Promise<readonly Step[]> {
  const prints = printsOf(saved);
  const due: Step[] = [];
  for (const step of steps) {
    if (step.do === undefined) continue;
    const done = prints.get(step.key) === printOf(step) && (await stillInForce(step, plan, saved, host));
    if (!done) due.push(step);
  }
  return due;
}

/** True where flows that began under the saved state could not go on: their address or their ports are another's now. */
function endsFlows(plan: Plan, saved: SavedState): boolean {
  const { offset, psidLength, psid } = plan.ce?.portSet ?? {};
  return (
    saved.ipv4 !== formatIpv4Prefix(plan.ipv4) ||
    saved.offset !== `${offset}` ||
    saved.psid_length !== `${psidLength}` ||
    saved.psid !== `${psid}`
  );
}

/** How long the kernel may take to find that nobody else has an address, ms: a second, after one by chance (RFC 4861 s10). */
const DETECTION_MS = 3_000;

/** Waits until the kernel uses an address: the old customer edge goes on meanwhile. */
async function usable(address: bigint, host: Host): Promise<void> {
  for (let waited = 0; waited < DETECTION_MS && !host.usesAddress(address); waited += LOOK_MS) {
    await host.sleep(LOOK_MS);
  }
}

/**
 * Takes the MAP address from netifd. A renewal that was cut short may have left an interface of netifd's for each of two
 * addresses: an add_dynamic for a name that has another address would only take it away, and two interfaces with one address
 * lose it together.
 */
function removeAddresses(claim: Claim, host: Host): Promise<boolean> {
  return walkUp(
    sessionSteps(claim).flatMap(({ key, undo }) => (key === "address" ? undo : [])),
    host,
  );
}

/** Puts a plan in the place of the one that is in force. What is equal is not touched, so that flows go on. */
async function change(provisioned: Provisioned, saved: SavedState, host: Host): Promise<void> {
  const { plan } = provisioned;
  if (saved.carrier !== carrierOf(plan)) {
    // A device of netifd's has the name that the module's is to have, or the other way round.
    await run("have netifd start anew", notify(restartRequest(plan.iface)), host);
    return;
  }
  const claim = nextClaim(plan, saved);
  const steps = sessionSteps(claim, plan);
  const due = await dueSteps(steps, plan, saved, host);
  if (due.length === 0) {
    host.log("renew", "ok", "nothing changed");
    return;
  }
  const old = claimFrom(plan.iface, saved);
  const names = old.addressInterfaces;
  const held = [...new Set([...names, ...claim.addressInterfaces])];
  // Whoever cuts us short leaves both states' things: neither counts as done.
  const changing = { ...saved, steps: "", address_interfaces: held.join(" ") };
  host.writeState(plan.iface, formatState(changing));
  const isDue = (key: StepKey) => due.some((step) => step.key === key);
  if (names.length > 1 && isDue("address")) await removeAddresses(old, host);
  const { ipv4 } = saved;
  const ends = endsFlows(plan, saved);
  let flowsEnded = false;
  const moves = ends && isDue("netifd");
  const ordered = moves ? closedMeanwhile(plan, due) : due;
  // A tunnel that differs is another device to netifd.
  const isNew = plan.tunnel !== undefined || host.deviceMtu(plan.device) === undefined;
  const failure = await walkOver(
    plan,
    isNew ? ontoNewDevice(plan, ordered) : ordered,
    host,
    async ({ key }) => {
      if (key === "address" && plan.ce !== undefined) await usable(plan.ce.mapAddress, host);
      if (key !== "nat" || ipv4 === undefined || !ends || flowsEnded) return;
      flowsEnded = true;
      await attempt("forget the flows", { kind: "flush flows", ipv4 }, host);
    },
  );
  if (failure !== undefined) {
    const { code, text } = explained(failure.error);
    const state = failure.tunnelInDoubt ? ("failed" as const) : ("up" as const);
    host.writeState(plan.iface, formatState({ ...changing, state, error: `${code}: ${text}` }));
    throw failure.error;
  }
  const gone = names.filter((name) => !claim.addressInterfaces.includes(name));
  const complete = await removeAddresses({ ...old, addressInterfaces: gone }, host);
  const kept = complete ? claim : { ...claim, addressInterfaces: held };
  const state = { ...describe(provisioned, kept, "up", host.now()), ...inForce(steps, plan.device, host) };
  host.writeState(plan.iface, formatState(state));
  host.log("renew", "ok", `${summary(provisioned)}; changed: ${due.map((step) => step.key).join(", ")}`);
}

/** Closes a device whose table somebody has taken away: nothing says that what follows can load another. */
async function shutIfOpen(iface: InterfaceName, saved: SavedState | undefined, host: Host): Promise<void> {
  const table = tableName(iface);
  const device = deviceName(iface);
  if (saved?.table === undefined || host.deviceMtu(device) === undefined) return;
  // What cannot be listed may be there, and right.
  const listed = await host.listTable(table, "text").catch(() => "");
  if (listed === undefined) await walkUp([closing({ table, device })], host);
}

/** Looks again at what the link gives, and at what the kernel has; does what is not as it should be. */
export async function renew(request: HandlerRequest, host: Host): Promise<number> {
  const { iface, config } = request;
  const saved = savedState(iface, host);
  await shutIfOpen(iface, saved, host);
  let provisioned: Provisioned;
  try {
    provisioned = await provisionFor(host, iface, config);
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
