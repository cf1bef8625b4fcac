/** What each of the doctor's checks says of facts, by itself: those too that a check before it would have found first. */

import { describe, expect, test } from "vitest";
import { gather, lookAround } from "../../../src/cli/doctor-facts.ts";
import {
  type Check,
  examine,
  fault,
  givenState,
  type Patient,
  type Verdict,
} from "../../../src/doctor/check.ts";
import { chain, expectedOf } from "../../../src/doctor/diagnose.ts";
import { type Fact, type Facts, known, told, unknown } from "../../../src/doctor/facts.ts";
import type { SavedState } from "../../../src/engine/state.ts";
import { parseDeviceName, parseInterfaceName } from "../../../src/ip/names.ts";
import { parseIpv4, parseIpv6Prefix } from "../../../src/ip/text.ts";
import type { InterfaceConfig } from "../../../src/provision/request.ts";
import { parseTable } from "../../../src/render/readback.ts";
import { InputError, MapminError, SetupError } from "../../../src/wire/errors.ts";
import { makeRouter, natTable } from "../cli/doctor-world.ts";

type By = "module" | "tunnel";

const wan = parseInterfaceName("wan", "");
const wan6 = parseInterfaceName("wan6", "");

type Lines = { readonly [Key in keyof SavedState]?: SavedState[Key] | undefined };

/** What differs from a healthy router. */
interface Change {
  readonly facts?: Partial<Facts>;
  /** Lines of the state file; undefined takes a line away. */
  readonly state?: Lines;
  /** What setup would make now, where it is not what the facts lead to. */
  readonly expected?: Patient["expected"];
  /** Parts of the plan that setup would make now. */
  readonly plan?: object;
}

const gathered = new Map<By, Facts>();

async function healthyFacts(by: By): Promise<Facts> {
  const { system, bus } = makeRouter(by);
  const facts = gathered.get(by) ?? (await gather(wan, await lookAround(system, bus), system));
  gathered.set(by, facts);
  return facts;
}

async function patientOf(by: By, change: Change): Promise<Patient> {
  const healthy = await healthyFacts(by);
  const state = { ...told(healthy.state), ...change.state } as SavedState;
  const facts: Facts = { ...healthy, state: known(state), ...change.facts };
  if (change.expected !== undefined) return { facts, expected: change.expected };
  const expected = expectedOf(facts);
  if (change.plan === undefined) return { facts, expected };
  if (!expected.known || expected.value instanceof MapminError) throw new Error("no plan to be changed");
  return { facts, expected: known({ ...expected.value, plan: { ...expected.value.plan, ...change.plan } }) };
}

const checkOf = (about: string): Check => {
  const check = chain.find((one) => one.about === about);
  if (check === undefined) throw new Error(`no check of ${about}`);
  return check;
};

const away = unknown("is away");
const refused = (code: string) => known(new SetupError(code, "some words"));
const noDevice = known(undefined);
const gone: Lines = { table: undefined, carrier: undefined };
const eth1 = parseDeviceName("eth1", "");
const linkOf = (change: object) => known({ up: true, device: eth1, prefixes: [], ...change });
const fourEight = parseIpv6Prefix("2001:db8:12:3400::/56");
const option = (code: number, value: string) =>
  `${code.toString(16).padStart(4, "0")}${(value.length / 2).toString(16).padStart(4, "0")}${value}`;
const route = (device: string, metric: number) => ({ device, metric });
const shownWan = { name: "wan", proto: "map", up: true, autostart: true, dynamic: false, device: "map-wan" };
const rule = (name: string, target: string, ...devices: readonly string[]) => ({
  chain: name,
  statements: [
    { match: { op: "==", left: { meta: { key: "iifname" } }, right: { set: devices } } },
    { jump: { target } },
  ],
});
const twin = (change: Partial<SavedState>) =>
  ({
    interface: "old",
    state: "up",
    since: "x",
    ipv4: "192.0.2.18/32",
    psid: "52",
    psid_length: "8",
    offset: "6",
    ...change,
  }) as SavedState;
const volley = (answered: number, ids: readonly (readonly [id: number, answered: boolean])[] = []) =>
  known({
    address: "203.0.113.10",
    sent: 16,
    answered,
    ids: ids.map(([id, isAnswered]) => ({ id, answered: isAnswered })),
  });
const pinged = (answered: boolean) => known({ address: "2001:db8:ffff::1", answered });
const full = (octets: number, answered: boolean) => known({ address: "203.0.113.10", answered, octets });
const typed: InterfaceConfig = { tunlink: wan6 };

