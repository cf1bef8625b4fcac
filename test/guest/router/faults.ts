/**
 * What goes wrong on real lines: each failure must be reported so that a person understands it, tried once and not in a
 * loop, and leave nothing behind. No packets cross here; the link's state is set by the lab.
 */

import { chmodSync, writeFileSync } from "node:fs";
import { attempt, PATIENCE_MS, run, sleep, until, within } from "./command.ts";
import { leftSince, snapshot } from "./leftovers.ts";
import { type Options, optionsOf, setLink, settle } from "./link.ts";
import { borderRelay, ce, option48879 } from "./plan.ts";
import { checking, demand, step } from "./report.ts";
import {
  insertModule,
  installRouterFiles,
  MAP_INTERFACE,
  type Router,
  startRouter,
  waitUp,
  writeEngine,
} from "./router.ts";
import { buildTopology } from "./topology.ts";

const good: Options = optionsOf["map-e"];

function without(...keys: readonly string[]): Options {
  return Object.fromEntries(Object.entries(good).filter(([key]) => !keys.includes(key)));
}

interface Fault {
  readonly title: string;
  readonly options: Options;
  /** Option 48879 in the link's passthru. */
  readonly option?: string;
  /** Before and after, where more than options is wrong. */
  readonly spoil?: (router: Router) => Promise<void> | void;
  readonly mend?: (router: Router) => Promise<void> | void;
  /** Where the link below is missing or down, netifd itself waits for it: an error is not asked for. */
  readonly silent?: boolean;
  /** What stays behind, because a teardown fails too: the next setup looks for what that could not remove. */
  readonly keeps?: string;
}

const bareOptions: Options = { proto: "map", tunlink: "wan6" };

const TABLE = "/run/lab/rules.csv";

/** A table with the rule of the lab's customer edge, in which something is different. */
function writeTable(change: (text: string) => string = (text) => text): void {
  const text = [
    `# br = ${borderRelay.tunnelAddress}`,
    "ruleIpv6Prefix,ruleIpv4Prefix,eaLength,psidOffset",
    "2001:db8::/32,203.0.113.0/24,16,4",
    "2001:db8::/40,192.0.2.0/24,16,4",
    "2001:db8:100::/40,198.51.100.0/24,16,4",
  ].join("\n");
  writeFileSync(TABLE, change(text));
}

function moveAway(program: string): Pick<Fault, "spoil" | "mend"> {
  const path = `/usr/sbin/${program}`;
  return {
    spoil: () => {
      run(["mv", path, `${path}.real`]);
      writeFileSync(path, "#!/bin/sh\necho broken >&2\nexit 1\n");
      chmodSync(path, 0o755);
    },
    mend: () => {
      run(["mv", `${path}.real`, path]);
    },
  };
}

const knownFaults: readonly Fault[] = [
  { title: "an unknown map type", options: { ...good, maptype: "map-x" } },
  { title: "EA length out of range", options: { ...good, ealen: 60 } },
  { title: "an IPv4 prefix that is none", options: { ...good, ipaddr: "192.0.2.300" } },
  { title: "an offset of 16", options: { ...good, offset: 16 } },
  { title: "no border relay", options: without("peeraddr") },
  { title: "a rule that is not the delegated prefix's", options: { ...good, ip6prefix: "2001:db9::" } },
  {
    title: "rule text that is none",
    options: { ...bareOptions, maptype: "map-e", rule: "type=map-e,ealen=;;$(reboot)" },
  },
  { title: "a table that is not there", options: { ...bareOptions, rules: "/run/lab/none.csv" } },
  { title: "a table and a rule", options: { ...good, rules: TABLE }, spoil: () => writeTable() },
  {
    title: "a table whose row for the prefix is bad",
    options: { ...bareOptions, rules: TABLE },
    spoil: () => writeTable((text) => text.replace("192.0.2.0/24", "192.0.2.0/33")),
  },
  {
    title: "a table that nobody writes into",
    options: { ...bareOptions, rules: "/run/lab/fifo" },
    spoil: () => {
      run(["mkfifo", "/run/lab/fifo"]);
    },
    mend: () => {
      run(["rm", "/run/lab/fifo"]);
    },
  },
  { title: "no rule, and no option from the provider", options: bareOptions },
  { title: "an option cut short", options: bareOptions, option: option48879["map-e"].slice(0, 30) },
  { title: "an option without a DMR", options: bareOptions, option: option48879["map-e"].slice(0, 36) },
  { title: "a link that netifd does not know", options: { ...good, tunlink: "wan7" }, silent: true },
  {
    title: "a link that is down",
    options: good,
    silent: true,
    spoil: (router) => setLink(router, { up: false }),
    mend: (router) => setLink(router, {}),
  },
  {
    title: "nft that fails",
    options: { ...good, nat: "nftables" },
    keeps: "file /run/mapmin/wan_map.state",
    ...moveAway("nft"),
  },
  {
    title: "MAP-T without the kernel module",
    options: bareOptions,
    option: option48879["map-t"],
    spoil: () => {
      attempt(["rmmod", "mapmint"]);
    },
  },
];

