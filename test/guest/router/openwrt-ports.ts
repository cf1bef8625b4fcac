/** Ports to the outside under OpenWrt's own netifd, uci and fw4: port forwards, and what miniupnpd is told. */

import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { attempt, run, sleep, until, within } from "./command.ts";
import { startServerOn, trafficFrom } from "./lan-host.ts";
import type { Openwrt } from "./openwrt.ts";
import { ce, lan } from "./plan.ts";
import { demand } from "./report.ts";
import type { Greeting } from "./traffic.ts";
import { ports } from "./traffic-ports.ts";

/** Options of the MAP interface. */
export const portOptions = `	list forward 'tcp 4928 ${lan.address}:${ports.hold}'
	list forward 'udp 4930 ${lan.address}:${ports.port}'
	list forward 'tcp 80 ${lan.address}'
	option upnp_ports '16'
`;

/** OpenWrt's own configuration, with our interface in the zone wan. */
const firewall = `
config defaults
	option input 'REJECT'
	option output 'ACCEPT'
	option forward 'REJECT'

config zone
	option name 'lan'
	list network 'lan'
	option input 'ACCEPT'
	option output 'ACCEPT'
	option forward 'ACCEPT'

config zone
	option name 'wan'
	list network 'wan6'
	list network 'wanlink'
	list network 'wan_map'
	option input 'REJECT'
	option output 'ACCEPT'
	option forward 'REJECT'
	option masq '1'
	option mtu_fix '1'

config forwarding
	option src 'lan'
	option dest 'wan'

config rule
	option name 'Allow-DHCPv6'
	option src 'wan'
	option proto 'udp'
	option dest_port '546'
	option family 'ipv6'
	option target 'ACCEPT'

config rule
	option name 'Allow-ICMPv6-Input'
	option src 'wan'
	option proto 'icmp'
	option family 'ipv6'
	option target 'ACCEPT'
`;

const upnpd = `
config upnpd 'config'
	option enabled '1'

config internal_network
	option interface 'lan'

config perm_rule
	option action 'allow'
	option ext_ports '1024-65535'
	option int_addr '0.0.0.0/0'
	option int_ports '1024-65535'
`;

/** miniupnpd's configuration, before the MAP interface comes up. */
export function installUpnpd(): void {
  writeFileSync("/etc/config/upnpd", upnpd);
}

/** fw4 from OPENWRT_ROOT, started. False where it is not there. */
export function startFirewall(root: string): boolean {
  if (!existsSync(`${root}/sbin/fw4`)) return false;
  cpSync(`${root}/usr/share/firewall4`, "/usr/share/firewall4", { recursive: true, dereference: true });
  cpSync(`${root}/sbin/fw4`, "/sbin/fw4", { dereference: true });
  run(["ln", "-sfn", `${root}/usr/bin/utpl`, "/usr/sbin/utpl"]);
  writeFileSync("/etc/config/firewall", firewall);
  run(within("ce", ["/sbin/fw4", "start"]));
  return true;
}

function called(protocol: "tcp" | "udp", port: number, own: number): void {
  const { answer } = trafficFrom<Greeting>("server", ce.ipv4, "greet", protocol, port, own);
  demand(
    answer === `${own}`,
    `${protocol} ${port}: ${answer || "no answer"}\n${attempt(within("ce", ["nft", "list", "ruleset"])).stdout}`,
  );
}

/** The server reaches the LAN host by the ports that are forwarded; the line that cannot be done is told. */
export async function forwardsPass(): Promise<string> {
  const services = await startServerOn("lan");
  called("tcp", 4928, 7001);
  called("udp", 4930, 7002);
  await services.stop();
  const told = attempt(within("ce", ["/usr/sbin/mapminctl", "status"])).stdout;
  demand(told.includes(`udp 4930 ${lan.address}:${ports.port}`), told);
  demand(told.includes(`"tcp 80 ${lan.address}" is left out`), told);
  return "reached by TCP and UDP";
}

/** The hook has told miniupnpd's configuration, by OpenWrt's uci, before the rules that were there. */
export async function upnpdTold(): Promise<string> {
  const config = () => readFileSync("/etc/config/upnpd", "utf8");
  await until("the hook", 30_000, () => (config().includes("mapmin_1") ? true : undefined));
  const text = config();
  const order = ["62272-62287", "'deny'", "1024-65535'\n\toption int_addr"].map((words) =>
    text.indexOf(words),
  );
  demand(text.includes(`option external_ip '${ce.ipv4}'`) && text.includes("acl_custom_first '1'"), text);
  demand(order.every((at) => at >= 0) && order.join() === [...order].sort((a, b) => a - b).join(), text);
  return "62272-62287, and no other";
}

/** What the hook had told is gone, and the rest is as it was. */
export async function upnpdAsBefore(openwrt: Openwrt): Promise<string> {
  const show = () => openwrt.uci("-q", "show", "upnpd");
  await until("the hook", 30_000, () => (show().includes("mapmin") ? undefined : true)).catch(
    () => undefined,
  );
  await sleep(200);
  const text = show();
  demand(!/mapmin|external|acl_custom/.test(text) && text.includes("1024-65535"), text);
  return "as it was";
}
