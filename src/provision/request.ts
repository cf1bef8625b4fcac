/** Decodes netifd's call of the handler: its arguments, and the interface's options as JSON. */

import { type InterfaceName, isInterfaceName, parseInterfaceName } from "../ip/names.ts";
import { parseIpv6 } from "../ip/text.ts";
import { InputError } from "../wire/errors.ts";
import { custom, object, optional, safeParse } from "../wire/schema.ts";

/** The calls that netifd makes. */
export const actions = ["setup", "teardown", "renew"] as const;
export type HandlerAction = (typeof actions)[number];

/** Options that are numbers: lowest and highest value. */
const numbers = {
  ip4prefixlen: [0, 32],
  ip6prefixlen: [0, 128],
  ealen: [0, 48],
  psidlen: [0, 16],
  psid: [0, 65_535],
  offset: [0, 15],
  /** Octets of an IPv4 packet. */
  mtu: [1280, 65_535],
  ttl: [1, 255],
  /** Ports of the set for miniupnpd. */
  upnp_ports: [0, 1_024],
} as const;

const ANY_TEXT = /^.{0,4096}$/s;
/** How much of a wrong word an error quotes. */
const QUOTED = 60;
const SHORT = "text of at most 4,096 characters";

/** Options that are text: the pattern, and its description for an error. */
const texts = {
  maptype: [ANY_TEXT, SHORT],
  type: [ANY_TEXT, SHORT],
  rule: [ANY_TEXT, SHORT],
  /** The file with a table of rules. */
  rules: [/^\/[ -~]{1,1023}$/, "the absolute path of a file, in printable ASCII"],
  ipaddr: [ANY_TEXT, SHORT],
  ip6prefix: [ANY_TEXT, SHORT],
  peeraddr: [ANY_TEXT, SHORT],
  zone: [/^[A-Za-z0-9_-]{1,32}$/, "the name of a firewall zone"],
  /** Without leading zeros, which the module does not read. */
  encaplimit: [/^(ignore|1?\d|1?[1-9]\d|10\d|2[0-4]\d|25[0-5])$/, "`ignore` or 0 to 255"],
  reserved_ports: [ANY_TEXT, SHORT],
  /** LuCI's name for the same. */
  dont_snat_to: [ANY_TEXT, SHORT],
  nat: [/^(auto|module|nftables)$/, "auto, module or nftables"],
} as const;

/** Options that are yes or no. */
const flags = [
  "legacymap",
  /** Private addresses in rules are accepted. */
  "allow_private",
  /** LuCI's: NAT into the whole port set, which is what we do anyway. */
  "snat_fix",
] as const;

/** How a yes or no may be written. */
export const flagWords: Readonly<Record<string, boolean>> = {
  "0": false,
  "1": true,
  false: false,
  true: true,
  no: false,
  yes: true,
  off: false,
  on: true,
};

type NumberOption = keyof typeof numbers;
type TextOption = keyof typeof texts;
type FlagOption = (typeof flags)[number];

/** The options of one interface, each checked for its own range. */
export type InterfaceConfig = { readonly [option in NumberOption]?: number } & {
  readonly [option in TextOption]?: string;
} & { readonly forward?: readonly string[] } & {
  readonly tunlink?: InterfaceName;
  readonly ip6ifaceid?: string;
} & {
  readonly [option in FlagOption]?: boolean;
};

/**
 * netifd converts configured options to the declared type, but not those given to add_dynamic: a number may be text.
 */
function isWhole(value: unknown, low: number, high: number): boolean {
  const number = typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return Number.isInteger(number) && Number(number) >= low && Number(number) <= high;
}

function option(name: string, what: string, holds: (value: unknown) => boolean) {
  const found = (value: unknown) =>
    Array.isArray(value) ? `, not a list: write \`option ${name}\`, not \`list ${name}\`` : "";
  return optional(custom(holds, (value) => `expected ${what}${found(value)}`));
}

/** True for an IPv6 address that has lower 64 bits alone. */
function isInterfaceId(value: unknown): boolean {
  try {
    const id = typeof value === "string" ? parseIpv6(value) : 0n;
    return id > 0n && id >> 64n === 0n;
  } catch {
    // It is no address at all.
    return false;
  }
}

/** Most lines of a list. */
const LINES = 256;