/** The hooks as odhcp6c's script runs them. */
function runHooks(state: string, prefixes: string, option: string): void {
  const argv = [
    ...[
      "env",
      "-i",
      `PATH=${process.env["PATH"]}`,
      "INTERFACE=wan6",
      `PREFIXES=${prefixes}`,
      `OPTION_48879=${option}`,
    ],
    ...["sh", "-c", ". /etc/odhcp6c.user.d/mapmin", "dhcpv6.script", "wan", state],
  ];
  run(within("ce", argv));
}

async function setupsOf(router: Router, name: string): Promise<number> {
  const { setups } = (await router.call("lab", "interface", { name })) as { setups: number };
  return setups;
}

async function tryFault(router: Router, fault: Fault): Promise<string> {
  await setLink(router, fault.option === undefined ? {} : { option: fault.option });
  await fault.spoil?.(router);
  const before = snapshot();
  try {
    await router.call("lab", "configure", { name: "wan_map", config: fault.options });
    await settle(router, "wan_map");
    // Longer than the handler takes: a loop would be in its next round.
    await sleep(500);
    await settle(router, "wan_map");
    const status = await router.status("wan_map");
    const setups = await setupsOf(router, "wan_map");
    demand(setups === 1, `setup was called ${setups} times`);
    demand(status?.up !== true, "the interface came up");
    const [error] = status?.errors ?? [];
    demand(fault.silent === true || error !== undefined, `no error; status ${JSON.stringify(status)}`);
    demand(
      fault.silent === true || (error?.data[0] ?? "").length > 10,
      `nothing a person understands: ${JSON.stringify(error)}`,
    );
    await router.call("lab", "unconfigure", { name: "wan_map" });
    const left = await leftSince(before);
    demand(left.join("; ") === (fault.keeps ?? ""), `left behind: ${left.join("; ")}`);
    return error === undefined ? "waits for the link" : `${error.code}: ${error.data.join(" ")}`;
  } finally {
    await router.call("lab", "unconfigure", { name: "wan_map" });
    await fault.mend?.(router);
  }
}

async function latePrefix(router: Router): Promise<string> {
  const option = option48879["map-e"];
  await setLink(router, { prefix: false, option });
  runHooks("bound", "", option);
  await settle(router, MAP_INTERFACE);
  const early = await router.status(MAP_INTERFACE);
  demand(early?.up !== true, "it came up without a prefix");
  await setLink(router, { option });
  runHooks("updated", "2001:db8:12:3400::/56,3600,7200", option);
  const status = await waitUp(router, MAP_INTERFACE, { recovers: true });
  return `${early?.errors?.[0]?.code ?? "offered"}, then ${status["ipv4-address"][0]?.address}`;
}

async function advertisement(router: Router): Promise<string> {
  const before = await setupsOf(router, MAP_INTERFACE);
  const started = "/run/lab/engine-was-started";
  writeFileSync("/run/lab/engine", `#!/bin/sh\n: >${started}\n`);
  chmodSync("/run/lab/engine", 0o755);
  writeEngine("/run/lab/engine");
  for (let i = 0; i < 3; i += 1)
    runHooks("ra-updated", `2001:db8:12:3400::/56,${3_500 - i},7100`, option48879["map-e"]);
  writeEngine();
  demand(attempt(["test", "-e", started]).code !== 0, "the engine was started");
  demand((await setupsOf(router, MAP_INTERFACE)) === before, "the interface was set up again");
  return "no process started";
}

