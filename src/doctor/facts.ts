/** What `mapminctl doctor` knows of a router before it judges. The programs gather it; nothing here asks for anything. */

import type { SavedState } from "../engine/state.ts";
import type { InterfaceName } from "../ip/names.ts";
import type { LinkStatus } from "../provision/link.ts";
import type { Neighbour } from "../provision/network.ts";
import type { InterfaceConfig } from "../provision/request.ts";
import type { LoadedTable } from "../render/readback.ts";
import type { MapminError } from "../wire/errors.ts";
import type { Firewall, SourceNatChain } from "./firewall.ts";
import type { Busiest } from "./flows.ts";
import type { DefaultRoute, Ipv6Route } from "./kernel-tables.ts";

/** A value, or why it is not to be had. */
export type Fact<T> =
  | { readonly known: true; readonly value: T }
  | { readonly known: false; readonly why: string };

export function known<T>(value: T): Fact<T> {
  return { known: true, value };
}

export function unknown(why: string): Fact<never> {
  return { known: false, why };
}

/** The value, where there is one. */
export function told<T>(fact: Fact<T>): T | undefined {
  return fact.known ? fact.value : undefined;
}

/** An interface as netifd shows it (`network.interface dump`). */
export interface ShownInterface {
  readonly name: string;
  readonly proto: string;
  readonly up: boolean;
  /** netifd is to bring it up. */
  readonly autostart: boolean;
  /** Created by `add_dynamic`, not by the configuration. */
  readonly dynamic: boolean;
  readonly device: string;
  readonly error?: { readonly code: string; readonly text: string };
}

/** A network device. */
export interface ShownDevice {
  readonly up: boolean;
  /** Octets. */
  readonly mtu: number;
}

/** Options of the interface's section that netifd itself heeds. */
export interface RouteOptions {
  /** Another table than the main one; undefined where it is the main one. */
  readonly table: string | undefined;
  /** `option defaultroute '0'`. */
  readonly noDefault: boolean;
}

/** One run of ping. */
export interface Ping {
  readonly address: string;
  readonly answered: boolean;
}

/** Pings at once, each with an id of its own, which NAT takes out of the port set. */
export interface Volley {
  readonly address: string;
  readonly sent: number;
  readonly answered: number;
  /** The ids by which they were known to the kernel's table of flows; none where that cannot be read. */
  readonly ids: readonly { readonly id: number; readonly answered: boolean }[];
}

/** What was sent, and what came back. Absent: not sent. */
export interface Probes {
  /** The border relay's IPv6 address, from the router's own. */
  readonly relay?: Fact<Ping>;
  /** The address that the user names, through the MAP device. */
  readonly named?: Fact<Volley>;
  /** The same with packets as large as the MTU, `octets`, allows. */
  readonly full?: Fact<Ping & { readonly octets: number }>;
}

export interface Facts {
  readonly iface: InterfaceName;
  /** netifd's name of the link. */
  readonly tunlink: InterfaceName;
  /** A program that the file `engine` names and that is not there; undefined where all is well. */
  readonly missingEngine: Fact<string | undefined>;
  /** The text of netifd's script for the protocol `map`; undefined where there is none. */
  readonly script: Fact<string | undefined>;
  /** Protocols that netifd knows. */
  readonly protocols: Fact<readonly string[]>;
  /** Every interface of netifd's. */
  readonly interfaces: Fact<readonly ShownInterface[]>;
  readonly neighbours: Fact<readonly Neighbour[]>;
  /** Whose control file is there. */
  readonly module: Fact<"ours" | "nat46" | "none">;
  /** Lines of our device in the module's control file; undefined where the module has no such device. */
  readonly moduleLines: Fact<readonly string[] | undefined>;
  readonly forwarding: Fact<boolean>;
  /** Whether the kernel has the tunnel that netifd makes. */
  readonly tunnelSupport: Fact<boolean>;
  /** The options of the interface, or what is wrong with them. */
  readonly config: Fact<InterfaceConfig | MapminError>;
  /** The text of the table in `option rules`, or what is wrong with the file; undefined where there is none. */
  readonly rulesText: Fact<string | undefined | MapminError>;
  /** The border relay that `--next-relay` chose, as text; undefined where it did not. */
  readonly relay: Fact<string | undefined>;
  readonly routeOptions: Fact<RouteOptions>;
  /** `option reqopts` of the link. */
  readonly requested: Fact<string>;
  /** Undefined where netifd knows no such interface. */
  readonly link: Fact<LinkStatus | undefined>;
  /** Undefined where there is no such device. */
  readonly linkDevice: Fact<ShownDevice | undefined>;
  /** Undefined where there is no state file. */
  readonly state: Fact<SavedState | undefined>;
  /** What is wrong with the state file; undefined where nothing is. */
  readonly stateDamage: string | undefined;
  /** State files of the other MAP interfaces. */
  readonly otherStates: Fact<readonly SavedState[]>;
  readonly device: Fact<ShownDevice | undefined>;
  /** Local addresses, dotted. */
  readonly addresses4: Fact<readonly string[]>;
  readonly addresses6: Fact<readonly bigint[]>;
  readonly defaultRoutes: Fact<readonly DefaultRoute[]>;
  readonly routes6: Fact<readonly Ipv6Route[]>;
  /** IPv6 addresses of neighbours on the link that do not answer. */
  readonly silentNeighbours: Fact<readonly bigint[]>;
  /** Our table of nftables; undefined where there is none. */
  readonly table: Fact<LoadedTable | undefined>;
  /** Chains of others that do source NAT before ours would. */
  readonly earlierNat: Fact<readonly SourceNatChain[]>;
  /** OpenWrt's fw4; undefined where its table is not loaded. */
  readonly firewall: Fact<Firewall | undefined>;
  /** Interfaces that mwan3 manages; undefined where it does not run. */
  readonly mwan3: Fact<readonly string[] | undefined>;
  /** The destination towards which most ports of ours are in use, of each protocol. */
  readonly busiest: Fact<readonly Busiest[]>;
  readonly probes: Probes;
}
