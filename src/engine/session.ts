/** setup, teardown and renew of one interface: the order of effects, and their undoing. */

import { createHash } from "node:crypto";
import { formatIpv4Prefix, formatIpv6 } from "../ip/text.ts";
import { deviceName, type Plan, tableName } from "../map/plan.ts";
import { type Provisioned, provision, SetupError } from "../provision/choose.ts";
import { decodeLinkStatus, type LinkStatus } from "../provision/link.ts";
import type { HandlerRequest, InterfaceConfig } from "../provision/request.ts";
import {
  addressInterface,
  addressRequest,
  blockRequest,
  errorRequest,
  hostDependencyRequest,
  updateRequest,
} from "../render/netifd.ts";
import { renderNft, renderNftDelete } from "../render/nft.ts";
import { CONTROL_PATH, setupLines, teardownLines } from "../render/translator.ts";
import { type Host, UbusStatus, ubusStatus } from "./host.ts";
import { decodeState, formatState, type SavedState } from "./state.ts";

/** The link when `tunlink` is not set: OpenWrt's name for it. */
const DEFAULT_TUNLINK = "wan6";
const NETWORK = "network.interface";

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Runs one step and writes its record. */
async function step<T>(host: Host, what: string, command: string, action: () => T | Promise<T>): Promise<T> {
  try {
    const value = await action();
    host.log(what, "ok", command);
    return value;
  } catch (error) {
    host.log(what, "failed", `${command}: ${message(error)}`);
    throw error;
  }
}

/** Steps of teardown: each is tried whatever became of the others. */
async function attempt(
  host: Host,
  what: string,
  command: string,
  action: () => void | Promise<void>,
): Promise<boolean> {
  try {
    await step(host, what, command, action);
    return true;
  } catch {
    return false;
  }
}

async function linkStatus(host: Host, tunlink: string): Promise<LinkStatus> {
  try {
    return decodeLinkStatus(await host.call(NETWORK, "status", { interface: tunlink }));
  } catch (error) {
    if (ubusStatus(error) === UbusStatus.notFound) {
      throw new SetupError("NO_LINK", `tunlink: netifd knows no interface "${tunlink}"`);
    }
    throw error;
  }
}

async function provisionFor(host: Host, iface: string, config: InterfaceConfig): Promise<Provisioned> {
  const tunlink = config.tunlink ?? DEFAULT_TUNLINK;
  const link = await linkStatus(host, tunlink);
  const provisioned = provision(
    iface,
    config,
    tunlink,
    link,
    link.device ? host.deviceMtu(link.device) : undefined,
  );
  for (const remark of provisioned.remarks) host.log("rule", "note", `${remark.path}: ${remark.text}`);
  return provisioned;
}

/** Everything a plan puts into force, as one digest. */
function digest(plan: Plan): string {
  const parts = [
    plan.nat === undefined ? "" : renderNft(plan.nat),
    plan.translator === undefined ? "" : setupLines(plan.device, plan.translator).join("\n"),
    JSON.stringify(updateRequest(plan)),
  ];
  return createHash("sha256").update(parts.join("\n")).digest("hex");
}

function describe(provisioned: Provisioned, state: SavedState["state"], now: Date): SavedState {
  const { plan } = provisioned;
  const ports = plan.ce?.portSet;
  return {
    interface: plan.iface,
    state,
    since: now.toISOString(),
    transport: plan.transport,
    tunlink: plan.link.iface,
    device: plan.device,
    ...(plan.nat === undefined
      ? {}
      : { table: plan.nat.table, reserved_ports: plan.nat.reservedPorts.join(" ") }),
    ipv4: formatIpv4Prefix(plan.ipv4),
    ...(plan.ce === undefined ? {} : { map_address: formatIpv6(plan.ce.mapAddress) }),
    ...(ports === undefined
      ? {}
      : { offset: `${ports.offset}`, psid_length: `${ports.psidLength}`, psid: `${ports.psid}` }),
    mtu: `${plan.mtu}`,
    source: provisioned.source,
    remarks: provisioned.remarks
      .map((remark) => remark.text)
      .join("; ")
      .slice(0, 2_000),
    digest: digest(plan),
  };
}