async function changedRule(router: Router): Promise<string> {
  const option = option48879["map-e"].replace(/1$/, "2");
  await setLink(router, { option });
  runHooks("updated", "2001:db8:12:3400::/56,3600,7200", option);
  const relay = borderRelay.tunnelAddress.replace(/1$/, "2");
  await until("the new border relay", PATIENCE_MS, () =>
    attempt(within("ce", ["ip", "-6", "tunnel", "show"])).stdout.includes(relay) ? true : undefined,
  );
  await waitUp(router, MAP_INTERFACE, { recovers: true });
  await settle(router, MAP_INTERFACE);
  // netifd's new device has lost what was on the old one.
  const device = `map-${MAP_INTERFACE}`;
  const shown = ["address", "route"].map(
    (kind) => attempt(within("ce", ["ip", "-4", kind, "show", "dev", device])).stdout,
  );
  demand(shown[0]?.includes(ce.ipv4) === true && shown[1]?.includes("default") === true, shown.join());
  return `the tunnel ends at ${relay}`;
}

async function linkLost(router: Router): Promise<string> {
  const option = option48879["map-e"];
  await setLink(router, { up: false });
  await settle(router, MAP_INTERFACE);
  const tunnels = attempt(within("ce", ["ip", "-o", "link"])).stdout;
  demand(!tunnels.includes("map-"), "the tunnel is still there");
  await setLink(router, { option });
  await waitUp(router, MAP_INTERFACE, { recovers: true });
  return "down with its link, and up with it";
}

async function withdrawn(router: Router): Promise<string> {
  await setLink(router, {});
  runHooks("updated", "2001:db8:12:3400::/56,3600,7200", "");
  await until("the withdrawal", PATIENCE_MS, async () =>
    (await router.status(MAP_INTERFACE)) === undefined ? true : undefined,
  );
  return `${MAP_INTERFACE} is gone`;
}

async function reload(router: Router): Promise<string> {
  await setLink(router, {});
  await router.call("lab", "configure", { name: "wan_map", config: good });
  await waitUp(router, "wan_map");
  await router.call("lab", "configure", { name: "wan_map", config: { ...good, mtu: 1400 } });
  const status = await waitUp(router, "wan_map");
  const { stdout } = attempt(within("ce", ["ip", "-o", "link", "show", "dev", status.l3_device ?? ""]));
  demand(stdout.includes("mtu 1400"), stdout);
  demand(status["ipv4-address"][0]?.address === ce.ipv4, JSON.stringify(status));
  await router.call("lab", "unconfigure", { name: "wan_map" });
  return "the new MTU is in force";
}

async function table(router: Router): Promise<string> {
  writeTable();
  await setLink(router, {});
  await router.call("lab", "configure", { name: "wan_map", config: { ...bareOptions, rules: TABLE } });
  const status = await waitUp(router, "wan_map");
  demand(status["ipv4-address"][0]?.address === ce.ipv4, JSON.stringify(status));
  const tunnel = attempt(within("ce", ["ip", "-6", "tunnel", "show", status.l3_device ?? ""])).stdout;
  demand(tunnel.includes(borderRelay.tunnelAddress), tunnel);
  const { stdout, code } = attempt(
    within("ce", ["/usr/sbin/mapminctl", "rules", "check", TABLE, "--pd", "2001:db8:12:3400::/56", "--json"]),
  );
  const { match } = JSON.parse(stdout);
  demand(code === 0 && match.where === "line 4" && match.edge.ipv4 === `${ce.ipv4}/32`, stdout);
  writeTable((text) => text.replace("192.0.2.0/24", "198.51.100.0/24"));
  await router.call("network.interface", "renew", { interface: "wan_map" });
  await until("the address of the new table", PATIENCE_MS, async () => {
    const [address] = (await router.status("wan_map"))?.["ipv4-address"] ?? [];
    return address?.address.startsWith("198.51.100.") === true ? true : undefined;
  });
  await settle(router, "wan_map");
  await router.call("lab", "unconfigure", { name: "wan_map" });
  return `${ce.ipv4}, and the new table's address after a renewal`;
}

