/** Decodes rules in odhcp6c's text form (`MAPE`, `MAPT`, `LW4O6`), which the option `rule` accepts too. */

import { EA_LENGTH_LIMIT, refuseDmrLength } from "../dhcpv6/options.ts";
import { type Ipv6Prefix, truncate4, truncate6 } from "../ip/prefix.ts";
import { parseIpv4, parseIpv6, parseIpv6Prefix } from "../ip/text.ts";
import type { MapDomain, MapRule, Transport } from "../map/model.ts";
import { LIMITS } from "../map/port-set.ts";
import { InputError } from "../wire/errors.ts";
import { defaultOffset, type ProvisionedDomain } from "./option.ts";
import { explicitPsid } from "./port-parameters.ts";

const TRANSPORTS: readonly Transport[] = ["map-t", "map-e", "lw4o6"];
/** Most octets of rule text, and most rules in it. */
const TEXT_LIMIT = 4_096;
const RULE_LIMIT = 64;

/** The words of one rule by key. If a key occurs twice the last one is used, as in a shell script. */
type Words = ReadonlyMap<string, string>;

/** @throws InputError when `name` is not a transport */
export function parseTransport(name: string, field = "type"): Transport {
  const found = TRANSPORTS.find((transport) => transport === name);
  if (found === undefined)
    throw new InputError(field, `"${name.slice(0, 20)}" is not one of ${TRANSPORTS.join(", ")}`);
  return found;
}

/** A decimal number of `low` to `high`. @throws InputError naming the field */
export function parseNumber(text: string, field: string, low: number, high: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= low && value <= high))
    throw new InputError(field, `"${text.slice(0, 20)}" is not ${low} to ${high}`);
  return value;
}

/** A DMR, `prefix/length` with a length of RFC 6052. @throws InputError */
export function parseDmr(text: string, field: string): Ipv6Prefix {
  const prefix = parseIpv6Prefix(text, field);
  const refused = refuseDmrLength(prefix.length);
  if (refused !== undefined) throw new InputError(field, refused);
  return prefix;
}

function wordsOf(rule: string): Words {
  const words = new Map<string, string>();
  for (const word of rule.split(",")) {
    const equals = word.indexOf("=");
    if (equals === -1) words.set(word, "1");
    else words.set(word.slice(0, equals), word.slice(equals + 1));
  }
  return words;
}

function need(words: Words, key: string): string {
  const value = words.get(key);
  if (value === undefined || value === "") throw new InputError(key, "is missing from the rule");
  return value;
}

/** A number that may be missing. */
function optionalNumber(words: Words, key: string, high: number): number | undefined {
  const value = words.get(key);
  return value === undefined ? undefined : parseNumber(value, key, 0, high);
}

function ruleOf(words: Words, transport: Transport): MapRule {
  const ipv4Length = parseNumber(words.get("prefix4len") ?? "32", "prefix4len", 0, 32);
  const ipv6Length = parseNumber(need(words, "prefix6len"), "prefix6len", 0, 128);
  const rule = {
    ipv4Prefix: truncate4({
      address: parseIpv4(need(words, "ipv4prefix"), "ipv4prefix"),
      length: ipv4Length,
    }),
    ipv6Prefix: truncate6({
      address: parseIpv6(need(words, "ipv6prefix"), "ipv6prefix"),
      length: ipv6Length,
    }),
    eaLength: parseNumber(words.get("ealen") ?? "0", "ealen", 0, EA_LENGTH_LIMIT),
    forward: words.get("fmr") === "1",
    psidOffset: optionalNumber(words, "offset", 15) ?? defaultOffset(transport, false),
  };
  const written = {
    psidlen: optionalNumber(words, "psidlen", LIMITS.psidLength),
    psid: optionalNumber(words, "psid", 65_535),
  };
  return { ...rule, ...explicitPsid(written, rule) };
}

/** Options of the interface that are used where the rule text does not say it. */
export interface RuleDefaults {
  readonly maptype?: string | undefined;
  readonly type?: string | undefined;
  readonly legacymap?: boolean | undefined;
}

/**
 * Decodes a rule text to a domain: rules separated by blanks, each a list of `key=value` separated by commas.
 *
 * @throws InputError naming the word
 */
export function fromRuleText(text: string, defaults: RuleDefaults = {}): readonly ProvisionedDomain[] {
  if (text.length > TEXT_LIMIT) throw new InputError("rule", `longer than ${TEXT_LIMIT} characters`);
  const rules = text.split(/\s/).filter((rule) => rule !== "");
  if (rules.length === 0) throw new InputError("rule", "is empty");
  if (rules.length > RULE_LIMIT) throw new InputError("rule", `more than ${RULE_LIMIT} rules`);
  const words = rules.map(wordsOf);
  const named = words.map((word) => word.get("type")).find((type) => type !== undefined);
  const transport = parseTransport(named ?? defaults.type ?? defaults.maptype ?? "map-e");
  // Each rule may have the border relay and the DMR; the first one is used.
  const first = (key: string) =>
    words.map((word) => word.get(key)).find((value) => value) ?? need(new Map(), key);
  const domain: MapDomain = {
    transport,
    rules: words.map((word) => ruleOf(word, transport)),
    legacyInterfaceId: defaults.legacymap === true,
    borderRelays: [],
  };
  if (transport === "map-t") {
    return [{ domain: { ...domain, dmr: parseDmr(first("dmr"), "dmr") }, remarks: [] }];
  }
  return [
    {
      domain: { ...domain, borderRelays: [parseIpv6(first("br"), "br")] },
      remarks: [],
    },
  ];
}
