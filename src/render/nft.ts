/**
 * NAT44 into the port set (RFC 7597 s5.1, s8.1; RFC 7599 s9) as an nftables script, for nft 1.0.6 and Linux 5.10 or
 * later, in a table of its own.
 *
 * Chains, at their hooks and priorities; "->" is a chain that is gone to for some packets:
 *
 *     hook         priority   to the MAP device                    from the MAP device
 *     prerouting       -400   connection tracking puts fragments together
 *                      -310   incoming                             incoming -> from_domain -> from_domain_error
 *                             our address with another's port      port of the set to port of the block, the rest
 *                             is another subscriber                is dropped
 *                      -200   connection tracking finds the flow, which knows ports of the block only
 *                      -100   fw4's dstnat                         fw4's dstnat: port forwards
 *                             routing                              routing, and away to the LAN or to us
 *     postrouting        90   translate: a port of the block
 *                       100   fw4's srcnat finds it done
 *                       300   rewrite -> to_domain_error
 *                             port of the block to port of the set
 *                       310   guard -> guard_error
 *                             whatever is outside the set is dropped
 *
 * What is relied upon:
 * - Connection tracking puts fragments together before any of this (priority -400), and POSTROUTING sees whole packets.
 * - The first NAT statement that a flow meets decides, so ours comes before fw4's `srcnat`.
 * - Helpers (FTP, SIP) choose ports of their own. Kernels since 4.7 attach none unless a rule says `ct helper set`;
 *   fw4 does for a zone unless it has `option auto_helper '0'` and when kmod-nf-nathelper is installed. A helper cannot
 *   be taken off a flow again, and `notrack` would take the NAT with it, so what one sends outside the set is dropped
 *   by the guard and counted.
 * - A flow in a flowtable bypasses every chain here: the MAP device has to stay out of flowtables.
 */

import { type DeviceName, isDeviceName } from "../ip/names.ts";
import { formatIpv4, formatIpv4Prefix } from "../ip/text.ts";
import type { NatPlan } from "../map/plan.ts";
import { formatRange, portRanges } from "../map/port-set.ts";
import {
  asRanges,
  keptPorts,
  unreservedRange,
  type VirtualBlock,
  virtualBlock,
} from "../map/virtual-block.ts";
import { quotedRules } from "./nft-icmp-errors.ts";
import { type NftChain, type NftSet, nftScript, type Rule } from "./nft-script.ts";

/** Octets of the headers that an MSS leaves out (RFC 9293 s3.7.1: IPv4 20, TCP 20). */
const TCP_HEADERS = 40;
/** Largest IPv4 packet that every host takes (RFC 791 s3.1); an MTU below that is a mistake. */
const LEAST_MTU = 68;
const LARGEST_MTU = 65_535;

/** Counters of a table: why packets were dropped, by direction, and what went to other subscribers of our address. */
export const natCounters = {
  out_invalid: "connection tracking calls it invalid",
  out_untracked: "unknown to connection tracking",
  out_fragment: "a fragment without ports",
  out_source: "from an address that is not ours",
  out_port: "port or id outside the set",
  out_protocol: "a protocol without ports",
  out_error: "ICMP error about a packet outside the set",
  in_port: "port or id outside the set",
  in_protocol: "a protocol without ports",
  in_error: "ICMP error about a packet outside the set",
  to_domain: "to another subscriber of our address (passed on)",
} as const;

export type NatCounter = keyof typeof natCounters;

/** A name of letters, digits and `_`, at most the 255 octets that nft takes. @throws RangeError for another */
function checkTable(table: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(table))
    throw new RangeError(`"${table}" is not the name of a table`);
}

/** @throws RangeError when the plan holds a name that nft could read as something else, or an impossible MTU */
function check(plan: NatPlan): void {
  checkTable(plan.table);
  if (!isDeviceName(plan.device)) throw new RangeError(`"${plan.device}" is not the name of a device`);
  if (!Number.isInteger(plan.mtu) || plan.mtu < LEAST_MTU || plan.mtu > LARGEST_MTU) {
    throw new RangeError(`an MTU of ${plan.mtu} octets is not possible`);
  }
}

const hex32 = (address: number) => `0x${address.toString(16).padStart(8, "0")}`;

/**
 * Stands for our own address where it is another subscriber's, inside the router: a packet to our address would be
 * delivered to us, and one from it refused as a martian. Of class E (240/4), which is nobody's; a different one for
 * every address, so that several MAP interfaces do not meet.
 */
function domainImage(address: number): string {
  return formatIpv4(((address & 0x0fffffff) | 0xf0000000) >>> 0);
}

function drop(counter: NatCounter): string {
  return `counter name "${counter}" drop`;
}

const BEFORE_TRACKING = "type filter hook prerouting priority -310";
const AFTER_NAT = "type filter hook postrouting priority 310";