const noRelayRoute = fault(
  "NO_ROUTE_TO_RELAY",
  "there is no IPv6 route to 2001:db8:ffff::1, where the provider takes IPv4 packets",
  "run `ifup wan6`; if that does not help, see `ip -6 route` and the firewall's rule for router advertisements",
);
const moduleMissing = fault(
  "MODULE_MISSING",
  "the kernel module mapmint is needed, and it is not loaded",
  "install kmod-mapmint, and run `modprobe mapmint; ifup wan`",
);
const nftMissing = fault(
  "NFT_MISSING",
  "nftables do the NAT of this interface, and the program nft is not installed",
  "install kmod-mapmint, or nftables",
);
const tunnelUnsupported = fault(
  "TUNNEL_UNSUPPORTED",
  "without the module mapmint the kernel's own tunnel is needed, and it is not there",
  "install kmod-mapmint, or kmod-ip6-tunnel",
);
const notRequested = fault(
  "OPTION_NOT_REQUESTED",
  "the provider's DHCPv6 reply has no MAP option, and wan6 does not ask for option 48879",
  "uci add_list network.wan6.reqopts=48879; uci commit network; ifup wan6",
);
const notReceived = fault(
  "OPTION_NOT_RECEIVED",
  "wan6 asks for option 48879, and the provider's DHCPv6 reply has no MAP option",
  "ask your provider whether this line has MAP, or type the rule that your provider publishes into the interface's section of /etc/config/network",
);
const outdated = (what: string) =>
  fault(
    "SETUP_OUTDATED",
    `what wan was set up with is not what the link gives now: ${what}`,
    "run `ubus call network.interface.wan renew`",
  );
const elsewhere = fault(
  "DEFAULT_ROUTE_ELSEWHERE",
  "IPv4 packets leave by ppp0: its default route has metric 9, that of map-wan 10",
  "set `option metric` of the interface on ppp0 above 10",
);
const notSetUp = fault(
  "NOT_SET_UP",
  "wan is not up, and netifd gives no reason",
  "run `ifup wan`, and see /tmp/map.log",
);
const nft = unknown("nft -j list table ip mapmin_wan: not installed");
const noPorts: Lines = { psid: undefined };

type Row = readonly [about: string, by: By, why: string, change: Change, verdict: Verdict];

