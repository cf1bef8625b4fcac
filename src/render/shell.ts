/** A plan as the commands a person would type: what netifd does for us, by hand. */

import { formatIpv4Prefix, formatIpv6 } from "../ip/text.ts";
import type { Plan } from "../map/plan.ts";
import { renderNft } from "./nft.ts";
import { CONTROL_PATH, setupLines } from "./translator.ts";

/** Marks the end of the script; a line of ours never equals it. */
const SCRIPT_END = "END_OF_NFT";

/** Shell commands, in order. Every word is made from numbers and checked names, so none needs quoting. */
export function shellCommands(plan: Plan): readonly string[] {
  const { device, translator, tunnel, ce, link } = plan;
  const commands: string[] = [];
  if (plan.nat !== undefined) {
    commands.push(`nft -f - <<'${SCRIPT_END}'\n${renderNft(plan.nat).trimEnd()}\n${SCRIPT_END}`);
  }
  if (translator !== undefined) {
    // One write(), so that the module takes it as one transaction.
    const lines = setupLines(device, translator).map((line) => `'${line}'`);
    commands.push(`printf '%s\\n' ${lines.join(" ")} | dd of=${CONTROL_PATH} bs=65536 2>/dev/null`);
    commands.push(`ip link set ${device} mtu ${link.mtu} up`);
    commands.push(`ip -6 route add ${formatIpv6(translator.ce.mapAddress)}/128 dev ${device}`);
  }
  if (tunnel !== undefined) {
    const dev = link.device === "" ? "DEVICE" : link.device;
    if (ce !== undefined) commands.push(`ip -6 address add ${formatIpv6(tunnel.local)}/128 dev ${dev}`);
    const limit = tunnel.encaplimit === "ignore" ? "none" : tunnel.encaplimit;
    commands.push(
      `ip -6 tunnel add ${device} mode ipip6 local ${formatIpv6(tunnel.local)} remote ${formatIpv6(tunnel.remote)} dev ${dev} ttl ${tunnel.ttl} encaplimit ${limit}`,
    );
    commands.push(`ip link set ${device} mtu ${plan.mtu} up`);
  }
  commands.push(`ip address add ${formatIpv4Prefix(plan.ipv4)} dev ${device}`);
  commands.push(`ip route add default dev ${device}${translator === undefined ? "" : ` mtu ${plan.mtu}`}`);
  return commands;
}
