/** setup, teardown and renew of one interface: the order of effects, and their undoing. */

import { createHash } from "node:crypto";
import { renderNft, renderNftDelete } from "../firewall/nft.ts";
import { formatIpv4Prefix, formatIpv6 } from "../ip/text.ts";
import { deviceName, type Plan, tableName } from "../map/plan.ts";
import { CONTROL_PATH, setupLines, teardownLines } from "../mapmint/control.ts";
import { decodeLinkStatus, type LinkStatus } from "./link.ts";
import { type Ports, UbusStatus, ubusStatus } from "./ports.ts";
import { type Provisioned, provision, SetupError } from "./provisioning.ts";
import type { HandlerRequest, InterfaceConfig } from "./request.ts";
import { decodeState, formatState, type SavedState } from "./state.ts";
import {
  addressInterface,
  addressRequest,
  blockRequest,
  errorRequest,
  hostDependencyRequest,
  updateRequest,
} from "./update.ts";

/** The link when `tunlink` is not set: OpenWrt's name for it. */
const DEFAULT_TUNLINK = "wan6";
const NETWORK = "network.interface";

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Runs one step and writes its record. */
async function step<T>(
  ports: Ports,
  what: string,
  command: string,
  action: () => T | Promise<T>,
): Promise<T> {
  try {
    const value = await action();
    ports.log(what, "ok", command);
    return value;
  } catch (error) {
    ports.log(what, "failed", `${command}: ${message(error)}`);
    throw error;
  }
}

/** Steps of teardown: each is tried whatever became of the others. */
async function attempt(
  ports: Ports,
  what: string,
  command: string,
  action: () => void | Promise<void>,
): Promise<boolean> {
  try {
    await step(ports, what, command, action);
    return true;
  } catch {
    return false;
  }
}

async function linkStatus(ports: Ports, tunlink: string): Promise<LinkStatus> {
  try {
    return decodeLinkStatus(await ports.call(NETWORK, "status", { interface: tunlink }));
  } catch (error) {
    if (ubusStatus(error) === UbusStatus.notFound) {
      throw new SetupError("NO_LINK", `tunlink: netifd knows no interface "${tunlink}"`);
    }
    throw error;
  }
}