/** True for a list of lines, or for one line that is not in a list. */
function isLines(value: unknown): boolean {
  const lines = [value].flat();
  return lines.length <= LINES && lines.every((line) => typeof line === "string");
}

/** The options of OpenWrt's package `map`, and our own. Others (`proto`, `_prefsig`, ...) are ignored. */
const configSchema = object({
  ...Object.fromEntries(
    Object.entries(numbers).map(([name, [low, high]]) => [
      name,
      option(name, `a whole number from ${low} to ${high}`, (value) => isWhole(value, low, high)),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(texts).map(([name, [pattern, what]]) => [
      name,
      option(name, what, (value) => typeof value === "string" && pattern.test(value)),
    ]),
  ),
  tunlink: option(
    "tunlink",
    "the name of one interface",
    (value) => typeof value === "string" && isInterfaceName(value),
  ),
  forward: optional(custom(isLines, () => `expected a list of at most ${LINES} lines, each of text`)),
  ip6ifaceid: option("ip6ifaceid", "an interface identifier, such as ::1", isInterfaceId),
  ...Object.fromEntries(
    flags.map((name) => [
      name,
      option(name, "0 or 1", (value) => !Array.isArray(value) && Object.hasOwn(flagWords, String(value))),
    ]),
  ),
});

/** One call of the handler. */
export interface HandlerRequest {
  readonly action: HandlerAction;
  readonly iface: InterfaceName;
  readonly config: InterfaceConfig;
}

function typedValue(name: string, found: unknown): unknown {
  if (Object.hasOwn(numbers, name)) return Number(found);
  if (name === "forward") return [found].flat();
  return flags.some((flag) => flag === name) ? flagWords[String(found)] : found;
}

/** @throws InputError naming the option and what is wrong with it. */
export function decodeConfig(json: string): InterfaceConfig {
  let value: unknown;
  try {
    // netifd sends some keys twice (`mtu`), with equal values; the last one is used.
    value = JSON.parse(json);
  } catch {
    // The engines have words of their own for where it is not.
    throw new InputError("configuration", "is not JSON");
  }
  const result = safeParse(configSchema, value);
  if (!result.success) {
    const [first] = result.error.issues.map(
      ({ path, message }) => new InputError(String(path[0] ?? "configuration"), message),
    );
    throw first;
  }
  const typed = Object.entries(result.data).map(([name, found]) => [name, typedValue(name, found)]);
  return Object.fromEntries(typed) as InterfaceConfig;
}

/** A list of ports and ranges, `80 443 5000-5003`, separated by blanks or commas. @throws InputError naming the option */
export function decodePorts(list: string, name = "reserved_ports"): readonly number[] {
  const ports = new Set<number>();
  for (const word of list.split(/[\s,]/).filter((part) => part !== "")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word);
    const low = Number(match?.[1] ?? Number.NaN);
    const high = Number(match?.[2] ?? low);
    if (match === null || low < 1 || high > 65_535 || low > high) {
      const quoted = word.slice(0, QUOTED);
      throw new InputError(name, `"${quoted}" is not a port or a range of ports from 1 to 65535`);
    }
    for (let port = low; port <= high; port++) ports.add(port);
  }
  return [...ports].sort((a, b) => a - b);
}

/** The ports that NAT leaves alone, by either name. @throws InputError naming the option */
export function decodeReservedPorts(
  config: Pick<InterfaceConfig, "reserved_ports" | "dont_snat_to">,
): readonly number[] {
  const ports = new Set([
    ...decodePorts(config.reserved_ports ?? "", "reserved_ports"),
    ...decodePorts(config.dont_snat_to ?? "", "dont_snat_to"),
  ]);
  return [...ports].sort((a, b) => a - b);
}

/** @throws InputError when netifd's argv is not `map ACTION IFACE JSON [DEVICE]`. */
export function decodeRequest(argv: readonly string[]): HandlerRequest {
  const [protocol, action, iface, json] = argv;
  if (protocol !== "map") throw new InputError("protocol", `expected "map", found "${protocol ?? ""}"`);
  const known = actions.find((candidate) => candidate === action);
  if (known === undefined)
    throw new InputError("action", `expected ${actions.join(", ")}, found "${action ?? ""}"`);
  const name = parseInterfaceName(iface ?? "", "interface");
  // Teardown must work even if the options are wrong: it uses the state file that setup wrote.
  return { action: known, iface: name, config: known === "teardown" ? {} : decodeConfig(json ?? "") };
}
