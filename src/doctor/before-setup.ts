/** The checks of what setup needs: engine, module, kernel, link, option, rule. */

import { portCount } from "../map/port-set.ts";
import { fromPassthru } from "../provision/option.ts";
import { MapminError } from "../wire/errors.ts";
import { type Check, type Fault, fault, given, type Patient, type Verdict } from "./check.ts";
import { told } from "./facts.ts";

/** The least MTU of a link that carries IPv6 (RFC 8200 s5), octets. */
const IPV6_MIN_MTU = 1280;
/** Fewer ports than any provider is known to give: a page opens dozens of connections. */
const FEW_PORTS = 64;
const OWN_RULE =
  "type the rule that your provider publishes into the interface's section of /etc/config/network";

/** The error by which setup would refuse now. */
function refusal({ expected }: Patient): MapminError | undefined {
  return expected.known && expected.value instanceof MapminError ? expected.value : undefined;
}

/** True where the module has to be there. */
function needsModule({ facts, expected }: Patient): boolean {
  const state = told(facts.state);
  if (state?.carrier === "module" || state?.error?.startsWith("NO_KERNEL_MODULE:") === true) return true;
  return expected.known && "plan" in expected.value && expected.value.plan.module !== undefined;
}

/** True where nftables do the NAT. */
function needsNft({ facts, expected }: Patient): boolean {
  const state = told(facts.state);
  if (state?.state === "up") return state.table !== undefined;
  return expected.known && "plan" in expected.value && expected.value.plan.nat !== undefined;
}

/** Whether a rule is configured: then no option of DHCPv6 is needed. */
function ruleIsTyped({ facts }: Patient): boolean {
  if (!facts.config.known || facts.config.value instanceof MapminError) return false;
  const { rule, rules, ipaddr, ip6prefix, peeraddr } = facts.config.value;
  return [rule, rules, ipaddr, ip6prefix, peeraddr].some((option) => option !== undefined && option !== "");
}

function lookAtOption(patient: Patient): Verdict {
  const { facts } = patient;
  if (!facts.config.known) return { unknown: facts.config.why };
  if (ruleIsTyped(patient)) return "not used";
  return given(facts.link, (link) => {
    if (link === undefined) return "not used";
    const found = link.passthru ? hasDomain(link.passthru) : false;
    if (found === true) return "fine";
    if (found instanceof MapminError) {
      return fault(
        "OPTION_MALFORMED",
        `the provider's DHCPv6 option cannot be read: ${found.message}`,
        `send your provider what \`mapminctl explain\` says of it, and until it is mended ${OWN_RULE}`,
      );
    }
    return given(facts.requested, (requested) =>
      requested.split(/[\s,]/).includes("48879")
        ? fault(
            "OPTION_NOT_RECEIVED",
            `${facts.tunlink} asks for option 48879, and the provider's DHCPv6 reply has no MAP option`,
            `ask your provider whether this line has MAP, or ${OWN_RULE}`,
          )
        : fault(
            "OPTION_NOT_REQUESTED",
            `the provider's DHCPv6 reply has no MAP option, and ${facts.tunlink} does not ask for option 48879`,
            `uci add_list network.${facts.tunlink}.reqopts=48879; uci commit network; ifup ${facts.tunlink}`,
          ),
    );
  });
}

/** Whether DHCPv6 has brought a MAP domain, or why what it has brought cannot be read. */
function hasDomain(passthru: string): boolean | MapminError {
  try {
    return fromPassthru(passthru).length > 0;
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    return error;
  }
}

/** Why no prefix is the rule's: it is too short, or lies elsewhere. */
function lookAtPrefixes(error: MapminError): Verdict {
  return / is too short: /.test(error.message)
    ? fault(
        "PREFIX_TOO_SHORT",
        error.message,
        "ask your provider for the longer prefix, or correct `ealen` and `ip6prefixlen` if you typed the rule",
      )
    : fault(
        "PREFIX_NOT_IN_RULE",
        error.message,
        "ask your provider for the rule of this prefix, or correct `ip6prefix` if you typed the rule",
      );
}

