/**
 * setup, teardown and renew of one interface. What is done, and in which order, is the list in `steps.ts`; this file
 * walks it, and says to netifd, to the log and to the state file how that went.
 */

import { type InterfaceName, parseInterfaceName } from "../ip/names.ts";
import { formatIpv4Prefix, formatIpv6 } from "../ip/text.ts";
import { type Plan, tableName } from "../map/plan.ts";
import { type Provisioned, provision } from "../provision/choose.ts";
import { decodeLinkStatus, type LinkStatus } from "../provision/link.ts";
import type { HandlerRequest, InterfaceConfig } from "../provision/request.ts";
import { blockRequest, errorRequest, hostDependencyRequest, NETWORK } from "../render/netifd.ts";
import { MapminError, messageOf, SetupError } from "../wire/errors.ts";
import { describeEffect, type Effect, isNotFound, perform } from "./effect.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Host } from "./host.ts";
import { decodeState, formatState, type SavedState } from "./state.ts";
import { claimFrom, claimOf, type Step, sessionSteps } from "./steps.ts";

/** The link when `tunlink` is not set: OpenWrt's name for it. */
const DEFAULT_TUNLINK = parseInterfaceName("wan6", "tunlink");

/** Performs one effect and writes its record, unless there was nothing to do. */
async function run(title: string, effect: Effect, host: Host): Promise<void> {
  try {
    if (await perform(effect, host)) host.log(title, "ok", describeEffect(effect));
  } catch (error) {
    host.log(title, "failed", `${describeEffect(effect)}: ${forLog(error)}`);
    throw error;
  }
}

/** Like {@link run}, but gives false in place of throwing. */
async function attempt(title: string, effect: Effect, host: Host): Promise<boolean> {
  try {
    await run(title, effect, host);
    return true;
  } catch {
    return false;
  }
}

/** Undoes steps, last first; each is tried even if another failed. Gives true when all of them are undone. */
async function walkUp(steps: readonly Step[], host: Host): Promise<boolean> {
  let complete = true;
  for (const { undo } of [...steps].reverse()) {
    for (const part of undo) {
      if (!(await attempt(part.title, part.do, host)) && part.optional !== true) complete = false;
    }
  }
  return complete;
}

/** Performs steps, first to last. When one fails, it and those before it are undone. */
async function walkDown(steps: readonly Step[], host: Host): Promise<void> {
  // The step that fails is undone too: an answer that came too late may hide that it was done.
  const begun: Step[] = [];
  try {
    for (const step of steps) {
      if (step.do === undefined) continue;
      begun.push(step);
      await run(step.title, step.do, host);
    }
  } catch (error) {
    await walkUp(begun, host);
    throw error;
  }
}

function notify(args: ReturnType<typeof errorRequest>): Effect {
  return { kind: "ubus", object: NETWORK, method: "notify_proto", args };
}

async function linkStatus(host: Host, tunlink: InterfaceName): Promise<LinkStatus> {
  try {
    return decodeLinkStatus(await host.call(NETWORK, "status", { interface: tunlink }));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new SetupError("NO_LINK", `tunlink: netifd knows no interface "${tunlink}"`, { cause: error });
  }
}

async function provisionFor(host: Host, iface: InterfaceName, config: InterfaceConfig): Promise<Provisioned> {
  const tunlink = config.tunlink ?? DEFAULT_TUNLINK;
  const link = await linkStatus(host, tunlink);
  const linkMtu = link.device ? host.deviceMtu(link.device) : undefined;
  const provisioned = provision(iface, config, tunlink, link, linkMtu);
  for (const remark of provisioned.remarks) host.log("rule", "note", `${remark.path}: ${remark.text}`);
  return provisioned;
}

/** Everything that a plan puts into force, as a short text: equal texts mean that a renew has nothing to do. */
function digest(plan: Plan): string {
  return fingerprint(JSON.stringify(sessionSteps(claimOf(plan), plan).map((step) => step.do)));
}

