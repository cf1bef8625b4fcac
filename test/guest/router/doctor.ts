/**
 * `mapminctl doctor`: each fault that is made gives its own finding and no other. It is then mended: if it were not, the next
 * fault would give two findings; after the last one there is none. The router runs as it does on real lines: netifd's part, a
 * firewall in fw4's form, a border relay behind the provider's network.
 */

import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { startBorderRelay } from "./border-relay.ts";
import { attempt, run, within } from "./command.ts";
import { zones } from "./firewall.ts";
import { type Options, optionsOf, setLink, settle } from "./link.ts";
import { borderRelay, ce, inPortSet, option48879, server } from "./plan.ts";
import { checking, demand, step } from "./report.ts";
import { insertModule, installRouterFiles, type Router, startRouter, waitUp, writeEngine } from "./router.ts";
import { buildTopology } from "./topology.ts";

const IFACE = "wan_map";
const DEVICE = `map-${IFACE}`;
const TABLE = "mapmin_wan__map";
const STATE = `/var/run/mapmin/${IFACE}.state`;
const SCRIPT = "/lib/netifd/proto/map.sh";
const SOCKET = "/var/run/ubus/ubus.sock";
const UCI = "/run/lab/uci";

/** What the doctor says of one interface. */
interface Answer {
  readonly interface: string | null;
  readonly findings: readonly { readonly code: string; readonly text: string }[];
  readonly unknown: readonly { readonly check: string; readonly why: string }[];
}

/** OpenWrt's uci as far as it is asked: `uci -q show CONFIG`. */
function installUci(): void {
  mkdirSync(UCI, { recursive: true });
  writeFileSync("/usr/bin/uci", `#!/bin/sh\ncat "${UCI}/$3" 2>/dev/null || exit 1\n`);
  chmodSync("/usr/bin/uci", 0o755);
}

function writeUci(options: Options, reqopts = "48879"): void {
  const lines = (section: string, values: Options) => [
    `network.${section}=interface`,
    ...Object.entries(values).map(([name, value]) => `network.${section}.${name}='${value}'`),
  ];
  const link = { proto: "dhcpv6", ...(reqopts === "" ? {} : { reqopts }) };
  writeFileSync(`${UCI}/network`, [...lines("wan6", link), ...lines(IFACE, options), ""].join("\n"));
}

function ask(...words: readonly string[]): Answer {
  const { stdout, stderr, code } = attempt(
    within("ce", ["/usr/sbin/mapminctl", "doctor", "--json", ...words]),
  );
  demand(stdout !== "", `exit ${code}: ${stderr}`);
  const [answer] = JSON.parse(stdout) as readonly [Answer];
  const found = answer.findings.length > 0;
  demand(code === (found ? 1 : 0), `exit ${code} with ${answer.findings.length} findings`);
  return answer;
}

function healthy(...words: readonly string[]): Answer {
  const answer = ask(...words);
  const said = answer.findings.map(({ code, text }) => `${code}: ${text}`).join("; ");
  demand(answer.findings.length === 0, `it should be healthy: ${said}`);
  return answer;
}

const inCe = (...argv: readonly string[]) => run(within("ce", argv));
const ip = (...argv: readonly string[]) => run(["ip", "-n", "ce", ...argv]);
const nft = (script: string) => run(within("ce", ["nft", "-f", "-"]), script);

function loadFirewall(wan: readonly string[], lan: readonly string[] = [], offload = false): void {
  nft(`table inet fw4\ndelete table inet fw4\n${zones(["wan", ...wan], ["br-lan", ...lan], offload)}`);
}

async function configure(router: Router, options: Options, reqopts?: string): Promise<void> {
  writeUci(options, reqopts);
  await router.call("lab", "configure", { name: IFACE, config: options });
  await settle(router, IFACE);
}

interface Fault {
  readonly title: string;
  readonly code: string;
  readonly spoil: (router: Router) => Promise<unknown> | unknown;
  /** Absent: the interface is configured anew. */
  readonly mend?: (router: Router) => Promise<unknown> | unknown;
  /** Words of the command line; `--offline` without them. */
  readonly words?: readonly string[];
  /** What else the finding's text has to say. @throws Error */
  readonly judge?: (text: string) => void;
}

/** What is wrong with the configuration: the interface has these options instead. */
function configured(title: string, code: string, change: Options, reqopts?: string): Fault {
  return {
    title,
    code,
    spoil: (router) => configure(router, { ...optionsOf["map-e"], ...change } as Options, reqopts),
  };
}

