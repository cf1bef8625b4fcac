/** What a set-up interface leaves under /var/run/mapmin for teardown, renew and `status`: key=value text. */

import { parse, stringify } from "ini";
import * as z from "zod/mini";

/** Where the state files are, one per interface. */
export const STATE_DIRECTORY = "/var/run/mapmin";

const text = z.custom<string>((value) => typeof value === "string" && value.length <= 2_000);
const phases = ["starting", "up", "failed"] as const;

const stateSchema = z.object({
  interface: text,
  /** `up`, or `failed` with `error` set. */
  state: z.custom<(typeof phases)[number]>((value) => phases.some((phase) => phase === value)),
  since: text,
  transport: z.optional(text),
  tunlink: z.optional(text),
  device: z.optional(text),
  table: z.optional(text),
  ipv4: z.optional(text),
  map_address: z.optional(text),
  offset: z.optional(text),
  psid_length: z.optional(text),
  psid: z.optional(text),
  mtu: z.optional(text),
  /** Where the rule came from, in words. */
  source: z.optional(text),
  remarks: z.optional(text),
  error: z.optional(text),
  reserved_ports: z.optional(text),
  /** Digest of everything that was put into force; equal means a renew has nothing to do. */
  digest: z.optional(text),
});

/** One interface's saved state; every value is text. */
export type SavedState = z.infer<typeof stateSchema>;

/** The path of an interface's state file. The name has been checked to hold no slash. */
export function statePath(iface: string): string {
  return `${STATE_DIRECTORY}/${iface}.state`;
}

export function formatState(state: SavedState): string {
  return stringify(Object.fromEntries(Object.entries(state).filter(([, value]) => value !== undefined)));
}

/** The state a file holds, or undefined when it is not one: then the interface counts as not set up. */
export function decodeState(content: string): SavedState | undefined {
  // ini reads bare true and null as such; every value of ours is text.
  const fields = Object.fromEntries(
    Object.entries(parse(content)).map(([key, value]) => [key, String(value)]),
  );
  const result = z.safeParse(stateSchema, fields);
  return result.success ? result.data : undefined;
}
