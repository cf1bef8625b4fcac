import { CODE_48879, EA_LENGTH_LIMIT } from "../dhcpv6/options.ts";
import { truncate4, truncate6 } from "../ip/prefix.ts";
import { parseIpv4Prefix, parseIpv6, parseIpv6Prefix } from "../ip/text.ts";
import { findCustomerEdge } from "../map/ce.ts";
import { customerPrefix } from "../map/customers.ts";
import type { MapDomain, MapRule, Transport } from "../map/model.ts";
import { LIMITS } from "../map/port-set.ts";
import { JUDGING, judgeDomain, routerRefuses } from "../provision/judge.ts";
import { DEFAULT_OFFSET } from "../provision/option.ts";
import { DOMAIN_CODES, optionOfDomain, STANDARD_CODE } from "../provision/option-of-domain.ts";
import { explicitPsid } from "../provision/port-parameters.ts";
import { parseNumber } from "../provision/rule-text.ts";
import { parsed } from "../provision/values.ts";
import { type ServerFormat, serverFormats } from "../render/dhcp-server.ts";
import { parseOptions, UsageError } from "./arguments.ts";
import { Exit, type Io } from "./io.ts";

const FORMATS = Object.keys(serverFormats);
const TRANSPORTS = Object.keys(STANDARD_CODE);

export const encodeHelp = `usage: mapminctl encode --transport T --rule-ipv6-prefix P --rule-ipv4-prefix P --ea-length N
                        (--dmr P | --br ADDRESS ...) [--forward] [--psid-offset N]
                        [--psid N --psid-length N] [--option CODE] [--format F] [--json]

For who runs a DHCPv6 server: writes the option that gives customers this rule, in the server's words.
  --transport T      map-t, map-e or lw4o6
  --dmr P            MAP-T: the border relay's prefix, of a length of RFC 6052
  --br ADDRESS       MAP-E, lw4o6: the border relay; several for several relays
  --forward          the rule is a forwarding rule too (F flag): customers send to each other directly
  --psid-offset N    a, 0 to 15; 6 without it, 4 in option 48879, 0 for lw4o6
  --psid N           an explicit PSID, with --psid-length its number of bits
  --option CODE      48879, or that of RFC 7598 for the transport: 95, 94, 96; the latter without it
  --format F         hex (as "mapminctl explain" reads it), kea, dnsmasq, isc-dhcp or odhcpd; hex without it
For lw4o6 --rule-ipv4-prefix is the customer's address and --rule-ipv6-prefix the prefix that it is bound to.
`;

const options = {
  transport: { type: "string" },
  "rule-ipv6-prefix": { type: "string" },
  "rule-ipv4-prefix": { type: "string" },
  "ea-length": { type: "string" },
  dmr: { type: "string" },
  br: { type: "string", multiple: true },
  forward: { type: "boolean" },
  "psid-offset": { type: "string" },
  psid: { type: "string" },
  "psid-length": { type: "string" },
  option: { type: "string" },
  format: { type: "string", default: "hex" },
  json: { type: "boolean" },
  help: { type: "boolean" },
} as const;

const NAMES = { length: "psid-length", psid: "psid", eaLength: "ea-length" } as const;

/** One of the words, or what to do about it. */
function word<const Word extends string | number>(
  what: string,
  text: string | undefined,
  words: readonly Word[],
): Word {
  const found = words.find((one) => String(one) === text);
  if (found !== undefined) return found;
  const known = words.join(", ");
  if (text === undefined) throw new UsageError(`the option "--${what}" is needed: ${known}`);
  throw new UsageError(`unknown ${what} "${text}"; there are ${known}`);
}

function needed(values: { readonly [name: string]: unknown }, name: string): string {
  const value = values[name];
  if (typeof value !== "string") throw new UsageError(`the option "--${name}" is needed`);
  return value;
}

/**
 * What the routers of customers will say of a domain: tried with the first customer's prefix.
 *
 * @throws InputError, SetupError where no customer edge can follow
 */
function notesOn(domain: MapDomain, rule: MapRule): readonly string[] {
  const { ce, remarks } = findCustomerEdge(domain, [customerPrefix(rule, "first", "ea-length")]);
  return [...remarks.map(({ text }) => text), ...judgeDomain(domain, ce, JUDGING).map(routerRefuses)];
}

/** `mapminctl encode`. @throws InputError naming the option whose value cannot be used */
export function runEncode(argv: readonly string[], io: Io): number {
  const { values } = parseOptions(argv, options);
  if (values.help === true) {
    io.stdout(encodeHelp);
    return Exit.ok;
  }
  if (argv.length === 0) {
    io.stderr(encodeHelp);
    return Exit.usage;
  }
  const transport = word("transport", values.transport, TRANSPORTS as readonly Transport[]);
  const code =
    values.option === undefined ? STANDARD_CODE[transport] : word("option", values.option, DOMAIN_CODES);
  const format = word("format", values.format, FORMATS as readonly ServerFormat[]);
  const bound = transport === "lw4o6";
  const eaLength = bound && values["ea-length"] === undefined ? "0" : needed(values, "ea-length");
  const offset = bound
    ? DEFAULT_OFFSET.lw4o6
    : code === CODE_48879
      ? DEFAULT_OFFSET.option48879
      : DEFAULT_OFFSET.rfc7598;
  const number = (name: "psid" | "psid-length" | "psid-offset", high: number) =>
    values[name] === undefined ? undefined : parseNumber(values[name], name, 0, high);
  const prefix = (name: string, text: string) => truncate6(parsed(name, text, parseIpv6Prefix));
  const typed = {
    ipv6Prefix: prefix("rule-ipv6-prefix", needed(values, "rule-ipv6-prefix")),
    ipv4Prefix: truncate4(parsed("rule-ipv4-prefix", needed(values, "rule-ipv4-prefix"), parseIpv4Prefix)),
    eaLength: parseNumber(eaLength, "ea-length", 0, EA_LENGTH_LIMIT),
    forward: values.forward === true,
    psidOffset: number("psid-offset", LIMITS.offset) ?? offset,
  };
  const written = { psidlen: number("psid-length", LIMITS.psidLength), psid: number("psid", 65_535) };
  const rule: MapRule = { ...typed, ...explicitPsid(written, typed, NAMES) };
  const domain: MapDomain = {
    transport,
    rules: [rule],
    ...(values.dmr === undefined ? {} : { dmr: prefix("dmr", values.dmr) }),
    borderRelays: (values.br ?? []).map((text) => parsed("br", text, parseIpv6)),
    legacyInterfaceId: false,
  };
  const option = optionOfDomain(domain, code);
  for (const note of notesOn(domain, rule)) io.stderr(`note: ${note}\n`);
  const text = serverFormats[format](option);
  io.stdout(
    values.json === true
      ? `${JSON.stringify({ code, name: option.name, octets: option.value.length, hex: serverFormats.hex(option), format, text })}\n`
      : `${text}\n`,
  );
  return Exit.ok;
}
