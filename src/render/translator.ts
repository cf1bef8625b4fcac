/** Control lines of the kernel module (`/proc/net/nat46/control`) from a plan. */

import type { Ipv6Prefix } from "../ip/prefix.ts";
import { formatIpv4, formatIpv4Prefix, formatIpv6, formatIpv6Prefix } from "../ip/text.ts";
import type { CustomerEdge, MapRule } from "../map/model.ts";
import type { TranslatorPlan } from "../map/plan.ts";

/** The module's control file, one per network namespace. */
export const CONTROL_PATH = "/proc/net/nat46/control";

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

/** The CE itself, as the words of a pair. */
export function configWords(ce: CustomerEdge, legacyInterfaceId: boolean): string {
  return [
    rule("local", legacyInterfaceId ? "MAP0" : "MAP", ce.bmr),
    // The CE's own address, because a rule with EA length 0 or a longer end-user prefix does not give it.
    `ce.v4 ${ce.ipv4.length === 32 ? formatIpv4(ce.ipv4.address) : formatIpv4Prefix(ce.ipv4)}`,
    `ce.v6 ${formatIpv6(ce.mapAddress)}`,
    `ce.psid-offset ${ce.portSet.offset} ce.psid-len ${ce.portSet.psidLength} ce.psid ${ce.portSet.psid}`,
  ].join(" ");
}

/**
 * The transaction that makes the device and its rules: to be written by one write(), which the module applies whole or
 * not at all.
 */
export function setupLines(device: string, plan: TranslatorPlan): readonly string[] {
  const style = plan.legacyInterfaceId ? "MAP0" : "MAP";
  return [
    `add ${device}`,
    `config ${device} ${configWords(plan.ce, plan.legacyInterfaceId)} ${remoteWords(plan.dmr)} lowest-ipv6-mtu ${plan.lowestIpv6Mtu}`,
    ...plan.fmrs.map((fmr) => `insert ${device} ${rule("remote", style, fmr)}`),
  ];
}

/** What takes the device away. */
export function teardownLines(device: string): readonly string[] {
  return [`del ${device}`];
}
