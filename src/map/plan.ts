/** The plan: everything that setting up one MAP interface will do, as a value. */

import { type DeviceName, type InterfaceName, parseDeviceName } from "../ip/names.ts";
import type { Ipv4Prefix, Ipv6Prefix } from "../ip/prefix.ts";
import { SetupError } from "../wire/errors.ts";
import { fingerprint } from "../wire/fingerprint.ts";
import type { CustomerEdge, MapDomain, MapRule, PortSet, Transport } from "./model.ts";

/** Octets that translation adds: an IPv6 header of 40 for an IPv4 header of 20 (RFC 7915 s1.4). */
const TRANSLATION_OVERHEAD = 20;
/** Octets that encapsulation adds: one IPv6 header (RFC 2473 s7). */
const ENCAPSULATION_OVERHEAD = 40;
/** Octets that a Tunnel Encapsulation Limit adds: a Destination Options header (RFC 2473 s4.1.1). */
const ENCAPSULATION_LIMIT_OVERHEAD = 8;
/** Every IPv6 path carries packets of this size (RFC 8200 s5). */
const IPV6_MIN_MTU = 1280;
/** IFNAMSIZ - 1. */
const DEVICE_NAME_LIMIT = 15;
/** The IPv4 address of a CE that has a border relay but no rule (RFC 6333 s5.7, the B4). */
const B4_ADDRESS: Ipv4Prefix = { address: 0xc0000002, length: 32 };

/** What the configuration may set besides the rule. */
export interface PlanOptions {
  /** IPv4 MTU, octets; if absent, the link's MTU minus the overhead of the transport. */
  readonly mtu?: number | undefined;
  /** Hop limit of tunnel packets, 1..255; 64 without it. */
  readonly ttl?: number | undefined;
  /** Firewall zone to join. */
  readonly zone?: string | undefined;
  /** Tunnel encapsulation limit: `ignore` or 0..255. */
  readonly encaplimit?: string | undefined;
  /** Ports of the set that NAT does not use, those of {@link forwards} included. */
  readonly reservedPorts?: readonly number[];
  readonly forwards?: readonly Forward[];
  /** Who does the NAT; `auto` without it: the kernel module where it is loaded, else nftables. */
  readonly nat?: NatChoice | undefined;
  /** Whether the kernel module is loaded; true without it. */
  readonly moduleLoaded?: boolean;
}

/** What `option nat` may be. */
export const natChoices = ["auto", "module", "nftables"] as const;
export type NatChoice = (typeof natChoices)[number];

/** The link the IPv6 packets leave by. */
export interface Link {
  /** netifd's interface, e.g. `wan6`. */
  readonly iface: InterfaceName;
  /** Its device, e.g. `eth1`; empty when not known. */
  readonly device: DeviceName | "";
  /** Its MTU, octets. */
  readonly mtu: number;
  /** One of its IPv6 addresses, for a B4. */
  readonly address?: bigint | undefined;
  /** True where the end-user prefix is the link's own: then the neighbours on the link ask who has the MAP address. */
  readonly onLink?: boolean;
}

/** What the kernel module's device is told: it carries every transport, and is closed to what is not our own. */
export type ModulePlan = {
  /** There is no BMR where the provider binds an address (RFC 7596), or gives no rule at all (RFC 6333's B4). */
  readonly ce?: CustomerEdge | undefined;
  readonly legacyInterfaceId: boolean;
  readonly fmrs: readonly MapRule[];
  /** Absent where the module does no NAT; then nftables does, or the provider. */
  readonly nat?: { readonly reservedPorts: readonly number[] } | undefined;
} & (
  | {
      readonly carries: "translated";
      readonly ce: CustomerEdge;
      readonly dmr: Ipv6Prefix;
      /**
       * What IPv4 without DF is cut to, as IPv6, octets, 1280..65535: a MAP domain's own MTU is known (RFC 7597 s8.3.1), so
       * it takes the place of RFC 7915 s4's 1280.
       */
      readonly lowestIpv6Mtu: number;
    }
  | {
      readonly carries: "encapsulated";
      /** Our end and the border relay's. */
      readonly local: bigint;
      readonly remote: bigint;
      readonly ttl: number;
      readonly encaplimit: string;
      /** True: an address is bound to this CE, and no rule gives it (RFC 7596), or not its interface identifier. */
      readonly bound: boolean;
    }
);

