/**
 * The main job, for one transport, end to end:
 *
 *   Kea --48879, prefix--> dhcpcd --> odhcp6c hook --> netifd --> handler --> kernel;   lan == ce == pn == br == server
 */

import { readFileSync } from "node:fs";
import { type BorderRelay, moveTunnel, startBorderRelay } from "./border-relay.ts";
import { startCapture } from "./capture.ts";
import { attempt, PATIENCE_MS, run, sleep, start, until, within } from "./command.ts";
import { startDhcpClient } from "./dhcp-client.ts";
import { startDhcpServer } from "./kea.ts";
import { startServer, traffic, trafficIn } from "./lan-host.ts";
import { leftSince, type Snapshot, snapshot } from "./leftovers.ts";
import { setLink, settle } from "./link.ts";
import {
  type Carrier,
  ce,
  endUserPrefix,
  fmr,
  inPortSet,
  option48879,
  portSetSize,
  server,
  type Transport,
} from "./plan.ts";
import { check, checking, demand, detail, step } from "./report.ts";
import {
  insertModule,
  installRouterFiles,
  MAP_INTERFACE,
  type Router,
  startRouter,
  waitUp,
} from "./router.ts";
import { buildTopology } from "./topology.ts";
import type { Echo, Flows, Transfer } from "./traffic.ts";

const TRANSFER_OCTETS = 50_000_000;
const FLOWS = 300;
/** Linux asks again after 1, 3 and 7 s: a flow refused at first may get its port then. */
const QUIET_SECONDS = 8;

const titles: Readonly<Record<Transport, string>> = {
  "map-t": "MAP-T (RFC 7599, translation)",
  "map-e": "MAP-E (RFC 7597, encapsulation)",
};

async function transfers(name: (text: string) => string): Promise<void> {
  step(`50 MB by TCP each way between the LAN host and ${server.address}`);
  for (const direction of ["download", "upload"] as const) {
    await checking(name(`TCP ${direction} of 50 MB, checksum`), () => {
      const result = traffic<Transfer>(direction, TRANSFER_OCTETS);
      demand(result.octets === TRANSFER_OCTETS, `${result.octets} octets arrived`);
      demand(result.sent === result.received, `sent ${result.sent}, arrived ${result.received}`);
      return `sha256 ${result.received.slice(0, 16)}...`;
    });
  }
}

async function datagrams(name: (text: string) => string): Promise<void> {
  step("UDP datagrams of 1,400 and 1,472 octets, there and back");
  await checking(name("UDP of 1,400 and 1,472 octets, each way"), () => {
    const echoes = traffic<readonly Echo[]>("udp", 1400, 1472);
    const lost = echoes.filter(({ ok }) => !ok).map(({ size }) => size);
    demand(lost.length === 0, `lost: ${lost.join(", ")} octets`);
    return echoes.map(({ size, tries }) => `${size} (try ${tries})`).join(", ");
  });
}

