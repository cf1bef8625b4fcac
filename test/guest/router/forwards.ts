/**
 * Port forwards of `list forward`, for each transport as the handler sets it up, beside a firewall as fw4 writes it: a zone
 * wan that masquerades and lets nothing in, and our line at the end of its chain `forward`.
 *
 *     server --tcp 4928--> ce --> lan host, port 5004          lan host, port 5060 --> ce --port 4931--> server
 */

import { readFileSync } from "node:fs";
import { startBorderRelay } from "./border-relay.ts";
import { startCapture } from "./capture.ts";
import { attempt, run, within } from "./command.ts";
import { startServer, startServerOn, traffic, trafficFrom } from "./lan-host.ts";
import { carriers, configurationOf, setLink } from "./link.ts";
import { ce, inPortSet, lan, portSetSize } from "./plan.ts";
import { check, checking, demand, detail, step } from "./report.ts";
import { insertModule, installRouterFiles, startRouter, waitUp } from "./router.ts";
import { buildTopology } from "./topology.ts";
import type { Filled, Greeting } from "./traffic.ts";
import { ports } from "./traffic-ports.ts";

const DEVICE = "map-wan_map";
/** Ports of the LAN host that nothing listens on: from there it sends. */
const FROM = { tcp: 5061, udp: 5060 };

const good = [
  `tcp 4928 ${lan.address}:${ports.hold}`,
  `udp 4930 ${lan.address}:${ports.port}`,
  `udp 4931 ${lan.address}:${FROM.udp}`,
  `tcp 4932 ${lan.address}:${FROM.tcp}`,
  `tcpudp 9024-9025 ${lan.address}:${ports.hold}`,
];
/** Ports of the set in the lines above. */
const FORWARDED = [4928, 4930, 4931, 4932, 9024, 9025];
const refused = [`tcp 80 ${lan.address}`, `udp 4931 ${lan.address}:9`, "tcp 4940 nas"];

function zones(offload: boolean): string {
  const ours = readFileSync("/usr/share/nftables.d/chain-post/forward/mapmin.nft", "utf8");
  return `table inet fw4
delete table inet fw4
table inet fw4 {
	${offload ? 'flowtable ft { hook ingress priority filter; devices = { "br-lan", "wan" }; }' : ""}
	chain forward {
		type filter hook forward priority filter; policy drop;
		${offload ? "meta l4proto { tcp, udp } flow add @ft" : ""}
		ct state vmap { established : accept, related : accept }
		iifname "br-lan" oifname "${DEVICE}" accept
		iifname "br-lan" oifname "br-lan" accept
${ours}
	}
	chain srcnat {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "${DEVICE}" meta nfproto ipv4 masquerade
	}
}
`;
}

/** What the LAN host's services see of a caller: its port. */
function called(from: "server" | "lan", protocol: "tcp" | "udp", port: number, own = 0): string {
  const { answer } = trafficFrom<Greeting>(from, ce.ipv4, "greet", protocol, port, own);
  return answer;
}

/** What the server sees of the LAN host, which sends from a port of its own. */
function seen(protocol: "tcp" | "udp"): string {
  const service = protocol === "tcp" ? ports.hold : ports.port;
  return traffic<Greeting>("greet", protocol, service, FROM[protocol]).answer;
}

function demandSame(found: string, expected: string): string {
  demand(found === expected, `${found || "no answer"}, and not ${expected}`);
  return found;
}

function everyOtherPort(): string {
  attempt(within("ce", ["conntrack", "-F"]));
  const count = portSetSize - FORWARDED.length;
  const { answered, ports: used } = traffic<Filled>("fill", count);
  const taken = used.filter((port) => FORWARDED.includes(port) || !inPortSet(port));
  demand(taken.length === 0, `flows have ${taken.join(", ")}`);
  // The kernel's own NAT looks for a port by chance, and misses the last ones.
  demand(new Set(used).size === answered && answered > 0.9 * count, `${answered} of ${count}`);
  return `${answered} of ${count}`;
}

function told(): string {
  const { stdout } = attempt(within("ce", ["/usr/sbin/mapminctl", "status", "--json"]));
  const [entry] = JSON.parse(stdout) as readonly { readonly forwards?: string; readonly remarks?: string }[];
  demandSame(entry?.forwards ?? "", good.join(", "));
  for (const line of refused) demand(entry?.remarks?.includes(`"${line}" is left out`) === true, stdout);
  return entry?.remarks ?? "";
}

export async function forwards(): Promise<void> {
  step("Port forwards, both ways");
  await buildTopology();
  installRouterFiles();
  insertModule();
  const serving = [await startServer(), await startServerOn("lan")];
  const router = await startRouter();
  await setLink(router, {});
  const pattern = process.env["guest_case"] ?? "";
  for (const [maptype, carrier] of carriers) {
    const title = `${maptype} by ${carrier === "module" ? "the module" : carrier}`;
    if (!title.includes(pattern)) continue;
    const relay = await startBorderRelay(maptype === "map-t" ? "map-t" : "map-e");
    const config = { ...configurationOf(maptype, carrier), forward: [...good, ...refused] };
    await router.call("lab", "configure", { name: "wan_map", config });
    await waitUp(router, "wan_map");
    await checking(`${title}: status tells what is forwarded, and what cannot be`, told);
    const capture = await startCapture();
    // A flow that is offloaded passes the rules of nftables' NAT by.
    for (const offload of carrier === "module" ? [false, true] : [false]) {
      run(within("ce", ["nft", "-f", "-"]), zones(offload));
      const name = (text: string) => `${title}, flow offload ${offload ? "on" : "off"}: ${text}`;
      await checking(name("the server reaches the LAN host by TCP"), () =>
        demandSame(called("server", "tcp", 4928, 7001), "7001"),
      );
      await checking(name("and by UDP"), () => demandSame(called("server", "udp", 4930, 7002), "7002"));
      await checking(name("and by a port of a range"), () =>
        demandSame(called("server", "tcp", 9024, 7003), "7003"),
      );
      await checking(name("what the host sends by UDP leaves from its port"), () =>
        demandSame(seen("udp"), "4931"),
      );
      await checking(name("and by TCP"), () => demandSame(seen("tcp"), "4932"));
      await checking(name("the LAN reaches it by our own address"), () => {
        const answer = called("lan", "tcp", 4928);
        demand(answer !== "", "no answer");
        return answer;
      });
      await checking(name("NAT gives all other ports to flows"), everyOtherPort);
    }
    const { fromCe, outside, lost } = await capture.stop();
    for (const packet of outside.slice(0, 5)) detail(`outside the set: ${packet}`);
    check(
      `${title}: nothing left from outside the port set`,
      outside.length === 0 && lost === 0 && fromCe > (carrier === "module" ? 1.8 : 0.9) * portSetSize,
      `${outside.length} of ${fromCe} packets, ${lost} not seen`,
    );
    await router.call("lab", "unconfigure", { name: "wan_map" });
    const left = attempt(within("ce", ["nft", "list", "tables"])).stdout;
    check(`${title}: no table is left`, !left.includes("mapmin"), left.trim().replaceAll("\n", ", "));
    await relay.stop();
  }
  for (const daemon of serving) await daemon.stop();
  await router.stop();
}
