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

import { attempt, PATIENCE_MS, run, until, within } from "./command.ts";
import { borderRelay, ce, endUserPrefix, lan, provider, publicCe, server } from "./plan.ts";

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
  ["server", [`${publicCe.rulePrefix}/24`, "via", borderRelay.serverSide]],
];

const settings = [
  "ipv4/ip_forward=1",
  "ipv6/conf/all/forwarding=1",
  "ipv4/conf/all/rp_filter=0",
  "ipv4/conf/default/rp_filter=0",
  // Duplicate address detection costs a second on each link, and the link-local addresses are set by hand.
  "ipv6/conf/all/accept_dad=0",
  "ipv6/conf/default/accept_dad=0",
  // Kernels hold back ICMP errors to one peer; a lab host asks for more of them than a real one.
  "ipv4/icmp_ratelimit=0",
  "ipv6/icmp/ratelimit=0",
];

/** One shell instead of a process for each value; the words are this file's own. */
function set(namespace: Namespace): void {
  const script = settings.map((setting) => {
    const [path, value] = setting.split("=");
    return `echo ${value} >/proc/sys/net/${path}`;
  });
  run(within(namespace, ["sh", "-e"]), `${script.join("\n")}\n`);
}

/** The kernel gives link-local addresses once a carrier is noticed: later, they would look like something left behind. */
async function waitForLinkLocal(namespace: Namespace): Promise<void> {
  const devices = cables.flatMap(([left, leftName, right, rightName]) => [
    ...(left === namespace ? [leftName] : []),
    ...(right === namespace ? [rightName] : []),
  ]);
  const ours = new Set(addresses.map(([, , address]) => address));
  await until(`link-local addresses in ${namespace}`, PATIENCE_MS, () => {
    const { stdout } = attempt(["ip", "-n", namespace, "-o", "-6", "address", "show", "scope", "link"]);
    const words = stdout.split("\n").map((line) => line.trim().split(/\s+/));
    // The routes of an address come last.
    const routes = attempt(["ip", "-n", namespace, "-6", "route", "show", "table", "local"]).stdout;
    return devices.every((device) => {
      const given = words.find((line) => line[1] === device && !ours.has(line[3] ?? ""))?.[3]?.split("/")[0];
      return (
        given !== undefined &&
        routes.includes(`local ${given} dev ${device} `) &&
        routes.includes(`anycast fe80:: dev ${device} `)
      );
    })
      ? true
      : undefined;
  });
}

/** Builds it all; daemons and the CE's MAP come later. */
export async function buildTopology(): Promise<void> {
  run(["ip", "-batch", "-"], `${namespaces.map((namespace) => `netns add ${namespace}`).join("\n")}\n`);
  const links = cables.map(
    ([left, leftName, right, rightName]) =>
      `link add ${leftName} netns ${left} type veth peer name ${rightName} netns ${right}`,
  );
  run(["ip", "-batch", "-"], `${links.join("\n")}\n`);
  for (const namespace of namespaces) {
    set(namespace);
    const batch = ["link set lo up"];
    for (const [left, leftName, right, rightName] of cables) {
      if (left === namespace) batch.push(`link set ${leftName} up`);
      if (right === namespace) batch.push(`link set ${rightName} up`);
    }
    for (const [owner, device, address] of addresses) {
      const flags = address.includes(":") ? " nodad" : "";
      if (owner === namespace) batch.push(`address add ${address} dev ${device}${flags}`);
    }
    for (const [owner, route] of routes) {
      if (owner === namespace) batch.push(`route add ${route.join(" ")}`);
    }
    run(["ip", "-n", namespace, "-batch", "-"], `${batch.join("\n")}\n`);
  }
  await waitForLinkLocal("ce");
}