/** MAP-E and lw4o6 without the module: what netifd's tunnel is told. */
export interface TunnelPlan {
  readonly local: bigint;
  readonly remote: bigint;
  readonly ttl: number;
  readonly encaplimit: string;
  readonly fmrs: readonly MapRule[];
}

/** NAT44 into the port set (RFC 7597 s5.1); it also keeps packets from other ports from leaving. */
export interface NatPlan {
  /** Name of the nftables table, which nobody else uses, e.g. `mapmin_wan6_4`; `[A-Za-z0-9_]` only. */
  readonly table: string;
  /** The MAP device that flows leave by. */
  readonly device: DeviceName;
  /** The CE's address (/32), or its prefix (shorter: no port restriction). */
  readonly ipv4: Ipv4Prefix;
  /** k = 0: no restriction. */
  readonly portSet: PortSet;
  /** Ports of the set for servers or port forwards: NAT never gives them to a flow and never changes them. */
  readonly reservedPorts: readonly number[];
  /** Largest IPv4 packet, octets; the TCP MSS of flows through the device is limited to mtu - 40. */
  readonly mtu: number;
}

/** A port of the set that belongs to a host of the LAN, both ways. */
export interface Forward {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  /** The host's IPv4 address, and its port. */
  readonly host: number;
  readonly hostPort: number;
}

/** Port forwards, in a table of nftables beside the NAT. At least one. */
export interface ForwardPlan {
  readonly table: string;
  readonly device: DeviceName;
  readonly ipv4: Ipv4Prefix;
  readonly forwards: readonly Forward[];
}

export interface Plan {
  readonly iface: InterfaceName;
  readonly transport: Transport;
  readonly link: Link;
  /** The MAP device: the module's, or netifd's tunnel. */
  readonly device: DeviceName;
  /** IPv4 MTU of the path, octets. */
  readonly mtu: number;
  readonly ipv4: Ipv4Prefix;
  readonly ce?: CustomerEdge | undefined;
  /** One of `module` and `tunnel` is there. */
  readonly module?: ModulePlan;
  readonly tunnel?: TunnelPlan;
  /** NAT by nftables. Absent where the module does it, or the provider (no rule at all). */
  readonly nat?: NatPlan | undefined;
  readonly forward?: ForwardPlan | undefined;
  /** Who does the NAT, and why, in words. */
  readonly natBy: string;
  readonly zone?: string | undefined;
}

/** Digits of a long interface's name that stand for the whole of it. */
const DEVICE_DIGITS = 5;

/**
 * The name of the MAP device of an interface: OpenWrt's `map-IFACE`. A name that the kernel would find too long ends with
 * digits made from all of it, so that two interfaces that begin alike have two devices.
 */
export function deviceName(iface: InterfaceName): DeviceName {
  const whole = `map-${iface}`;
  if (whole.length <= DEVICE_NAME_LIMIT) return parseDeviceName(whole, "device");
  const digits = fingerprint(iface).slice(0, DEVICE_DIGITS);
  return parseDeviceName(`${whole.slice(0, DEVICE_NAME_LIMIT - DEVICE_DIGITS - 1)}-${digits}`, "device");
}

/**
 * The name of an interface's nftables table, different for each interface: `_` becomes `__`, other characters `_xx`.
 */
export function tableName(iface: InterfaceName): string {
  return `mapmin_${iface.replace(/[^A-Za-z0-9]/g, (c) => (c === "_" ? "__" : `_${c.charCodeAt(0).toString(16)}`))}`;
}

/** The name of the table with the port forwards beside a table with the NAT. */
export function forwardTableBeside(table: string): string {
  return `${table}_fwd`;
}

/** The name of the table with an interface's port forwards. No other interface's table has it: see {@link tableName}. */
export function forwardTableName(iface: InterfaceName): string {
  return forwardTableBeside(tableName(iface));
}

