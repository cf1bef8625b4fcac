/**
 * The steps of a plan as the commands a person would type, what netifd does for us included. Each is empty where the plan
 * has no such part. Every word is made from numbers and checked names, so none needs quoting.
 */

import { formatIpv4Prefix, formatIpv6 } from "../ip/text.ts";
import type { NatPlan, Plan } from "../map/plan.ts";
import { renderNft } from "./nft.ts";
import { CONTROL_PATH, setupLines } from "./translator.ts";

type Commands = readonly string[];

/** Marks the end of the script; a line of ours never equals it. */
const SCRIPT_END = "END_OF_NFT";

function linkDevice(plan: Plan): string {
  return plan.link.device === "" ? "DEVICE" : plan.link.device;
}

export function natCommands(nat: NatPlan | undefined): Commands {
  if (nat === undefined) return [];
  return [`nft -f - <<'${SCRIPT_END}'\n${renderNft(nat).trimEnd()}\n${SCRIPT_END}`];
}

/** The translator's device and rules. */
export function translatorCommands(plan: Plan | undefined): Commands {
  if (plan?.translator === undefined) return [];
  // One write(), so that the module takes it as one transaction.
  const lines = setupLines(plan.device, plan.translator).map((line) => `'${line}'`);
  return [`printf '%s\\n' ${lines.join(" ")} | dd of=${CONTROL_PATH} bs=65536 2>/dev/null`];
}

/** The MTU of the translator's device. */
export function mtuCommands(plan: Plan | undefined): Commands {
  if (plan?.translator === undefined) return [];
  return [`ip link set ${plan.device} mtu ${plan.link.mtu} up`];
}

/** The tunnel's own IPv6 address. */
export function addressCommands(plan: Plan | undefined): Commands {
  if (plan?.tunnel === undefined || plan.ce === undefined) return [];
  return [`ip -6 address add ${formatIpv6(plan.tunnel.local)}/128 dev ${linkDevice(plan)}`];
}

/** What netifd does when it is told: the tunnel, addresses and routes. */
export function netifdCommands(plan: Plan | undefined): Commands {
  if (plan === undefined) return [];
  const { device, translator, tunnel } = plan;
  const commands: string[] = [];
  if (translator !== undefined) {
    commands.push(`ip -6 route add ${formatIpv6(translator.ce.mapAddress)}/128 dev ${device}`);
  }
  if (tunnel !== undefined) {
    const limit = tunnel.encaplimit === "ignore" ? "none" : tunnel.encaplimit;
    commands.push(
      `ip -6 tunnel add ${device} mode ipip6 local ${formatIpv6(tunnel.local)} remote ${formatIpv6(tunnel.remote)} dev ${linkDevice(plan)} ttl ${tunnel.ttl} encaplimit ${limit}`,
      `ip link set ${device} mtu ${plan.mtu} up`,
    );
  }
  commands.push(
    `ip address add ${formatIpv4Prefix(plan.ipv4)} dev ${device}`,
    `ip route add default dev ${device}${translator === undefined ? "" : ` mtu ${plan.mtu}`}`,
  );
  return commands;
}