const notOurs = (device: string): Rule => [`oifname != "${device}" accept`, "not to the MAP domain"];
const ownSource = (own: string): Rule => [`ip saddr != ${own} ${drop("out_source")}`, "not our address"];
const noFragment: Rule = [`ip frag-off & 0x1fff != 0 ${drop("out_fragment")}`, "no ports to judge by"];
const anotherSubscriber = "another subscriber of our address";
const noPort = "no port to tell subscribers apart by";
const byQuoted = "judged by the packet it quotes";

/** Servers and forwards keep their ports. */
function keptPortRules(device: string, own: string): readonly Rule[] {
  return both(
    (protocol) =>
      `oifname "${device}" ip saddr ${own} ${protocol} sport @kept_ports snat to ${own}:${protocol} sport`,
    "services of ours on reserved ports",
  );
}

function mssClamp(plan: NatPlan): Rule {
  const size = plan.mtu - TCP_HEADERS;
  return [
    `tcp flags & (syn | rst) == syn tcp option maxseg size > ${size} tcp option maxseg size set ${size}`,
    `MSS at most MTU ${plan.mtu} - ${TCP_HEADERS}`,
  ];
}

const elements = (ranges: readonly (readonly [number, number])[]) => ranges.map(formatRange);

function reservedSets(plan: NatPlan): readonly NftSet[] {
  const ranges = elements(asRanges(plan.reservedPorts));
  if (ranges.length === 0) return [];
  return [
    { kind: "set", name: "kept_ports", type: "type inet_service", flags: "interval", elements: ranges },
  ];
}

/** k = 0: every port is ours, but NAT gives flows none of those that are kept for servers and forwards. */
function aroundReservedPorts(plan: NatPlan): readonly Rule[] {
  if (plan.reservedPorts.length === 0) return [];
  const { device } = plan;
  const address = formatIpv4(plan.ipv4.address);
  const range = unreservedRange(plan.reservedPorts);
  return [
    ...keptPortRules(device, address),
    range === undefined
      ? [`oifname "${device}" meta l4proto { tcp, udp } ${drop("out_port")}`, "every port is reserved"]
      : [
          // The allocator leaves a source its port where the range has it, and takes none from outside the range.
          `oifname "${device}" meta l4proto { tcp, udp } snat to ${address}:${range[0]}-${range[1]}`,
          "the longest range without a reserved port",
        ],
  ];
}

/** k = 0: nothing to keep apart but addresses, and reserved ports. */
function unrestricted(plan: NatPlan): string {
  const { device, ipv4 } = plan;
  const own = formatIpv4Prefix(ipv4);
  const address = formatIpv4(ipv4.address);
  const prefix: Rule[] =
    ipv4.length === 32
      ? []
      : [
          // To itself, because this is a NAT statement and so fw4's masquerade does not come to it.
          [`oifname "${device}" ip saddr ${own} snat to ip saddr`, "addresses of our prefix stay"],
        ];
  return nftScript(plan, {
    counters: {
      out_source: natCounters.out_source,
      ...(plan.reservedPorts.length === 65_535 ? { out_port: natCounters.out_port } : {}),
    },
    sets: reservedSets(plan),
    chains: [
      {
        name: "translate",
        hook: "type nat hook postrouting priority srcnat - 10",
        rules: [
          ...prefix,
          ...aroundReservedPorts(plan),
          [`oifname "${device}" snat to ${address}`, "our address"],
        ],
      },
      {
        name: "incoming",
        hook: BEFORE_TRACKING,
        rules: [[`iifname != "${device}" accept`, "not from the MAP domain"], mssClamp(plan)],
      },
      {
        name: "guard",
        hook: AFTER_NAT,
        rules: [notOurs(device), ownSource(own), mssClamp(plan)],
      },
    ],
  });
}

/** ICMP ids are integers to nft and ports are not, so each list comes as both. */
function asPortsAndIds(ports: string, ids: string, ranges: readonly string[]): readonly NftSet[] {
  return [
    { kind: "set", name: ports, type: "type inet_service", flags: "interval", elements: ranges },
    { kind: "set", name: ids, type: "typeof icmp id", flags: "interval", elements: ranges },
  ];
}

function rewriteMaps(block: VirtualBlock) {
  const out = block.ports.map((port, i) => `${block.start + i} : ${port}`);
  const back = block.ports.map((port, i) => `${port} : ${block.start + i}`);
  const ports = "type inet_service : inet_service";
  const ids = "typeof icmp id : icmp id";
  return [
    { kind: "map", name: "port_out", type: ports, flags: "constant", elements: out },
    { kind: "map", name: "id_out", type: ids, flags: "constant", elements: out },
    { kind: "map", name: "port_in", type: ports, flags: "constant", elements: back },
    { kind: "map", name: "id_in", type: ids, flags: "constant", elements: back },
  ] as const;
}

