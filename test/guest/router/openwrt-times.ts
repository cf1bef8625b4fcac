/**
 * By hand, as the walk is: how long netifd waits for a MAP-E interface of 63 ranges and what memory that takes, by OpenWrt's package `map`,
 * and by ours on QuickJS and on Node, in turns; and the commands of ours. OPENWRT_ROOT/stock has that package's map.sh and mapcalc. By
 * nftables: the package has no module.
 */

import {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { attempt, run, sleep, until, within } from "./command.ts";
import { startDhcpServer } from "./kea.ts";
import { type Openwrt, startOpenwrt } from "./openwrt.ts";
import { borderRelay, endUserPrefix, option48879 } from "./plan.ts";
import { check, detail, step } from "./report.ts";
import { installRouterFiles, QJS, writeEngine } from "./router.ts";
import { buildTopology } from "./topology.ts";

const SCRIPT = "/lib/netifd/proto/map.sh";
/** Of these the first fills the caches; the last ones are about memory, because to measure it takes time. */
const ROUNDS = 13;
const MEMORY_ROUNDS = 3;
/** Most of what the package's setup takes of time. */
const LIMITS = { qjs: 0.35, node: 0.6 };

const engines = { qjs: QJS, node: process.execPath };

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
/** The same for mapcalc, as the package's map.sh puts it. */
const rule = `type=map-e,ipv6prefix=2001:db8::,prefix6len=40,ipv4prefix=192.0.2.0,prefix4len=24,psidlen=6,offset=6,ealen=14,br=${borderRelay.tunnelAddress}`;

const found = new Map<string, { readonly ms: number[]; readonly kib: number[] }>();

function note(name: string, kind: "ms" | "kib", value: number): void {
  const of = found.get(name) ?? { ms: [], kib: [] };
  found.set(name, of);
  of[kind].push(value);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

const since = (start: bigint): number => Number(process.hrtime.bigint() - start) / 1e6;

/** What comes before a program so that the file tells the most memory that it, or one that it waited for, had. */
const weigh = (file: string): readonly string[] => ["/usr/bin/time", "-q", "-o", file, "-f", "%M"];
const weightIn = (file: string): number => Number(readFileSync(file, "utf8"));

/** A command's time and memory. Entering the namespace counts as time: `true` says how much that is. */
function measure(name: string, argv: readonly string[], round: number): void {
  const start = process.hrtime.bigint();
  run(within("ce", argv));
  if (round > 0) note(name, "ms", since(start));
  if (round < ROUNDS - MEMORY_ROUNDS) return;
  run(within("ce", [...weigh("/run/lab/weight"), ...argv]));
  note(name, "kib", weightIn("/run/lab/weight"));
}

function measureCommands(round: number): void {
  measure("true", ["/usr/bin/true"], round);
  measure("mapcalc", ["mapcalc", "wan6", rule], round);
  const explain = [
    "explain",
    option48879["map-e"],
    "--pd",
    `${endUserPrefix.address}/${endUserPrefix.length}`,
  ];
  for (const [engine, path] of Object.entries(engines)) {
    writeEngine(path);
    for (const words of [["--version"], explain, ["status"]]) {
      measure(`mapminctl ${words[0]} ${engine}`, ["/usr/sbin/mapminctl", ...words], round);
    }
  }
}

/** One setup by the handler that is at `path`, of which the time or the memory is noted. */
async function measureSetup(openwrt: Openwrt, name: string, path: string, round: number): Promise<void> {
  const netifd = run(["pgrep", "-x", "netifd"]).trim().split("\n")[0];
  const there = () => readFileSync(`/proc/${netifd}/net/dev`, "utf8").includes("map-wan_map");
  openwrt.ubus("call", "network.interface.wan_map", "down");
  await until("the device to go", 60_000, () => (there() ? undefined : true));
  await sleep(1_000);
  const weighing = round >= ROUNDS - MEMORY_ROUNDS;
  const weight = "/run/lab/setup.weight";
  rmSync(weight, { force: true });
  if (weighing) {
    const words = weigh("/run/lab/$2.weight").join(" ");
    writeFileSync(SCRIPT, `#!/bin/sh\nexec ${words} ${path} "$@"\n`);
  } else copyFileSync(path, SCRIPT);
  chmodSync(SCRIPT, 0o755);
  const start = process.hrtime.bigint();
  openwrt.ubus("call", "network.interface.wan_map", "up");
  const end = Date.now() + 60_000;
  while (!there()) {
    if (Date.now() > end)
      throw new Error(`${name}: ${JSON.stringify(openwrt.status("wan_map"))}\n${openwrt.log()}`);
    await sleep(2);
  }
  const ms = since(start);
  await sleep(500);
  if (openwrt.status("wan_map")?.up !== true) throw new Error(`${name} is not up`);
  if (weighing) {
    await until("the setup's end", 60_000, () =>
      existsSync(weight) && weightIn(weight) > 0 ? true : undefined,
    );
    note(name, "kib", weightIn(weight));
  } else if (round > 0) note(name, "ms", ms);
}

function tellTable(): void {
  detail(
    "medians; the memory is that of the biggest process, as the sum of what ran at one time is not known",
  );
  for (const [name, { ms, kib }] of found) {
    const [least = 0, most = 0] = [Math.min(...ms), Math.max(...ms)];
    const time = `${median(ms).toFixed(1).padStart(7)} ms (${least.toFixed(1)} to ${most.toFixed(1)})`;
    detail(`${name.padEnd(24)} ${time.padEnd(32)} ${(median(kib) / 1024).toFixed(1).padStart(5)} MiB`);
  }
}

export async function openwrtTimes(root: string): Promise<void> {
  await buildTopology();
  installRouterFiles();
  if (!existsSync("/usr/bin/time")) throw new Error("install the Debian package time");
  copyFileSync(SCRIPT, "/run/lab/ours.sh");
  copyFileSync(`${root}/stock/map.sh`, "/run/lab/stock.sh");
  for (const path of ["/run/lab/ours.sh", "/run/lab/stock.sh"]) chmodSync(path, 0o755);
  symlinkSync(`${root}/stock/mapcalc`, "/usr/sbin/mapcalc");
  await startDhcpServer({ prefix: true });
  step("OpenWrt's ubusd and netifd start; odhcp6c asks Kea");
  const openwrt = await startOpenwrt(root, section);
  await until("the prefix", 60_000, () => (openwrt.status("wan6")?.up === true ? true : undefined));
  for (let round = 0; round < ROUNDS; round++) {
    await measureSetup(openwrt, "setup stock", "/run/lab/stock.sh", round);
    for (const [engine, path] of Object.entries(engines)) {
      writeEngine(path);
      await measureSetup(openwrt, `setup ${engine}`, "/run/lab/ours.sh", round);
    }
    measureCommands(round);
  }
  tellTable();
  const time = (name: string) => median(found.get(`setup ${name}`)?.ms ?? []);
  for (const [name, limit] of Object.entries(LIMITS)) {
    const ratio = time(name) / time("stock");
    check(`setup on ${name}, of the package's`, ratio <= limit, `${ratio.toFixed(2)}, at most ${limit}`);
  }
  detail(existsSync("/tmp/map.log") ? attempt(["tail", "-3", "/tmp/map.log"]).stdout : "no log");
}