const rows: readonly Row[] = [
  ["kernel module", "tunnel", "not needed", {}, "not used"],
  [
    "kernel module",
    "tunnel",
    "it was there at setup",
    { state: { carrier: "module" }, expected: away },
    moduleMissing,
  ],
  [
    "kernel module",
    "tunnel",
    "setup has missed it",
    { state: { error: "NO_KERNEL_MODULE: x" }, expected: away },
    moduleMissing,
  ],
  [
    "kernel module",
    "tunnel",
    "setup has failed for another reason",
    { state: { error: "x NO_KERNEL_MODULE:" }, expected: away },
    "not used",
  ],
  [
    "kernel module",
    "module",
    "setup would need it",
    { facts: { module: known("none"), state: noDevice } },
    moduleMissing,
  ],
  [
    "kernel module",
    "tunnel",
    "setup would refuse",
    { expected: refused("NO_RULE"), state: { carrier: "tunnel" } },
    "not used",
  ],

  [
    "kernel features",
    "tunnel",
    "the tunnel was there at setup",
    { facts: { tunnelSupport: known(false) }, expected: away },
    tunnelUnsupported,
  ],
  [
    "kernel features",
    "tunnel",
    "setup would need the tunnel",
    { facts: { tunnelSupport: known(false), state: noDevice } },
    tunnelUnsupported,
  ],
  [
    "kernel features",
    "tunnel",
    "setup would refuse",
    { facts: { tunnelSupport: known(false), state: noDevice }, expected: refused("NO_RULE") },
    "fine",
  ],
  ["kernel features", "module", "no tunnel is needed", { facts: { tunnelSupport: known(false) } }, "fine"],
  [
    "kernel features",
    "module",
    "no tunnel is needed, by setup now",
    { facts: { tunnelSupport: known(false), state: noDevice } },
    "fine",
  ],
  [
    "kernel features",
    "tunnel",
    "whether there is a tunnel is not known",
    { facts: { tunnelSupport: away } },
    "fine",
  ],
  [
    "kernel features",
    "tunnel",
    "no nft, by the state",
    { facts: { table: nft }, expected: away },
    nftMissing,
  ],
  [
    "kernel features",
    "tunnel",
    "no nft, by what setup would do",
    { facts: { table: nft, state: noDevice } },
    nftMissing,
  ],
  [
    "kernel features",
    "tunnel",
    "no nft, and the state has no NAT",
    { facts: { table: nft }, state: gone },
    "fine",
  ],
  [
    "kernel features",
    "tunnel",
    "no nft, and setup would do no NAT",
    { facts: { table: nft }, state: { state: "failed" }, plan: { nat: undefined } },
    "fine",
  ],
  [
    "kernel features",
    "tunnel",
    "no nft, and setup would refuse",
    { facts: { table: nft, state: noDevice }, expected: refused("NO_RULE") },
    "fine",
  ],
  [
    "kernel features",
    "tunnel",
    "no nft, and what setup would do is not known",
    { facts: { table: nft, state: noDevice }, expected: away },
    "fine",
  ],
  [
    "kernel features",
    "tunnel",
    "nft fails",
    { facts: { table: unknown("nft: not installed: denied") } },
    "fine",
  ],
  [
    "kernel features",
    "tunnel",
    "forwarding is not known",
    { facts: { forwarding: away } },
    { unknown: "is away" },
  ],

  ["link", "tunnel", "an MTU of 1280", { facts: { linkDevice: known({ up: true, mtu: 1280 }) } }, "fine"],
  [
    "link",
    "tunnel",
    "no name of a device",
    { facts: { link: linkOf({ device: "" }) } },
    fault("LINK_DEVICE_MISSING", "netifd says that wan6 is up, and names no device", "run `ifup wan6`"),
  ],
  [
    "delegated prefix",
    "tunnel",
    "no link",
    { facts: { link: noDevice }, expected: refused("NO_MATCHING_PD") },
    "fine",
  ],
  [
    "delegated prefix",
    "tunnel",
    "no prefix, and none is needed",
    { facts: { link: linkOf({}) }, expected: away },
    "fine",
  ],
  [
    "delegated prefix",
    "tunnel",
    "no prefix, and another error",
    { facts: { link: linkOf({}) }, expected: refused("NO_RULE") },
    "fine",
  ],
  [
    "delegated prefix",
    "tunnel",
    "a prefix that does not match",
    { facts: { link: linkOf({ prefixes: [fourEight] }) }, expected: refused("NO_MATCHING_PD") },
    "fine",
  ],

  [
    "DHCPv6 option",
    "tunnel",
    "the configuration is not known",
    { facts: { config: away } },
    { unknown: "is away" },
  ],
  ["DHCPv6 option", "tunnel", "a rule is typed", {}, "not used"],
  ["DHCPv6 option", "tunnel", "no link", { facts: { config: known(typed), link: noDevice } }, "not used"],
  [
    "DHCPv6 option",
    "tunnel",
    "options without text are none",
    { facts: { config: known({ ...typed, ipaddr: "", rule: "" }), link: linkOf({}) } },
    notRequested,
  ],
  [
    "DHCPv6 option",
    "tunnel",
    "the configuration is not valid",
    { facts: { config: known(new InputError("mtu", "x")), link: linkOf({}) } },
    notRequested,
  ],
  [
    "DHCPv6 option",
    "tunnel",
    "an option of something else",
    { facts: { config: known(typed), link: linkOf({ passthru: option(23, "00".repeat(16)) }) } },
    notRequested,
  ],
  [
    "DHCPv6 option",
    "tunnel",
    "it was asked for, among others",
    { facts: { config: known(typed), link: linkOf({}), requested: known("21,  48879") } },
    notReceived,
  ],
  [
    "DHCPv6 option",
    "tunnel",
    "a longer number was asked for",
    { facts: { config: known(typed), link: linkOf({}), requested: known("148879 488790") } },
    notRequested,
  ],
  [
    "DHCPv6 option",
    "tunnel",
    "what was asked for is not known",
    { facts: { config: known(typed), link: linkOf({}), requested: away } },
    { unknown: "is away" },
  ],

  ["rule and prefix", "tunnel", "not known", { expected: away }, { unknown: "is away" }],
  [
    "rule and prefix",
    "tunnel",
    "the configuration is not known",
    { facts: { config: away }, expected: refused("INVALID_MAP_RULE") },
    fault(
      "RULE_REFUSED",
      "some words",
      "send this to your provider; for a private address see `allow_private` in the manual",
    ),
  ],
  [
    "rule and prefix",
    "tunnel",
    "a table whose name has no text",
    { facts: { config: known({ ...typed, rules: "" }) }, expected: refused("INVALID_MAP_RULE") },
    fault(
      "RULE_REFUSED",
      "some words",
      "send this to your provider; for a private address see `allow_private` in the manual",
    ),
  ],
  [
    "rule and prefix",
    "tunnel",
    "a table, and an option that is not valid",
    { facts: { config: known({ ...typed, rules: "/t" }) }, expected: refused("INVALID_OPTION") },
    fault(
      "RULE_REFUSED",
      "some words",
      "correct that option in /etc/config/network, and run `ifup` for the interface",
    ),
  ],
  ["port parameters", "tunnel", "no port set", { plan: { ce: undefined } }, "not used"],
  ["port parameters", "tunnel", "setup would refuse", { expected: refused("NO_RULE") }, "not used"],
  [
    "port parameters",
    "tunnel",
    "64 ports",
    { plan: { ce: { portSet: { offset: 0, psidLength: 10, psid: 1 } } } },
    "fine",
  ],

  [
    "interface",
    "tunnel",
    "netifd has it up, and there is no state",
    { facts: { state: noDevice } },
    notSetUp,
  ],
  [
    "interface",
    "tunnel",
    "netifd's error",
    {
      facts: {
        interfaces: known([{ ...shownWan, up: false, error: { code: "NO_RULE", text: "there is none" } }]),
      },
    },
    fault("SETUP_FAILED", "netifd shows the error NO_RULE: there is none", "run `ifup wan`"),
  ],
  [
    "interface",
    "tunnel",
    "a failure of no reason",
    { state: { state: "failed" } },
    fault("SETUP_FAILED", "the last setup failed: no reason is kept", "run `ifup wan`"),
  ],

  ["up to date", "tunnel", "setup would refuse", { expected: refused("NO_RULE") }, "not used"],
  ["up to date", "tunnel", "not known", { expected: away }, { unknown: "is away" }],
  [
    "up to date",
    "tunnel",
    "another transport",
    { state: { transport: "lw4o6" } },
    outdated("transport lw4o6 instead of map-e"),
  ],
  [
    "up to date",
    "tunnel",
    "another IPv4 address",
    { state: { ipv4: "192.0.2.19/32" } },
    outdated("IPv4 address 192.0.2.19/32 instead of 192.0.2.18/32"),
  ],
  [
    "up to date",
    "tunnel",
    "another MAP address",
    { state: { map_address: "::1" } },
    outdated("MAP address ::1 instead of 2001:db8:12:3400:0:c000:212:34"),
  ],
  [
    "up to date",
    "tunnel",
    "another PSID, and its length",
    { state: { psid: "5", psid_length: "4" } },
    outdated("PSID 5 instead of 52, PSID length 4 instead of 8"),
  ],
  [
    "up to date",
    "tunnel",
    "another offset",
    { state: { offset: "4" } },
    outdated("PSID offset 4 instead of 6"),
  ],
  [
    "up to date",
    "tunnel",
    "no offset",
    { state: { offset: undefined } },
    outdated("PSID offset none instead of 6"),
  ],
  [
    "up to date",
    "tunnel",
    "no port set any more",
    {
      plan: { ce: undefined },
      state: { map_address: undefined, psid: undefined, psid_length: undefined },
    },
    outdated("PSID offset 6 instead of none"),
  ],
  [
    "up to date",
    "tunnel",
    "another carrier",
    { state: { carrier: "module" } },
    outdated("carrier module instead of tunnel"),
  ],
  [
    "up to date",
    "module",
    "another carrier than the module",
    { state: { carrier: "tunnel" } },
    outdated("carrier tunnel instead of module"),
  ],
  [
    "up to date",
    "tunnel",
    "another MTU",
    { state: { mtu: "1280" } },
    outdated("IPv4 MTU 1280 instead of 1460"),
  ],

  [
    "MAP device",
    "module",
    "its rules are not known",
    { facts: { moduleLines: away } },
    { unknown: "is away" },
  ],
  ["MAP device", "tunnel", "a tunnel has no rules", { facts: { moduleLines: away } }, "fine"],
  ["MAP device", "tunnel", "no state", { facts: { state: noDevice } }, "not used"],
  [
    "addresses",
    "tunnel",
    "no MAP address",
    { state: { map_address: undefined }, facts: { addresses6: away } },
    "fine",
  ],
  [
    "addresses",
    "tunnel",
    "nobody has to hold the MAP address",
    { state: { address_interfaces: "" }, facts: { addresses6: away } },
    "fine",
  ],
  [
    "addresses",
    "tunnel",
    "a state without an address",
    { state: { ipv4: undefined } },
    fault("IPV4_ADDRESS_MISSING", "the router has lost its IPv4 address ", "run `ifup wan`"),
  ],
  [
    "default route",
    "tunnel",
    "a worse one elsewhere",
    { facts: { defaultRoutes: known([route("ppp0", 11), route("map-wan", 10), route("map-wan", 12)]) } },
    "fine",
  ],
  [
    "default route",
    "tunnel",
    "an equal one elsewhere",
    { facts: { defaultRoutes: known([route("ppp0", 10), route("map-wan", 10)]) } },
    "fine",
  ],
  [
    "default route",
    "tunnel",
    "a better one elsewhere",
    {
      facts: {
        defaultRoutes: known([
          route("map-wan", 12),
          route("map-wan", 10),
          route("eth9", 11),
          route("ppp0", 9),
        ]),
      },
    },
    elsewhere,
  ],
  [
    "default route",
    "tunnel",
    "a table of its own",
    { facts: { routeOptions: known({ table: "100", noDefault: false }) } },
    { unknown: "`option ip4table`: routes of table 100 are not looked at" },
  ],
  ["route to the MAP device", "tunnel", "MAP-E", {}, "not used"],
  ["route to the MAP device", "module", "no MAP address", { state: { map_address: undefined } }, "not used"],
  [
    "route to the MAP device",
    "module",
    "no route at all",
    { facts: { routes6: known([]) } },
    fault(
      "MAP_ROUTE_MISSING",
      "there is no IPv6 route for the MAP address 2001:db8:12:3400:0:c000:212:34 into map-wan",
      "run `ifup wan`",
    ),
  ],
  ["route to the border relay", "tunnel", "no route at all", { facts: { routes6: known([]) } }, noRelayRoute],
  [
    "route to the border relay",
    "tunnel",
    "no plan",
    { expected: away },
    { unknown: "the border relay is not known" },
  ],
  [
    "next router",
    "tunnel",
    "no plan",
    { expected: refused("NO_RULE") },
    { unknown: "the border relay is not known" },
  ],
  ["MTU", "tunnel", "no plan", { expected: away }, { unknown: "what setup would make is not known" }],
  [
    "MTU",
    "module",
    "translation makes packets too large",
    { plan: { mtu: 1481 } },
    fault(
      "MTU_TOO_LARGE",
      "IPv4 packets of 1481 octets become 1501, and wan6 takes 1500",
      "delete `option mtu` of wan: the right value, 1480, is then used",
    ),
  ],
  [
    "MTU",
    "tunnel",
    "an encapsulation limit makes them too large",
    { plan: { tunnel: { encaplimit: "4" } } },
    fault(
      "MTU_TOO_LARGE",
      "IPv4 packets of 1460 octets become 1508, and wan6 takes 1500",
      "delete `option mtu` of wan: the right value, 1452, is then used",
    ),
  ],

  ["NAT", "module", "the module's", {}, "not used"],
  [
    "NAT",
    "tunnel",
    "what was loaded is not kept",
    { state: noPorts },
    { unknown: "the state file does not say what NAT was loaded" },
  ],
  [
    "NAT",
    "tunnel",
    "two chains are gone",
    { facts: { table: known(parseTable(natTable(251, ["guard"]), "mapmin_wan")) } },
    fault(
      "NAT_CHANGED",
      "the table ip mapmin_wan is not what was loaded: chain translate is missing; chain incoming is missing",
      "run `ubus call network.interface.wan renew`",
    ),
  ],
  ["order of NAT", "module", "the module's", { facts: { earlierNat: away } }, "not used"],
  ["order of NAT", "tunnel", "not known", { facts: { earlierNat: away } }, { unknown: "is away" }],
  [
    "firewall zone",
    "tunnel",
    "the zone of the link, to which nobody is forwarded",
    {
      facts: {
        firewall: known({
          rules: [rule("forward", "forward_x", "map-wan", "eth1"), rule("input_x", "accept_from_x")],
        }),
      },
    },
    "fine",
  ],
  [
    "firewall zone",
    "tunnel",
    "a zone of its own, and the link is not known",
    {
      facts: {
        link: away,
        firewall: known({
          rules: [rule("forward", "forward_x", "map-wan"), rule("forward_lan", "accept_to_x")],
        }),
      },
    },
    "fine",
  ],
  ["flow offload", "tunnel", "no firewall", { facts: { firewall: noDevice } }, "fine"],
  ["flow offload", "module", "the module's", { facts: { firewall: away } }, "not used"],

  ["rivals", "tunnel", "others are not known", { facts: { otherStates: away, mwan3: away } }, "fine"],
  ["rivals", "tunnel", "netifd is not known", { facts: { interfaces: away } }, { unknown: "is away" }],
  [
    "rivals",
    "tunnel",
    "the interface itself is of another protocol",
    {
      facts: {
        interfaces: known([
          { name: "wan", proto: "dslite", up: true, autostart: true, dynamic: false, device: "" },
          { name: "b", proto: "static", up: true, autostart: true, dynamic: false, device: "" },
        ]),
      },
    },
    "fine",
  ],
  [
    "rivals",
    "tunnel",
    "the same ports",
    { facts: { otherStates: known([twin({ psid: "1" }), twin({})]) } },
    fault(
      "SAME_PORT_SET",
      "old is up with the same address and the same ports",
      "keep one of wan and old, and delete the other from /etc/config/network",
    ),
  ],
  ...(
    [
      ["the same ports, which are not up", { state: "failed" }],
      ["the same ports of another address", { ipv4: "192.0.2.19/32" }],
      ["another PSID", { psid: "53" }],
      ["another PSID length", { psid_length: "7" }],
      ["another offset", { offset: "4" }],
    ] as const
  ).map(
    ([why, change]): Row => [
      "rivals",
      "tunnel",
      why,
      { facts: { otherStates: known([twin(change)]) } },
      "fine",
    ],
  ),

  ["ports in use", "tunnel", "no state", { facts: { state: noDevice } }, "not used"],
  ["ports in use", "tunnel", "a state without ports", { state: noPorts }, "not used"],
  [
    "ports in use",
    "tunnel",
    "a whole address",
    {
      state: { psid_length: "0", psid: "0" },
      facts: { busiest: known([{ protocol: "tcp", peer: "x", ports: 64_511 }]) },
    },
    "not used",
  ],
  [
    "ports in use",
    "tunnel",
    "one less than nine tenths of 250",
    {
      state: { reserved_ports: "1232-1233" },
      facts: { busiest: known([{ protocol: "tcp", peer: "x", ports: 224 }]) },
    },
    "fine",
  ],
  [
    "ports in use",
    "tunnel",
    "nine tenths of 250",
    {
      state: { reserved_ports: "1232-1233" },
      facts: {
        busiest: known([
          { protocol: "tcp", peer: "x", ports: 1 },
          { protocol: "udp", peer: "203.0.113.1 port 53", ports: 225 },
        ]),
      },
    },
    fault(
      "PORTS_NEARLY_USED_UP",
      "UDP: 225 of 250 ports are in use towards 203.0.113.1 port 53",
      "find who in your network talks so much to 203.0.113.1 port 53 (`conntrack -L -p udp`)",
    ),
  ],

  ["probes", "tunnel", "none", {}, "not used"],
  ["probes", "tunnel", "the relay answers", { facts: { probes: { relay: pinged(true) } } }, "fine"],
  [
    "probes",
    "tunnel",
    "the relay answers, and pings to the address could not be sent",
    { facts: { probes: { relay: pinged(true), named: away } } },
    { unknown: "is away" },
  ],
  [
    "probes",
    "tunnel",
    "pings to the relay could not be sent",
    { facts: { probes: { relay: away } } },
    { unknown: "is away" },
  ],
  [
    "probes",
    "tunnel",
    "all answered, and no large ones were sent",
    { facts: { probes: { named: volley(16) } } },
    "fine",
  ],
  [
    "probes",
    "tunnel",
    "large ones could not be sent",
    { facts: { probes: { named: volley(16), full: away } } },
    { unknown: "is away" },
  ],
  [
    "probes",
    "tunnel",
    "large ones are answered",
    { facts: { probes: { named: volley(16), full: full(1460, true) } } },
    "fine",
  ],
  [
    "probes",
    "tunnel",
    "some are lost, of a whole address",
    { state: { psid_length: "0", psid: "0" }, facts: { probes: { named: volley(9) } } },
    "fine",
  ],
  ...(
    [
      [1460, 1380],
      [1300, 1280],
    ] as const
  ).map(
    ([octets, lower]): Row => [
      "probes",
      "tunnel",
      `packets of ${octets} octets are lost`,
      { facts: { probes: { named: volley(16), full: full(octets, false) } } },
      fault(
        "FULL_SIZE_LOST",
        `203.0.113.10 answers small packets, and none of ${octets} octets, which the MTU allows`,
        `set \`option mtu\` of wan lower, beginning with ${lower}, until this finding is gone`,
      ),
    ],
  ),
  ...(
    [
      ["no ids are known", [], ""],
      ["ids that were answered alone", [[1232, true]], ""],
      ["ids that were not answered alone", [[1232, false]], ""],
      [
        "the first six of each, in the order of numbers",
        [
          ...[9424, 1234, 10448, 1235, 2257, 2258, 2259].map((id) => [id, true] as const),
          ...[3280, 64720, 3281, 3282, 3283, 4304, 4305].map((id) => [id, false] as const),
        ],
        ": those with the ids 1234, 1235, 2257, 2258, 9424, 10448, and not those with 3280, 3281, 3282, 3283, 4304, 64720",
      ],
    ] as const
  ).map(
    ([why, ids, which]): Row => [
      "probes",
      "module",
      why,
      { facts: { probes: { named: volley(9, ids) } } },
      fault(
        "PORT_SET_DOUBTFUL",
        `of 16 pings to 203.0.113.10 with different ids of the port set, 9 were answered${which}`,
        "compare `offset`, `psidlen` and `psid` with what your provider publishes: a part of these ports is another subscriber's",
      ),
    ],
  ),
  [
    "probes",
    "tunnel",
    "ids of the block that stands for the set are told as others see them",
    {
      facts: {
        probes: {
          named: volley(9, [
            [65_286, true],
            [65_285, false],
          ]),
        },
      },
    },
    fault(
      "PORT_SET_DOUBTFUL",
      "of 16 pings to 203.0.113.10 with different ids of the port set, 9 were answered: those with the ids 1234, and not those with 1233",
      "compare `offset`, `psidlen` and `psid` with what your provider publishes: a part of these ports is another subscriber's",
    ),
  ],
  [
    "probes",
    "tunnel",
    "nothing answers, by whatever device",
    { facts: { probes: { named: volley(0) } }, expected: away },
    fault(
      "NO_ANSWER_THROUGH_RELAY",
      "203.0.113.10 does not answer pings through the MAP device",
      "try another address; if none answers, compare the rule (`mapminctl status`) with what your provider publishes",
    ),
  ],
];

