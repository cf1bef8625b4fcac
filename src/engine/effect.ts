/** What is done to the world, as a value: the plan's steps hold effects, `perform` has the host do them. */

import type { JsonObject } from "../render/netifd.ts";
import { CONTROL_PATH, teardownLines } from "../render/translator.ts";
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
  | { readonly kind: "nft"; readonly table: string; readonly script: string }
  /** One transaction of the module. */
  | { readonly kind: "control"; readonly lines: readonly string[] }
  /** Deletes the module's device of that name, if the module has one: a tunnel of netifd's may have the name too. */
  | { readonly kind: "remove device"; readonly device: string }
  | { readonly kind: "device mtu"; readonly device: string; readonly octets: number }
  | { readonly kind: "flush flows"; readonly ipv4: string };

/** One line for the log: the command that the effect is, or stands for. */
export function describeEffect(effect: Effect): string {
  switch (effect.kind) {
    case "ubus":
      return `ubus call ${effect.object} ${effect.method} ${JSON.stringify(effect.args)}`;
    case "nft":
      return `nft -f - (table ip ${effect.table})`;
    case "control":
      return effect.lines.join("; ");
    case "remove device":
      return teardownLines(effect.device).join("; ");
    case "device mtu":
      return `ip link set ${effect.device} mtu ${effect.octets}`;
    case "flush flows":
      return `conntrack -D -q ${effect.ipv4}`;
  }
}

/**
 * Performs one effect. Gives false when there was nothing to do.
 *
 * @throws EffectError when the world refuses
 * @throws SetupError NO_KERNEL_MODULE when the module is needed and not loaded
 */
export async function perform(effect: Effect, host: Host): Promise<boolean> {
  switch (effect.kind) {
    case "ubus":
      try {
        await host.call(effect.object, effect.method, effect.args);
        return true;
      } catch (error) {
        if (effect.ifPresent && isNotFound(error)) return false;
        throw error;
      }
    case "nft":
      await host.loadFirewall(effect.script);
      return true;
    case "control":
      if (host.readControl() === undefined) {
        throw new SetupError(
          "NO_KERNEL_MODULE",
          `MAP-T needs the package kmod-mapmint: ${CONTROL_PATH} is missing`,
        );
      }
      host.writeControl(effect.lines);
      return true;
    case "remove device": {
      const listed = (host.readControl() ?? "").split("\n");
      if (!listed.some((line) => line.trim() === `add ${effect.device}`)) return false;
      host.writeControl(teardownLines(effect.device));
      return true;
    }
    case "device mtu":
      host.setDeviceMtu(effect.device, effect.octets);
      return true;
    case "flush flows":
      await host.flushFlows(effect.ipv4);
      return true;
  }
}

/** True when ubus answered that it knows no such object or interface. */
export function isNotFound(error: unknown): boolean {
  return error instanceof EffectError && error.status === UbusStatus.notFound;
}
