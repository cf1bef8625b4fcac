/**
 * Ports that programs ask the router for: the real miniupnpd hands out ports of the set alone, by UPnP IGD and by PCP, and they are
 * reached from outside. It has to be told again when the set is another one.
 *
 *     lan host --"a port for me"--> ce: miniupnpd          server --tcp 62272--> ce --> lan host, port 5004
 */

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { startBorderRelay } from "./border-relay.ts";
import { startCapture } from "./capture.ts";
import { attempt, PATIENCE_MS, run, until, within } from "./command.ts";
import { startServer, startServerOn, trafficFrom } from "./lan-host.ts";
import { configurationOf, type optionsOf, setLink, settle } from "./link.ts";
import { type Carrier, ce, edges, inPortSet, lan, publicCe } from "./plan.ts";
import { check, checking, demand, detail, step } from "./report.ts";
import { insertModule, installRouterFiles, type Router, startRouter, waitUp } from "./router.ts";
import { buildTopology } from "./topology.ts";
import type { Greeting, Mapping } from "./traffic.ts";
import { ports } from "./traffic-ports.ts";

const DEVICE = "map-wan_map";
const PORTS = 16;
/** The last range of the set of {@link edges}. */
const LAST = [62_272, 62_288] as const;
const ILLEGAL = 40_000;
const DESCRIPTION = `http://${ce.lanAddress}:5000/rootDesc.xml`;

/** As fw4 writes it, with the lines that our package and miniupnpd's add to it. */
function firewall(): string {
  const ours = readFileSync("/usr/share/nftables.d/chain-post/forward/mapmin.nft", "utf8");
  return `table inet fw4 {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept }
		iifname "br-lan" accept
		jump upnp_forward
${ours}
	}
	chain dstnat { type nat hook prerouting priority dstnat; policy accept; jump upnp_prerouting; }
	chain srcnat {
		type nat hook postrouting priority srcnat; policy accept;
		jump upnp_postrouting
		oifname "${DEVICE}" meta nfproto ipv4 masquerade
	}
	chain upnp_forward { }
	chain upnp_prerouting { }
	chain upnp_postrouting { }
}
`;
}

