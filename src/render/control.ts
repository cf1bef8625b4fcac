/** Control lines of the kernel module (`/proc/net/nat46/control`) from a plan; src/kmod/README.md has the grammar. */

import type { Ipv6Prefix } from "../ip/prefix.ts";
import { formatIpv4, formatIpv4Prefix, formatIpv6, formatIpv6Prefix } from "../ip/text.ts";
import type { CustomerEdge, MapRule } from "../map/model.ts";
import type { ModulePlan } from "../map/plan.ts";
import { formatRange } from "../map/port-set.ts";
import { asRanges } from "../map/virtual-block.ts";
import { SetupError } from "../wire/errors.ts";
import { fingerprint } from "../wire/fingerprint.ts";

/** The module's control file, one per network namespace. kmod-nat46 has one of the same name. */
export const CONTROL_PATH = "/proc/net/nat46/control";
/** A file that our module alone has. */
export const MODULE_MARK = "/proc/net/mapmint/counters";

/** Most ranges of `nat.reserved`. */
const RESERVED_RANGES = 512;

function rule(side: "local" | "remote", style: string, mapRule: MapRule): string {
  return [
    `${side}.style ${style}`,
    `${side}.v4 ${formatIpv4Prefix(mapRule.ipv4Prefix)}`,
    `${side}.v6 ${formatIpv6Prefix(mapRule.ipv6Prefix)}`,
    `${side}.ea-len ${mapRule.eaLength}`,
    `${side}.psid-offset ${mapRule.psidOffset}`,
  ].join(" ");
}

/** The DMR, as the words of a pair: everything without a rule of its own goes there. */
export function remoteWords(dmr: Ipv6Prefix): string {
  return `remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 ${formatIpv6Prefix(dmr)} remote.ea-len 0 remote.psid-offset 0`;
}

/** What a CE is that its rule does not tell: a rule with EA length 0, or a longer end-user prefix, leaves it open. */
function edgeWords(ce: CustomerEdge): string {
  return [
    `ce.v4 ${ce.ipv4.length === 32 ? formatIpv4(ce.ipv4.address) : formatIpv4Prefix(ce.ipv4)}`,
    `ce.v6 ${formatIpv6(ce.mapAddress)}`,
    `ce.psid-offset ${ce.portSet.offset} ce.psid-len ${ce.portSet.psidLength} ce.psid ${ce.portSet.psid}`,
  ].join(" ");
}

/** The CE itself, as the words of a pair. */
export function configWords(ce: CustomerEdge, legacyInterfaceId: boolean): string {
  return `${rule("local", legacyInterfaceId ? "MAP0" : "MAP", ce.bmr)} ${edgeWords(ce)}`;
}

/** One address or prefix for one IPv6 address. */
function boundWords(ipv4: string, local: bigint): string {
  return `local.style NONE local.v4 ${ipv4} local.v6 ${formatIpv6(local)}/128`;
}

function ownWords(plan: ModulePlan): string {
  const { ce, legacyInterfaceId } = plan;
  if (plan.carries === "translated") return configWords(plan.ce, legacyInterfaceId);
  if (ce === undefined) return boundWords("0.0.0.0/0", plan.local);
  if (plan.bound) return `${boundWords(formatIpv4Prefix(ce.ipv4), ce.mapAddress)} ${edgeWords(ce)}`;
  return configWords(ce, legacyInterfaceId);
}

function everybodyElse(plan: ModulePlan): string {
  if (plan.carries === "translated") return remoteWords(plan.dmr);
  return `remote.style NONE remote.v4 0.0.0.0/0 remote.v6 ${formatIpv6(plan.remote)}/128`;
}

function carrierWords(plan: ModulePlan): string {
  if (plan.carries === "translated") return `lowest-ipv6-mtu ${plan.lowestIpv6Mtu}`;
  const limit = plan.encaplimit === "ignore" ? "none" : plan.encaplimit;
  return `transport encapsulate tunnel.hop-limit ${plan.ttl} tunnel.encap-limit ${limit}`;
}

/** @throws SetupError INVALID_OPTION for more ranges of reserved ports than the module takes */
function natWords({ nat }: ModulePlan): string {
  if (nat === undefined) return "nat.mode off";
  const ranges = asRanges(nat.reservedPorts).map(formatRange);
  if (ranges.length > RESERVED_RANGES) {
    throw new SetupError(
      "INVALID_OPTION",
      `reserved_ports, forward, upnp_ports: ${ranges.length} ranges: give at most ${RESERVED_RANGES}`,
    );
  }
  return `nat.mode ports nat.reserved ${ranges.join(",") || "-"}`;
}

/** The lines that give a device without rules those of the plan. @throws SetupError */
export function ruleLines(device: string, plan: ModulePlan): readonly string[] {
  const style = plan.legacyInterfaceId ? "MAP0" : "MAP";
  return [
    `config ${device} ${carrierWords(plan)}`,
    `config ${device} ${ownWords(plan)} ${everybodyElse(plan)}`,
    ...plan.fmrs.map((fmr) => `insert ${device} ${rule("remote", style, fmr)}`),
    `config ${device} ${natWords(plan)}`,
  ];
}

/** The lines of one device in the control file's text, `add` left out; undefined where there is no such device. */
export function linesOf(control: string, device: string): readonly string[] | undefined {
  const lines = control
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.split(" ")[1] === device);
  return lines.includes(`add ${device}`) ? lines.filter((line) => line !== `add ${device}`) : undefined;
}

/** A short text that differs, but for chance, where a device's lines differ. */
export function rulesPrint(lines: readonly string[]): string {
  return fingerprint(lines.join("\n"));
}

/** Words of a line that make a rule pair: the others set the device. */
function pairWords(line: string): string {
  const pairs = Array.from(line.matchAll(/\S+ \S+/g), ([pair]) => pair);
  return pairs.filter((pair) => /^(local|remote|ce)\./.test(pair)).join(" ");
}

/**
 * The transaction that puts `rules` in the place of a device's own, `present`; or makes the device where there is none. It
 * is to be written by one write(), which the module applies whole or not at all: no packet meets half of it.
 */
export function replaceLines(
  device: string,
  present: readonly string[] | undefined,
  rules: readonly string[],
): readonly string[] {
  if (present === undefined) return [`add ${device}`, ...rules];
  const wasTunnel = present.some((line) => line.includes(" transport encapsulate"));
  const isTunnel = rules.some((line) => line.includes(" transport encapsulate"));
  return [
    ...present
      .map(pairWords)
      .filter((words) => words !== "")
      .map((words) => `remove ${device} ${words}`),
    ...(wasTunnel && !isTunnel ? [`config ${device} transport translate`] : []),
    ...rules,
  ];
}

/** What takes the device away. */
export function teardownLines(device: string): readonly string[] {
  return [`del ${device}`];
}
