/**
 * The CE as OpenWrt has it: OpenWrt's own ubusd, netifd and odhcp6c, from a directory that the user names (OPENWRT_ROOT, laid
 * out as a router's root). Nothing of OpenWrt is in this repository, so this is no part of `npm test`.
 *
 *   OPENWRT_ROOT/usr/sbin/{ubusd,netifd,odhcp6c}   usr/bin/{ubus,uci,jshn,jsonpath}   usr/share/libubox/jshn.sh
 *   OPENWRT_ROOT/lib/{functions.sh,functions/,config/uci.sh,netifd/}                  sbin/hotplug-call
 *   and, for fw4: usr/bin/utpl   usr/share/firewall4/   sbin/fw4
 */

import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { attempt, type Daemon, run, sleep, start, until, within } from "./command.ts";

const CONFIG = "/etc/config";
const NETIFD_LOG = "/run/lab/netifd.log";

/** What every configuration has: the LAN, and the link to the provider, where odhcp6c asks for a prefix and for option 48879. */
const base = `
config interface 'loopback'
	option device 'lo'
	option proto 'static'
	option ipaddr '127.0.0.1'
	option netmask '255.0.0.0'

config interface 'lan'
	option device 'br-lan'
	option proto 'static'
	option ipaddr '192.168.1.1'
	option netmask '255.255.255.0'

config interface 'wan6'
	option device 'wan'
	option proto 'dhcpv6'
	option reqopts '48879'
	option reqprefix 'auto'

config interface 'wanlink'
	option device '@wan6'
	option proto 'static'
	option ip6addr '2001:db8:f000:1::2/64'
	option ip6gw 'fe80::1'
`;

export interface OpenwrtStatus {
  readonly up: boolean;
  readonly pending: boolean;
  readonly l3_device?: string;
  readonly "ipv4-address"?: readonly { readonly address: string }[];
  readonly errors?: readonly { readonly code: string; readonly data?: readonly string[] }[];
}

export interface Openwrt {
  ubus(...words: readonly string[]): string;
  uci(...words: readonly string[]): string;
  status(name: string): OpenwrtStatus | undefined;
  /** Writes /etc/config/network, `sections` after what every configuration has. */
  configure(sections: string): void;
  reload(): void;
  log(): string;
  restartNetifd(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  restartUbusd(): Promise<void>;
}

/** OpenWrt's scripts need its shell, and its files in their places. */
function install(root: string): void {
  run(["ln", "-sfn", "/usr/bin/busybox", "/bin/sh"]);
  for (const path of [
    "lib/functions.sh",
    "lib/functions",
    "lib/config",
    "lib/netifd",
    "usr/share/libubox",
    "sbin/hotplug-call",
  ]) {
    const from = `${root}/${path}`;
    if (!existsSync(from)) throw new Error(`OPENWRT_ROOT: ${from} is missing`);
    mkdirSync(`/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    cpSync(from, `/${path}`, { recursive: true, force: true, dereference: true });
  }
  for (const [from, name] of [
    ["usr/sbin/ubusd", "ubusd"],
    ["usr/sbin/netifd", "netifd"],
    ["usr/sbin/odhcp6c", "odhcp6c"],
    ["usr/bin/ubus", "ubus"],
    ["usr/bin/uci", "uci"],
    ["usr/bin/jshn", "jshn"],
    ["usr/bin/jsonpath", "jsonfilter"],
  ] as const) {
    if (!existsSync(`/usr/sbin/${name}`)) symlinkSync(`${root}/${from}`, `/usr/sbin/${name}`);
  }
  for (const dir of [
    CONFIG,
    "/var/run/ubus",
    "/tmp/resolv.conf.d",
    "/etc/hotplug.d/iface",
    "/run/lock",
    "/tmp/.uci",
  ]) {
    mkdirSync(dir, { recursive: true });
  }
  const call = readFileSync("/sbin/hotplug-call", "utf8").replace("%PATH%", "/usr/sbin:/usr/bin:/sbin:/bin");
  writeFileSync("/sbin/hotplug-call", call);
  writeFileSync(`${CONFIG}/firewall`, "");
  writeFileSync(`${CONFIG}/system`, "");
}

export async function startOpenwrt(root: string, sections: string): Promise<Openwrt> {
  install(root);
  let ubusd: Daemon;
  let netifd: Daemon;
  const ubus = (...words: readonly string[]) => run(within("ce", ["ubus", "-t", "20", ...words]));
  const openwrt: Openwrt = {
    ubus,
    uci: (...words) => run(within("ce", ["uci", ...words])),
    status(name) {
      const { code, stdout } = attempt(
        within("ce", ["ubus", "-S", "-t", "20", "call", `network.interface.${name}`, "status"]),
      );
      return code === 0 ? (JSON.parse(stdout) as OpenwrtStatus) : undefined;
    },
    configure(added) {
      writeFileSync(`${CONFIG}/network`, `${base}\n${added}\n`);
    },
    reload() {
      ubus("call", "network", "reload");
    },
    log: () => readFileSync(NETIFD_LOG, "utf8"),
    async restartNetifd(signal) {
      if (signal === "SIGTERM") {
        // Like `service network restart`.
        for (const object of ubus("list", "network.interface.*").trim().split("\n")) {
          attempt(within("ce", ["ubus", "-t", "20", "call", object, "down"]));
        }
        await sleep(1_000);
      }
      netifd.child.kill(signal);
      await until(
        "netifd's end",
        20_000,
        () => netifd.child.exitCode ?? netifd.child.signalCode ?? undefined,
      );
      // One that outlives netifd keeps its name on ubus, and the next one of that name ends at once.
      attempt(["pkill", "-x", "odhcp6c"]);
      await startNetifd();
    },
    async restartUbusd() {
      await ubusd.stop();
      await startUbusd();
    },
  };
  async function startUbusd(): Promise<void> {
    ubusd = start(within("ce", ["ubusd", "-s", "/var/run/ubus/ubus.sock"]), "/run/lab/ubusd.log");
    await until("ubusd", 20_000, () =>
      attempt(within("ce", ["ubus", "list"])).code === 0 ? true : undefined,
    );
  }
  async function startNetifd(): Promise<void> {
    netifd = start(
      within("ce", [
        "netifd",
        "-S",
        "-l",
        "4",
        "-s",
        "/var/run/ubus/ubus.sock",
        "-p",
        "/lib/netifd",
        "-c",
        CONFIG,
        "-h",
        "/sbin/hotplug-call",
      ]),
      NETIFD_LOG,
      { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    );
    await until("netifd", 30_000, () =>
      attempt(within("ce", ["ubus", "list", "network.interface"])).code === 0 ? true : undefined,
    );
    await sleep(200);
  }
  openwrt.configure(sections);
  await startUbusd();
  await startNetifd();
  return openwrt;
}
