/** What netifd hands the handler, decoded: argv and the interface's JSON. */

import * as z from "zod/mini";
import { InputError } from "../wire/errors.ts";

/** What netifd asks for. */
export const actions = ["setup", "teardown", "renew"] as const;
export type HandlerAction = (typeof actions)[number];

/** Names of interfaces as UCI has them; they become parts of device, table and file names. */
const INTERFACE_NAME = /^[A-Za-z0-9_.-]{1,64}$/;

/** netifd types options as declared, but add_dynamic passes what it was given: a number may come as text. */
const integer = (low: number, high: number) =>
  z.pipe(
    z.pipe(
      z.union([z.number(), z.string().check(z.regex(/^\d{1,10}$/, "a whole number"))]),
      z.transform(Number),
    ),
    z.int().check(z.minimum(low), z.maximum(high)),
  );

const flag = z.pipe(
  z.union([z.boolean(), z.number(), z.enum(["0", "1", "true", "false", "yes", "no", "on", "off"])]),
  z.transform((value) => value === true || value === 1 || ["1", "true", "yes", "on"].includes(String(value))),
);

const text = z.string().check(z.maxLength(4096));
const name = z.string().check(z.regex(INTERFACE_NAME, "an interface name"));

/** Every option of stock `map`, and ours. Unknown ones (`proto`, `_prefsig`, ...) are left alone. */
const configSchema = z.object({
  maptype: z.optional(text),
  type: z.optional(text),
  rule: z.optional(text),
  ipaddr: z.optional(text),
  ip4prefixlen: z.optional(integer(0, 32)),
  ip6prefix: z.optional(text),
  ip6prefixlen: z.optional(integer(0, 128)),
  peeraddr: z.optional(text),
  ealen: z.optional(integer(0, 48)),
  psidlen: z.optional(integer(0, 16)),
  psid: z.optional(integer(0, 65_535)),
  offset: z.optional(integer(0, 15)),
  legacymap: z.optional(flag),
  tunlink: z.optional(name),
  mtu: z.optional(integer(1280, 65_535)),
  ttl: z.optional(integer(1, 255)),
  zone: z.optional(z.string().check(z.regex(/^[A-Za-z0-9_-]{1,32}$/, "a zone name"))),
  encaplimit: z.optional(z.string().check(z.regex(/^(ignore|\d{1,3})$/, "`ignore` or 0 to 255"))),
  reserved_ports: z.optional(text),
});

/** The options of one interface, each checked for its own range. */
export type InterfaceConfig = z.infer<typeof configSchema>;

/** One call of the handler. */
export interface HandlerRequest {
  readonly action: HandlerAction;
  readonly iface: string;
  readonly config: InterfaceConfig;
}

/** @throws InputError naming the option and what is wrong with it. */
export function decodeConfig(json: string): InterfaceConfig {
  let value: unknown;
  try {
    // Duplicate keys occur (`mtu` twice); the last one wins, and they are equal.
    value = JSON.parse(json);
  } catch (error) {
    throw new InputError(
      "configuration",
      `not JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const result = z.safeParse(configSchema, value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const option = issue?.path.join(".") || "configuration";
  throw new InputError(option, issue?.message ?? "not understood");
}

/** A list of ports and ranges, `80 443 5000-5003`, separated by blanks or commas. @throws InputError */
export function decodePorts(list: string): readonly number[] {
  const ports = new Set<number>();
  for (const word of list.split(/[\s,]+/).filter((part) => part !== "")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word);
    const low = Number(match?.[1] ?? Number.NaN);
    const high = Number(match?.[2] ?? low);
    if (match === null || low < 1 || high > 65_535 || low > high) {
      throw new InputError("reserved_ports", `"${word}" is not a port or a range of ports from 1 to 65535`);
    }
    for (let port = low; port <= high; port++) ports.add(port);
  }
  return [...ports].sort((a, b) => a - b);
}

/** @throws InputError when netifd's argv is not `map ACTION IFACE JSON [DEVICE]`. */
export function decodeRequest(argv: readonly string[]): HandlerRequest {
  const [protocol, action, iface, json] = argv;
  if (protocol !== "map") throw new InputError("protocol", `expected "map", found "${protocol ?? ""}"`);
  const known = actions.find((candidate) => candidate === action);
  if (known === undefined)
    throw new InputError("action", `expected ${actions.join(", ")}, found "${action ?? ""}"`);
  if (iface === undefined || !INTERFACE_NAME.test(iface)) {
    throw new InputError("interface", "expected a name of letters, digits, '_', '-' or '.'");
  }
  // Teardown must work with whatever is configured: its state is what setup wrote.
  return { action: known, iface, config: known === "teardown" ? {} : decodeConfig(json ?? "") };
}
