/** Makes the plan from the options of an interface and its link, or an error that a person understands. */

import type { InterfaceName } from "../ip/names.ts";
import { findCustomerEdge } from "../map/ce.ts";
import type { MapDomain, Remark } from "../map/model.ts";
import { makePlan, type NatChoice, type Plan } from "../map/plan.ts";
import { InputError, MapminError, SetupError } from "../wire/errors.ts";
import type { LinkStatus } from "./link.ts";
import { fromPassthru } from "./option.ts";
import { decodePorts, type InterfaceConfig } from "./request.ts";
import { fromRuleText } from "./rule-text.ts";
import { fromUci } from "./uci.ts";

/** The MTU of Ethernet, used if the link's MTU is not known. */
const DEFAULT_LINK_MTU = 1500;

export interface Provisioned {
  readonly plan: Plan;
  readonly remarks: readonly Remark[];
  /** Where the rule came from, in words. */
  readonly source: string;
}

interface Candidate {
  readonly domain: MapDomain;
  readonly remarks: readonly Remark[];
}

function candidates(
  config: InterfaceConfig,
  link: LinkStatus,
): { source: string; found: readonly Candidate[] } {
  if (config.rule !== undefined && config.rule !== "" && !/^\d+$/.test(config.rule)) {
    return { source: "the option `rule`", found: fromRuleText(config.rule, config) };
  }
  if (config.ipaddr !== undefined || config.ip6prefix !== undefined || config.peeraddr !== undefined) {
    return { source: "the interface's options", found: [fromUci(config)] };
  }
  if (link.passthru === undefined) {
    throw new SetupError(
      "NO_RULE",
      "there is no rule: none is configured, and the provider's DHCPv6 reply contained no MAP option; request it with `option reqopts '48879'` on the tunlink, or configure the rule",
    );
  }
  return { source: "DHCPv6", found: fromPassthru(link.passthru) };
}

/**
 * Chooses the domain that matches and makes the plan.
 *
 * @throws SetupError with a code of NO_RULE, INVALID_RULE or NO_MATCHING_PREFIX.
 */
export function provision(
  iface: InterfaceName,
  config: InterfaceConfig,
  tunlink: InterfaceName,
  link: LinkStatus,
  linkMtu: number | undefined,
  moduleLoaded = true,
): Provisioned {
  try {
    const reservedPorts = decodePorts(config.reserved_ports ?? "");
    const { source, found } = candidates(config, link);
    const wanted = config.type ?? config.maptype;
    const usable = found.filter(({ domain }) => wanted === undefined || domain.transport === wanted);
    if (usable.length === 0) {
      throw new SetupError("NO_RULE", `${source} contained no ${wanted ?? "MAP"} domain`);
    }
    let refusal: InputError | undefined;
    for (const { domain, remarks } of usable) {
      try {
        const edge = domain.rules.length === 0 ? undefined : findCustomerEdge(domain, link.prefixes);
        const plan = makePlan(
          iface,
          domain,
          edge?.ce,
          {
            iface: tunlink,
            device: link.device,
            mtu: linkMtu ?? DEFAULT_LINK_MTU,
            ...(link.address === undefined ? {} : { address: link.address }),
            // The object itself: a prefix that is delegated as well comes first in the list.
            onLink: edge !== undefined && (link.onLink ?? []).includes(edge.ce.endUserPrefix),
          },
          {
            reservedPorts,
            moduleLoaded,
            ...(config.nat === undefined ? {} : { nat: config.nat as NatChoice }),
            ...(config.mtu === undefined ? {} : { mtu: config.mtu }),
            ...(config.ttl === undefined ? {} : { ttl: config.ttl }),
            ...(config.zone === undefined ? {} : { zone: config.zone }),
            ...(config.encaplimit === undefined ? {} : { encaplimit: config.encaplimit }),
          },
        );
        return { plan, source, remarks: [...remarks, ...(edge?.remarks ?? [])] };
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        refusal ??= error;
      }
    }
    throw new SetupError("NO_MATCHING_PREFIX", refusal?.message ?? "no rule matches a prefix of the link", {
      cause: refusal,
    });
  } catch (error) {
    // Any other error is a bug in mapmin and must not be reported as a bad rule.
    if (error instanceof SetupError || !(error instanceof MapminError)) throw error;
    throw new SetupError("INVALID_RULE", error.message, { cause: error });
  }
}
