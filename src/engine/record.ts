/** What a session writes down of itself in the state file and in the log, and what it reads back. */

import type { DeviceName, InterfaceName } from "../ip/names.ts";
import { formatIpv4Prefix, formatIpv6 } from "../ip/text.ts";
import { type Plan, tableName } from "../map/plan.ts";
import type { Provisioned } from "../provision/choose.ts";
import { formatPorts } from "../provision/reserved-ports.ts";
import { linesOf, rulesPrint } from "../render/control.ts";
import { withoutTimeouts } from "../render/nft-script.ts";
import { EffectError, MapminError } from "../wire/errors.ts";
import { fingerprint } from "../wire/fingerprint.ts";
import type { Host } from "./host.ts";
import { decodeState, type SavedState, stateDamage, statePath } from "./state.ts";
import type { Claim, Step } from "./steps.ts";

/** What the state file says; undefined when it does not exist or cannot be read. */
export function savedState(iface: InterfaceName, host: Host): SavedState | undefined {
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

/** The fingerprint of what a step does: an equal one need not be done again. */
export function printOf(step: Step): string {
  return fingerprint(JSON.stringify(step.do));
}

/** Leaves out what the counters of a table say, and leaves of a map the number of its elements: it has one for each port. */
function lasting(key: string, value: unknown): unknown {
  if (key === "elem" && Array.isArray(value)) return value.length;
  return key === "packets" || key === "bytes" ? 0 : value;
}

/** How many rules of ours a script has, or what nft prints of a table: each has a comment that begins so. */
const rulesIn = (text: string) => text.split('"mapmin ').length;

/**
 * The fingerprint of a table as the kernel has it; undefined where there is none, or where it has fewer rules than the script that
 * loaded it. It is another one once somebody has taken a rule from the table. It is made of JSON, because nft needs a system call
 * for each element of a map where it writes text.
 *
 * @throws EffectError where nft does not tell
 */
export async function tablePrint(table: string, host: Host, script = ""): Promise<string | undefined> {
  const text = await host.listTable(table, "json");
  if (text === undefined || rulesIn(text) < rulesIn(withoutTimeouts(script) ?? script)) return undefined;
  try {
    return fingerprint(JSON.stringify(JSON.parse(text), lasting));
  } catch {
    throw new EffectError("nft", "what it printed is not JSON");
  }
}

/** The fingerprints that a state file keeps in one of its lists, by step. */
export function printsOf(list = ""): ReadonlyMap<string, string> {
  return new Map(
    list.split(" ").map((word) => {
      const [key = "", print = ""] = word.split("=");
      return [key, print];
    }),
  );
}

/** The fingerprint of the rules of the module's device; undefined where there is no device. */
export function rulesOf(device: DeviceName, host: Host): string | undefined {
  const lines = linesOf(host.readControl() ?? "", device);
  return lines === undefined ? undefined : rulesPrint(lines);
}

/** What carries the packets of a plan, as the state file says it. */
export const carrierOf = (plan: Plan) => (plan.module === undefined ? "tunnel" : "module");

/** The state of a plan, without what is in force. */
export function stateOf(
  provisioned: Provisioned,
  claim: Claim,
  state: SavedState["state"],
  now: Date,
): SavedState {
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
export function summary({ plan, source }: Provisioned): string {
  const set = plan.ce?.portSet;
  const shared =
    set !== undefined && set.psidLength > 0 ? `, PSID ${set.psid} of ${set.psidLength} bits` : "";
  return `${plan.transport} ${formatIpv4Prefix(plan.ipv4)}${shared}, MTU ${plan.mtu}, rule from ${source}, NAT by ${plan.natBy}`;
}

/** What is in force once all steps are done: by that a renewal tells what is left to do. */
export async function inForce(
  steps: readonly Step[],
  device: DeviceName,
  host: Host,
): Promise<Pick<SavedState, "steps" | "rules" | "tables">> {
  const done = steps.filter((step) => step.do !== undefined);
  const tables: string[] = [];
  for (const { key, do: effect } of done) {
    if (effect?.kind !== "nft") continue;
    // Somebody may have flushed it since. That, and what nft does not tell, is no reason to fail once all is done: the next renewal
    // loads such a table again.
    const print = await tablePrint(effect.table, host, effect.script).catch(() => undefined);
    tables.push(`${key}=${print ?? ""}`);
  }
  return {
    steps: done.map((step) => `${step.key}=${printOf(step)}`).join(" "),
    rules: rulesOf(device, host),
    tables: tables.join(" "),
  };
}
