/** What setting a CE up consists of, as values. `plan.ts` makes them; renderers in `firewall/`, `mapmint/`, `netifd/` read them. */

import type { Ipv4Prefix } from "../ip/prefix.ts";
import type { PortSet } from "./types.ts";

/** NAT44 into the port set (RFC 7597 s5.1), and what keeps everything else from leaving. */
export interface NatPlan {
  /** Name of the table that is ours alone, e.g. `mapmin_wan6_4`; `[A-Za-z0-9_]` only. */
  readonly table: string;
  /** The MAP device (translator or tunnel) flows leave by; a valid interface name of at most 15 octets. */
  readonly device: string;
  /** The CE's address (/32), or its prefix (shorter: no port restriction). */
  readonly ipv4: Ipv4Prefix;
  /** k = 0: no restriction. */
  readonly portSet: PortSet;
  /** Ports of the set kept for servers or forwards: never given to a flow by NAT, never rewritten. */
  readonly reservedPorts: readonly number[];
  /** Largest IPv4 packet, octets; the TCP MSS of flows through the device is held to mtu - 40. */
  readonly mtu: number;
}
