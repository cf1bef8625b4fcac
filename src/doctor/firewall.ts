/** What is loaded of others' nftables, as far as it concerns a MAP device: fw4's zones, its offload, source NAT. */

import { InputError } from "../wire/errors.ts";
import { isFields, type Fields as Json } from "../wire/schema.ts";

/** A rule of a chain: its statements as nft prints them. */
interface Rule {
  readonly chain: string;
  readonly statements: readonly Json[];
}

/** A chain by which packets pass. */
interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly type?: unknown;
  readonly hook?: unknown;
  readonly priority?: unknown;
}

/** fw4's table. */
export interface Firewall {
  readonly rules: readonly Rule[];
}

/** A chain of somebody's that may change the source of packets. */
export interface SourceNatChain {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** Devices whose packets it changes; undefined for all. */
  readonly devices?: readonly string[];
}

const FIELD = "nft";
/** Names that are given to nft as arguments, which it reads as its own language. */
const SAFE_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;

/** The objects that nft printed. @throws InputError when it is not what nft prints */
function objects(text: string): readonly Json[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(FIELD, "what it printed is not JSON");
  }
  const list = isFields(value) ? value["nftables"] : undefined;
  if (!Array.isArray(list)) throw new InputError(FIELD, "what it printed has no list `nftables`");
  return list.filter(isFields);
}

function rulesIn(text: string): readonly Rule[] {
  return objects(text).flatMap(({ rule }) => {
    if (!isFields(rule) || typeof rule["chain"] !== "string" || !Array.isArray(rule["expr"])) return [];
    return [{ chain: rule["chain"], statements: rule["expr"].filter(isFields) }];
  });
}

/** Reads `nft -j list table inet fw4`. @throws InputError */
export function parseFirewall(text: string): Firewall {
  return { rules: rulesIn(text) };
}

/**
 * The chains of `nft -j list chains` that do source NAT for IPv4 before `priority`, or beside it, in other tables than
 * ours. Those whose names could not be given to nft are left out.
 *
 * @throws InputError
 */
export function earlierChains(text: string, ours: string, priority: number): readonly Chain[] {
  return objects(text).flatMap(({ chain }) => {
    if (!isFields(chain)) return [];
    const { family, table, name, type, hook, prio } = chain;
    if ((family !== "ip" && family !== "inet") || typeof table !== "string" || typeof name !== "string")
      return [];
    const early = type === "nat" && hook === "postrouting" && Number(prio) <= priority;
    if (!early || table === ours || !SAFE_NAME.test(table)) return [];
    return [{ family, table, name }];
  });
}

/** The devices that a rule's `oifname` (or another key) asks for; undefined when it asks for none. */
function devicesOf({ statements }: Rule, key: string): readonly string[] | undefined {
  for (const { match } of statements) {
    if (!isFields(match) || match["op"] !== "==" || !isFields(match["left"])) continue;
    const { meta } = match["left"];
    if (!isFields(meta) || meta["key"] !== key) continue;
    const right = isFields(match["right"]) ? match["right"]["set"] : match["right"];
    return (Array.isArray(right) ? right : [right]).filter((name) => typeof name === "string");
  }
  return undefined;
}

/** `map-*` stands for every name that begins so. Undefined without patterns. */
function names(patterns: readonly string[] | undefined, device: string): boolean | undefined {
  return patterns?.some((pattern) =>
    pattern.endsWith("*") ? device.startsWith(pattern.slice(0, -1)) : pattern === device,
  );
}

function targetOf({ statements }: Rule): string | undefined {
  for (const { jump, goto } of statements) {
    const target = isFields(jump) ? jump["target"] : isFields(goto) ? goto["target"] : undefined;
    if (typeof target === "string") return target;
  }
  return undefined;
}

function changesSource({ statements }: Rule): boolean {
  return statements.some((statement) => "masquerade" in statement || "snat" in statement);
}

/**
 * The rules of a chain, and of those that it jumps to, that change the source of packets: by `nft -j list table`.
 *
 * @throws InputError
 */
export function sourceNatIn(text: string, { family, table, name }: Chain): readonly SourceNatChain[] {
  const all = rulesIn(text);
  const found: SourceNatChain[] = [];
  const seen = new Set<string | undefined>();
  const visit = (chain: string | undefined, devices: readonly string[] | undefined): void => {
    if (seen.has(chain)) return;
    seen.add(chain);
    for (const rule of all.filter((one) => one.chain === chain)) {
      const here = devicesOf(rule, "oifname") ?? devices;
      if (changesSource(rule)) found.push({ family, table, chain: name, ...(here && { devices: here }) });
      visit(targetOf(rule), here);
    }
  };
  visit(name, undefined);
  return found;
}

/** Whether a source NAT is done to packets that leave by a device. */
export function appliesTo({ devices }: SourceNatChain, device: string): boolean {
  return names(devices, device) ?? true;
}

/** The zone that fw4 has a device in: by its chain `forward`. */
export function zoneOf({ rules }: Firewall, device: string): string | undefined {
  for (const rule of rules) {
    const target = targetOf(rule);
    if (rule.chain !== "forward" || target?.startsWith("forward_") !== true) continue;
    if (names(devicesOf(rule, "iifname"), device)) return target.slice("forward_".length);
  }
  return undefined;
}

/** True where the zone takes connections to the router from everybody. */
export function takesInput({ rules }: Firewall, zone: string): boolean {
  return rules.some((rule) => rule.chain === `input_${zone}` && targetOf(rule) === `accept_from_${zone}`);
}

/** True where another zone's packets are forwarded to it. */
export function isForwardedTo({ rules }: Firewall, zone: string): boolean {
  return rules.some(
    (rule) =>
      rule.chain.startsWith("forward_") &&
      rule.chain !== `forward_${zone}` &&
      targetOf(rule) === `accept_to_${zone}`,
  );
}

/** True where flows pass nftables by once they are known. */
export function offloads({ rules }: Firewall): boolean {
  return rules.some(({ statements }) => statements.some((statement) => "flow" in statement));
}