/** Octets that the transport adds to each IPv4 packet. */
export function overheadOf(transport: Transport, encaplimit = "ignore"): number {
  if (transport === "map-t") return TRANSLATION_OVERHEAD;
  return ENCAPSULATION_OVERHEAD + (encaplimit === "ignore" ? 0 : ENCAPSULATION_LIMIT_OVERHEAD);
}

/**
 * Makes the plan of one interface. `ce` is absent only for a domain without rules.
 *
 * @throws SetupError INVALID_MAP_RULE when the domain and the link do not give what the transport needs: a DMR and a CE, or a
 * border relay and an address of our own
 */
export function makePlan(
  iface: InterfaceName,
  domain: MapDomain,
  ce: CustomerEdge | undefined,
  link: Link,
  options: PlanOptions = {},
): Plan {
  const translated = domain.transport === "map-t";
  const encaplimit = options.encaplimit ?? "ignore";
  const mtu = options.mtu ?? link.mtu - overheadOf(domain.transport, encaplimit);
  const device = deviceName(iface);
  const ipv4 = ce?.ipv4 ?? B4_ADDRESS;
  // Also the BMR, if it has F. Longest IPv4 prefix first.
  const fmrs = domain.rules
    .filter((rule) => rule.forward && rule.unusable === undefined)
    .sort((a, b) => b.ipv4Prefix.length - a.ipv4Prefix.length);
  const choice = options.nat ?? "auto";
  const loaded = options.moduleLoaded ?? true;
  // MAP-T has no other carrier. A NAT of the module's is closed whatever becomes of a ruleset.
  const byModule = choice === "module" || (choice === "auto" && (loaded || translated));
  const reservedPorts = options.reservedPorts ?? [];
  const forwards = options.forwards ?? [];
  const nat = { table: tableName(iface), device, ipv4, reservedPorts, mtu };
  const common = {
    iface,
    transport: domain.transport,
    link,
    device,
    mtu,
    ipv4,
    natBy: ce === undefined ? "the provider: there is no rule" : natReason(choice, byModule),
    zone: options.zone,
    ce,
    nat: byModule ? undefined : ce && { ...nat, portSet: ce.portSet },
    forward: forwards.length > 0 ? { table: forwardTableName(iface), device, ipv4, forwards } : undefined,
  };
  const device44 = {
    legacyInterfaceId: domain.legacyInterfaceId,
    fmrs,
    nat: byModule && ce ? { reservedPorts } : undefined,
  };
  if (translated) {
    if (domain.dmr === undefined || ce === undefined) {
      throw new SetupError("INVALID_MAP_RULE", "MAP-T needs a DMR and a rule that matches");
    }
    return {
      ...common,
      module: {
        ...device44,
        carries: "translated",
        lowestIpv6Mtu: Math.min(Math.max(mtu + TRANSLATION_OVERHEAD, IPV6_MIN_MTU), 65535),
        dmr: domain.dmr,
        ce,
      },
    };
  }
  const remote = domain.borderRelays[0];
  const local = ce?.mapAddress ?? link.address;
  if (remote === undefined)
    throw new SetupError("INVALID_MAP_RULE", "MAP-E and lw4o6 need the address of a border relay");
  if (local === undefined)
    throw new SetupError("INVALID_MAP_RULE", "a tunnel needs an IPv6 address of our own on the link");
  const ends = { local, remote, ttl: options.ttl ?? 64, encaplimit };
  if (!byModule) return { ...common, tunnel: { ...ends, fmrs } };
  return {
    ...common,
    module: {
      ...device44,
      ...ends,
      carries: "encapsulated",
      bound: domain.transport === "lw4o6" || domain.interfaceId !== undefined,
      ce,
    },
  };
}

function natReason(choice: NatChoice, byModule: boolean): string {
  if (choice !== "auto")
    return `${choice === "module" ? "the kernel module" : "nftables"}: option nat asks for it`;
  return byModule ? "the kernel module" : "nftables: the kernel module is not loaded";
}
