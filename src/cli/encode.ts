import { CODE_48879, EA_LENGTH_LIMIT } from "../dhcpv6/options.ts";
import { truncate4, truncate6 } from "../ip/prefix.ts";
import { parseIpv4Prefix, parseIpv6, parseIpv6Prefix } from "../ip/text.ts";
import type { MapDomain, MapRule, Transport } from "../map/model.ts";
import { LIMITS } from "../map/port-set.ts";
import { domainOfTable, type TableDomain } from "../provision/domain-of-table.ts";
import { defaultOffset } from "../provision/option.ts";
import {
  DOMAIN_CODES,
  type DomainCode,
  optionOfDomain,
  STANDARD_CODE,
} from "../provision/option-of-domain.ts";
import { explicitPsid } from "../provision/port-parameters.ts";
import { parseNumber } from "../provision/rule-text.ts";
import { parseTable } from "../provision/table.ts";
import { TABLE_LIMIT } from "../provision/table-text.ts";
import { type ServerFormat, serverFormats } from "../render/dhcp-server.ts";
import { InputError } from "../wire/errors.ts";
import { FLAG, type OptionValues, parseOptions, TEXT, TEXTS, UsageError } from "./arguments.ts";
import { Exit, type Io } from "./io.ts";
import { notesOnRules } from "./rule-notes.ts";
import { type FileSystem, tableText } from "./table-file.ts";

const FORMATS = Object.keys(serverFormats);
const TRANSPORTS = Object.keys(STANDARD_CODE);

export const encodeHelp = `usage: mapminctl encode --transport T --rule-ipv6-prefix P --rule-ipv4-prefix P --ea-length N
                        (--dmr P | --br ADDRESS ...) [--forward] [--psid-offset N]
                        [--psid N --psid-length N] [--option CODE] [--format F] [--json]
       mapminctl encode --table FILE [--row N ... | --pd PREFIX ...] [--transport T] [--option CODE]
                        [--format F] [--json]

For who runs a DHCPv6 server: writes the option that gives customers this rule, in the server's words.
  --transport T      map-t, map-e or lw4o6; with --table: only the rows of this one
  --dmr P            MAP-T: the border relay's prefix, of a length of RFC 6052
  --br ADDRESS       MAP-E, lw4o6: the border relay, or several
  --forward          the rule is a forwarding rule too (F flag): customers send to each other directly
  --psid-offset N    a, 0 to 15; 6 without it, 4 in option 48879, 0 for lw4o6
  --psid N           an explicit PSID, with --psid-length its number of bits
  --option CODE      48879, or that of RFC 7598 for the transport: 95, 94, 96; the latter without it
  --format F         hex (as "mapminctl explain" reads it), kea, dnsmasq, isc-dhcp or odhcpd; hex without it
  --table FILE       the rules of a table, as "mapminctl rules check" reads it: all rows, in one option
  --row N            only this row: rules[N], or line N
  --pd PREFIX        what the customer with this prefix needs: its rule, and the forwarding rules
For lw4o6 --rule-ipv4-prefix is the customer's address and --rule-ipv6-prefix the prefix that it is bound to.
`;

const ruleOptions = {
  "rule-ipv6-prefix": TEXT,
  "rule-ipv4-prefix": TEXT,
  "ea-length": TEXT,
  dmr: TEXT,
  br: TEXTS,
  forward: FLAG,
  "psid-offset": TEXT,
  psid: TEXT,
  "psid-length": TEXT,
} as const;

const tableOptions = {
  row: TEXTS,
  pd: TEXTS,
} as const;

const options = {
  ...ruleOptions,
  ...tableOptions,
  table: TEXT,
  transport: TEXT,
  option: TEXT,
  format: { type: "string", default: "hex" },
  json: FLAG,
  help: FLAG,
} as const;

type Values = OptionValues<typeof options>;

const NAMES = { length: "psid-length", psid: "psid", eaLength: "ea-length" } as const;
/** dnsmasq reads a longer line as two. */
const DNSMASQ_LINE = 1_024;
/** The length of an option has two octets. */
const OPTION_LIMIT = 65_535;
/** Octets of a rule with its code and length, whose IPv6 prefix is empty (RFC 7598 s4.1). More rows are refused unread. */
const SMALLEST_RULE = 12;
/** What OpenWrt's client reads of a message, octets; and about how many of them other options take. */
const CLIENT_READS = 1_536;
const OTHERS_TAKE = 256;

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

function needed(values: Values, name: string): string {
  const value = (values as { readonly [name: string]: unknown })[name];
  if (typeof value !== "string") throw new UsageError(`the option "--${name}" is needed`);
  return value;
}

/** @throws UsageError for an option that says nothing beside the others */
function refuseGiven(values: Values, names: object, why: string): void {
  const given = Object.keys(names).find((name) => Object.hasOwn(values, name));
  if (given !== undefined) throw new UsageError(`the option "--${given}" ${why}`);
}

const prefix6 = (name: string, text: string) => truncate6(parseIpv6Prefix(text, name));

