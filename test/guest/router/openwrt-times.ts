/**
 * By hand, as the walk is: how long netifd waits for a MAP-E interface of 63 ranges, by OpenWrt's package `map`, and by ours on QuickJS
 * and on Node, in turns. OPENWRT_ROOT/stock has that package's map.sh and mapcalc. By nftables: the package has no module.
 */

import { chmodSync, copyFileSync, existsSync, readFileSync, symlinkSync } from "node:fs";
import { attempt, run, sleep, until } from "./command.ts";
import { startDhcpServer } from "./kea.ts";
import { startOpenwrt } from "./openwrt.ts";
import { borderRelay } from "./plan.ts";
import { check, detail, step } from "./report.ts";
import { installRouterFiles, QJS, writeEngine } from "./router.ts";
import { buildTopology } from "./topology.ts";

const SCRIPT = "/lib/netifd/proto/map.sh";
const ROUNDS = 9;
/** Most of what the package takes. */
const LIMITS = { qjs: 0.35, node: 0.6 };

const section = `
config interface 'wan_map'
	option proto 'map'
	option maptype 'map-e'
	option tunlink 'wan6'
	option ipaddr '192.0.2.0'
	option ip4prefixlen '24'
	option ip6prefix '2001:db8::'
	option ip6prefixlen '40'
	option ealen '14'
	option psidlen '6'
	option offset '6'
	option peeraddr '${borderRelay.tunnelAddress}'
	option nat 'nftables'
`;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

export async function openwrtTimes(root: string): Promise<void> {
  await buildTopology();
  installRouterFiles();
  copyFileSync(SCRIPT, "/run/lab/ours.sh");
  symlinkSync(`${root}/stock/mapcalc`, "/usr/sbin/mapcalc");
  await startDhcpServer({ prefix: true });
  step("OpenWrt's ubusd and netifd start; odhcp6c asks Kea");
  const openwrt = await startOpenwrt(root, section);
  const netifd = run(["pgrep", "-x", "netifd"]).trim().split("\n")[0];
  const there = () => readFileSync(`/proc/${netifd}/net/dev`, "utf8").includes("map-wan_map");
  await until("the prefix", 60_000, () => (openwrt.status("wan6")?.up === true ? true : undefined));
  const variants = {
    stock: () => copyFileSync(`${root}/stock/map.sh`, SCRIPT),
    qjs: () => {
      copyFileSync("/run/lab/ours.sh", SCRIPT);
      writeEngine(QJS);
    },
    node: () => {
      copyFileSync("/run/lab/ours.sh", SCRIPT);
      writeEngine(process.execPath);
    },
  };
  const found: Record<string, number[]> = {};
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, use] of Object.entries(variants)) {
      openwrt.ubus("call", "network.interface.wan_map", "down");
      await until("the device to go", 60_000, () => (there() ? undefined : true));
      await sleep(1_000);
      use();
      chmodSync(SCRIPT, 0o755);
      const start = process.hrtime.bigint();
      openwrt.ubus("call", "network.interface.wan_map", "up");
      const end = Date.now() + 60_000;
      while (!there()) {
        if (Date.now() > end)
          throw new Error(`${name}: ${JSON.stringify(openwrt.status("wan_map"))}\n${openwrt.log()}`);
        await sleep(2);
      }
      const ms = Number(process.hrtime.bigint() - start) / 1e6;
      // The first round fills the caches.
      if (round >= 0) found[name] = [...(found[name] ?? []), ms];
      await sleep(500);
      if (openwrt.status("wan_map")?.up !== true) throw new Error(`${name} is not up`);
    }
  }
  const stock = median(found["stock"] ?? []);
  for (const [name, values] of Object.entries(found)) {
    detail(
      `${name.padEnd(6)} ${median(values).toFixed(0)} ms  ${values.map((value) => value.toFixed(0)).join(" ")}`,
    );
  }
  for (const [name, limit] of Object.entries(LIMITS)) {
    const ratio = median(found[name] ?? []) / stock;
    check(`setup on ${name}, of the package's`, ratio <= limit, `${ratio.toFixed(2)}, at most ${limit}`);
  }
  detail(existsSync("/tmp/map.log") ? attempt(["tail", "-3", "/tmp/map.log"]).stdout : "no log");
}