function describe(provisioned: Provisioned, state: SavedState["state"], now: Date): SavedState {
  const { plan } = provisioned;
  const set = plan.ce?.portSet;
  return {
    interface: plan.iface,
    state,
    since: now.toISOString(),
    transport: plan.transport,
    tunlink: plan.link.iface,
    device: plan.device,
    ...(plan.nat === undefined
      ? {}
      : { table: tableName(plan.iface), reserved_ports: plan.nat.reservedPorts.join(" ") }),
    ipv4: formatIpv4Prefix(plan.ipv4),
    ...(plan.ce === undefined ? {} : { map_address: formatIpv6(plan.ce.mapAddress) }),
    ...(set === undefined
      ? {}
      : { offset: `${set.offset}`, psid_length: `${set.psidLength}`, psid: `${set.psid}` }),
    mtu: `${plan.mtu}`,
    source: provisioned.source,
    remarks: provisioned.remarks
      .map((remark) => remark.text)
      .join("; ")
      .slice(0, 2_000),
    digest: digest(plan),
  };
}

/** One line for the log: what this CE is. */
function summary({ plan, source }: Provisioned): string {
  const set = plan.ce?.portSet;
  const shared =
    set !== undefined && set.psidLength > 0 ? `, PSID ${set.psid} of ${set.psidLength} bits` : "";
  return `${plan.transport} ${formatIpv4Prefix(plan.ipv4)}${shared}, MTU ${plan.mtu}, rule from ${source}`;
}

const BUG = "this is a bug in mapmin, please report it";

/** The code and the sentence that netifd and the state file are given for a failure. */
function explained(error: unknown): { readonly code: string; readonly text: string } {
  if (error instanceof MapminError) return { code: error.code, text: error.message };
  return { code: "INTERNAL_ERROR", text: `${BUG}: ${messageOf(error)}` };
}

/** What the log is told of a failure: of a bug also where it happened. */
function forLog(error: unknown): string {
  if (error instanceof MapminError) return error.message;
  return `${BUG}: ${error instanceof Error ? error.stack : String(error)}`;
}

/** Writes a failure to the log and reports it to netifd, which then waits until somebody starts the interface again. */
export async function report(
  iface: InterfaceName,
  action: string,
  error: unknown,
  host: Host,
): Promise<void> {
  const { code, text } = explained(error);
  host.log(action, "failed", `${code}: ${forLog(error)}`);
  if (await attempt("report the error", notify(errorRequest(iface, code, text)), host)) {
    await attempt("wait until it is started again", notify(blockRequest(iface)), host);
  }
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
    host.writeState(
      iface,
      formatState({ interface: iface, state: "failed", since, error: `${code}: ${text}` }),
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
    return decodeState(host.readState(iface) ?? "");
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    host.log("read the state", "failed", error.message);
    return undefined;
  }
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
    const provisioned = await provisionFor(host, iface, config);
    const { plan } = provisioned;
    // Written before the first effect: a teardown that cuts us short must know what to look for.
    host.writeState(iface, formatState(describe(provisioned, "starting", host.now())));
    await walkDown(sessionSteps(claimOf(plan), plan), host);
    host.writeState(iface, formatState(describe(provisioned, "up", host.now())));
    host.log("setup", "ok", summary(provisioned));
    return 0;
  } catch (error) {
    return refuse(iface, error, host);
  }
}

/** Takes everything of an interface away, whether setup finished or not. Gives 1 if something could not be removed. */
export async function teardown(iface: InterfaceName, host: Host): Promise<number> {
  const saved = savedState(iface, host);
  const complete = await walkUp(sessionSteps(claimFrom(iface, saved)), host);
  host.removeState(iface);
  host.log("teardown", complete ? "ok" : "failed");
  return complete ? 0 : 1;
}

/** Looks again at what the link gives: nothing to do when it leads to the same plan, else down and up. */
export async function renew(request: HandlerRequest, host: Host): Promise<number> {
  const { iface, config } = request;
  const saved = savedState(iface, host);
  try {
    const provisioned = await provisionFor(host, iface, config);
    if (saved?.state === "up" && saved.digest === digest(provisioned.plan)) {
      host.log("renew", "ok", "nothing changed");
      return 0;
    }
  } catch (error) {
    // The last good state stays in force until there is something better.
    host.log("renew", "failed", forLog(error));
    if (error instanceof MapminError) return 1;
    const { code, text } = explained(error);
    await attempt("report the error", notify(errorRequest(iface, code, text)), host);
    throw error;
  }
  await teardown(iface, host);
  const result = await setup(request, host);
  if (result === 0 && saved?.state === "failed") {
    // The block of the failure would outlive it: the next loss of the link would be for good.
    const up: Effect = { kind: "ubus", object: NETWORK, method: "up", args: { interface: iface } };
    await attempt("let netifd start it again", up, host);
  }
  return result;
}