describe("a check by itself", () => {
  test.each(rows.map((row) => ({ title: `${row[0]}: ${row[2]}`, row })))("$title", async ({ row }) => {
    const [about, by, , change, verdict] = row;
    expect(checkOf(about).look(await patientOf(by, change))).toEqual(verdict);
  });

  test("without any fact it finds nothing, and says why", async () => {
    const healthy = await healthyFacts("tunnel");
    const isFact = (value: unknown): value is Fact<unknown> =>
      typeof value === "object" && value !== null && "known" in value;
    const blind = Object.fromEntries(
      Object.entries(healthy).map(([name, value]) => [name, isFact(value) ? away : value]),
    ) as unknown as Facts;
    const { findings, unknown: not, passed } = examine(chain, { facts: blind, expected: away });
    // That netifd does not answer is a finding, by which the others wait.
    expect(findings.map(({ code }) => code)).toEqual(["NETIFD_SILENT"]);
    expect(passed).toEqual([]);
    for (const { look, about } of chain) {
      if (about === "netifd" || about === "probes") continue;
      const verdict = look({ facts: blind, expected: away });
      expect([about, typeof verdict === "object" && "unknown" in verdict ? "unknown" : verdict]).toEqual([
        about,
        about === "ports in use" ? "not used" : "unknown",
      ]);
    }
    expect(not.length).toBeGreaterThan(5);
  });

  test("the state of an interface that has none is not judged", async () => {
    const { facts } = await patientOf("tunnel", { facts: { state: noDevice } });
    expect(givenState({ facts, expected: away }, () => "fine")).toBe("not used");
  });
});

