/**
 * The steps of a plan as the commands a person would type, what netifd does for us included. Each is empty where the plan
 * has no such part. Every word is made from numbers and checked names, so none needs quoting.
 */

import { formatIpv4Prefix, formatIpv6 } from "../ip/text.ts";
import type { Plan } from "../map/plan.ts";
import { CONTROL_PATH, replaceLines, ruleLines } from "./control.ts";
import { addressRequest } from "./netifd.ts";
import { renderNft } from "./nft.ts";
import { renderForwards } from "./nft-forward.ts";

type Commands = readonly string[];

/** Marks the end of the script; a line of ours never equals it. */
const SCRIPT_END = "END_OF_NFT";
/** More than any transaction of ours has, so that dd writes it in one piece. */
const WRITE_OCTETS = 2_097_152;

function linkDevice(plan: Plan): string {
  return plan.link.device === "" ? "DEVICE" : plan.link.device;
}

function nftCommand(script: string): string {
  return `nft -f - <<'${SCRIPT_END}'\n${script.trimEnd()}\n${SCRIPT_END}`;
}

function natCommands({ nat }: Plan): Commands {
  if (nat === undefined) return [];
  return [nftCommand(renderNft(nat))];
}

function forwardCommands({ forward }: Plan): Commands {
  return forward === undefined ? [] : [nftCommand(renderForwards(forward))];
}

/** The module's device and its rules. */
function deviceCommands(plan: Plan): Commands {
  if (plan.module === undefined) return [];
  // One write(), so that the module takes it as one transaction.
  const rules = ruleLines(plan.device, plan.module);
  const lines = replaceLines(plan.device, undefined, rules).map((line) => `'${line}'`);
  return [`printf '%s\\n' ${lines.join(" ")} | dd of=${CONTROL_PATH} bs=${WRITE_OCTETS} 2>/dev/null`];
}

/** The MTU of the module's device. */
function mtuCommands(plan: Plan): Commands {
  if (plan.module === undefined) return [];
  return [`ip link set ${plan.device} mtu ${plan.link.mtu} up`];
}

/** The MAP address, where the link has to have it. */
function addressCommands(plan: Plan): Commands {
  if (plan.ce === undefined || addressRequest(plan) === undefined) return [];
  const lifetime = plan.module === undefined ? "" : " preferred_lft 0";
  return [`ip -6 address add ${formatIpv6(plan.ce.mapAddress)}/128 dev ${linkDevice(plan)}${lifetime}`];
}

/** What netifd does when it is told: the tunnel, addresses and routes. */
function netifdCommands(plan: Plan): Commands {
  const { device, module, tunnel } = plan;
  const commands: string[] = [];
  if (module?.carries === "translated") {
    commands.push(`ip -6 route add ${formatIpv6(module.ce.mapAddress)}/128 dev ${device}`);
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
    `ip route add default dev ${device}${module === undefined ? "" : ` mtu ${plan.mtu}`}`,
  );
  return commands;
}

/** By the key of the step. */
export const stepCommands = {
  nat: natCommands,
  forward: forwardCommands,
  device: deviceCommands,
  mtu: mtuCommands,
  address: addressCommands,
  netifd: netifdCommands,
} as const;