function lookAtRule(patient: Patient): Verdict {
  const { expected } = patient;
  if (!expected.known) return { unknown: expected.why };
  const error = refusal(patient);
  if (error === undefined) return "fine";
  const { code, message } = error;
  if (code === "NO_MATCHING_PD") return lookAtPrefixes(error);
  if (code === "UNSUPPORTED_TYPE") {
    return fault("TYPE_UNKNOWN", message, "set `option maptype` to map-t, map-e or lw4o6");
  }
  if (code === "NO_RULE") {
    const remedy = "delete `option maptype`, so that what the provider sends is used";
    return fault("NO_RULE_OF_TYPE", message, remedy);
  }
  const config = told(patient.facts.config);
  const table = code === "INVALID_MAP_RULE" && config !== undefined && "rules" in config && config.rules;
  return fault(
    "RULE_REFUSED",
    message,
    table
      ? `run \`mapminctl rules check ${table}\`, correct the table, and run \`ifup\` for the interface`
      : ruleIsTyped(patient)
        ? "correct that option in /etc/config/network, and run `ifup` for the interface"
        : "send this to your provider; for a private address see `allow_private` in the manual",
  );
}

/** Without netifd nothing of an interface can be told. */
export function netifdSilent(why: string): Fault {
  return {
    code: "NETIFD_SILENT",
    text: `netifd does not answer: ${why}`,
    remedy: "run `service network restart`, and look at `logread -e netifd`",
  };
}

