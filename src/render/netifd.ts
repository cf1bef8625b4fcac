/** A plan as the arguments of netifd's `notify_proto` (action 0) and of `add_dynamic`. */

import { formatIpv4, formatIpv6, formatIpv6Prefix } from "../ip/text.ts";
import type { Plan } from "../map/plan.ts";

/** Numbers of netifd's `notify_proto` actions. */
export const Action = { update: 0, error: 3, block: 4, available: 5, hostDependency: 6 } as const;

/** The ubus object of netifd's interfaces. */
export const NETWORK = "network.interface";

/** A JSON object as ubus carries it. */
export type JsonObject = { readonly [key: string]: unknown };

/** The interface that holds the tunnel's local address on the link: netifd removes it with ours. */
function addressInterface(iface: string): string {
  return `${iface}_`;
}

/** `add_dynamic` for the tunnel's local IPv6 address: without it the kernel drops what the border relay sends. */
export function addressRequest(plan: Plan): JsonObject | undefined {
  if (plan.tunnel === undefined || plan.ce === undefined) return undefined;
  return {
    name: addressInterface(plan.iface),
    ifname: `@${plan.link.iface}`,
    proto: "static",
    ip6addr: [formatIpv6(plan.tunnel.local)],
  };
}

/** `down` for the interface that {@link addressRequest} asks for. */
export function addressRemoval(iface: string): JsonObject {
  return { interface: addressInterface(iface) };
}

function tunnelData(plan: Plan): JsonObject {
  const { tunnel } = plan;
  if (tunnel === undefined) return {};
  return {
    tunnel: {
      mode: "ipip6",
      mtu: plan.mtu,
      ttl: tunnel.ttl,
      local: formatIpv6(tunnel.local),
      remote: formatIpv6(tunnel.remote),
      link: plan.link.iface,
      data: {
        encaplimit: tunnel.encaplimit,
        fmrs: tunnel.fmrs.map((fmr) => ({
          prefix6: formatIpv6Prefix(fmr.ipv6Prefix),
          prefix4: `${formatIpv4(fmr.ipv4Prefix.address)}/${fmr.ipv4Prefix.length}`,
          ealen: fmr.eaLength,
          offset: fmr.psidOffset,
        })),
      },
    },
  };
}

/** Action 0: the interface is up, with its addresses and routes. */
export function updateRequest(plan: Plan): JsonObject {
  const translated = plan.translator !== undefined;
  return {
    interface: plan.iface,
    action: Action.update,
    ifname: plan.device,
    "link-up": true,
    keep: false,
    ...tunnelData(plan),
    // netifd wants masks as text.
    ipaddr: [{ ipaddr: formatIpv4(plan.ipv4.address), mask: String(plan.ipv4.length) }],
    // The translator's device keeps the link's MTU, so that IPv6 coming in is not held up; IPv4 is held by its route.
    routes: [{ target: "0.0.0.0", netmask: "0", ...(translated ? { mtu: plan.mtu } : {}) }],
    ...(translated && plan.ce !== undefined
      ? { routes6: [{ target: formatIpv6(plan.ce.mapAddress), netmask: "128" }] }
      : {}),
    data: plan.zone === undefined ? {} : { zone: plan.zone },
  };
}

/** Action 3: an error code and what a person can do about it, as `ifstatus` shows them. */
export function errorRequest(iface: string, code: string, text: string): JsonObject {
  return { interface: iface, action: Action.error, error: [code, text] };
}

/** Action 4: no further tries until somebody, or the cause going away, asks for one. */
export function blockRequest(iface: string): JsonObject {
  return { interface: iface, action: Action.block };
}

/** Action 6: come back when the link does. */
export function hostDependencyRequest(iface: string, link: string): JsonObject {
  return { interface: iface, action: Action.hostDependency, host: "::", ifname: link };
}