/** What the chains of a restricted set are made of. */
interface Parts {
  readonly plan: NatPlan;
  readonly device: string;
  readonly address: string;
  /** Stands for our address where it is another subscriber's. */
  readonly image: string;
  readonly block: VirtualBlock | undefined;
  /** The block is not the set itself, so that ports are rewritten on the way. */
  readonly rewritten: boolean;
  /** Ports that keep their number on the way. */
  readonly kept: readonly number[];
  /** The set of ports that come in untranslated: all of the set where the block is the set. */
  readonly plainPorts: string | undefined;
  /** The set of echo ids that keep their number. */
  readonly keptIds: string | undefined;
}

function partsOf(plan: NatPlan): Parts {
  const block = virtualBlock(plan);
  const rewritten = block?.rewritten === true;
  const kept = keptPorts(plan);
  return {
    plan,
    device: plan.device,
    address: formatIpv4(plan.ipv4.address),
    image: domainImage(plan.ipv4.address),
    block,
    rewritten,
    kept,
    keptIds: kept.length > 0 ? "@kept_ids" : undefined,
    plainPorts: rewritten ? (kept.length > 0 ? "@kept_ports" : undefined) : "@ports",
  };
}

const when = <const T>(condition: boolean, ...items: readonly T[]): readonly T[] => (condition ? items : []);

/** A rule for each protocol that has ports. */
function both(text: (protocol: string) => string, why: string): readonly Rule[] {
  return ["tcp", "udp"].map((protocol) => [text(protocol), why]);
}

/** ICMP errors, which quote a packet. */
const ERRORS = "icmp type { destination-unreachable, time-exceeded, parameter-problem }";

/**
 * Connection tracking keeps a closed connection for two minutes, and with it a port of the set: 240 ports would be two
 * connections a second. Hosts keep their own record of a connection that they have closed (RFC 9293 s3.6.1).
 */
const closedTcp = { name: "closed_tcp", policy: "time_wait : 2, close : 2" } as const;

/** Gives each new flow a port of the block. */
function translate({ device, address, block, rewritten, kept }: Parts): NftChain {
  return {
    name: "translate",
    hook: "type nat hook postrouting priority srcnat - 10",
    rules: [
      [
        `oifname "${device}" meta l4proto tcp ct timeout set "${closedTcp.name}"`,
        "closed connections give their ports back",
      ],
      ...when(kept.length > 0, ...keptPortRules(device, address)),
      ...(block === undefined
        ? []
        : [
            [
              `oifname "${device}" meta l4proto { tcp, udp, icmp } snat to ${address}:${block.start}-${block.start + block.ports.length - 1}`,
              rewritten ? "the block that stands for the port set" : "the port set",
            ] as const,
          ]),
    ],
  };
}

/** Before connection tracking: tells apart what comes from the MAP domain, and what is meant for another subscriber. */
function incoming({ device, address, image }: Parts): NftChain {
  return {
    name: "incoming",
    hook: BEFORE_TRACKING,
    rules: [
      [`iifname "${device}" goto from_domain`, "from the MAP domain"],
      [`iifname "lo" accept`, "our own"],
      // RFC 7597 s5.1: another port of our address is another subscriber. An echo id says nothing of who is meant.
      ...both(
        (protocol) =>
          `ip daddr ${address} ${protocol} dport != @ports counter name "to_domain" ip daddr set ${image}`,
        anotherSubscriber,
      ),
    ],
  };
}

/** Takes in what is for the set, as ports of the block; drops the rest. */
function fromDomain({ plan, address, image, rewritten, plainPorts }: Parts): NftChain {
  return {
    name: "from_domain",
    rules: [
      [`ip daddr != ${address} accept`, "not to our address"],
      [`ip saddr ${address} ip saddr set ${image}`, anotherSubscriber],
      mssClamp(plan),
      ...when(
        rewritten,
        ...both(
          (protocol) => `${protocol} dport set ${protocol} dport map @port_in accept`,
          "port of the set to port of the block",
        ),
        ["icmp type echo-reply icmp id set icmp id map @id_in accept", "the same for echo ids"],
      ),
      ...(plainPorts === undefined
        ? []
        : both(
            (protocol) => `${protocol} dport ${plainPorts} accept`,
            rewritten ? "reserved port" : "port of the set",
          )),
      ...when(!rewritten, ["icmp type echo-reply icmp id @ids accept", "id of the set"]),
      ["icmp type echo-request icmp id @ids accept", "id of the set"],
      [`${ERRORS} goto from_domain_error`, byQuoted],
      [`meta l4proto { tcp, udp, icmp } ${drop("in_port")}`, "another subscriber's port"],
      [drop("in_protocol"), noPort],
    ],
  };
}