const fromDhcp: Options = { proto: "map", tunlink: "wan6" };
const probing = ["--probe", server.address];

function overwritten(path: string, content: string): Pick<Fault, "spoil" | "mend"> {
  const kept = `/run/lab/kept${path.replaceAll("/", "-")}`;
  return {
    spoil: () => {
      copyFileSync(path, kept);
      writeFileSync(path, content);
    },
    mend: () => copyFileSync(kept, path),
  };
}

function moved(path: string): Pick<Fault, "spoil" | "mend"> {
  return {
    spoil: () => renameSync(path, `${path}.away`),
    mend: () => renameSync(`${path}.away`, path),
  };
}

function command(undo: readonly string[], ...does: readonly string[]): Pick<Fault, "spoil" | "mend"> {
  return { spoil: () => inCe(...does), mend: () => inCe(...undo) };
}

/** Faults of any router; the interface is MAP-E by nftables. */
const byNftables: readonly Fault[] = [
  {
    title: "the engine's file names a program that is not there",
    code: "ENGINE_MISSING",
    spoil: () => writeEngine("/usr/bin/gone"),
    mend: () => writeEngine(),
  },
  {
    title: "map.sh of another package",
    code: "HANDLER_FOREIGN",
    ...overwritten(SCRIPT, "#!/bin/sh\n. /lib/functions.sh\n. ../netifd-proto.sh\n"),
  },
  { title: "no map.sh", code: "HANDLER_MISSING", ...moved(SCRIPT) },
  { title: "ubusd has gone", code: "NETIFD_SILENT", ...moved(SOCKET) },
  {
    title: "netifd was not restarted after the installation",
    code: "PROTOCOL_UNKNOWN",
    spoil: (router) => router.call("lab", "handlers", { map: false }),
    mend: (router) => router.call("lab", "handlers", { map: true }),
  },
  {
    title: "no forwarding",
    code: "FORWARDING_OFF",
    ...command(["sysctl", "-qw", "net.ipv4.ip_forward=1"], "sysctl", "-qw", "net.ipv4.ip_forward=0"),
  },
  { title: "nft is not installed", code: "NFT_MISSING", ...moved("/usr/sbin/nft") },
  {
    title: "no prefix",
    code: "NO_PREFIX",
    spoil: (router) => setLink(router, { prefix: false }),
    mend: (router) => setLink(router, {}),
  },
  {
    title: "another prefix since setup",
    code: "SETUP_OUTDATED",
    spoil: (router) => setLink(router, { of: "2001:db8:12:3500::" }),
    mend: (router) => setLink(router, {}),
  },
  { title: "the MAP device is deleted", code: "DEVICE_MISSING", spoil: () => ip("link", "del", DEVICE) },
  {
    title: "the MAP device is set down",
    code: "DEVICE_DOWN",
    spoil: () => ip("link", "set", DEVICE, "down"),
  },
  {
    title: "the IPv4 address is deleted",
    code: "IPV4_ADDRESS_MISSING",
    spoil: () => ip("address", "del", `${ce.ipv4}/32`, "dev", DEVICE),
  },
  {
    title: "the MAP address is deleted",
    code: "MAP_ADDRESS_MISSING",
    ...command(
      ["ip", "-6", "address", "add", `${ce.mapAddress}/128`, "dev", "wan", "nodad"],
      ...["ip", "-6", "address", "del", `${ce.mapAddress}/128`, "dev", "wan"],
    ),
  },
  {
    title: "the default route is deleted",
    code: "DEFAULT_ROUTE_MISSING",
    ...command(
      ["ip", "route", "add", "default", "dev", DEVICE],
      "ip",
      "route",
      "del",
      "default",
      "dev",
      DEVICE,
    ),
  },
  {
    title: "another default route is better",
    code: "DEFAULT_ROUTE_ELSEWHERE",
    spoil: () => {
      ip("route", "add", "default", "dev", DEVICE, "metric", "100");
      ip("route", "del", "default", "dev", DEVICE, "metric", "0");
      ip("route", "add", "default", "dev", "br-lan", "metric", "10");
    },
    mend: () => {
      ip("route", "del", "default", "dev", "br-lan");
      ip("route", "add", "default", "dev", DEVICE);
      ip("route", "del", "default", "dev", DEVICE, "metric", "100");
    },
  },
  {
    title: "no IPv6 default route",
    code: "NO_ROUTE_TO_RELAY",
    ...command(
      ["ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "wan"],
      ...["ip", "-6", "route", "del", "default"],
    ),
  },
  {
    title: "the next router does not answer",
    code: "NEXT_HOP_SILENT",
    ...command(
      ["ip", "-6", "neigh", "del", "fe80::1", "dev", "wan"],
      ...["ip", "-6", "neigh", "replace", "fe80::1", "dev", "wan", "nud", "failed"],
    ),
  },
  {
    title: "the table of nftables is gone",
    code: "NAT_MISSING",
    spoil: () => nft(`delete table ip ${TABLE}`),
  },
  {
    title: "a chain of the table is deleted",
    code: "NAT_CHANGED",
    spoil: () =>
      nft(`flush chain ip ${TABLE} guard
delete chain ip ${TABLE} guard`),
  },
  {
    title: "the rules of a chain are deleted",
    code: "NAT_CHANGED",
    spoil: () => nft(`flush chain ip ${TABLE} guard`),
  },
  {
    title: "masquerading before the NAT",
    code: "NAT_NOT_FIRST",
    spoil: () =>
      nft(
        `table ip mine { chain early { type nat hook postrouting priority 50; oifname "map-*" masquerade; }; }`,
      ),
    mend: () => nft("delete table ip mine"),
  },
  {
    title: "in no zone",
    code: "ZONE_MISSING",
    spoil: () => loadFirewall([]),
    mend: () => loadFirewall([DEVICE]),
  },
  {
    title: "in the zone lan",
    code: "ZONE_WRONG",
    spoil: () => loadFirewall([], [DEVICE]),
    mend: () => loadFirewall([DEVICE]),
  },
  {
    title: "flow offload",
    code: "FLOW_OFFLOAD",
    spoil: () => loadFirewall([DEVICE], [], true),
    mend: () => loadFirewall([DEVICE]),
  },
  {
    title: "another MTU of the MAP device",
    code: "DEVICE_MTU_CHANGED",
    ...command(["ip", "link", "set", DEVICE, "mtu", "1460"], "ip", "link", "set", DEVICE, "mtu", "1280"),
  },
  {
    title: "464xlat is up",
    code: "RIVAL_INTERFACE",
    spoil: (router) => router.call("lab", "stranger", { name: "wan6_xlat", proto: "464xlat" }),
    mend: (router) => router.call("lab", "stranger", { name: "wan6_xlat" }),
  },
  {
    title: "mwan3 without the interface",
    code: "RIVAL_MWAN3",
    spoil: () => {
      mkdirSync("/var/run/mwan3/iface_state", { recursive: true });
      writeFileSync(`${UCI}/mwan3`, "mwan3.wan=interface\nmwan3.wan.enabled='1'\n");
    },
    mend: () => rmSync("/var/run/mwan3", { recursive: true }),
  },
  {
    title: "another interface with the same ports",
    code: "SAME_PORT_SET",
    spoil: () =>
      writeFileSync(
        "/var/run/mapmin/wan_old.state",
        readFileSync(STATE, "utf8").replace(`interface=${IFACE}`, "interface=wan_old"),
      ),
    mend: () => rmSync("/var/run/mapmin/wan_old.state"),
    words: [IFACE, "--offline"],
  },
  {
    title: "the ports towards one server are used up",
    code: "PORTS_NEARLY_USED_UP",
    spoil: () => {
      const one = `conntrack -I -p udp -t 300 -s 192.168.1.2 -d ${server.address} --sport $port --dport 53 -r ${server.address} -q ${ce.ipv4} --reply-port-src 53 --reply-port-dst $port`;
      const loop = `for a in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do for j in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do port=$((a * 4096 + ${ce.psid} * 16 + j)); ${one}; done; done`;
      inCe("sh", "-ec", `{ ${loop}; } >/dev/null 2>&1`);
    },
    mend: () => inCe("conntrack", "-F"),
  },
  {
    title: "the state file is damaged",
    code: "STATE_DAMAGED",
    ...overwritten(STATE, "nonsense\n"),
  },
  {
    title: "taken down",
    code: "TAKEN_DOWN",
    spoil: (router) => router.call("network.interface", "down", { interface: IFACE }),
  },
  {
    title: "the border relay is away",
    code: "RELAY_SILENT",
    spoil: () =>
      run(["ip", "-n", "br", "-6", "address", "del", `${borderRelay.tunnelAddress}/128`, "dev", "lo"]),
    mend: () =>
      run(["ip", "-n", "br", "-6", "address", "add", `${borderRelay.tunnelAddress}/128`, "dev", "lo"]),
    words: [],
  },
  {
    title: "nobody has the address that is probed",
    code: "NO_ANSWER_THROUGH_RELAY",
    spoil: () => undefined,
    mend: () => undefined,
    words: ["--probe", "203.0.113.99"],
  },
  {
    title: "large packets are lost on the way",
    code: "FULL_SIZE_LOST",
    spoil: () =>
      run(
        within("pn", ["nft", "-f", "-"]),
        "table ip6 small { chain forward { type filter hook forward priority 0; meta length > 1400 drop; }; }",
      ),
    mend: () => run(within("pn", ["nft", "delete", "table", "ip6", "small"])),
    words: probing,
  },
];

/** Between the border relay and the server every second flow's answers are lost: of six pings three are answered. */
const everySecondId = `table ip other {
	chain number {
		type filter hook prerouting priority mangle;
		iifname { "mape0", "nat64" } ct mark 0 ct mark set numgen inc mod 2 offset 1
	}
	chain answers { type filter hook forward priority filter; iifname "srv0" ct mark 2 drop; }
}`;

const wrongPorts: Fault = {
  title: "half of the ids are not answered",
  code: "PORT_SET_DOUBTFUL",
  spoil: () => run(within("br", ["nft", "-f", "-"]), everySecondId),
  mend: () => run(within("br", ["nft", "delete", "table", "ip", "other"])),
  words: probing,
  judge: (text) => {
    const [, right = "", wrong = ""] = /those with the ids (.*), and not those with (.*)$/.exec(text) ?? [];
    for (const ids of [right, wrong]) {
      const numbers = ids.split(", ").map(Number);
      demand(
        numbers.length === 3 && numbers.every((id) => inPortSet(id)),
        `not three ids of the set: ${text}`,
      );
    }
  },
};

/** What is configured wrongly, or comes wrongly from the provider. */
const byConfiguration: readonly Fault[] = [
  configured("a link that netifd does not know", "NO_LINK", { tunlink: "wan7" }),
  configured("an unknown map type", "TYPE_UNKNOWN", { maptype: "map-x" }),
  configured("EA length out of range", "OPTION_INVALID", { ealen: 60 }),
  configured("a rule for another prefix", "PREFIX_NOT_IN_RULE", { ip6prefix: "2001:db9::" }),
  configured("a private address", "RULE_REFUSED", { ipaddr: "10.0.0.0" }),
  configured("a PSID that leaves few ports", "FEW_PORTS", {
    ipaddr: ce.ipv4,
    ip4prefixlen: 32,
    ealen: 12,
    psidlen: 12,
  }),
  configured("an MTU that the link does not take", "MTU_TOO_LARGE", { mtu: 1500 }),
  {
    title: "a prefix that is too short",
    code: "PREFIX_TOO_SHORT",
    spoil: (router) =>
      router.call("network.interface", "notify_proto", {
        interface: "wan6",
        action: 0,
        ifname: "wan",
        "link-up": true,
        ip6addr: [],
        ip6prefix: ["2001:db8:12::/48,3600,7200"],
        data: { passthru: "" },
      }),
    mend: (router) => setLink(router, {}),
  },
  {
    title: "the link is down",
    code: "LINK_DOWN",
    spoil: async (router) => {
      await setLink(router, { up: false });
      await settle(router, IFACE);
    },
    mend: async (router) => {
      await setLink(router, {});
      await waitUp(router, IFACE, { recovers: true });
    },
  },
  {
    title: "the option is not asked for",
    code: "OPTION_NOT_REQUESTED",
    spoil: (router) => configure(router, fromDhcp, ""),
  },
  {
    title: "the option is asked for, and does not come",
    code: "OPTION_NOT_RECEIVED",
    spoil: (router) => configure(router, fromDhcp),
  },
  {
    title: "the option is cut short",
    code: "OPTION_MALFORMED",
    spoil: async (router) => {
      await setLink(router, { option: option48879["map-e"].slice(0, 30) });
      await configure(router, fromDhcp);
    },
    mend: (router) => setLink(router, {}).then(() => configure(router, optionsOf["map-e"])),
  },
];

/** Faults of the module's device; the interface is MAP-T. */
const byModule: readonly Fault[] = [
  {
    title: "somebody changes the device's rules",
    code: "RULES_CHANGED",
    spoil: () => inCe("sh", "-c", `echo config ${DEVICE} nat.filter endpoint >/proc/net/nat46/control`),
  },
  {
    title: "the route to the MAP address is deleted",
    code: "MAP_ROUTE_MISSING",
    ...command(
      ["ip", "-6", "route", "add", `${ce.mapAddress}/128`, "dev", DEVICE],
      ...["ip", "-6", "route", "del", `${ce.mapAddress}/128`, "dev", DEVICE],
    ),
  },
  {
    title: "the module is removed",
    code: "MODULE_MISSING",
    spoil: () => run(["rmmod", "mapmint"]),
    mend: async (router) => {
      insertModule();
      await configure(router, optionsOf["map-t"]);
    },
  },
];

async function tryFault(router: Router, options: Options, fault: Fault): Promise<string> {
  const words = fault.words ?? ["--offline"];
  await fault.spoil(router);
  try {
    const { findings } = ask(...words);
    const said = findings.map(({ code, text }) => `${code}: ${text}`);
    demand(
      findings.length === 1 && findings[0]?.code === fault.code,
      `found ${said.join("; ") || "nothing"}`,
    );
    fault.judge?.(findings[0]?.text ?? "");
    return said.join("");
  } finally {
    await (fault.mend ?? (() => configure(router, options)))(router);
  }
}

/** The first of two border relays is not there. */
async function takesNextRelay(router: Router, options: Options): Promise<string> {
  const chosen = `/var/run/mapmin/${IFACE}.relay`;
  const answered = () =>
    attempt(within("lan", ["ping", "-n", "-c", "2", "-W", "2", server.address])).stdout.includes(
      "bytes from",
    );
  const peeraddr = `2001:db8:ffff::2 ${borderRelay.tunnelAddress}`;
  await configure(router, { ...options, peeraddr });
  try {
    await waitUp(router, IFACE);
    demand(!answered(), "packets pass without a border relay");
    const { stderr } = attempt(within("ce", ["/usr/sbin/mapminctl", "doctor", IFACE, "--next-relay"]));
    demand(stderr.includes(`${borderRelay.tunnelAddress} is used now`), stderr);
    await settle(router, IFACE);
    demand(answered(), "no packets pass through the next one");
    healthy(...probing);
    await configure(router, { ...options, peeraddr, mtu: 1400 });
    demand(answered(), "the choice is forgotten at a setup");
    return stderr.trim();
  } finally {
    rmSync(chosen, { force: true });
    await configure(router, options);
  }
}

export async function doctor(): Promise<void> {
  const pattern = process.env["guest_case"] ?? "";
  await buildTopology();
  installRouterFiles();
  installUci();
  const router = await startRouter();
  await setLink(router, {});
  loadFirewall([DEVICE]);

  const through = async (
    title: string,
    options: Options,
    relay: "map-t" | "map-e",
    faults: readonly Fault[],
  ): Promise<void> => {
    const wanted = faults.filter((fault) => fault.title.includes(pattern));
    if (wanted.length === 0 && faults.length > 0 && pattern !== "") return;
    step(title);
    const running = await startBorderRelay(relay);
    await configure(router, options);
    await waitUp(router, IFACE);
    await checking(`healthy: ${title}`, () => {
      const { unknown } = healthy(...probing);
      return unknown.map(({ check, why }) => `not known: ${check}: ${why}`).join("; ");
    });
    for (const fault of wanted) {
      await checking(`${fault.code}: ${fault.title}`, () => tryFault(router, options, fault));
    }
    if (wanted.length > 0) {
      await checking(`healthy again: ${title}`, () => {
        healthy("--offline");
        return "";
      });
    }
    if (relay === "map-e" && "the next border relay".includes(pattern))
      await checking(`the next border relay: ${title}`, () => takesNextRelay(router, options));
    await router.call("lab", "unconfigure", { name: IFACE });
    await running.stop();
  };

  await checking("NO_INTERFACE: nothing is configured", () => {
    writeFileSync(`${UCI}/network`, "network.wan6=interface\n");
    const { findings } = ask("--offline");
    demand(findings.length === 1 && findings[0]?.code === "NO_INTERFACE", JSON.stringify(findings));
    return findings[0]?.text ?? "";
  });
  const nftables: Options = { ...optionsOf["map-e"], nat: "nftables" };
  await through("MAP-E by nftables", nftables, "map-e", [...byNftables, wrongPorts]);
  await through("lw4o6 by nftables", { ...optionsOf.lw4o6, nat: "nftables" }, "map-e", []);
  if (!insertModule()) throw new Error("the module has not been built");
  await through("MAP-E by the module", optionsOf["map-e"], "map-e", byConfiguration);
  await through("lw4o6 by the module", optionsOf.lw4o6, "map-e", []);
  await through("MAP-T by the module", optionsOf["map-t"], "map-t", [wrongPorts, ...byModule]);
  await router.stop();
}