function program(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

function installUpnpd(): void {
  const tool = `${process.execPath} /lab/cache/lab/upnpd.mjs`;
  mkdirSync("/etc/init.d", { recursive: true });
  mkdirSync("/etc/config", { recursive: true });
  program("/usr/sbin/uci", `exec ${tool} uci "$@"`);
  program("/etc/init.d/miniupnpd", `exec ${tool} init "$@"`);
  // OpenWrt's own: what it allows would be other subscribers' ports.
  writeFileSync(
    "/etc/config/upnpd",
    `config upnpd 'config'
	option enabled '1'

config perm_rule
	option action 'allow'
	option ext_ports '1024-65535'
	option int_addr '0.0.0.0/0'
	option int_ports '1024-65535'
`,
  );
}

/** netifd's event of the MAP interface, as its hotplug script gets it. */
function hotplug(action: "ifup" | "ifupdate" | "ifdown"): void {
  const environment = ["env", `ACTION=${action}`, "INTERFACE=wan_map"];
  run(within("ce", [...environment, "sh", "-c", ". /etc/hotplug.d/iface/30-mapmin"]));
}

function upnpc(...words: readonly (string | number)[]): string {
  const { stdout, stderr } = attempt(within("lan", ["upnpc", "-u", DESCRIPTION, ...words.map(String)]));
  return stdout + stderr;
}

/** The port that an answer of upnpc's names. */
function granted(answer: string): number {
  const [, port] = /external \S+:(\d+) \S+ is redirected/.exec(answer) ?? [];
  demand(port !== undefined, answer);
  return Number(port);
}

async function reached(port: number, set: readonly [number, number], protocol: "tcp" | "udp" = "tcp") {
  demand(port >= set[0] && port < set[1], `${port} is not one of ${set[0]} to ${set[1] - 1}`);
  const { answer } = trafficFrom<Greeting>(
    "server",
    publicCe.ipv4,
    "greet",
    protocol,
    port,
    7000 + (port % 100),
  );
  demand(answer === `${7000 + (port % 100)}`, `port ${port}: ${answer || "no answer"}`);
  return `${port}`;
}

async function miniupnpdRuns(): Promise<void> {
  await until("miniupnpd", PATIENCE_MS, () =>
    attempt(within("lan", ["upnpc", "-u", DESCRIPTION, "-s"])).code === 0 ? true : undefined,
  );
}

async function asking(name: (text: string) => string, set: readonly [number, number]): Promise<void> {
  await miniupnpdRuns();
  await checking(name("the address that it tells is the shared one"), () => {
    const status = upnpc("-s");
    demand(status.includes(`ExternalIPAddress = ${publicCe.ipv4}`), status);
    return publicCe.ipv4;
  });
  await checking(name("UPnP: a port of the set is given, and reached"), () =>
    reached(granted(upnpc("-a", lan.address, ports.hold, set[0], "TCP")), set),
  );
  await checking(name("UPnP: another port is refused"), () => {
    const answer = upnpc("-a", lan.address, ports.hold, ILLEGAL, "TCP");
    const [refusal] = /AddPortMapping\([^\n]*failed[^\n]*/.exec(answer) ?? [];
    demand(refusal !== undefined, answer);
    return refusal ?? "";
  });
  await checking(name("UPnP: who asks for any port gets one of the set"), () =>
    reached(granted(upnpc("-n", lan.address, ports.hold, ILLEGAL, "TCP")), set),
  );
  await checking(name("PCP: who asks for another port gets one of the set"), () => {
    const { code, port, address } = trafficFrom<Mapping>(
      "lan",
      ce.lanAddress,
      "pcp",
      "udp",
      ports.port,
      ILLEGAL,
    );
    demand(code === 0 && address === publicCe.ipv4, `code ${code}, ${address}:${port}`);
    return reached(port, set, "udp");
  });
}

async function renumbered(router: Router): Promise<string> {
  await setLink(router, { of: edges[1].prefix });
  await router.call("network.interface", "renew", { interface: "wan_map" });
  await settle(router, "wan_map");
  hotplug("ifupdate");
  const config = readFileSync("/etc/config/upnpd", "utf8");
  demand(config.includes(`'${LAST[0] + 16}-${LAST[1] + 15}'`), config);
  demand(!config.includes(`${LAST[0]}-`), config);
  return `${LAST[0] + 16}-${LAST[1] + 15}`;
}

async function takenBack(router: Router): Promise<string> {
  await router.call("lab", "unconfigure", { name: "wan_map" });
  hotplug("ifdown");
  const config = readFileSync("/etc/config/upnpd", "utf8");
  demand(!config.includes("mapmin") && !config.includes("external"), config);
  return "as it was";
}

const carriers = [
  ["map-t", "module"],
  ["map-e", "nftables"],
] as const satisfies readonly (readonly [keyof typeof optionsOf, Carrier])[];

export async function upnp(): Promise<void> {
  step("UPnP and PCP inside the port set, by the real miniupnpd");
  await buildTopology();
  installRouterFiles();
  installUpnpd();
  insertModule();
  const serving = [await startServer(), await startServerOn("lan")];
  const router = await startRouter();
  run(within("ce", ["nft", "-f", "-"]), firewall());
  for (const [maptype, carrier] of carriers) {
    const title = `${maptype} by ${carrier === "module" ? "the module" : carrier}`;
    const name = (text: string) => `${title}: ${text}`;
    const relay = await startBorderRelay(maptype, [publicCe]);
    await setLink(router, {});
    const config = {
      ...configurationOf(maptype, carrier),
      ipaddr: publicCe.rulePrefix,
      upnp_ports: PORTS,
    };
    await router.call("lab", "configure", { name: "wan_map", config });
    await waitUp(router, "wan_map");
    hotplug("ifup");
    const capture = await startCapture();
    await asking(name, LAST);
    const { fromCe, outside } = await capture.stop();
    check(
      name("nothing left from outside the port set"),
      outside.length === 0 && fromCe > 0,
      `${outside.length} of ${fromCe} packets`,
    );
    await checking(name("another set: miniupnpd learns of it"), () => renumbered(router));
    await miniupnpdRuns();
    await checking(name("and hands out its ports"), () => {
      const port = granted(upnpc("-n", lan.address, ports.hold, LAST[0], "TCP"));
      demand(inPortSet(port, edges[1].psid), `${port}`);
      return `${port}`;
    });
    await checking(name("without the interface, miniupnpd's configuration is as it was"), () =>
      takenBack(router),
    );
    await relay.stop();
  }
  detail(existsSync("/run/lab/miniupnpd.conf") ? readFileSync("/run/lab/miniupnpd.conf", "utf8") : "");
  for (const daemon of serving) await daemon.stop();
  await router.stop();
}
