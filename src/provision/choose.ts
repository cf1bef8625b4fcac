/** Makes the plan from the options of an interface and its link, or an error that a person understands. */

import type { InterfaceName } from "../ip/names.ts";
import { formatIpv6, parseIpv6 } from "../ip/text.ts";
import { END_USER_PREFIX, findCustomerEdge } from "../map/ce.ts";
import type { MapDomain, Remark, Transport } from "../map/model.ts";
import { makePlan, type NatChoice, type Plan } from "../map/plan.ts";
import { DecodeError, InputError, MapminError, SetupError, throwUnless } from "../wire/errors.ts";
import { withUsableFmrs } from "./fmr.ts";
import { decodeForwards, reservedWith } from "./forward.ts";
import { FIELD_NAMES, type FieldNames, type JudgeOptions, judgeDomain } from "./judge.ts";
import type { LinkStatus } from "./link.ts";
import type { Neighbour } from "./network.ts";
import { fromPassthru } from "./option.ts";
import { decodeReservedPorts, type InterfaceConfig } from "./request.ts";
import { lastPorts, remarkReservedPorts } from "./reserved-ports.ts";
import { fromRuleText, parseTransport } from "./rule-text.ts";
import { chooseRow, parseTable } from "./table.ts";
import { placeOf } from "./table-text.ts";
import { fromUci } from "./uci.ts";

/** The MTU of Ethernet, used if the link's MTU is not known. */
const DEFAULT_LINK_MTU = 1500;

export interface Provisioned {
  readonly plan: Plan;
  readonly remarks: readonly Remark[];
  /** Where the rule came from, in words. */
  readonly source: string;
  /** The lines of `forward` that are done. */
  readonly forwarded: readonly string[];
  /** Ports of the set that are kept for miniupnpd, ascending. */
  readonly upnp: readonly number[];
  /** The rule's border relays, in its order; none for MAP-T. */
  readonly relays: readonly bigint[];
}

interface Candidate {
  readonly domain: MapDomain;
  readonly remarks: readonly Remark[];
}

interface Candidates {
  /** Where the rule came from, in words. */
  readonly source: string;
  readonly names: FieldNames;
  readonly found: readonly Candidate[];
  /** IPv4 MTU where the options do not say it, octets. */
  readonly mtu?: number | undefined;
}

/** The options that make a rule without a table. */
const TYPED_RULE = /^(rule$|ipaddr|ip[46]prefix|peeraddr|ealen|psid|offset)/;

/**
 * The row of the table `option rules` that matches.
 *
 * @param table its text; undefined where there is no such file
 */
function fromTable(
  path: string,
  table: string | undefined,
  config: InterfaceConfig,
  link: LinkStatus,
  transport: Transport | undefined,
): Candidates {
  // A rule of digits is stock's, and says nothing.
  const also = Object.entries(config).filter(
    ([name, value]) =>
      TYPED_RULE.test(name) && value !== "" && !(name === "rule" && /^\d+$/.test(String(value))),
  );
  if (also.length > 0) {
    throw new SetupError(
      "INVALID_OPTION",
      `rules: is given together with ${also.map(([name]) => name).join(", ")}`,
    );
  }
  if (table === undefined) throw new SetupError("INVALID_OPTION", `rules: there is no file ${path}`);
  try {
    const options = { transport, legacymap: config.legacymap };
    const { where, domain, mtu, remarks } = chooseRow(parseTable(table), link.prefixes, options);
    const name = (field: string) => `${path}: ${placeOf(where, field)}`;
    return {
      source: `the table ${path}, ${where}`,
      names: {
        ipv4: name("ruleIpv4Prefix"),
        ipv6: name("ruleIpv6Prefix"),
        dmr: name("dmr"),
        borderRelay: name("br"),
      },
      found: [{ domain, remarks }],
      mtu,
    };
  } catch (error) {
    throwUnless(error, InputError);
    throw new SetupError(refusalOf(error).code, `${path}: ${error.message}`, { cause: error });
  }
}

function candidates(
  config: InterfaceConfig,
  { link, rulesText }: Surroundings,
  wanted: Transport | undefined,
): Candidates {
  if (config.rules !== undefined) return fromTable(config.rules, rulesText, config, link, wanted);
  if (config.rule !== undefined && config.rule !== "" && !/^\d+$/.test(config.rule)) {
    const found = fromRuleText(config.rule, config);
    return { source: "the option `rule`", names: FIELD_NAMES.rule, found };
  }
  if (config.ipaddr !== undefined || config.ip6prefix !== undefined || config.peeraddr !== undefined) {
    return { source: "the interface's options", names: FIELD_NAMES.uci, found: [fromUci(config)] };
  }
  if (link.passthru === undefined) {
    throw new SetupError(
      "NO_RULE",
      "no rule is configured, and the provider's DHCPv6 reply has no MAP option: request it with `option reqopts '48879'` on the tunlink, or configure a rule",
    );
  }
  try {
    return { source: "DHCPv6", names: FIELD_NAMES.dhcpv6, found: fromPassthru(link.passthru) };
  } catch (error) {
    throwUnless(error, MapminError);
    throw new SetupError("INVALID_OPTION", error.message, { cause: error });
  }
}

/** The error's code for netifd: LuCI has words for INVALID_MAP_RULE, NO_MATCHING_PD and UNSUPPORTED_TYPE. */
function refusalOf(error: MapminError): SetupError {
  if (error instanceof SetupError) return error;
  const field = error instanceof InputError && error.field;
  const code =
    error instanceof DecodeError
      ? "INVALID_OPTION"
      : field === END_USER_PREFIX
        ? "NO_MATCHING_PD"
        : field === "type" || field === "maptype"
          ? "UNSUPPORTED_TYPE"
          : "INVALID_MAP_RULE";
  return new SetupError(code, error.message, { cause: error });
}

