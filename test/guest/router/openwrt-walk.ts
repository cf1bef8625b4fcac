/** The life of a MAP interface under OpenWrt's own netifd, with traffic from the LAN all the time. */

import { readFileSync } from "node:fs";
import { startBorderRelay } from "./border-relay.ts";
import { attempt, PATIENCE_MS, run, sleep, until, within } from "./command.ts";
import { startDhcpServer } from "./kea.ts";
import { startServer } from "./lan-host.ts";
import { handlerPids } from "./leftovers.ts";
import { type Openwrt, type OpenwrtStatus, startOpenwrt } from "./openwrt.ts";
import {
  forwardsPass,
  installUpnpd,
  portOptions,
  startFirewall,
  upnpdAsBefore,
  upnpdTold,
} from "./openwrt-ports.ts";
import { borderRelay, type Carrier, ce, option48879, otherCe, server, type Transport } from "./plan.ts";
import { checking, demand, detail, step } from "./report.ts";
import { insertModule, installRouterFiles } from "./router.ts";
import { startSteadyTraffic } from "./steady-traffic.ts";
import { buildTopology } from "./topology.ts";

const OFFERED = "wan6_4";

async function waitFor(
  openwrt: Openwrt,
  name: string,
  what: string,
  holds: (status: OpenwrtStatus | undefined) => boolean,
  ms = PATIENCE_MS,
): Promise<OpenwrtStatus | undefined> {
  let last: OpenwrtStatus | undefined;
  try {
    await until(`${name} ${what}`, ms, () => {
      last = openwrt.status(name);
      return holds(last) ? true : undefined;
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const log = attempt(["cat", "/tmp/map.log"]).stdout.split("\n").slice(-25).join("\n");
    throw new Error(
      `${reason}; status ${JSON.stringify(last)}\nthe link: ${JSON.stringify(openwrt.status("wan6"))}\n/tmp/map.log:\n${log}\nnetifd:\n${openwrt.log().split("\n").slice(-25).join("\n")}`,
    );
  }
  return last;
}

const up =
  (address: string = ce.ipv4) =>
  (status: OpenwrtStatus | undefined) =>
    status?.up === true && status["ipv4-address"]?.[0]?.address === address;

function mapSection(transport: Transport, extra = "", section = "wan_map"): string {
  const relay = transport === "map-t" ? borderRelay.dmr : borderRelay.tunnelAddress;
  return `
config interface '${section}'
	option proto 'map'
	option maptype '${transport}'
	option tunlink 'wan6'
	option ipaddr '192.0.2.0'
	option ip4prefixlen '24'
	option ip6prefix '2001:db8::'
	option ip6prefixlen '40'
	option ealen '16'
	option psidlen '8'
	option offset '4'
	option peeraddr '${relay}'
${extra}`;
}

/** Sets wan_map up anew, and kills the engine as soon as it runs. Returns once netifd has the error. */
async function killSetup(openwrt: Openwrt): Promise<void> {
  openwrt.ubus("call", "network.interface.wan_map", "down");
  await waitFor(openwrt, "wan_map", "to go down", (status) => status?.up === false && !status.pending);
  await until("the handler's end", PATIENCE_MS, () => (handlerPids().length === 0 ? true : undefined));
  openwrt.ubus("call", "network.interface.wan_map", "up");
  await until("the engine", PATIENCE_MS, () => {
    const [pid] = handlerPids();
    // The teardown before it may run still.
    if (pid === undefined || !readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("\0setup\0")) return;
    process.kill(pid, "SIGKILL");
    return true;
  });
  await waitFor(openwrt, "wan_map", "to have an error", (status) =>
    (status?.errors ?? []).some(({ code }) => code === "HANDLER_ENDED"),
  );
}

/** What `mapminctl doctor` says of a router with nothing wrong. @throws Error with its findings */
function nothingWrong(): string {
  const words = ["/usr/sbin/mapminctl", "doctor", "--json", "--probe", server.address];
  const { stdout, stderr } = attempt(within("ce", words));
  demand(stdout !== "", stderr);
  const answers = JSON.parse(stdout) as readonly {
    readonly findings: readonly object[];
    readonly unknown: readonly { readonly check: string }[];
  }[];
  const findings = answers.flatMap((answer) => answer.findings);
  demand(findings.length === 0, JSON.stringify(findings));
  return `not known: ${answers.flatMap(({ unknown }) => unknown.map(({ check }) => check)).join(", ")}`;
}

/** By nftables: without the module, netifd makes the tunnel. */
export async function openwrtWalk(
  root: string,
  transport: Transport,
  carrier: Carrier = "module",
): Promise<void> {
  const by = carrier === "module" ? "" : ` by ${carrier}`;
  const name = (text: string) => `netifd, ${transport}${by}: ${text}`;
  await buildTopology();
  // netifd takes away the link-local address that was set by hand. The second prefix is for a renumbering.
  for (const prefix of ["2001:db8:12:3400::/56", "2001:db8:13:3400::/56"]) {
    run(["ip", "-n", "pn", "-6", "route", "replace", prefix, "via", "2001:db8:f000:1::2", "dev", "ce0"]);
  }
  installRouterFiles();
  if (carrier === "module") insertModule();
  await startBorderRelay(transport, [ce, otherCe]);
  const serving = await startServer();
  const option = option48879[transport];
  const kea = await startDhcpServer({ option, prefix: true });
  step("OpenWrt's ubusd and netifd start; odhcp6c asks Kea");
  const openwrt = await startOpenwrt(root, "");
  await checking(name("protocol map is known"), () => {
    const handlers = openwrt.ubus("call", "network", "get_proto_handlers");
    demand(handlers.includes('"map"'), "netifd does not list it");
    return "listed";
  });
  await checking(name("option 48879: the hook offers it, and it comes up"), async () => {
    await waitFor(openwrt, OFFERED, "to come up", up());
    return ce.ipv4;
  });
  const steady = await startSteadyTraffic();
  await checking(name("datagrams pass"), async () => {
    await steady.answered();
    return "answered";
  });
  await checking(name("the doctor finds nothing wrong with the interface that was offered"), nothingWrong);
  await checking(name("25 s of nothing change nothing"), async () => {
    const before = readFileSync("/tmp/map.log", "utf8");
    await sleep(25_000);
    const after = readFileSync("/tmp/map.log", "utf8").slice(before.length);
    demand(after === "", `the handler ran: ${after}`);
    return "no handler ran";
  });
  await checking(name("reload without a change leaves it alone"), async () => {
    steady.mark();
    openwrt.reload();
    await sleep(3_000);
    const gap = steady.longestGap();
    demand(gap < 1_000, `IPv4 was away for ${gap} ms`);
    return `longest gap ${gap} ms`;
  });
  await checking(name("the option withdrawn, then back"), async () => {
    await kea.reload({ prefix: true });
    openwrt.ubus("call", "network.interface.wan6", "renew");
    await waitFor(openwrt, OFFERED, "to go", (status) => status === undefined);
    await kea.reload({ option, prefix: true });
    openwrt.ubus("call", "network.interface.wan6", "renew");
    await waitFor(openwrt, OFFERED, "to come back", up());
    return "gone, and back";
  });
  await checking(name("configured by hand: it takes the offered one's place"), async () => {
    openwrt.configure(mapSection(transport));
    openwrt.reload();
    await waitFor(openwrt, "wan_map", "to come up", up());
    demand(openwrt.status(OFFERED) === undefined, "the offered one is still there");
    openwrt.ubus("call", "network.interface.wan6", "renew");
    await waitFor(openwrt, "wan_map", "to stay up", up());
    await steady.answered();
    return "wan_map is up";
  });
  await checking(name("reload with another MTU"), async () => {
    openwrt.configure(mapSection(transport, "\toption mtu '1400'\n"));
    openwrt.reload();
    await waitFor(openwrt, "wan_map", "to come up", up());
    const mtus = () =>
      attempt(within("ce", ["ip", "route", "show", "table", "all"])).stdout +
      attempt(within("ce", ["ip", "link", "show", "map-wan_map"])).stdout;
    await until("the new MTU", 30_000, () => (mtus().includes("mtu 1400") ? true : undefined)).catch(() => {
      throw new Error(`neither a route nor the tunnel has the new MTU:\n${mtus()}`);
    });
    await steady.answered();
    return "1400";
  });
  await checking(name("a wrong option is an error; corrected, it comes up by a reload"), async () => {
    openwrt.configure(mapSection(transport, "\toption reserved_ports 'x'\n"));
    openwrt.reload();
    await waitFor(openwrt, "wan_map", "to have an error", (status) => status?.errors?.[0] !== undefined);
    const code = openwrt.status("wan_map")?.errors?.[0]?.code;
    openwrt.configure(mapSection(transport));
    openwrt.reload();
    await waitFor(openwrt, "wan_map", "to come up", up());
    demand(openwrt.status("wan_map")?.errors === undefined, "the error is still there");
    await steady.answered();
    return `${code}, then up`;
  });
  await checking(name("the section renamed, and renamed back"), async () => {
    for (const section of ["wan_new", "wan_map"]) {
      openwrt.configure(mapSection(transport, "", section));
      openwrt.reload();
      await waitFor(openwrt, section, "to come up", up());
      await steady.answered();
    }
    return "up";
  });
  const refused = (status: OpenwrtStatus | undefined) =>
    status?.up === false && status.errors?.[0]?.code === "SAME_PORT_SET";
  const both = mapSection(transport) + mapSection(transport, "", "wan_two");
  await checking(
    name("a second interface with the same rule is refused, and the first goes on"),
    async () => {
      steady.mark();
      openwrt.configure(both);
      openwrt.reload();
      await waitFor(openwrt, "wan_two", "to be refused", refused);
      openwrt.configure(mapSection(transport));
      openwrt.reload();
      await waitFor(openwrt, "wan_two", "to go", (status) => status === undefined);
      await steady.answered();
      const gap = steady.longestGap();
      demand(gap < 1_000, `IPv4 was away for ${gap} ms`);
      return `longest gap ${gap} ms`;
    },
  );
  await checking(name("of two that begin at once one comes up"), async () => {
    openwrt.configure(both);
    await openwrt.restartNetifd("SIGTERM");
    const names = ["wan_map", "wan_two"];
    const winner = await until("one of the two", PATIENCE_MS, () => {
      const found = names.find((one) => up()(openwrt.status(one)));
      return found !== undefined && names.some((one) => refused(openwrt.status(one))) ? found : undefined;
    });
    openwrt.configure(mapSection(transport));
    openwrt.reload();
    await waitFor(openwrt, "wan_two", "to go", (status) => status === undefined);
    openwrt.ubus("call", "network.interface.wan_map", "down");
    openwrt.ubus("call", "network.interface.wan_map", "up");
    await waitFor(openwrt, "wan_map", "to come up", up());
    await steady.answered();
    return winner;
  });
  await checking(name("fw4 starts"), () => (startFirewall(root) ? "started" : "not in OPENWRT_ROOT"));
  installUpnpd();
  openwrt.configure(mapSection(transport, portOptions));
  openwrt.reload();
  await checking(name("port forwards lead to the LAN host"), async () => {
    await waitFor(openwrt, "wan_map", "to come up", up());
    return forwardsPass();
  });
  await checking(name("miniupnpd is told its ports"), upnpdTold);
  await checking(name("the doctor finds nothing wrong beside fw4"), nothingWrong);
  openwrt.configure(mapSection(transport, "\toption mtu '1400'\n"));
  openwrt.reload();
  await waitFor(openwrt, "wan_map", "to come up", up());
  await checking(name("without the option, miniupnpd's configuration is as before"), () =>
    upnpdAsBefore(openwrt),
  );
  await checking(name("another prefix: IPv4 is away for less than a second, by one renewal"), async () => {
    await steady.answered();
    steady.mark();
    await kea.reload({ option, prefix: true, other: true });
    openwrt.ubus("call", "network.interface.wan6", "renew");
    await until("the new CE", 30_000, () =>
      readFileSync("/tmp/map.log", "utf8").includes(`${otherCe.ipv4}/32`) ? true : undefined,
    ).catch(() => {
      throw new Error(`no new CE; the link: ${JSON.stringify(openwrt.status("wan6"))}`);
    });
    await waitFor(openwrt, "wan_map", "to have the new address", up(otherCe.ipv4));
    await steady.answered();
    const gap = steady.longestGap();
    demand(gap < 1_000, `IPv4 was away for ${gap} ms`);
    return `longest gap ${gap} ms`;
  });
  if (carrier === "module") {
    await checking(name("the module unloaded and loaded again: IPv4 is back by one renewal"), async () => {
      run(["rmmod", "mapmint"]);
      insertModule();
      openwrt.ubus("call", "network.interface.wan_map", "renew");
      await steady.answered();
      return "answered";
    });
  }
  await checking(name("netifd killed and started again: the interface comes up"), async () => {
    await kea.reload({ option, prefix: true });
    openwrt.ubus("call", "network.interface.wan6", "renew");
    await waitFor(openwrt, "wan_map", "to have its address back", up());
    await openwrt.restartNetifd("SIGKILL");
    await waitFor(openwrt, "wan_map", "to come up", up());
    await steady.answered();
    return "up";
  });
  if (carrier === "nftables") {
    const type = () => attempt(within("ce", ["cat", "/sys/class/net/map-wan_map/type"])).stdout.trim();
    const tunnel = type();
    await checking(
      name("the module loaded before netifd is killed: it takes the tunnel's place"),
      async () => {
        insertModule();
        await openwrt.restartNetifd("SIGKILL");
        await waitFor(openwrt, "wan_map", "to come up", up());
        await steady.answered();
        demand(type() !== tunnel, `the device has the type ${type()} as before`);
        return `a device of type ${type()} instead of ${tunnel}`;
      },
    );
    await checking(name("the module unloaded: a tunnel takes its place by one renewal"), async () => {
      run(["rmmod", "mapmint"]);
      openwrt.ubus("call", "network.interface.wan_map", "renew");
      await until("the tunnel", PATIENCE_MS, () => (type() === tunnel ? true : undefined));
      await waitFor(openwrt, "wan_map", "to come up", up());
      await steady.answered();
      return `a device of type ${type()}`;
    });
  }
  await checking(name("a setup that is killed is an error, and the next one comes up"), async () => {
    await killSetup(openwrt);
    openwrt.ubus("call", "network.interface.wan_map", "down");
    openwrt.ubus("call", "network.interface.wan_map", "up");
    await waitFor(openwrt, "wan_map", "to come up", up());
    await steady.answered();
    return "HANDLER_ENDED, then up";
  });
  await checking(name("ubusd restarted: netifd and we go on"), async () => {
    await openwrt.restartUbusd();
    await waitFor(openwrt, "wan_map", "to be seen", up());
    return "up";
  });
  await checking(name("removed from the configuration: nothing is left"), async () => {
    openwrt.configure("");
    openwrt.reload();
    await waitFor(openwrt, "wan_map", "to go", (status) => status === undefined);
    await sleep(1_500);
    const left = attempt(
      within("ce", [
        "sh",
        "-c",
        "nft list tables | grep -v '^#'; ip -o link | grep map-; cat /proc/net/nat46/control 2>/dev/null",
      ]),
    ).stdout;
    demand(!left.includes("wan_map"), left);
    return "clean";
  });
  await steady.stop();
  await serving.stop();
  detail(readFileSync("/tmp/map.log", "utf8"));
}
