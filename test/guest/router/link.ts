/** The MAP interface without a DHCPv6 server: the lab says what the link has, and configures the interface itself. */

import { PATIENCE_MS, until } from "./command.ts";
import { borderRelay, type Carrier, ce, endUserPrefix } from "./plan.ts";
import type { Router } from "./router.ts";

export type Options = Readonly<Record<string, string | number | readonly string[]>>;

/** Configurations that give the lab's customer edge: RFC 7597's example, and RFC 7596's for the same, as UCI has them. */
export const optionsOf = {
  "map-t": { ...rule("map-t"), peeraddr: borderRelay.dmr },
  "map-e": { ...rule("map-e"), peeraddr: borderRelay.tunnelAddress },
  lw4o6: {
    ...rule("lw4o6"),
    ipaddr: ce.ipv4,
    ip4prefixlen: 32,
    ip6prefix: endUserPrefix.address,
    ip6prefixlen: endUserPrefix.length,
    ealen: 0,
    psid: ce.psid,
    peeraddr: borderRelay.tunnelAddress,
  },
} as const satisfies Readonly<Record<string, Options>>;

/** Each transport by the module, and one without it. */
export const carriers = [
  ["map-t", "module"],
  ["map-e", "module"],
  ["lw4o6", "module"],
  ["map-e", "nftables"],
] as const satisfies readonly (readonly [keyof typeof optionsOf, Carrier])[];

/** The configuration of a transport by a carrier. */
export function configurationOf(maptype: keyof typeof optionsOf, carrier: Carrier): Options {
  return { ...optionsOf[maptype], ...(carrier === "module" ? {} : { nat: "nftables" }) };
}

function rule(maptype: string): Options {
  return {
    proto: "map",
    maptype,
    tunlink: "wan6",
    ipaddr: "192.0.2.0",
    ip4prefixlen: 24,
    ip6prefix: "2001:db8::",
    ip6prefixlen: 40,
    ealen: 16,
    psidlen: 8,
    offset: 4,
  };
}

/** What dhcpcd and odhcp6c's script would have told netifd. */
export async function setLink(
  router: Router,
  state: {
    readonly up?: boolean;
    readonly prefix?: boolean;
    readonly option?: string;
    /** The end-user prefix, where it is not the lab's first. */
    readonly of?: string;
  },
): Promise<void> {
  const { up = true, prefix = true, option, of = endUserPrefix.address } = state;
  const passthru =
    option === undefined ? "" : `beef${(option.length / 2).toString(16).padStart(4, "0")}${option}`;
  await router.call("network.interface", "notify_proto", {
    interface: "wan6",
    action: 0,
    ifname: "wan",
    "link-up": up,
    ip6addr: [],
    ip6prefix: prefix ? [`${of}/${endUserPrefix.length},3600,7200`] : [],
    data: { passthru },
  });
}

/** Waits until the interface's handler has ended. */
export async function settle(router: Router, name: string): Promise<void> {
  await until(`the handler of ${name}`, PATIENCE_MS, async () => {
    const { running } = (await router.call("lab", "interface", { name })) as { running: boolean };
    return running ? undefined : true;
  });
}
