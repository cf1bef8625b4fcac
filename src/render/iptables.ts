/**
 * NAT44 into the port set as iptables commands, for systems without nftables: the lines of the original, a rule for
 * each range and protocol. `connlimit` counts a flow before it is known to land in the range, so a range may be called
 * full too early, and under churn flows can leave outside the set: the nftables form is the better one.
 */

import { isDeviceName } from "../ip/names.ts";
import { formatIpv4, formatIpv4Prefix } from "../ip/text.ts";
import type { NatPlan } from "../map/plan.ts";
import { portRanges } from "../map/port-set.ts";

/** In the order of the original. */
const PROTOCOLS = ["icmp", "tcp", "udp"] as const;

/** Everything behind `iptables -t nat -A `. */
function ruleSpecs(plan: NatPlan): readonly string[] {
  const { device, ipv4 } = plan;
  const address = formatIpv4(ipv4.address);
  if (plan.portSet.psidLength === 0) {
    const own = ipv4.length === 32 ? [] : [`POSTROUTING -s ${formatIpv4Prefix(ipv4)} -o ${device} -j ACCEPT`];
    return [...own, `POSTROUTING -o ${device} -j SNAT --to ${address}`];
  }
  const ranges = portRanges(plan.portSet);
  const [only] = ranges;
  if (ranges.length === 1 && only !== undefined) {
    // One range is full when the kernel says so; the system's ports are left out where others remain.
    const low = only[1] < 1024 ? only[0] : Math.max(only[0], 1024);
    return PROTOCOLS.map(
      (protocol) => `POSTROUTING -p ${protocol} -o ${device} -j SNAT --to ${address}:${low}-${only[1]}`,
    );
  }
  return ranges.flatMap(([low, high]) =>
    PROTOCOLS.map(
      (protocol) =>
        `POSTROUTING -p ${protocol} -m connlimit --connlimit-daddr --connlimit-upto ${high - low + 1} -o ${device} -j SNAT --to ${address}:${low}-${high}`,
    ),
  );
}

/** @throws RangeError when the name of the device is not valid, because the lines go to a shell */
function check(plan: NatPlan): void {
  if (!isDeviceName(plan.device)) throw new RangeError(`"${plan.device}" is not the name of a device`);
}

/** The commands that load the NAT, in order. @throws RangeError when the name of the device is not valid */
export function renderIptables(plan: NatPlan): string[] {
  check(plan);
  return ruleSpecs(plan).map((spec) => `iptables -t nat -A ${spec}`);
}