/** A whole address that is bound to an interface identifier of the provider's choice. */
async function fixedAddress(router: Router, carries: "module" | "tunnel"): Promise<string> {
  const options = {
    ...bareOptions,
    maptype: "map-e",
    peeraddr: borderRelay.tunnelAddress,
    ipaddr: "203.0.113.7",
    ip6prefix: "2001:db8:12:3400::",
    ip6prefixlen: 56,
    ip6ifaceid: "::a:1",
  };
  await setLink(router, {});
  await router.call("lab", "configure", { name: "wan_map", config: options });
  const status = await waitUp(router, "wan_map");
  demand(status["ipv4-address"][0]?.address === "203.0.113.7", JSON.stringify(status));
  const shown =
    carries === "module"
      ? attempt(within("ce", ["cat", "/proc/net/nat46/control"])).stdout
      : attempt(within("ce", ["ip", "-6", "tunnel", "show", status.l3_device ?? ""])).stdout;
  const local = "2001:db8:12:3400::a:1";
  const words = carries === "module" ? `local.v4 203.0.113.7/32 local.v6 ${local}/128` : `local ${local}`;
  demand(shown.includes(words), shown);
  await router.call("lab", "unconfigure", { name: "wan_map" });
  return `203.0.113.7 at ${local}`;
}

/** Two interfaces with one rule: what the first one has is the first one's, whatever becomes of the second. */
async function sameRule(router: Router): Promise<string> {
  await setLink(router, {});
  const kernel = () =>
    [
      ["nft", "list", "tables"],
      ["ip", "-6", "-o", "address", "show", "dev", "wan"],
      ["ip", "-6", "route", "show"],
      ["ip", "-o", "link"],
    ]
      .map((argv) => attempt(within("ce", argv)).stdout)
      .join("");
  await router.call("lab", "configure", { name: "wan_map", config: good });
  await waitUp(router, "wan_map");
  const before = kernel();
  await router.call("lab", "configure", { name: "wan_two", config: good });
  await settle(router, "wan_two");
  const [error] = (await router.status("wan_two"))?.errors ?? [];
  demand(error?.code === "SAME_PORT_SET", JSON.stringify(error));
  await router.call("network.interface", "renew", { interface: "wan_map" });
  await settle(router, "wan_map");
  await router.call("lab", "unconfigure", { name: "wan_two" });
  demand(kernel() === before, `before:\n${before}\nafter:\n${kernel()}`);
  await router.call("lab", "unconfigure", { name: "wan_map" });
  return `${error?.code}: ${error?.data.join(" ")}`;
}

export async function faults(): Promise<void> {
  step("Failures and changes: reported, tried once, nothing left behind");
  await buildTopology();
  installRouterFiles();
  const module = insertModule();
  const router = await startRouter();
  const before = snapshot();
  const pattern = process.env["guest_case"] ?? "";
  const wanted = knownFaults.filter(({ title }) => title.includes(pattern));
  for (const fault of wanted.length > 0 ? wanted : knownFaults) {
    await checking(`failure: ${fault.title}`, () => tryFault(router, fault));
  }
  if (wanted.length > 0 && wanted.length < knownFaults.length) return router.stop();
  if (module) {
    // The last failure has taken it away.
    insertModule();
    await checking("change: a fixed address by the module", () => fixedAddress(router, "module"));
    await checking("change: a second interface with one rule, by the module", () => sameRule(router));
    attempt(["rmmod", "mapmint"]);
  }
  await checking("change: a fixed address by netifd's tunnel", () => fixedAddress(router, "tunnel"));
  await checking("change: a second interface with one rule, by netifd's tunnel", () => sameRule(router));
  await checking("change: configuration reloaded", () => reload(router));
  await checking("change: the rule of a table, and of another one", () => table(router));
  await checking("change: prefix comes late", () => latePrefix(router));
  await checking("change: router advertisements with nothing new", () => advertisement(router));
  await checking("change: the provider moves the border relay", () => changedRule(router));
  await checking("change: link lost and back", () => linkLost(router));
  await checking("change: option withdrawn", () => withdrawn(router));
  await checking("after all of it: nothing left", async () => {
    const left = (await leftSince(before)).filter((line) => !line.startsWith("file /run/mapmin/wan6."));
    demand(left.length === 0, left.join("; "));
    return "";
  });
  await router.stop();
}
