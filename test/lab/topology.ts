/**
 * The lab's network: five namespaces in a row, IPv4 at both ends, IPv6 alone in between.
 *
 *      lan              ce                    pn                    br              server
 *   +-------+      +-----------+         +-----------+        +-----------+      +--------+
 *   |  eth0 +------+ br-lan    |         |           |        |      srv0 +------+ eth0   |
 *   +-------+      |      wan  +---------+ ce0   br0 +--------+ wan0      |      +--------+
 *  192.168.1.2     +-----------+         +-----------+        +-----------+     203.0.113.10
 *          192.168.1.1     f000:1::2  f000:1::1   f000:2::1  f000:2::2   203.0.113.1
 *                    fe80::2              fe80::1
 *
 *   ce: customer edge: dhcpcd, the stand-in for netifd, the handler.   MAP address 2001:db8:12:3400:0:c000:212:34
 *   pn: provider network: Kea; routes 2001:db8:12:3400::/56 to ce and 2001:db8:ffff::/48 to br.
 *   br: border relay: tayga (MAP-T) or ip6_tunnel (MAP-E). To the server the CE is 192.0.2.18.
 *
 * (f000:1:: is short for 2001:db8:f000:1::/64.)
 */

import { run, within } from "./command.ts";
import { borderRelay, ce, endUserPrefix, lan, provider, server } from "./plan.ts";

export type Namespace = "lan" | "ce" | "pn" | "br" | "server";
const namespaces: readonly Namespace[] = ["lan", "ce", "pn", "br", "server"];

/** Both ends of each cable. */
const cables: readonly (readonly [Namespace, string, Namespace, string])[] = [
  ["lan", "eth0", "ce", "br-lan"],
  ["ce", "wan", "pn", "ce0"],
  ["pn", "br0", "br", "wan0"],
  ["br", "srv0", "server", "eth0"],
];

/** Each address. */
const addresses: readonly (readonly [Namespace, string, string])[] = [
  ["lan", "eth0", `${lan.address}/24`],
  ["ce", "br-lan", `${ce.lanAddress}/24`],
  ["ce", "wan", `${ce.wanAddress}/64`],
  ["ce", "wan", "fe80::2/64"],
  ["pn", "ce0", `${provider.ceSide}/64`],
  ["pn", "ce0", "fe80::1/64"],
  ["pn", "br0", `${provider.brSide}/64`],
  ["br", "wan0", `${borderRelay.wanAddress}/64`],
  ["br", "srv0", `${borderRelay.serverSide}/24`],
  ["server", "eth0", `${server.address}/24`],
];

const routes: readonly (readonly [Namespace, readonly string[]])[] = [
  ["lan", ["default", "via", ce.lanAddress]],
  ["ce", ["default", "via", "fe80::1", "dev", "wan"]],
  ["pn", [`${endUserPrefix.address}/${endUserPrefix.length}`, "via", "fe80::2", "dev", "ce0"]],
  ["pn", ["2001:db8:ffff::/48", "via", borderRelay.wanAddress]],
  ["br", ["2001:db8::/32", "via", provider.brSide]],
  ["server", ["192.0.2.0/24", "via", borderRelay.serverSide]],
];

/** Builds it all; daemons and the CE's MAP come later. */
export function buildTopology(): void {
  for (const namespace of namespaces) run(["ip", "netns", "add", namespace]);
  for (const [left, leftName, right, rightName] of cables) {
    run([
      ...["ip", "link", "add", leftName, "netns", left, "type", "veth"],
      ...["peer", "name", rightName, "netns", right],
    ]);
  }
  for (const namespace of namespaces) {
    const settings = [
      "net.ipv4.ip_forward=1",
      "net.ipv6.conf.all.forwarding=1",
      "net.ipv4.conf.all.rp_filter=0",
      "net.ipv4.conf.default.rp_filter=0",
      // Duplicate address detection costs a second on each link, and the link-local addresses are set by hand.
      "net.ipv6.conf.all.accept_dad=0",
      "net.ipv6.conf.default.accept_dad=0",
      // Kernels count ICMP errors to one peer against a bucket; a lab host asks for more of them than a real one.
      "net.ipv4.icmp_ratelimit=0",
      "net.ipv6.icmp.ratelimit=0",
    ];
    const batch = cables
      .flatMap(([left, leftName, right, rightName]) => [
        [left, leftName],
        [right, rightName],
      ])
      .filter(([owner]) => owner === namespace)
      .map(([, name]) => `link set ${name} up`);
    for (const [owner, device, address] of addresses) {
      if (owner === namespace)
        batch.push(
          `address add ${address} dev ${device} nodad`.replace(
            /(\d) nodad$/,
            address.includes(":") ? "$1 nodad" : "$1",
          ),
        );
    }
    run(within(namespace, ["sysctl", "-q", "-w", ...settings]));
    run(["ip", "-n", namespace, "link", "set", "lo", "up"]);
    run(["ip", "-n", namespace, "-batch", "-"], `${batch.join("\n")}\n`);
    for (const [owner, route] of routes) {
      if (owner === namespace)
        run([
          "ip",
          "-n",
          namespace,
          ...(route.some((w) => w.includes(":")) ? ["-6"] : []),
          "route",
          "add",
          ...route,
        ]);
    }
  }
}