async function diagnostics(name: (text: string) => string): Promise<void> {
  step("ping and traceroute from the LAN host");
  await checking(name("ping"), () => {
    const { stdout } = attempt(
      within("lan", ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", server.address]),
    );
    const summary = stdout.split("\n").find((line) => line.includes("packets transmitted")) ?? stdout;
    demand(summary.includes("3 received"), summary);
    return summary;
  });
  await checking(name("traceroute"), () => {
    const { stdout } = attempt(
      within("lan", ["traceroute", "-n", "-q", "1", "-w", "1", "-m", "12", server.address]),
    );
    detail(stdout);
    const hops = stdout.trim().split("\n").slice(1);
    demand(hops[0]?.includes(ce.lanAddress) === true, "the first hop is not the CE");
    demand(hops.at(-1)?.includes(server.address) === true, "the server was not reached");
    return `${hops.length} hops`;
  });
}

/** Opens them; what comes back waits for the others' failure and judges the outcome. They stay open meanwhile. */
async function manyFlows(name: (text: string) => string): Promise<() => Promise<void>> {
  step(`${FLOWS} TCP connections at once to one server and port; the set has ${portSetSize} ports`);
  detail(
    `(given up when none got through for ${QUIET_SECONDS} s; the transfers below run while the others are held open)`,
  );
  const output = "/run/lab/flows.json";
  const flows = start(trafficIn("lan", "flows", FLOWS, QUIET_SECONDS), output);
  const lines = () => readFileSync(output, "utf8").trim().split("\n");
  await until("the flows to open", PATIENCE_MS, () =>
    flows.child.exitCode !== null || lines()[0] !== "" ? true : undefined,
  );
  return async () => {
    await checking(name(`of ${FLOWS} flows ${portSetSize} succeed, the rest fail cleanly`), async () => {
      await until("the flows to end", 120_000, () => (flows.child.exitCode === null ? undefined : true));
      const result = JSON.parse(lines().at(-1) ?? "") as Flows;
      const failures = Object.entries(result.failures).map(([how, count]) => `${count} ${how}`);
      const text = `${result.succeeded} succeeded; ${failures.join(", ")}`;
      demand(result.succeeded === portSetSize, text);
      demand(new Set(result.ports).size === portSetSize, "a port was used twice");
      const outside = result.ports.filter((port) => !inPortSet(port));
      demand(outside.length === 0, `the server saw ports ${outside.join(", ")}`);
      return text;
    });
  };
}

async function allTraffic(name: (text: string) => string): Promise<void> {
  const serving = await startServer();
  const capture = await startCapture();
  await diagnostics(name);
  await datagrams(name);
  const flowsEnd = await manyFlows(name);
  await transfers(name);
  await flowsEnd();
  const verdict = await capture.stop();
  await serving.stop();
  const kinds = Object.entries(verdict.protocols).map(([kind, count]) => `${count} ${kind}`);
  step("The capture between CE and border relay");
  detail(`${verdict.fromCe} packets from the CE: ${kinds.join(", ")}, ${verdict.fragments} later fragments`);
  for (const packet of verdict.outside.slice(0, 5)) detail(`outside the set: ${packet}`);
  const complete = verdict.lost === 0 && verdict.fromCe > 1_000;
  check(
    name("nothing left from outside the port set"),
    complete && verdict.outside.length === 0 && "icmp echo" in verdict.protocols,
    `${verdict.outside.length} of ${verdict.fromCe} packets${verdict.lost === 0 ? "" : `, ${verdict.lost} not seen`}`,
  );
}

async function provision(transport: Transport, router: Router, name: (text: string) => string) {
  step(`Kea starts in the provider's network: delegates ${endUserPrefix.address}/56 and sends option 48879`);
  detail(option48879[transport]);
  const kea = await startDhcpServer({ option: option48879[transport], prefix: true });
  const client = startDhcpClient();
  step("dhcpcd on the CE asks for a prefix and the option");
  await until("a lease", PATIENCE_MS, () => (client.log().includes("delegated prefix") ? true : undefined));
  check(
    name("DHCPv6 lease from Kea"),
    kea.log().includes("DHCP6_PD_LEASE_ALLOC"),
    `${endUserPrefix.address}/56`,
  );
  await until("the hook", PATIENCE_MS, async () => ((await router.status(MAP_INTERFACE)) ? true : undefined));
  step(`The odhcp6c hook offers the interface ${MAP_INTERFACE} to netifd, and netifd calls the handler`);
  const status = await waitUp(router, MAP_INTERFACE);
  // netifd has it up before the handler writes down that it is.
  await settle(router, MAP_INTERFACE);
  const [address] = status["ipv4-address"];
  check(
    name("the handler sets the interface up"),
    address?.address === ce.ipv4,
    `${address?.address}/${address?.mask}`,
  );
  const mapminctl = ["/usr/sbin/mapminctl", "status"];
  const shown = attempt(within("ce", mapminctl));
  detail(shown.stdout);
  const [told] = JSON.parse(attempt(within("ce", [...mapminctl, "--json"])).stdout);
  check(
    name("mapminctl status tells it"),
    shown.code === 0 &&
      told.up === true &&
      told.ipv4 === `${ce.ipv4}/32` &&
      told.ports === portSetSize &&
      told.nat.loaded === true,
    `${told.ipv4}, PSID ${told.psid}, ${told.ports} ports, rule from ${told.source}, NAT by ${told.natBy}`,
  );
  return { kea, client };
}

/** The provider changes what is not our address: a connection that is open goes on. */
async function connectionGoesOn(
  transport: Transport,
  router: Router,
  name: (text: string) => string,
): Promise<void> {
  step("A TCP connection stays open while the provider changes what is not our address");
  const serving = await startServer();
  const log = "/run/lab/open.log";
  const connection = start(trafficIn("lan", "open"), log);
  const answered = async () => {
    const from = Date.now();
    await until("what the connection sends from now on", 30_000, () => {
      demand(connection.child.exitCode === null, "the connection is broken");
      const sent = readFileSync(log, "utf8").split("\n").slice(0, -1);
      return sent.some((time) => Number(time) > from) ? true : undefined;
    });
  };
  await answered();
  const option = option48879[transport];
  const changes: readonly (readonly [string, string, () => void])[] = [
    ["another MTU", option, () => run(["ip", "-n", "ce", "link", "set", "wan", "mtu", "1480"])],
    ["an FMR", option + fmr, () => undefined],
    ["another border relay", option.replace(/1$/, "2") + fmr, moveTunnel],
  ];
  for (const [what, next, change] of changes) {
    // A translator of the lab's has one prefix.
    if (transport === "map-t" && what === "another border relay") continue;
    await checking(name(`a connection goes on: ${what}`), async () => {
      change();
      const before = renewals().length;
      await setLink(router, { option: next });
      await router.call("network.interface", "renew", { interface: MAP_INTERFACE });
      const last = await until("the renewal", PATIENCE_MS, () => renewals()[before]);
      const [, changed] = /; changed: (.*)$/.exec(last) ?? [];
      demand(changed !== undefined, `the renewal changed nothing: ${last}`);
      await answered();
      return `changed: ${changed}`;
    });
  }
  await connection.stop();
  await serving.stop();
  run(["ip", "-n", "ce", "link", "set", "wan", "mtu", "1500"]);
}

/** What the log says of the renewals that went well. */
function renewals(): readonly string[] {
  return readFileSync("/tmp/map.log", "utf8")
    .split("\n")
    .filter((line) => line.includes(" ok renew | "));
}

async function takeAway(router: Router, before: Snapshot, name: (text: string) => string): Promise<void> {
  step(`Teardown: ubus call network.interface down {"interface":"${MAP_INTERFACE}"}`);
  await router.call("network.interface", "down", { interface: MAP_INTERFACE });
  await sleep(200);
  // The hook's notes of the lease that it acted upon belong to the lease.
  const left = (await leftSince(before)).filter(
    (line) => !/^file \/run\/mapmin\/wan6\.(lease|look|turn)$/.test(line),
  );
  for (const line of left) detail(`left behind: ${line}`);
  check(
    name("nothing is left after teardown"),
    left.length === 0,
    left.length === 0 ? "" : `${left.length} things`,
  );
}

export async function walk(transport: Transport, carrier: Carrier = "module"): Promise<void> {
  const title = carrier === "module" ? transport.toUpperCase() : `${transport.toUpperCase()} by ${carrier}`;
  const name = (text: string) => `${title}: ${text}`;
  step(`${titles[transport]}: network namespaces lan - ce - provider network - br - server`);
  await buildTopology();
  installRouterFiles();
  if (carrier === "module") check(name("mapmint.ko loads"), insertModule());
  const relay: BorderRelay = await startBorderRelay(transport);
  step(
    transport === "map-t"
      ? "The border relay is tayga, a translator we did not write"
      : "The border relay is the kernel's own ip6_tunnel",
  );
  const router = await startRouter();
  const before = snapshot();
  const { kea, client } = await provision(transport, router, name);
  await allTraffic(name);
  await connectionGoesOn(transport, router, name);
  await takeAway(router, before, name);
  await client.stop();
  await kea.stop();
  await relay.stop();
  await router.stop();
  step("/tmp/map.log");
  detail(readFileSync("/tmp/map.log", "utf8"));
}