async function provisionFor(ports: Ports, iface: string, config: InterfaceConfig): Promise<Provisioned> {
  const tunlink = config.tunlink ?? DEFAULT_TUNLINK;
  const link = await linkStatus(ports, tunlink);
  const provisioned = provision(
    iface,
    config,
    tunlink,
    link,
    link.device ? ports.deviceMtu(link.device) : undefined,
  );
  for (const remark of provisioned.remarks) ports.log("rule", "note", `${remark.path}: ${remark.text}`);
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
async function apply(plan: Plan, ports: Ports, undo: (() => Promise<unknown>)[]): Promise<void> {
  const { translator, nat } = plan;
  if (nat !== undefined) {
    // Before anything can leave: a packet without NAT would use another subscriber's ports.
    undo.unshift(() =>
      attempt(ports, "remove the NAT", nat.table, () => ports.loadFirewall(renderNftDelete(nat.table))),
    );
    await step(ports, "load the NAT into the port set", `nft -f - (table ip ${nat.table})`, () =>
      ports.loadFirewall(renderNft(nat)),
    );
  }
  if (translator !== undefined) {
    const lines = setupLines(plan.device, translator);
    if (ports.readControl() === undefined) {
      throw new SetupError(
        "NO_KERNEL_MODULE",
        `MAP-T needs the package kmod-mapmint: ${CONTROL_PATH} is missing`,
      );
    }
    removeStaleDevice(plan.device, ports);
    await step(ports, "create the translator", lines.join("; "), () => ports.writeControl(lines));
    undo.unshift(() =>
      attempt(ports, "remove the translator", teardownLines(plan.device).join("; "), () =>
        ports.writeControl(teardownLines(plan.device)),
      ),
    );
    await step(ports, "set the translator's MTU", `${plan.device} ${plan.link.mtu}`, () =>
      ports.setDeviceMtu(plan.device, plan.link.mtu),
    );
  }
  const address = addressRequest(plan);
  if (address !== undefined) {
    await step(
      ports,
      "add the tunnel's address",
      `ubus call network add_dynamic ${JSON.stringify(address)}`,
      () => ports.call("network", "add_dynamic", address),
    );
    undo.unshift(() => removeAddress(plan.iface, ports));
  }
  const update = updateRequest(plan);
  await step(ports, "tell netifd", `ubus call ${NETWORK} notify_proto ${JSON.stringify(update)}`, () =>
    ports.call(NETWORK, "notify_proto", update),
  );
}

/** A device that an interrupted run left would make `add` fail with EEXIST. */
function removeStaleDevice(device: string, ports: Ports): void {
  if (ownsDevice(device, ports)) {
    ports.log("remove a translator left behind", "note", device);
    ports.writeControl(teardownLines(device));
  }
}

/** True when the translator has a device of that name: a tunnel of netifd's may be called so too. */
function ownsDevice(device: string, ports: Ports): boolean {
  return (ports.readControl() ?? "").split("\n").some((line) => line.trim() === `add ${device}`);
}

async function removeAddress(iface: string, ports: Ports): Promise<boolean> {
  const name = addressInterface(iface);
  return attempt(
    ports,
    "remove the tunnel's address",
    `ubus call ${NETWORK} down {"interface":"${name}"}`,
    async () => {
      try {
        await ports.call(NETWORK, "down", { interface: name });
      } catch (error) {
        if (ubusStatus(error) !== UbusStatus.notFound) throw error;
      }
    },
  );
}

/** Reports a failure to netifd and stops it from trying again: the cause has to go away first. */
async function refuse(iface: string, error: unknown, ports: Ports): Promise<void> {
  const code = error instanceof SetupError ? error.code : "SETUP_FAILED";
  const text = message(error);
  ports.log("setup", "failed", `${code}: ${text}`);
  ports.writeState(
    iface,
    formatState({
      interface: iface,
      state: "failed",
      since: ports.now().toISOString(),
      error: `${code}: ${text}`,
    }),
  );
  await attempt(ports, "report the error", code, async () => {
    await ports.call(NETWORK, "notify_proto", errorRequest(iface, code, text));
    await ports.call(NETWORK, "notify_proto", blockRequest(iface));
  });
}

/** Brings an interface up. Gives 0, or 1 after everything done was undone and the error reported. */
export async function setup(request: HandlerRequest, ports: Ports): Promise<number> {
  const { iface, config } = request;
  const tunlink = config.tunlink ?? DEFAULT_TUNLINK;
  const undo: (() => Promise<unknown>)[] = [];
  try {
    try {
      await step(ports, "depend on the link", tunlink, () =>
        ports.call(NETWORK, "notify_proto", hostDependencyRequest(iface, tunlink)),
      );
    } catch (error) {
      if (ubusStatus(error) !== UbusStatus.notFound) throw error;
      // netifd has marked us unavailable and calls again when the link is up: no error to stop at.
      await ports.call(
        NETWORK,
        "notify_proto",
        errorRequest(iface, "LINK_DOWN", `tunlink: ${tunlink} is not up`),
      );
      return 1;
    }
    const provisioned = await provisionFor(ports, iface, config);
    // Written before the first effect: a teardown that cuts us short must know what to look for.
    ports.writeState(iface, formatState(describe(provisioned, "starting", ports.now())));
    await apply(provisioned.plan, ports, undo);
    ports.writeState(iface, formatState(describe(provisioned, "up", ports.now())));
    ports.log("setup", "ok", summary(provisioned));
    return 0;
  } catch (error) {
    for (const action of undo) await action();
    await refuse(iface, error, ports);
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
export async function teardown(iface: string, ports: Ports): Promise<number> {
  const saved = decodeState(ports.readState(iface) ?? "");
  const device = deviceName(iface);
  const table = tableName(iface);
  const done: boolean[] = [];
  if (ownsDevice(device, ports)) {
    const lines = teardownLines(device);
    done.push(
      await attempt(ports, "remove the translator", lines.join("; "), () => ports.writeControl(lines)),
    );
  }
  done.push(
    await attempt(ports, "remove the NAT", `table ip ${table}`, () =>
      ports.loadFirewall(renderNftDelete(table)),
    ),
  );
  if (saved?.transport !== undefined && saved.transport !== "map-t")
    done.push(await removeAddress(iface, ports));
  if (saved?.ipv4 !== undefined) {
    const address = saved.ipv4;
    // Flows of an address that is gone would hold on to ports of the old set; not worth failing for.
    await attempt(ports, "forget the flows", address, () => ports.flushFlows(address));
  }
  ports.removeState(iface);
  const complete = done.every((ok) => ok);
  ports.log("teardown", complete ? "ok" : "failed");
  return complete ? 0 : 1;
}

/** Looks again at what the link gives: nothing to do when it leads to the same plan, else down and up. */
export async function renew(request: HandlerRequest, ports: Ports): Promise<number> {
  const { iface, config } = request;
  const saved = decodeState(ports.readState(iface) ?? "");
  try {
    const provisioned = await provisionFor(ports, iface, config);
    if (saved?.state === "up" && saved.digest === digest(provisioned.plan)) {
      ports.log("renew", "ok", "nothing changed");
      return 0;
    }
  } catch (error) {
    // The last good state stays in force until there is something better.
    ports.log("renew", "failed", message(error));
    return 1;
  }
  await teardown(iface, ports);
  const result = await setup(request, ports);
  if (result === 0 && saved?.state === "failed") {
    // The block of the failure would outlive it: the next loss of the link would be for good.
    await attempt(ports, "let netifd start it again", iface, async () => {
      await ports.call(NETWORK, "up", { interface: iface });
    });
  }
  return result;
}
