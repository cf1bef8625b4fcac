/**
 * Rules, domains, port sets and customer edges as plain data: `provision/` and `map/ce.ts` make them, `map/plan.ts` and the
 * renderers read them.
 */

import type { Ipv4Prefix, Ipv6Prefix } from "../ip/prefix.ts";
import type { MapminError } from "../wire/errors.ts";

export type { PortParams } from "../dhcpv6/node.ts";
export type { Remark } from "../wire/remark.ts";

/** How IPv4 crosses the IPv6 network: translated (RFC 7599), encapsulated (RFC 7597), or lw4o6 (RFC 7596). */
export type Transport = "map-t" | "map-e" | "lw4o6";

/** One mapping rule (RFC 7597 s5). `eaLength` in bits, 0..48. `forward`: the F flag, rule usable as an FMR. */
export interface MapRule {
  readonly ipv6Prefix: Ipv6Prefix;
  readonly ipv4Prefix: Ipv4Prefix;
  readonly eaLength: number;
  readonly forward: boolean;
  /** PSID offset a, 0..15, from the port parameters, or the default of where the rule came from. */
  readonly psidOffset: number;
  /** The PSID in the port parameters, if they have one (k > 0). It is used instead of the one in the EA bits. */
  readonly explicitPsid?: { readonly psidLength: number; readonly psid: number } | undefined;
  /**
   * Set if the rule has port parameters that cannot be decoded: then it makes no CE and forwards nothing. The rule
   * stays
   * in the list, so that a rule with a shorter prefix does not become the BMR instead.
   */
  readonly unusable?: MapminError | undefined;
}

/** A MAP domain: its rules, and where packets go that no rule matches. */
export interface MapDomain {
  readonly transport: Transport;
  readonly rules: readonly MapRule[];
  /** MAP-T: the DMR prefix (RFC 6052 length). MAP-E and lw4o6: absent. */
  readonly dmr?: Ipv6Prefix;
  /** MAP-E and lw4o6: addresses of border relays, of which the first is used. MAP-T: empty. */
  readonly borderRelays: readonly bigint[];
  /** Legacy interface identifier (draft, "MAP0") instead of RFC 7597 s6. */
  readonly legacyInterfaceId: boolean;
  /** The interface identifier that the provider gives this CE, 64 bits, instead of one that follows from the rule. */
  readonly interfaceId?: bigint | undefined;
}

/** The port set (RFC 7597 s5.1): a, k, PSID; m = 16 - a - k. */
export interface PortSet {
  readonly offset: number;
  readonly psidLength: number;
  readonly psid: number;
}

/** A CE, computed from its BMR and its end-user prefix (RFC 7597 s5.2, s6). */
export interface CustomerEdge {
  readonly bmr: MapRule;
  readonly endUserPrefix: Ipv6Prefix;
  /** The CE's IPv4 address (/32), or its prefix (shorter than /32). */
  readonly ipv4: Ipv4Prefix;
  /** a, k, PSID. k = 0: no port restriction. */
  readonly portSet: PortSet;
  /** The MAP IPv6 address, 128 bits. */
  readonly mapAddress: bigint;
}