describe("the chain", () => {
  const simple = (about: string, after: readonly string[], look: Check["look"]): Check => ({
    about,
    after,
    look,
  });

  test("what is not looked at once a check has failed", async () => {
    const patient = await patientOf("tunnel", {});
    const skipped = chain.map(({ about: failing }) => {
      const checks = chain.map(({ about, after }) =>
        simple(about, after, () => (about === failing ? fault("X", "x", "x") : "fine")),
      );
      const diagnosis = examine(checks, patient);
      expect(diagnosis.findings.map(({ check }) => check)).toEqual([failing]);
      for (const { because } of diagnosis.skipped) expect(because).toBe(failing);
      return [failing, ...diagnosis.skipped.map(({ check }) => check)].join(", ");
    });
    expect(skipped.join("\n")).toMatchInlineSnapshot(`
      "engine, interface, up to date, MAP device, addresses, default route, route to the MAP device, route to the border relay, next router, MTU, NAT, order of NAT, firewall zone, flow offload, ports in use, probes
      protocol handler, netifd, link, delegated prefix, DHCPv6 option, rule and prefix, port parameters, interface, up to date, MAP device, addresses, default route, route to the MAP device, route to the border relay, next router, MTU, NAT, order of NAT, firewall zone, flow offload, ports in use, probes
      netifd, link, delegated prefix, DHCPv6 option, rule and prefix, port parameters, interface, up to date, MAP device, addresses, default route, route to the MAP device, route to the border relay, next router, MTU, NAT, order of NAT, firewall zone, flow offload, ports in use, probes
      kernel module, kernel features, interface, up to date, MAP device, addresses, default route, route to the MAP device, route to the border relay, next router, MTU, NAT, order of NAT, firewall zone, flow offload, ports in use, probes
      kernel features, interface, up to date, MAP device, addresses, default route, route to the MAP device, route to the border relay, next router, MTU, NAT, order of NAT, firewall zone, flow offload, ports in use, probes
      link, delegated prefix, DHCPv6 option, rule and prefix, port parameters, interface, up to date, MAP device, addresses, default route, route to the MAP device, route to the border relay, next router, MTU, NAT, order of NAT, firewall zone, flow offload, ports in use, probes
      delegated prefix, rule and prefix, port parameters, interface, up to date, MAP device, addresses, default route, route to the MAP device, route to the border relay, next router, MTU, NAT, order of NAT, firewall zone, flow offload, ports in use, probes
      configuration, DHCPv6 option, rule and prefix, port parameters, interface, up to date, MAP device, addresses, default route, route to the MAP device, route to the border relay, next router, MTU, NAT, order of NAT, firewall zone, flow offload, ports in use, probes
      DHCPv6 option, rule and prefix, port parameters, interface, up to date, MAP device, addresses, default route, route to the MAP device, route to the border relay, next router, MTU, NAT, order of NAT, firewall zone, flow offload, ports in use, probes
      rule and prefix, port parameters, interface, up to date, MAP device, addresses, default route, route to the MAP device, route to the border relay, next router, MTU, NAT, order of NAT, firewall zone, flow offload, ports in use, probes
      port parameters
      interface, up to date, MAP device, addresses, default route, route to the MAP device, route to the border relay, next router, MTU, NAT, order of NAT, firewall zone, flow offload, ports in use, probes
      up to date, addresses, default route, route to the MAP device, MTU, probes
      MAP device, addresses, default route, route to the MAP device, MTU, NAT, order of NAT, firewall zone, flow offload, probes
      addresses, default route, probes
      default route, probes
      route to the MAP device, probes
      route to the border relay, next router, probes
      next router, probes
      MTU
      NAT, order of NAT, flow offload, probes
      order of NAT
      firewall zone, probes
      flow offload
      rivals, probes
      ports in use
      probes"
    `);
  });

  test("a value that cannot be read is not known, and the checks go on; a bug ends them", async () => {
    const patient = await patientOf("tunnel", {});
    const checks = [
      simple("a", [], () => {
        throw new InputError("IPv6 address", "is not one");
      }),
      simple("b", ["a"], () => "fine"),
    ];
    expect(examine(checks, patient)).toEqual({
      findings: [],
      passed: ["b"],
      unknown: [{ check: "a", why: "IPv6 address: is not one" }],
      skipped: [],
    });
    const bug = new TypeError("a bug");
    const broken = simple("a", [], () => {
      throw bug;
    });
    expect(() => examine([broken], patient)).toThrow(bug);
  });

  test.each<[string, Partial<SavedState>]>([
    ["addresses", { map_address: "::1::", address_interfaces: "wan_" }],
    ["route to the MAP device", { map_address: "$(x)" }],
  ])("%s: a state file that somebody has written to", async (about, state) => {
    const patient = await patientOf("module", { state, expected: away });
    const { unknown: not, findings } = examine(chain, patient);
    expect(findings).toEqual([]);
    expect(not).toContainEqual({
      check: about,
      why: `IPv6 address: "${state.map_address}" is not an IPv6 address`,
    });
  });
});