export const beforeSetup: readonly Check[] = [
  {
    about: "engine",
    after: [],
    look: ({ facts }) =>
      given(facts.missingEngine, (path) =>
        path === undefined
          ? "fine"
          : fault(
              "ENGINE_MISSING",
              `the file /usr/lib/mapmin/engine names ${path}, which is not there`,
              "delete /usr/lib/mapmin/engine: then node or qjs in /usr/bin is used",
            ),
      ),
  },
  {
    about: "protocol handler",
    after: [],
    look: ({ facts }) =>
      given(facts.script, (text) => {
        if (text?.includes("mapmin_exec") === true) return "fine";
        return text === undefined
          ? fault(
              "HANDLER_MISSING",
              "netifd has no handler for the protocol map: /lib/netifd/proto/map.sh is not there",
              "install the package map-mdpc, and run `service network restart`",
            )
          : fault(
              "HANDLER_FOREIGN",
              "/lib/netifd/proto/map.sh is another package's (OpenWrt's package map has one)",
              "remove the package map, install map-mdpc again, and run `service network restart`",
            );
      }),
  },
  {
    about: "netifd",
    after: ["protocol handler"],
    look: ({ facts }) => {
      if (!facts.interfaces.known) {
        return { fault: netifdSilent(facts.interfaces.why) };
      }
      return given(facts.protocols, (protocols) =>
        protocols.includes("map")
          ? "fine"
          : fault(
              "PROTOCOL_UNKNOWN",
              "netifd does not know the protocol map: it reads its list only when it starts",
              "run `service network restart`",
            ),
      );
    },
  },
  {
    about: "kernel module",
    after: [],
    look: (patient) =>
      given(patient.facts.module, (module) => {
        if (module === "ours") return "fine";
        if (module === "nat46") {
          return fault(
            "NAT46_LOADED",
            "the module nat46 is loaded, which is in the way of mapmint: both have the file /proc/net/nat46/control",
            "remove the package kmod-nat46, install kmod-mapmint, and restart the router",
          );
        }
        if (!needsModule(patient)) return "not used";
        return fault(
          "MODULE_MISSING",
          "the kernel module mapmint is needed, and it is not loaded",
          `install kmod-mapmint, and run \`modprobe mapmint; ifup ${patient.facts.iface}\``,
        );
      }),
  },
  {
    about: "kernel features",
    after: ["kernel module"],
    look: (patient) => {
      const { facts, expected } = patient;
      if (facts.forwarding.known && !facts.forwarding.value) {
        return fault(
          "FORWARDING_OFF",
          "the kernel forwards no IPv4 packets: /proc/sys/net/ipv4/ip_forward is 0",
          "run `sysctl -w net.ipv4.ip_forward=1`, and see in /etc/sysctl.conf who sets it to 0",
        );
      }
      const tunnel =
        told(facts.state)?.carrier === "tunnel" ||
        (expected.known && "plan" in expected.value && expected.value.plan.tunnel !== undefined);
      if (tunnel && facts.tunnelSupport.known && !facts.tunnelSupport.value) {
        return fault(
          "TUNNEL_UNSUPPORTED",
          "without the module mapmint the kernel's own tunnel is needed, and it is not there",
          "install kmod-mapmint, or kmod-ip6-tunnel",
        );
      }
      if (needsNft(patient) && !facts.table.known && / not installed$/.test(facts.table.why)) {
        return fault(
          "NFT_MISSING",
          "nftables do the NAT of this interface, and the program nft is not installed",
          "install kmod-mapmint, or nftables",
        );
      }
      return given(facts.forwarding, () => "fine");
    },
  },
  {
    about: "link",
    after: ["netifd"],
    look: ({ facts }) =>
      given(facts.link, (link) => {
        const { tunlink } = facts;
        if (link === undefined) {
          return fault(
            "NO_LINK",
            `netifd knows no interface ${tunlink}, which is to carry the IPv6 packets`,
            "set `option tunlink` to the name of your IPv6 interface",
          );
        }
        if (!link.up) {
          return fault(
            "LINK_DOWN",
            `the link ${tunlink} is down`,
            `run \`ifup ${tunlink}\`; if it stays down, see \`ifstatus ${tunlink}\` and the cable`,
          );
        }
        return given(facts.linkDevice, (device) => {
          if (device === undefined || link.device === "") {
            return fault(
              "LINK_DEVICE_MISSING",
              `netifd says that ${tunlink} is up, and ${link.device === "" ? "names no device" : `its device ${link.device} is not there`}`,
              `run \`ifup ${tunlink}\``,
            );
          }
          if (!device.up) {
            return fault(
              "LINK_DEVICE_DOWN",
              `the link's device ${link.device} has been set down, which netifd does not know`,
              `run \`ifup ${tunlink}\``,
            );
          }
          return device.mtu < IPV6_MIN_MTU
            ? fault(
                "LINK_MTU_TOO_SMALL",
                `the link's device ${link.device} has an MTU of ${device.mtu} octets; IPv6 needs ${IPV6_MIN_MTU}`,
                `delete \`option mtu\` of that device in /etc/config/network, and run \`ifup ${tunlink}\``,
              )
            : "fine";
        });
      }),
  },
  {
    about: "delegated prefix",
    after: ["link"],
    look: (patient) =>
      given(patient.facts.link, (link) =>
        link === undefined || link.prefixes.length > 0 || refusal(patient)?.code !== "NO_MATCHING_PD"
          ? "fine"
          : fault(
              "NO_PREFIX",
              `the link ${patient.facts.tunlink} is up, and no IPv6 prefix has been delegated to it`,
              `set \`option reqprefix 'auto'\` on ${patient.facts.tunlink}, and run \`ifup ${patient.facts.tunlink}\``,
            ),
      ),
  },
  {
    about: "configuration",
    after: [],
    look: ({ facts }) =>
      given(facts.config, (config) =>
        config instanceof MapminError
          ? fault(
              "OPTION_INVALID",
              `an option of ${facts.iface} is not valid: ${config.message}`,
              `correct it in /etc/config/network, and run \`ifup ${facts.iface}\``,
            )
          : "fine",
      ),
  },
  { about: "DHCPv6 option", after: ["link", "configuration"], look: lookAtOption },
  {
    about: "rule and prefix",
    after: ["delegated prefix", "DHCPv6 option", "configuration"],
    look: lookAtRule,
  },
  {
    about: "port parameters",
    after: ["rule and prefix"],
    look: ({ expected }) =>
      given(expected, (value) => {
        const set = "plan" in value ? value.plan.ce?.portSet : undefined;
        if (set === undefined) return "not used";
        const ports = portCount(set);
        return ports >= FEW_PORTS
          ? "fine"
          : fault(
              "FEW_PORTS",
              `the rule gives ${ports} ports (PSID offset ${set.offset}, PSID length ${set.psidLength}), too few for a household`,
              "compare `offset`, `psidlen` and `ealen` with what your provider publishes",
            );
      }),
  },
];
