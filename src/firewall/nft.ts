/**
 * NAT44 into the port set (RFC 7597 s5.1, s8.1; RFC 7599 s9) as an nftables script, for nft 1.0.6 and Linux 5.10 or
 * later, in a table of its own.
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

import { formatIpv4, formatIpv4Prefix } from "../ip/text.ts";
import type { NatPlan } from "../map/plan-types.ts";
import { portRanges } from "../map/portset.ts";
import { asRanges, keptPorts, type VirtualBlock, virtualBlock } from "./block.ts";
import { quotedRules } from "./nft-quoted.ts";
import { type NftSet, nftScript, type Rule } from "./nft-text.ts";

/** Octets of the headers that an MSS leaves out (RFC 9293 s3.7.1: IPv4 20, TCP 20). */
const TCP_HEADERS = 40;
/** Largest IPv4 packet that every host takes (RFC 791 s3.1); an MTU below is no MTU. */
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

/** @throws RangeError when the plan holds a name that nft could read as something else, or no MTU */
function check(plan: NatPlan): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(plan.table))
    throw new RangeError(`"${plan.table}" names no table`);
  if (!/^[A-Za-z0-9_.@+-]{1,15}$/.test(plan.device)) throw new RangeError(`"${plan.device}" names no device`);
  if (!Number.isInteger(plan.mtu) || plan.mtu < LEAST_MTU || plan.mtu > LARGEST_MTU) {
    throw new RangeError(`${plan.mtu} is no MTU`);
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

function mssClamp(plan: NatPlan): Rule {
  const size = plan.mtu - TCP_HEADERS;
  return {
    text: `tcp flags & (syn | rst) == syn tcp option maxseg size > ${size} tcp option maxseg size set ${size}`,
    why: `MSS at most MTU ${plan.mtu} - ${TCP_HEADERS}`,
  };
}

/** k = 0: nothing to keep apart but addresses. */
function unrestricted(plan: NatPlan): string {
  const { device, ipv4 } = plan;
  const own = formatIpv4Prefix(ipv4);
  const address = formatIpv4(ipv4.address);
  const prefix: Rule[] =
    ipv4.length === 32
      ? []
      : [
          // To itself, because this is a NAT statement and so fw4's masquerade does not come to it.
          {
            text: `oifname "${device}" ip saddr ${own} snat to ip saddr`,
            why: "addresses of our prefix stay",
          },
        ];
  return nftScript(plan, {
    counters: { out_source: natCounters.out_source },
    sets: [],
    chains: [
      {
        name: "translate",
        hook: "type nat hook postrouting priority srcnat - 10",
        rules: [...prefix, { text: `oifname "${device}" snat to ${address}`, why: "our address" }],
      },
      {
        name: "incoming",
        hook: "type filter hook prerouting priority -310",
        rules: [{ text: `iifname != "${device}" accept`, why: "not from the MAP domain" }, mssClamp(plan)],
      },
      {
        name: "guard",
        hook: "type filter hook postrouting priority 310",
        rules: [
          { text: `oifname != "${device}" accept`, why: "not to the MAP domain" },
          { text: `ip saddr != ${own} ${drop("out_source")}`, why: "not our address" },
          mssClamp(plan),
        ],
      },
    ],
  });
}

const elements = (ranges: readonly (readonly [number, number])[]) =>
  ranges.map(([low, high]) => (low === high ? `${low}` : `${low}-${high}`));

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

/** k > 0: one address, some of its ports. */
function restricted(plan: NatPlan): string {
  const { device, ipv4 } = plan;
  const address = formatIpv4(ipv4.address);
  const image = domainImage(ipv4.address);
  const block = virtualBlock(plan);
  const rewritten = block?.rewritten === true;
  const kept = keptPorts(plan);
  const range = block === undefined ? "" : `${block.start}-${block.start + block.ports.length - 1}`;
  // What comes in untranslated: all of the set where the block is the set.
  const plainIds = rewritten ? (kept.length > 0 ? "@kept_ids" : undefined) : "@ids";
  const plainPorts = rewritten ? (kept.length > 0 ? "@kept_ports" : undefined) : "@ports";
  const when = <T>(condition: boolean, ...rules: readonly T[]): readonly T[] => (condition ? rules : []);

  const errors = "icmp type { destination-unreachable, time-exceeded, parameter-problem }";
  const quoted = { own: hex32(ipv4.address), plainIds, drop };
  return nftScript(plan, {
    counters: natCounters,
    sets: [
      ...asPortsAndIds("ports", "ids", elements(portRanges(plan.portSet))),
      ...when(kept.length > 0, ...asPortsAndIds("kept_ports", "kept_ids", elements(asRanges(kept)))),
      ...(rewritten && block !== undefined ? rewriteMaps(block) : []),
    ],
    chains: [
      {
        name: "translate",
        hook: "type nat hook postrouting priority srcnat - 10",
        rules: [
          ...when(
            kept.length > 0,
            ...["tcp", "udp"].map((protocol) => ({
              text: `oifname "${device}" ip saddr ${address} ${protocol} sport @kept_ports snat to ${address}:${protocol} sport`,
              why: "services of ours on reserved ports",
            })),
          ),
          ...when(block !== undefined, {
            text: `oifname "${device}" meta l4proto { tcp, udp, icmp } snat to ${address}:${range}`,
            why: rewritten ? "the block that stands for the port set" : "the port set",
          }),
        ],
      },
      {
        name: "incoming",
        hook: "type filter hook prerouting priority -310",
        rules: [
          { text: `iifname "${device}" goto from_domain`, why: "from the MAP domain" },
          { text: `iifname "lo" accept`, why: "our own" },
          // RFC 7597 s5.1: another port of our address is another subscriber. An echo id says nothing of who is meant.
          ...["tcp", "udp"].map((protocol) => ({
            text: `ip daddr ${address} ${protocol} dport != @ports counter name "to_domain" ip daddr set ${image}`,
            why: "another subscriber of our address",
          })),
        ],
      },
      {
        name: "from_domain",
        rules: [
          { text: `ip daddr != ${address} accept`, why: "not to our address" },
          { text: `ip saddr ${address} ip saddr set ${image}`, why: "another subscriber of our address" },
          mssClamp(plan),
          ...when(
            rewritten,
            ...["tcp", "udp"].map((protocol) => ({
              text: `${protocol} dport set ${protocol} dport map @port_in accept`,
              why: "port of the set to port of the block",
            })),
            {
              text: "icmp type echo-reply icmp id set icmp id map @id_in accept",
              why: "the same for echo ids",
            },
          ),
          ...(plainPorts === undefined
            ? []
            : ["tcp", "udp"].map((protocol) => ({
                text: `${protocol} dport ${plainPorts} accept`,
                why: rewritten ? "reserved port" : "port of the set",
              }))),
          ...when(!rewritten, { text: "icmp type echo-reply icmp id @ids accept", why: "id of the set" }),
          { text: "icmp type echo-request icmp id @ids accept", why: "id of the set" },
          { text: `${errors} goto from_domain_error`, why: "judged by the packet it quotes" },
          {
            text: `meta l4proto { tcp, udp, icmp } ${drop("in_port")}`,
            why: "another subscriber's port",
          },
          { text: drop("in_protocol"), why: "no port to tell subscribers apart by" },
        ],
      },
      { name: "from_domain_error", rules: quotedRules({ ...quoted, direction: "in", rewritten }) },
      {
        name: "rewrite",
        hook: "type filter hook postrouting priority 300",
        rules: [
          { text: `ip saddr ${image} ip saddr set ${address}`, why: "another subscriber of our address" },
          { text: `oifname != "${device}" accept`, why: "not to the MAP domain" },
          // Before rewriting: NAT did not see these, so their ports are in the block by chance at best.
          { text: `ct state invalid ${drop("out_invalid")}`, why: "NAT does not touch it" },
          { text: `ct state untracked ${drop("out_untracked")}`, why: "NAT does not touch it" },
          { text: `ip saddr != ${address} ${drop("out_source")}`, why: "not our address" },
          { text: `ip frag-off & 0x1fff != 0 ${drop("out_fragment")}`, why: "no ports to judge by" },
          { text: `ip daddr ${image} ip daddr set ${address}`, why: "another subscriber of our address" },
          mssClamp(plan),
          ...when(
            rewritten,
            ...["tcp", "udp"].map((protocol) => ({
              text: `${protocol} sport set ${protocol} sport map @port_out`,
              why: "port of the block to port of the set",
            })),
            { text: "icmp type echo-request icmp id set icmp id map @id_out", why: "the same for echo ids" },
            { text: `${errors} jump to_domain_error`, why: "the same for what an error quotes" },
          ),
        ],
      },
      ...when(rewritten, {
        name: "to_domain_error",
        rules: quotedRules({ ...quoted, direction: "rewrite", rewritten }),
      }),
      {
        name: "guard",
        hook: "type filter hook postrouting priority 310",
        rules: [
          { text: `oifname != "${device}" accept`, why: "not to the MAP domain" },
          { text: `ip saddr != ${address} ${drop("out_source")}`, why: "not our address" },
          { text: `ip frag-off & 0x1fff != 0 ${drop("out_fragment")}`, why: "no ports to judge by" },
          { text: "tcp sport @ports accept", why: "port of the set" },
          { text: "udp sport @ports accept", why: "port of the set" },
          { text: "icmp type { echo-request, echo-reply } icmp id @ids accept", why: "id of the set" },
          { text: `${errors} goto guard_error`, why: "judged by the packet it quotes" },
          {
            text: `meta l4proto { tcp, udp } ${drop("out_port")}`,
            why: "another subscriber's port",
          },
          {
            text: `icmp type { echo-request, echo-reply } ${drop("out_port")}`,
            why: "another subscriber's id",
          },
          { text: drop("out_protocol"), why: "no port to tell subscribers apart by" },
        ],
      },
      { name: "guard_error", rules: quotedRules({ ...quoted, direction: "guard", rewritten }) },
    ],
  });
}

/**
 * The script that loads the NAT of one MAP interface, for `nft -f -`: one transaction, in which the table takes the
 * place of one of the same name. What it gives flows: the whole set, ICMP echo ids included, and nothing outside it;
 * with k = 0 the address; with an IPv4 prefix, its first address to everything that is not of the prefix.
 *
 * @throws RangeError when `table`, `device` or `mtu` is none: plans are made of checked values
 */
export function renderNft(plan: NatPlan): string {
  check(plan);
  return plan.portSet.psidLength === 0 ? unrestricted(plan) : restricted(plan);
}

/** The script that takes a table away, whether it is there or not. @throws RangeError when `table` names no table */
export function renderNftDelete(table: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(table)) throw new RangeError(`"${table}" names no table`);
  return `add table ip ${table}\ndelete table ip ${table}\n`;
}
