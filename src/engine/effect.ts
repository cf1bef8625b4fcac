/**
 * What is done to the world, as a value: the plan's steps hold effects, `perform` has the host do them. What an effect
 * took the place of is again an effect, so that a change that fails can be taken back.
 */

import type { DeviceName } from "../ip/names.ts";
import { CONTROL_PATH, linesOf, replaceLines, teardownLines } from "../render/control.ts";
import type { JsonObject } from "../render/netifd.ts";
import { renderNftClosed, renderNftDelete, renderNftRestore } from "../render/nft.ts";
import { withoutTimeouts } from "../render/nft-script.ts";
import { EffectError, SetupError } from "../wire/errors.ts";
import { type Host, UbusStatus } from "./host.ts";

export type Effect =
  | {
      readonly kind: "ubus";
      readonly object: string;
      readonly method: string;
      readonly args: JsonObject;
      /** When ubus knows no such object or interface, there is nothing to do. */
      readonly ifPresent?: true;
    }
  /**
   * Loads a table in the place of the one of that name: one transaction. `device` is what it is closed by; absent where the
   * table closes nothing.
   */
  | { readonly kind: "nft"; readonly table: string; readonly device?: DeviceName; readonly script: string }
  /** Takes a table away, once the device can send nothing any more; until then a table that only drops stays. */
  | { readonly kind: "remove table"; readonly table: string; readonly device: DeviceName }
  /** Makes the module's device, or puts these rules in the place of its own: one transaction of the module. */
  | { readonly kind: "device"; readonly device: DeviceName; readonly rules: readonly string[] }
  /** Deletes the module's device of that name, if the module has one: a tunnel of netifd's may have the name too. */
  | { readonly kind: "remove device"; readonly device: DeviceName }
  | { readonly kind: "device mtu"; readonly device: DeviceName; readonly octets: number }
  | { readonly kind: "flush flows"; readonly ipv4: string };

/** What became of an effect. */
export interface Performed {
  /** False when there was nothing to do. */
  readonly did: boolean;
  /** What brings back what was there before; absent where nothing was. */
  readonly restore?: Effect;
}

/** One line for the log: the command that the effect is, or stands for. */
export function describeEffect(effect: Effect): string {
  switch (effect.kind) {
    case "ubus":
      return `ubus call ${effect.object} ${effect.method} ${JSON.stringify(effect.args)}`;
    case "nft":
      return `nft -f - (table ip ${effect.table})`;
    case "remove table":
      return `nft delete table ip ${effect.table}`;
    case "device":
      return [`add ${effect.device}`, ...effect.rules].join("; ");
    case "remove device":
      return teardownLines(effect.device).join("; ");
    case "device mtu":
      return `ip link set ${effect.device} mtu ${effect.octets}`;
    case "flush flows":
      return `conntrack -D -q ${effect.ipv4}`;
  }
}

/** The module's control file. @throws SetupError NO_KERNEL_MODULE when the module is not loaded */
function control(host: Host): string {
  const text = host.readControl();
  if (text !== undefined) return text;
  throw new SetupError(
    "NO_KERNEL_MODULE",
    `the module of kmod-mapmint is not loaded (no ${CONTROL_PATH} of its own): install it, or remove kmod-nat46`,
  );
}

/** Loads a script; where the kernel refuses it, without what not every kernel has. @throws EffectError */
async function loadNat(script: string, host: Host): Promise<void> {
  try {
    await host.loadFirewall(script);
  } catch (error) {
    const plain = withoutTimeouts(script);
    if (plain === undefined) throw error;
    await host.loadFirewall(plain);
    host.log(
      "load the NAT",
      "note",
      "without `ct timeout`: closed connections keep their ports for two minutes",
    );
  }
}

/**
 * Performs one effect.
 *
 * @throws EffectError when the world refuses
 * @throws SetupError NO_KERNEL_MODULE when the module is needed and not loaded
 */
export async function perform(effect: Effect, host: Host): Promise<Performed> {
  switch (effect.kind) {
    case "ubus":
      try {
        await host.call(effect.object, effect.method, effect.args);
        return { did: true };
      } catch (error) {
        if (effect.ifPresent && isNotFound(error)) return { did: false };
        throw error;
      }
    case "nft": {
      const { table, device } = effect;
      const before = await host.listTable(table, "text");
      await loadNat(effect.script, host);
      const script =
        before !== undefined
          ? renderNftRestore(table, before)
          : device === undefined
            ? renderNftDelete(table)
            : // Nothing must not come back: the device would be open.
              renderNftClosed(table, device);
      return { did: true, restore: { ...effect, script } };
    }
    case "remove table": {
      const { table, device } = effect;
      const gone = shut(device, host);
      await host.loadFirewall(gone ? renderNftDelete(table) : renderNftClosed(table, device));
      return { did: true };
    }
    case "device": {
      const { device, rules } = effect;
      const present = linesOf(control(host), device);
      // A netifd that ended without a teardown leaves its tunnel. As the next netifd would, we put ours in its place.
      if (present === undefined && (await host.deleteTunnel(device)))
        host.log("remove the tunnel that netifd left", "ok", device);
      host.writeControl(replaceLines(device, present, rules));
      const restore: Effect =
        present === undefined
          ? { kind: "remove device", device }
          : { kind: "device", device, rules: present };
      return { did: true, restore };
    }
    case "remove device": {
      const { device } = effect;
      if (linesOf(host.readControl() ?? "", device) === undefined) return { did: false };
      host.writeControl(teardownLines(device));
      return { did: true };
    }
    case "device mtu": {
      const { device, octets } = effect;
      const before = host.deviceMtu(device);
      host.setDeviceMtu(device, octets);
      return {
        did: true,
        ...(before === undefined ? {} : { restore: { kind: "device mtu", device, octets: before } as const }),
      };
    }
    case "flush flows":
      await host.flushFlows(effect.ipv4);
      return { did: true };
  }
}

/** True once nothing can leave by the device: there is none, or it has been taken down. */
function shut(device: DeviceName, host: Host): boolean {
  if (host.deviceMtu(device) === undefined) return true;
  try {
    host.shutDevice(device);
    return true;
  } catch (error) {
    if (!(error instanceof EffectError)) throw error;
    return host.deviceMtu(device) === undefined;
  }
}

/** True when ubus answered that it knows no such object or interface. */
export function isNotFound(error: unknown): boolean {
  return error instanceof EffectError && error.status === UbusStatus.notFound;
}

/** True when ubusd or netifd is not there, as while they start anew, or does not answer. */
export function isAway(error: unknown): boolean {
  const away: readonly (number | undefined)[] = [undefined, ...Object.values(UbusStatus)];
  return error instanceof EffectError && away.includes(error.status);
}

/** True when it is not known whether what was asked for is done: no answer came. */
export function isUncertain(error: unknown): boolean {
  return !(error instanceof EffectError) || error.status === undefined || error.status === UbusStatus.timeout;
}
