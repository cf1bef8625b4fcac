/** The addresses of the lab, and what its rule makes of them: worked out by hand, independent of the code. */

/** The end-user prefix that Kea delegates. */
export const endUserPrefix = { address: "2001:db8:12:3400::", length: 56 } as const;

/** Rule 2001:db8::/40, 192.0.2.0/24, 16 EA bits: 0x12 = the last octet, 0x34 = the PSID (RFC 7597 example 1). */
export const ce = {
  ipv4: "192.0.2.18",
  psid: 0x34,
  mapAddress: "2001:db8:12:3400:0:c000:212:34",
  lanAddress: "192.168.1.1",
  /** On the link to the provider; outside the rule's prefix, so that it is no MAP address. */
  wanAddress: "2001:db8:f000:1::2",
} as const;

export const lan = { address: "192.168.1.2" } as const;
export const server = { address: "203.0.113.10" } as const;

export const provider = { ceSide: "2001:db8:f000:1::1", brSide: "2001:db8:f000:2::1" } as const;

export const borderRelay = {
  wanAddress: "2001:db8:f000:2::2",
  serverSide: "203.0.113.1",
  /** MAP-E: where the tunnel ends. */
  tunnelAddress: "2001:db8:ffff::1",
  /** MAP-E: where it ends after the provider has moved it. */
  otherTunnelAddress: "2001:db8:ffff::2",
  /** MAP-T: the default mapping rule's prefix (RFC 6052, 64 bits). */
  dmr: "2001:db8:ffff::/64",
  /** The translator's own address, the source of its ICMP errors. */
  translatorAddress: "203.0.113.2",
} as const;

export type Transport = "map-t" | "map-e";

/** What carries the packets and does the NAT: our module, or netifd's tunnel (MAP-E) with nftables. */
export type Carrier = "module" | "nftables";

const rule = "4202" + "000d" + "18" + "c0000200" + "10" + "00" + "28" + "20010db800";
/** A rule of the provider's for other homes, with the F flag: an FMR. */
export const fmr = "4202" + "000d" + "18" + "c6336400" + "10" + "01" + "28" + "20010db801";

/** The value of option 48879 as Kea sends it: a flags octet, one rule, one DMR (draft-ietf-softwire-map-dhcp-03). */
export const option48879: Readonly<Record<Transport, string>> = {
  "map-t": `00${rule}${"4203" + "0009" + "40" + "20010db8ffff0000"}`,
  "map-e": `01${rule}${"4203" + "0011" + "80" + "20010db8ffff00000000000000000001"}`,
};

/** A customer edge of the rule's: an end-user prefix, and what follows from it. */
export interface Edge {
  readonly prefix: string;
  readonly mapAddress: string;
  readonly psid: number;
}

/** The lab's customer edge, and the one that it is after a renumbering: the same address, another set. */
export const edges: readonly [Edge, Edge] = [
  { prefix: endUserPrefix.address, mapAddress: ce.mapAddress, psid: ce.psid },
  { prefix: "2001:db8:12:3500::", mapAddress: "2001:db8:12:3500:0:c000:212:35", psid: 0x35 },
];

/** What the rule makes of the other prefix that Kea has: another address, and a set with the same numbers. */
export const otherCe = { ipv4: "192.0.2.19", mapAddress: "2001:db8:13:3400:0:c000:213:34" } as const;

/**
 * The same with an address that is not set aside for documents: miniupnpd takes no other. It is somebody's, and no packet of this lab
 * leaves the machine.
 */
export const publicCe = {
  rulePrefix: "45.67.89.0",
  ipv4: "45.67.89.18",
  mapAddress: "2001:db8:12:3400:0:2d43:5912:34",
} as const;

/** The customer edge with that address, before and after a renumbering. */
export const publicEdges: readonly [Edge, Edge] = [
  { ...edges[0], mapAddress: publicCe.mapAddress },
  { ...edges[1], mapAddress: "2001:db8:12:3500:0:2d43:5912:35" },
];

/** Ports of the set, a = 4 and k = 8: A from 1 to 15, the PSID, four free bits (RFC 7597 s5.1). */
export function inPortSet(port: number, psid: number = ce.psid): boolean {
  return port >= 0x1000 && ((port >> 4) & 0xff) === psid;
}

/** 15 ranges of 16. */
export const portSetSize = 240;

/** MTU of every link, octets. */
export const linkMtu = 1500;
