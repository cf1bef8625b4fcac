/** The plan: everything that setting up one MAP interface will do, as a value. */

import { type DeviceName, type InterfaceName, parseDeviceName } from "../ip/names.ts";
import type { Ipv4Prefix, Ipv6Prefix } from "../ip/prefix.ts";
import { SetupError } from "../wire/errors.ts";
import type { CustomerEdge, MapDomain, MapRule, PortSet, Transport } from "./model.ts";

/** Octets that translation adds: an IPv6 header of 40 for an IPv4 header of 20 (RFC 7915 s1.4). */
const TRANSLATION_OVERHEAD = 20;
/** Octets that encapsulation adds: one IPv6 header (RFC 2473 s7). */
const ENCAPSULATION_OVERHEAD = 40;
/** Every IPv6 path carries packets of this size (RFC 8200 s5). */
const IPV6_MIN_MTU = 1280;
/** IFNAMSIZ - 1. */
const DEVICE_NAME_LIMIT = 15;
/** The IPv4 address of a CE that has a border relay but no rule (RFC 6333 s5.7, the B4). */
const B4_ADDRESS: Ipv4Prefix = { address: 0xc0000002, length: 32 };

/** What the configuration may set besides the rule. */
export interface PlanOptions {
  /** IPv4 MTU, octets; if absent, the link's MTU minus the overhead of the transport. */
  readonly mtu?: number;
  /** Hop limit of tunnel packets, 1..255; 64 without it. */
  readonly ttl?: number;
  /** Firewall zone to join. */
  readonly zone?: string;
  /** Tunnel encapsulation limit: `ignore` or 0..255. */
  readonly encaplimit?: string;
  /** Ports of the set that NAT does not use. */
  readonly reservedPorts?: readonly number[];
}

/** The interface that the IPv6 packets leave by. */
export interface Link {
  /** netifd's interface, e.g. `wan6`. */
  readonly iface: InterfaceName;
  /** Its device, e.g. `eth1`; empty when not known. */
  readonly device: DeviceName | "";
  /** Its MTU, octets. */
  readonly mtu: number;
  /** One of its IPv6 addresses, for a B4. */
  readonly address?: bigint;
}

/** MAP-T: the configuration of the kernel module's translator. */
export interface TranslatorPlan {
  readonly legacyInterfaceId: boolean;
  /**
   * IPv4 packets without DF are cut so that the IPv6 packets have at most this size, octets, 1280..65535. RFC 7915 s4
   * has
   * 1280 here; the MTU of a MAP domain is known (RFC 7597 s8.3.1), so larger packets are possible.
   */
  readonly lowestIpv6Mtu: number;
  readonly dmr: Ipv6Prefix;
  readonly ce: CustomerEdge;
  readonly fmrs: readonly MapRule[];
}

/** MAP-E and lw4o6: the configuration of netifd's tunnel. */
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
  /** The MAP device (translator or tunnel) flows leave by. */
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

export interface Plan {
  readonly iface: InterfaceName;
  readonly transport: Transport;
  readonly link: Link;
  /** The MAP device: translator or tunnel. */
  readonly device: DeviceName;
  /** IPv4 MTU of the path, octets. */
  readonly mtu: number;
  readonly ipv4: Ipv4Prefix;
  readonly ce?: CustomerEdge;
  readonly translator?: TranslatorPlan;
  readonly tunnel?: TunnelPlan;
  /** Absent if there is no rule: then the provider does the NAT. */
  readonly nat?: NatPlan;
  readonly zone?: string;
}

/** The name of the MAP device of an interface: OpenWrt's `map-IFACE`, cut to the length that the kernel allows. */
export function deviceName(iface: InterfaceName): DeviceName {
  return parseDeviceName(`map-${iface}`.slice(0, DEVICE_NAME_LIMIT), "device");
}

/**
 * The name of an interface's nftables table, different for each interface: `_` becomes `__`, other characters `_xx`.
 */
export function tableName(iface: InterfaceName): string {
  return `mapmin_${iface.replace(/[^A-Za-z0-9]/g, (c) => (c === "_" ? "__" : `_${c.charCodeAt(0).toString(16)}`))}`;
}

/** The FMRs: rules with the F flag set (RFC 7597 s5), also the BMR if it has F. Longest IPv4 prefix first. */
function forwardingRules(domain: MapDomain): readonly MapRule[] {
  return domain.rules
    .filter((rule) => rule.forward && rule.unusable === undefined)
    .sort((a, b) => b.ipv4Prefix.length - a.ipv4Prefix.length);
}

/**
 * Makes the plan of one interface. `ce` is absent only for a domain without rules.
 *
 * @throws SetupError INVALID_RULE when the domain and the link do not give what the transport needs: a DMR and a CE,
 * or a
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
  const overhead = translated ? TRANSLATION_OVERHEAD : ENCAPSULATION_OVERHEAD;
  const mtu = options.mtu ?? link.mtu - overhead;
  const device = deviceName(iface);
  const ipv4 = ce?.ipv4 ?? B4_ADDRESS;
  const fmrs = forwardingRules(domain);
  const common = {
    iface,
    transport: domain.transport,
    link,
    device,
    mtu,
    ipv4,
    ...(options.zone === undefined ? {} : { zone: options.zone }),
    ...(ce === undefined
      ? {}
      : {
          ce,
          nat: {
            table: tableName(iface),
            device,
            ipv4,
            portSet: ce.portSet,
            reservedPorts: options.reservedPorts ?? [],
            mtu,
          },
        }),
  };
  if (translated) {
    if (domain.dmr === undefined || ce === undefined) {
      throw new SetupError("INVALID_RULE", "MAP-T needs a DMR and a rule that matches");
    }
    return {
      ...common,
      translator: {
        legacyInterfaceId: domain.legacyInterfaceId,
        lowestIpv6Mtu: Math.min(Math.max(mtu + TRANSLATION_OVERHEAD, IPV6_MIN_MTU), 65535),
        dmr: domain.dmr,
        ce,
        fmrs,
      },
    };
  }
  const remote = domain.borderRelays[0];
  const local = ce?.mapAddress ?? link.address;
  if (remote === undefined)
    throw new SetupError("INVALID_RULE", "MAP-E and lw4o6 need the address of a border relay");
  if (local === undefined)
    throw new SetupError("INVALID_RULE", "a tunnel needs an IPv6 address of our own on the link");
  return {
    ...common,
    tunnel: {
      local,
      remote,
      ttl: options.ttl ?? 64,
      encaplimit: options.encaplimit ?? "ignore",
      fmrs,
    },
  };
}