describe("what setup would make now", () => {
  const expectedWith = async (change: Partial<Facts>) =>
    expectedOf({ ...(await healthyFacts("tunnel")), ...change });
  const wrong = new InputError("mtu", "is wrong");

  test.each<[string, Partial<Facts>, Patient["expected"]]>([
    ["the configuration", { config: away }, away],
    ["a configuration that is wrong", { config: known(wrong) }, known(wrong)],
    ["the table of rules", { rulesText: away }, away],
    ["a table of rules that is wrong", { rulesText: known(wrong) }, known(wrong)],
    ["the link", { link: away }, away],
    ["no such link", { link: noDevice }, unknown("the link wan6 is not up")],
    ["a link that is down", { link: linkOf({ up: false }) }, unknown("the link wan6 is not up")],
  ])("hangs on %s", async (_title, change, expected) => {
    expect(await expectedWith(change)).toEqual(expected);
  });

  test("hangs on the addresses of the other interfaces, where they are known", async () => {
    const lan = { iface: "lan", ipv4: [{ address: parseIpv4("192.0.2.18"), length: 32 }], ipv6: [] };
    const refusal = await expectedWith({ neighbours: known([lan]) });
    expect(refusal).toMatchObject({ known: true, value: expect.any(SetupError) });
    expect(await expectedWith({ neighbours: away })).toMatchObject({
      known: true,
      value: { plan: { iface: "wan" } },
    });
  });

  test("a bug is no refusal", async () => {
    const bug = new TypeError("a bug");
    const device = {
      up: true,
      get mtu(): number {
        throw bug;
      },
    };
    await expect(expectedWith({ linkDevice: known(device) })).rejects.toThrow(bug);
  });
});