/** Puts a plan into force; what is done is pushed on `undo`, last first. */
async function apply(plan: Plan, host: Host, undo: (() => Promise<unknown>)[]): Promise<void> {
  const { translator, nat } = plan;
  if (nat !== undefined) {
    // Before anything can leave: a packet without NAT would use another subscriber's ports.
    undo.unshift(() =>
      attempt(host, "remove the NAT", nat.table, () => host.loadFirewall(renderNftDelete(nat.table))),
    );
    await step(host, "load the NAT into the port set", `nft -f - (table ip ${nat.table})`, () =>
      host.loadFirewall(renderNft(nat)),
    );
  }
  if (translator !== undefined) {
    const lines = setupLines(plan.device, translator);
    if (host.readControl() === undefined) {
      throw new SetupError(
        "NO_KERNEL_MODULE",
        `MAP-T needs the package kmod-mapmint: ${CONTROL_PATH} is missing`,
      );
    }
    removeStaleDevice(plan.device, host);
    await step(host, "create the translator", lines.join("; "), () => host.writeControl(lines));
    undo.unshift(() =>
      attempt(host, "remove the translator", teardownLines(plan.device).join("; "), () =>
        host.writeControl(teardownLines(plan.device)),
      ),
    );
    await step(host, "set the translator's MTU", `${plan.device} ${plan.link.mtu}`, () =>
      host.setDeviceMtu(plan.device, plan.link.mtu),
    );
  }
  const address = addressRequest(plan);
  if (address !== undefined) {
    await step(
      host,
      "add the tunnel's address",
      `ubus call network add_dynamic ${JSON.stringify(address)}`,
      () => host.call("network", "add_dynamic", address),
    );
    undo.unshift(() => removeAddress(plan.iface, host));
  }
  const update = updateRequest(plan);
  await step(host, "tell netifd", `ubus call ${NETWORK} notify_proto ${JSON.stringify(update)}`, () =>
    host.call(NETWORK, "notify_proto", update),
  );
}

/** A device that an interrupted run left would make `add` fail with EEXIST. */
function removeStaleDevice(device: string, host: Host): void {
  if (ownsDevice(device, host)) {
    host.log("remove a translator left behind", "note", device);
    host.writeControl(teardownLines(device));
  }
}

/** True when the translator has a device of that name: a tunnel of netifd's may be called so too. */
function ownsDevice(device: string, host: Host): boolean {
  return (host.readControl() ?? "").split("\n").some((line) => line.trim() === `add ${device}`);
}

async function removeAddress(iface: string, host: Host): Promise<boolean> {
  const name = addressInterface(iface);
  return attempt(
    host,
    "remove the tunnel's address",
    `ubus call ${NETWORK} down {"interface":"${name}"}`,
    async () => {
      try {
        await host.call(NETWORK, "down", { interface: name });
      } catch (error) {
        if (ubusStatus(error) !== UbusStatus.notFound) throw error;
      }
    },
  );
}

/** Reports a failure to netifd and stops it from trying again: the cause has to go away first. */
async function refuse(iface: string, error: unknown, host: Host): Promise<void> {
  const code = error instanceof SetupError ? error.code : "SETUP_FAILED";
  const text = message(error);
  host.log("setup", "failed", `${code}: ${text}`);
  host.writeState(
    iface,
    formatState({
      interface: iface,
      state: "failed",
      since: host.now().toISOString(),
      error: `${code}: ${text}`,
    }),
  );
  await attempt(host, "report the error", code, async () => {
    await host.call(NETWORK, "notify_proto", errorRequest(iface, code, text));
    await host.call(NETWORK, "notify_proto", blockRequest(iface));
  });
}