/** After NAT: ports of the block become ports of the set. */
function rewrite({ plan, device, address, image, rewritten }: Parts): NftChain {
  return {
    name: "rewrite",
    hook: "type filter hook postrouting priority 300",
    rules: [
      [`ip saddr ${image} ip saddr set ${address}`, anotherSubscriber],
      notOurs(device),
      // Before rewriting: NAT did not see these, so their ports are in the block by chance at best.
      [`ct state invalid ${drop("out_invalid")}`, "NAT does not touch it"],
      [`ct state untracked ${drop("out_untracked")}`, "NAT does not touch it"],
      ownSource(address),
      noFragment,
      [`ip daddr ${image} ip daddr set ${address}`, anotherSubscriber],
      mssClamp(plan),
      ...when(
        rewritten,
        ...both(
          (protocol) => `${protocol} sport set ${protocol} sport map @port_out`,
          "port of the block to port of the set",
        ),
        ["icmp type echo-request icmp id set icmp id map @id_out", "the same for echo ids"],
        [`${ERRORS} jump to_domain_error`, "the same for what an error quotes"],
      ),
    ],
  };
}

/** The last word: nothing leaves that is not of the set. */
function guard({ device, address }: Parts): NftChain {
  return {
    name: "guard",
    hook: AFTER_NAT,
    rules: [
      notOurs(device),
      ownSource(address),
      noFragment,
      ["tcp sport @ports accept", "port of the set"],
      ["udp sport @ports accept", "port of the set"],
      ["icmp type { echo-request, echo-reply } icmp id @ids accept", "id of the set"],
      [`${ERRORS} goto guard_error`, byQuoted],
      [`meta l4proto { tcp, udp } ${drop("out_port")}`, "another subscriber's port"],
      [`icmp type { echo-request, echo-reply } ${drop("out_port")}`, "another subscriber's id"],
      [drop("out_protocol"), noPort],
    ],
  };
}

/** An ICMP error is judged by the packet that it quotes. */
function errorChain(name: string, direction: "in" | "rewrite" | "guard", parts: Parts): NftChain {
  const { plan, keptIds, rewritten } = parts;
  return {
    name,
    rules: quotedRules({ own: hex32(plan.ipv4.address), keptIds, drop, direction, rewritten }),
  };
}

/** k > 0: one address, some of its ports. */
function restricted(plan: NatPlan): string {
  const parts = partsOf(plan);
  const { block, rewritten, kept } = parts;
  return nftScript(plan, {
    counters: natCounters,
    timeouts: [closedTcp],
    sets: [
      ...asPortsAndIds("ports", "ids", elements(portRanges(plan.portSet))),
      ...when(kept.length > 0, ...asPortsAndIds("kept_ports", "kept_ids", elements(asRanges(kept)))),
      ...(block?.rewritten === true ? rewriteMaps(block) : []),
    ],
    chains: [
      translate(parts),
      incoming(parts),
      fromDomain(parts),
      errorChain("from_domain_error", "in", parts),
      rewrite(parts),
      ...when(rewritten, errorChain("to_domain_error", "rewrite", parts)),
      guard(parts),
      errorChain("guard_error", "guard", parts),
    ],
  });
}

/**
 * The script that loads the NAT of one MAP interface, for `nft -f -`: one transaction, in which the table takes the
 * place of one of the same name. What it gives flows: the whole set, ICMP echo ids included, and nothing outside it;
 * with k = 0 the address; with an IPv4 prefix, its first address to everything that is not of the prefix.
 *
 * @throws RangeError when `table`, `device` or `mtu` is not valid, which is a bug: plans are made of checked values
 */
export function renderNft(plan: NatPlan): string {
  check(plan);
  return plan.portSet.psidLength === 0 ? unrestricted(plan) : restricted(plan);
}

/** The script that takes a table away, whether it is there or not. @throws RangeError when `table` is not the name of one */
export function renderNftDelete(table: string): string {
  checkTable(table);
  return `add table ip ${table}\ndelete table ip ${table}\n`;
}

/**
 * The script that closes a device: a table that only drops takes the place of the NAT, until the device is gone.
 *
 * @throws RangeError when `table` is not a valid name
 */
export function renderNftClosed(table: string, device: DeviceName): string {
  checkTable(table);
  return nftScript(
    { table, device },
    {
      counters: {},
      sets: [],
      chains: [
        {
          name: "closed_out",
          hook: AFTER_NAT,
          rules: [[`oifname "${device}" drop`, "the interface is being taken down"]],
        },
        {
          name: "closed_in",
          hook: BEFORE_TRACKING,
          rules: [[`iifname "${device}" drop`, "the interface is being taken down"]],
        },
      ],
    },
  );
}

/** The script that loads a table as `nft list table` printed it, in the place of whatever has its name now. */
export function renderNftRestore(table: string, listing: string): string {
  return `${renderNftDelete(table)}${listing}`;
}
