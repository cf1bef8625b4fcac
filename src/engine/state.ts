/** What a set-up interface leaves under /var/run/mapmin for teardown, renew and `status`: key=value text. */

import { parse } from "ini";
import { printable } from "../wire/printable.ts";
import { custom, object, optional, type output, safeParse } from "../wire/schema.ts";

/** Where the state files are, one per interface. */
export const STATE_DIRECTORY = "/var/run/mapmin";

/** Of the names of files in {@link STATE_DIRECTORY}: the interfaces that have a state there. */
export function interfacesOf(files: readonly string[]): readonly string[] {
  const suffix = ".state";
  return files.filter((file) => file.endsWith(suffix)).map((file) => file.slice(0, -suffix.length));
}

/** Any text: what was written has been cut, and what is read back has to be taken whatever its length. */
const value = custom<string>((value) => typeof value === "string");
/**
 * Most characters that are written of one value. The longest of ours are `reserved_ports`, ranges out of two options of
 * 4,096 characters, and errors, which may quote a whole program's.
 */
const WRITTEN_LIMIT = 10_000;
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
  /** Ports of `reserved_ports` that are kept for miniupnpd. */
  upnp_ports: optional(value),
  /** Port forwards that are loaded, separated by commas. */
  forwards: optional(value),
  /** Who does the NAT, and why, in words. */
  nat_by: optional(value),
  /** netifd's interfaces that hold the MAP address, separated by blanks. */
  address_interfaces: optional(value),
  /** Fingerprint of each step that was done, `KEY=DIGITS` separated by blanks: an equal one need not be done again. */
  steps: optional(value),
  /** Fingerprint of the device's rules as the module printed them when they were set. */
  rules: optional(value),
  /** Fingerprint of each table of nftables as nft printed it when it was loaded, `KEY=DIGITS` like `steps`. */
  tables: optional(value),
});

/** One interface's saved state; every value is text. */
export type SavedState = output<typeof stateSchema>;

/** The path of an interface's state file. The name of an interface has no slash. */
export function statePath(iface: string): string {
  return `${STATE_DIRECTORY}/${iface}.state`;
}

/** The file with the border relay that `mapminctl doctor --next-relay` chose for an interface. */
export function relayPath(iface: string): string {
  return `${STATE_DIRECTORY}/${iface}.relay`;
}

/** What ini reads back as it stands; all else is quoted as JSON, which ini takes off again. */
const PLAIN = /^[A-Za-z0-9._:/,()+-]+(?: [A-Za-z0-9._:/,()+-]+)*$/;

/** The text of a state file. What cannot be printed in one line is taken out of the values, and their end is cut. */
export function formatState(state: SavedState): string {
  return Object.entries(state)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => {
      const shown = printable(String(value), WRITTEN_LIMIT);
      return `${key}=${PLAIN.test(shown) ? shown : JSON.stringify(shown)}\n`;
    })
    .join("");
}

const SECTION = /^\[[^\]]*\]\s*$/m;

/** The top of an INI file; undefined where the text is not INI. */
function fieldsOf(content: string): Readonly<Record<string, unknown>> | undefined {
  try {
    // ini is given no sections: it fails where one has the name of a key.
    const [top = ""] = content.split(SECTION, 1);
    return parse(top);
  } catch {
    // ini trips over some lines, such as a key that is a quoted null.
    return undefined;
  }
}

/** The state a file holds, or undefined when it is not one: then the interface counts as not set up. */
export function decodeState(content: string): SavedState | undefined {
  // ini reads bare true and null as such, and a section as an object; every value of ours is text.
  const fields = Object.fromEntries(
    Object.entries(fieldsOf(content) ?? {})
      .filter(([, value]) => typeof value !== "object" || value === null)
      .map(([key, value]) => [key, String(value)]),
  );
  const result = safeParse(stateSchema, fields);
  return result.success ? result.data : undefined;
}

/** What a person should know of a state file that somebody else has written to; undefined for one of ours, or none. */
export function stateDamage(content: string): string | undefined {
  if (content === "") return undefined;
  if (decodeState(content) === undefined) return "it is damaged: the interface counts as not set up";
  const foreign = /^\[/m.test(content) || Object.values(fieldsOf(content) ?? {}).some(Array.isArray);
  return foreign ? "it holds sections or lists, which are ignored" : undefined;
}
