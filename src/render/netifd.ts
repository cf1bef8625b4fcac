/** A plan as the arguments of netifd's `notify_proto` (action 0) and of `add_dynamic`. */

import { formatIpv4, formatIpv6, formatIpv6Prefix } from "../ip/text.ts";
import type { Plan } from "../map/plan.ts";
import { printable } from "../wire/printable.ts";

/** Numbers of netifd's `notify_proto` actions. */
export const Action = { update: 0, error: 3, available: 5, hostDependency: 6, restart: 7 } as const;

/** The ubus object of netifd's interfaces. */
export const NETWORK = "network.interface";

/** A JSON object as ubus carries it. */
export type JsonObject = { readonly [key: string]: unknown };

/**
 * Names for the interface that holds the MAP address on the link. netifd removes an interface whose address is changed, so
 * another address takes the other name, and is there before the first one goes.
 */
export function addressInterfaces(iface: string): readonly [string, string] {
  return [`${iface}_`, `${iface}__`];
}

/**
 * `add_dynamic` for the MAP address on the link, where the router has to have it: the kernel's tunnel takes no packet
 * without it, and on a link that is the end-user prefix's own the neighbours ask who has it.
 */
export function addressRequest(plan: Plan, name = addressInterfaces(plan.iface)[0]): JsonObject | undefined {
  const { ce, module, link } = plan;
  if (ce === undefined || (module !== undefined && link.onLink !== true)) return undefined;
  return {
    name,
    ifname: `@${link.iface}`,
    proto: "static",
    ip6addr: [formatIpv6(ce.mapAddress)],
    // The router itself is not to speak from it (RFC 6724 s5 rule 3).
    ...(module === undefined ? {} : { ip6deprecated: true }),
  };
}

/** `down` for an interface of {@link addressRequest}. */
export function addressRemoval(name: string): JsonObject {
  return { interface: name };
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
  const { module } = plan;
  return {
    interface: plan.iface,
    action: Action.update,
    ifname: plan.device,
    "link-up": true,
    keep: false,
    ...tunnelData(plan),
    // netifd wants masks as text.
    ipaddr: [{ ipaddr: formatIpv4(plan.ipv4.address), mask: String(plan.ipv4.length) }],
    // The module's device keeps the link's MTU, so that IPv6 coming in is not held up; IPv4 is held by its route.
    routes: [{ target: "0.0.0.0", netmask: "0", ...(module === undefined ? {} : { mtu: plan.mtu }) }],
    ...(module?.carries === "translated"
      ? { routes6: [{ target: formatIpv6(module.ce.mapAddress), netmask: "128" }] }
      : {}),
    data: plan.zone === undefined ? {} : { zone: plan.zone },
  };
}

/** Action 0 with the device alone: netifd takes its addresses and routes back. */
export function bareUpdateRequest(plan: Plan): JsonObject {
  return { ...updateRequest(plan), ipaddr: [], routes: [], routes6: [] };
}

/** Action 0, the other way round: nothing of the interface is in use any more. */
export function linkDownRequest(iface: string): JsonObject {
  return { interface: iface, action: Action.update, ifname: "*", "link-up": false };
}

/** Action 7: netifd tears the interface down and sets it up anew. */
export function restartRequest(iface: string): JsonObject {
  return { interface: iface, action: Action.restart };
}

/** Action 3: an error code and what a person can do about it, as `ifstatus` and LuCI show them: one line, cut to length. */
export function errorRequest(iface: string, code: string, text: string): JsonObject {
  return { interface: iface, action: Action.error, error: [code, printable(text)] };
}

/** Action 6: come back when the link does. */
export function hostDependencyRequest(iface: string, link: string): JsonObject {
  return { interface: iface, action: Action.hostDependency, host: "::", ifname: link };
}