/** The domain that the options describe. */
function domainOfOptions(values: Values, code: DomainCode | undefined): TableDomain {
  refuseGiven(values, tableOptions, "is only for --table");
  const transport = transportOf(values.transport);
  const bound = transport === "lw4o6";
  const eaLength = bound && values["ea-length"] === undefined ? "0" : needed(values, "ea-length");
  const offset = defaultOffset(transport, code === CODE_48879);
  const number = (name: "psid" | "psid-length" | "psid-offset", high: number) =>
    values[name] === undefined ? undefined : parseNumber(values[name], name, 0, high);
  const typed = {
    ipv6Prefix: prefix6("rule-ipv6-prefix", needed(values, "rule-ipv6-prefix")),
    ipv4Prefix: truncate4(parseIpv4Prefix(needed(values, "rule-ipv4-prefix"), "rule-ipv4-prefix")),
    eaLength: parseNumber(eaLength, "ea-length", 0, EA_LENGTH_LIMIT),
    forward: values.forward === true,
    psidOffset: number("psid-offset", LIMITS.offset) ?? offset,
  };
  const written = { psidlen: number("psid-length", LIMITS.psidLength), psid: number("psid", 65_535) };
  const rule: MapRule = { ...typed, ...explicitPsid(written, typed, NAMES) };
  const domain: MapDomain = {
    transport,
    rules: [rule],
    ...(values.dmr === undefined ? {} : { dmr: prefix6("dmr", values.dmr) }),
    borderRelays: (values.br ?? []).map((text) => parseIpv6(text, "br")),
    legacyInterfaceId: false,
  };
  return { domain, rules: [{ where: "", rule }], notes: [] };
}

function transportOf(text: string | undefined): Transport {
  return word("transport", text, TRANSPORTS as readonly Transport[]);
}

/** The domain of the rows that the options choose of a table. */
function domainOfFile(values: Values, file: string, { files }: FileSystem): TableDomain {
  refuseGiven(values, ruleOptions, "does not go together with --table, which says it");
  const { row = [], pd = [] } = values;
  if (row.length > 0 && pd.length > 0) throw new UsageError("--row and --pd do not go together");
  const transport = values.transport === undefined ? undefined : transportOf(values.transport);
  const table = parseTable(tableText(file, files));
  const { length } = table.rows;
  const all = !row[0] && !pd[0] && !transport;
  if (all && length > OPTION_LIMIT / SMALLEST_RULE) throw tooLong(length, "rows");
  return domainOfTable(table, {
    rows: row.map((text) => parseNumber(text, "row", 0, TABLE_LIMIT)),
    endUserPrefixes: pd.map((text) => prefix6("pd", text)),
    transport,
  });
}

const smaller = "give each customer its own rule (--row, --pd)";

function tooLong(count: number, what: string): InputError {
  return new InputError("table", `${count} ${what} do not fit an option: ${smaller}`);
}

/** What has to be known of servers and clients. @throws InputError where the server cannot be told this option */
function notesOnServer(format: ServerFormat, octets: number, text: string): readonly string[] {
  if (octets > OPTION_LIMIT) throw tooLong(octets, "octets");
  if (format === "dnsmasq" && text.length > DNSMASQ_LINE) {
    throw new InputError(
      "format",
      `dnsmasq reads lines of at most ${DNSMASQ_LINE} characters, and this one has ${text.length}: ${smaller}, or use another server`,
    );
  }
  const notes: string[] = [];
  if (octets + OTHERS_TAKE > CLIENT_READS) {
    notes.push(
      `the option takes ${octets} octets, and OpenWrt's client reads at most ${CLIENT_READS} of a whole message: ${smaller}`,
    );
  }
  if (format === "odhcpd") {
    notes.push("odhcpd sends dhcpv6_raw to every client, asked or not, and does not document it");
  }
  return notes;
}

/** `mapminctl encode`. @throws InputError naming the option, or the field of the table, whose value cannot be used */
export function runEncode(argv: readonly string[], system: Io & FileSystem): number {
  const { values } = parseOptions(argv, options);
  if (values.help === true) {
    system.stdout(encodeHelp);
    return Exit.ok;
  }
  if (argv.length === 0) {
    system.stderr(encodeHelp);
    return Exit.usage;
  }
  const wanted = values.option === undefined ? undefined : word("option", values.option, DOMAIN_CODES);
  const format = word("format", values.format, FORMATS as readonly ServerFormat[]);
  const found =
    values.table === undefined ? domainOfOptions(values, wanted) : domainOfFile(values, values.table, system);
  const { domain } = found;
  const option = optionOfDomain(domain, wanted ?? STANDARD_CODE[domain.transport]);
  const octets = option.value.length;
  const text = serverFormats[format](option);
  const onServer = notesOnServer(format, octets, text);
  const notes = [...found.notes, ...notesOnRules(found), ...onServer];
  system.stderr(notes.map((note) => `note: ${note}\n`).join(""));
  const { code, name } = option;
  system.stdout(
    values.json === true
      ? `${JSON.stringify({ code, name, octets, hex: serverFormats.hex(option), format, text })}\n`
      : `${text}\n`,
  );
  return Exit.ok;
}