/** Brings an interface up. Gives 0, or 1 after everything done was undone and the error reported. */
export async function setup(request: HandlerRequest, host: Host): Promise<number> {
  const { iface, config } = request;
  const tunlink = config.tunlink ?? DEFAULT_TUNLINK;
  const undo: (() => Promise<unknown>)[] = [];
  try {
    try {
      await step(host, "depend on the link", tunlink, () =>
        host.call(NETWORK, "notify_proto", hostDependencyRequest(iface, tunlink)),
      );
    } catch (error) {
      if (ubusStatus(error) !== UbusStatus.notFound) throw error;
      // netifd has marked us unavailable and calls again when the link is up: no error to stop at.
      await host.call(
        NETWORK,
        "notify_proto",
        errorRequest(iface, "LINK_DOWN", `tunlink: ${tunlink} is not up`),
      );
      return 1;
    }
    const provisioned = await provisionFor(host, iface, config);
    // Written before the first effect: a teardown that cuts us short must know what to look for.
    host.writeState(iface, formatState(describe(provisioned, "starting", host.now())));
    await apply(provisioned.plan, host, undo);
    host.writeState(iface, formatState(describe(provisioned, "up", host.now())));
    host.log("setup", "ok", summary(provisioned));
    return 0;
  } catch (error) {
    for (const action of undo) await action();
    await refuse(iface, error, host);
    return 1;
  }
}

/** One line for the log: what this CE is. */
function summary({ plan, source }: Provisioned): string {
  const set = plan.ce?.portSet;
  const shared =
    set !== undefined && set.psidLength > 0 ? `, PSID ${set.psid} of ${set.psidLength} bits` : "";
  return `${plan.transport} ${formatIpv4Prefix(plan.ipv4)}${shared}, MTU ${plan.mtu}, rule from ${source}`;
}

/** Takes everything of an interface away, whether setup finished or not. Gives 1 if something could not be removed. */
export async function teardown(iface: string, host: Host): Promise<number> {
  const saved = decodeState(host.readState(iface) ?? "");
  const device = deviceName(iface);
  const table = tableName(iface);
  const done: boolean[] = [];
  if (ownsDevice(device, host)) {
    const lines = teardownLines(device);
    done.push(await attempt(host, "remove the translator", lines.join("; "), () => host.writeControl(lines)));
  }
  done.push(
    await attempt(host, "remove the NAT", `table ip ${table}`, () =>
      host.loadFirewall(renderNftDelete(table)),
    ),
  );
  if (saved?.transport !== undefined && saved.transport !== "map-t")
    done.push(await removeAddress(iface, host));
  if (saved?.ipv4 !== undefined) {
    const address = saved.ipv4;
    // Flows of an address that is gone would hold on to ports of the old set; not worth failing for.
    await attempt(host, "forget the flows", address, () => host.flushFlows(address));
  }
  host.removeState(iface);
  const complete = done.every((ok) => ok);
  host.log("teardown", complete ? "ok" : "failed");
  return complete ? 0 : 1;
}

/** Looks again at what the link gives: nothing to do when it leads to the same plan, else down and up. */
export async function renew(request: HandlerRequest, host: Host): Promise<number> {
  const { iface, config } = request;
  const saved = decodeState(host.readState(iface) ?? "");
  try {
    const provisioned = await provisionFor(host, iface, config);
    if (saved?.state === "up" && saved.digest === digest(provisioned.plan)) {
      host.log("renew", "ok", "nothing changed");
      return 0;
    }
  } catch (error) {
    // The last good state stays in force until there is something better.
    host.log("renew", "failed", message(error));
    return 1;
  }
  await teardown(iface, host);
  const result = await setup(request, host);
  if (result === 0 && saved?.state === "failed") {
    // The block of the failure would outlive it: the next loss of the link would be for good.
    await attempt(host, "let netifd start it again", iface, async () => {
      await host.call(NETWORK, "up", { interface: iface });
    });
  }
  return result;
}
