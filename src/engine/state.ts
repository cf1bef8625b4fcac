/** What a set-up interface leaves under /var/run/mapmin for teardown, renew and `status`: key=value text. */

import { parse, stringify } from "ini";
import { custom, object, optional, type output, safeParse, text } from "../wire/schema.ts";

/** Where the state files are, one per interface. */
export const STATE_DIRECTORY = "/var/run/mapmin";

const value = text(2_000);
const phases = ["starting", "up", "failed"] as const;

const stateSchema = object({
  interface: value,
  /** `up`, or `failed` with `error` set. */
  state: custom<(typeof phases)[number]>((value) => phases.some((phase) => phase === value)),
  since: value,
  transport: optional(value),
  tunlink: optional(value),
  device: optional(value),
  table: optional(value),
  ipv4: optional(value),
  map_address: optional(value),
  offset: optional(value),
  psid_length: optional(value),
  psid: optional(value),
  mtu: optional(value),
  /** Where the rule came from, in words. */
  source: optional(value),
  remarks: optional(value),
  error: optional(value),
  reserved_ports: optional(value),
  /** What carries the packets: the module's device, or netifd's tunnel. */
  carrier: optional(value),
  /** Who does the NAT, and why, in words. */
  nat_by: optional(value),
  /** netifd's interfaces that hold the MAP address, separated by blanks. */
  address_interfaces: optional(value),
  /** Fingerprint of each step that was done, `KEY=DIGITS` separated by blanks: an equal one need not be done again. */
  steps: optional(value),
  /** Fingerprint of the device's rules as the module printed them when they were set. */
  rules: optional(value),
});

/** One interface's saved state; every value is text. */
export type SavedState = output<typeof stateSchema>;

/** The path of an interface's state file. The name of an interface has no slash. */
export function statePath(iface: string): string {
  return `${STATE_DIRECTORY}/${iface}.state`;
}

export function formatState(state: SavedState): string {
  return stringify(Object.fromEntries(Object.entries(state).filter(([, value]) => value !== undefined)));
}

/** The state a file holds, or undefined when it is not one: then the interface counts as not set up. */
export function decodeState(content: string): SavedState | undefined {
  // ini reads bare true and null as such, and a section as an object; every value of ours is text.
  const fields = Object.fromEntries(
    Object.entries(parse(content))
      .filter(([, value]) => typeof value !== "object" || value === null)
      .map(([key, value]) => [key, String(value)]),
  );
  const result = safeParse(stateSchema, fields);
  return result.success ? result.data : undefined;
}