/** The transport that the options ask for; undefined when any will do. @throws InputError for one that is unknown */
function wantedTransport({ type, maptype }: InterfaceConfig) {
  if (type !== undefined) return parseTransport(type, "type");
  return maptype === undefined ? undefined : parseTransport(maptype, "maptype");
}

/** A domain whose CE has this interface identifier. @throws SetupError for MAP-T, where the identifier tells the IPv4 address */
function withInterfaceId(domain: MapDomain, id: string | undefined): MapDomain {
  if (id === undefined) return domain;
  if (domain.transport === "map-t") throw new SetupError("INVALID_OPTION", "ip6ifaceid: is not for map-t");
  return { ...domain, interfaceId: parseIpv6(id) };
}

/** What setting an interface up needs to know beside its options. */
export interface Surroundings {
  /** netifd's name of the link below. */
  readonly tunlink: InterfaceName;
  readonly link: LinkStatus;
  /** Octets; undefined where it is not to be had. */
  readonly linkMtu: number | undefined;
  /** The router's other interfaces. */
  readonly neighbours: readonly Neighbour[];
  /** Whether the kernel module is there; true unless said. */
  readonly moduleLoaded?: boolean;
  /** The text of the table in the option `rules`; undefined where there is none. */
  readonly rulesText?: string | undefined;
  /** The border relay that `mapminctl doctor --next-relay` chose, as text; of no consequence where the rule has no such relay. */
  readonly relay?: string | undefined;
}

/**
 * Chooses the domain that matches and makes the plan.
 *
 * @throws SetupError with a code of NO_RULE, INVALID_MAP_RULE, INVALID_OPTION, NO_MATCHING_PD or UNSUPPORTED_TYPE;
 *   InputError for reserved ports that are not ports
 */
export function provision(iface: InterfaceName, config: InterfaceConfig, around: Surroundings): Provisioned {
  const { tunlink, link, linkMtu, neighbours, moduleLoaded = true } = around;
  const reservedPorts = decodeReservedPorts(config);
  const reservedBy = config.reserved_ports === undefined ? "dont_snat_to" : "reserved_ports";
  try {
    const wanted = wantedTransport(config);
    const { source, names, found, mtu } = candidates(config, around, wanted);
    const usable = found.filter(({ domain }) => wanted === undefined || domain.transport === wanted);
    if (usable.length === 0) {
      throw new SetupError("NO_RULE", `${source} contained no ${wanted ?? "MAP"} domain`);
    }
    const judging: JudgeOptions = { names, neighbours, allowPrivate: config.allow_private === true };
    const refusals: SetupError[] = [];
    for (const { domain: found, remarks } of usable) {
      try {
        const relays = found.borderRelays;
        const chosen = relays.filter((address) => formatIpv6(address) === around.relay);
        const given = {
          ...withInterfaceId(found, config.ip6ifaceid),
          borderRelays: [...chosen, ...relays],
        };
        const edge = given.rules.length === 0 ? undefined : findCustomerEdge(given, link.prefixes);
        const [objection] = judgeDomain(given, edge?.ce, judging);
        if (objection !== undefined) throw new InputError(objection.field, objection.text);
        const { domain, remarks: refused } = withUsableFmrs(given, edge?.ce.bmr, judging);
        const {
          forwards,
          done,
          remarks: unforwarded,
        } = decodeForwards(config.forward ?? [], edge?.ce.portSet, reservedPorts);
        const kept = reservedWith(reservedPorts, forwards);
        const wantedUpnp = config.upnp_ports ?? 0;
        const upnp = edge === undefined ? [] : lastPorts(edge.ce.portSet, wantedUpnp, kept);
        if (upnp.length < wantedUpnp) {
          const text = `${wantedUpnp} are more than half of the ports that are free: ${upnp.length} are given`;
          unforwarded.push({ code: "upnp-ports", path: "upnp_ports", text });
        }
        const plan = makePlan(
          iface,
          domain,
          edge?.ce,
          {
            iface: tunlink,
            device: link.device,
            mtu: linkMtu ?? DEFAULT_LINK_MTU,
            address: link.address,
            // The object itself: a prefix that is delegated as well comes first in the list.
            onLink: edge !== undefined && link.onLink?.includes(edge.ce.endUserPrefix) === true,
          },
          {
            reservedPorts: [...kept, ...upnp].sort((a, b) => a - b),
            forwards,
            moduleLoaded,
            nat: config.nat as NatChoice | undefined,
            mtu: config.mtu ?? mtu,
            ttl: config.ttl,
            zone: config.zone,
            encaplimit: config.encaplimit,
          },
        );
        if (domain.borderRelays[0] !== relays[0]) {
          const text = `border relay ${around.relay} is used`;
          unforwarded.push({ code: "relay", path: "relay", text });
        }
        const reserved =
          edge === undefined ? [] : remarkReservedPorts(reservedPorts, edge.ce.portSet, reservedBy);
        return {
          plan,
          source,
          forwarded: done,
          upnp,
          relays,
          remarks: [...remarks, ...(edge?.remarks ?? []), ...refused, ...reserved, ...unforwarded],
        };
      } catch (error) {
        throwUnless(error, MapminError);
        refusals.push(refusalOf(error));
      }
    }
    throw refusals[0];
  } catch (error) {
    // Any other error is a bug in mapmin and must not be reported as a bad rule.
    throwUnless(error, MapminError);
    throw refusalOf(error);
  }
}
