/** The checks of what setup has made: the interface, its device, addresses, routes and MTU. */

import type { SavedState } from "../engine/state.ts";
import { formatIpv4Prefix, formatIpv6, parseIpv6 } from "../ip/text.ts";
import { overheadOf, type Plan } from "../map/plan.ts";
import { rulesPrint } from "../render/control.ts";
import { type Check, fault, given, givenState, type Patient, type Verdict } from "./check.ts";
import { told } from "./facts.ts";
import { routeOf } from "./kernel-tables.ts";

/** All that setup needs. */
const needed = [
  "engine",
  "protocol handler",
  "netifd",
  "kernel module",
  "kernel features",
  "link",
  "configuration",
  "rule and prefix",
];

/** The plan that setup would make now, where that can be told. */
export function planOf({ expected }: Patient): Plan | undefined {
  return expected.known && "plan" in expected.value ? expected.value.plan : undefined;
}

function lookAtInterface({ facts }: Patient): Verdict {
  const { iface, stateDamage } = facts;
  const again = `run \`ifup ${iface}\``;
  if (stateDamage !== undefined) {
    return fault("STATE_DAMAGED", `the state file of ${iface} cannot be used: ${stateDamage}`, again);
  }
  const shown = told(facts.interfaces)?.find(({ name }) => name === iface);
  return given(facts.state, (state) => {
    if (shown === undefined) {
      return fault(
        "NOT_IN_NETIFD",
        `netifd has no interface ${iface}`,
        "run `service network reload`; an interface made from a lease comes back with `ifup` for its link",
      );
    }
    if (state?.state === "failed") {
      return fault("SETUP_FAILED", `the last setup failed: ${state.error ?? "no reason is kept"}`, again);
    }
    if (shown.error !== undefined && !shown.up) {
      const { code, text } = shown.error;
      return fault(
        "SETUP_FAILED",
        `netifd shows the error ${[code, text].filter((part) => part !== "").join(": ")}`,
        again,
      );
    }
    if (!shown.up && !shown.autostart) {
      return fault("TAKEN_DOWN", `${iface} has been taken down, or has \`option auto '0'\``, again);
    }
    if (state?.state === "starting") {
      return fault(
        "SETUP_UNFINISHED",
        `the setup of ${iface} began at ${state.since} and has not ended`,
        `wait a minute; if nothing changes, ${again}, and see /tmp/map.log`,
      );
    }
    if (state === undefined || !shown.up) {
      return fault(
        "NOT_SET_UP",
        `${iface} is not up, and netifd gives no reason`,
        `${again}, and see /tmp/map.log`,
      );
    }
    return "fine";
  });
}

/** What is in force and what would be made now, by name, where they differ. */
function differences(state: SavedState, plan: Plan): readonly string[] {
  const { ce } = plan;
  const rows: readonly (readonly [string, string | undefined, string | undefined])[] = [
    ["transport", state.transport, plan.transport],
    ["IPv4 address", state.ipv4, formatIpv4Prefix(plan.ipv4)],
    ["MAP address", state.map_address, ce && formatIpv6(ce.mapAddress)],
    ["PSID", state.psid, ce && `${ce.portSet.psid}`],
    ["PSID length", state.psid_length, ce && `${ce.portSet.psidLength}`],
    ["PSID offset", state.offset, ce && `${ce.portSet.offset}`],
    ["carrier", state.carrier, plan.module === undefined ? "tunnel" : "module"],
    ["IPv4 MTU", state.mtu, `${plan.mtu}`],
  ];
  return rows.flatMap(([name, is = "none", would = "none"]) =>
    is === would ? [] : [`${name} ${is} instead of ${would}`],
  );
}

function lookAtChanges(patient: Patient): Verdict {
  const plan = planOf(patient);
  const { expected, facts } = patient;
  if (plan === undefined) return given(expected, () => "not used");
  return givenState(patient, (state) => {
    const changed = differences(state, plan);
    return changed.length === 0
      ? "fine"
      : fault(
          "SETUP_OUTDATED",
          `what ${facts.iface} was set up with is not what the link gives now: ${changed.join(", ")}`,
          `run \`ubus call network.interface.${facts.iface} renew\``,
        );
  });
}

function lookAtDevice(patient: Patient): Verdict {
  const { facts } = patient;
  const again = `run \`ifup ${facts.iface}\``;
  return givenState(patient, (state) =>
    given(facts.device, (device) => {
      const name = state.device;
      if (device === undefined) return fault("DEVICE_MISSING", `the MAP device ${name} is not there`, again);
      if (state.carrier === "module") {
        if (!facts.moduleLines.known) return { unknown: facts.moduleLines.why };
        const lines = facts.moduleLines.value;
        if (lines === undefined) {
          return fault("DEVICE_FOREIGN", `the device ${name} is there, and is not the module's`, again);
        }
        if (rulesPrint(lines) !== state.rules) {
          const renew = `run \`ubus call network.interface.${facts.iface} renew\``;
          return fault(
            "RULES_CHANGED",
            `somebody has changed the rules of ${name} in the kernel module`,
            renew,
          );
        }
      }
      return device.up ? "fine" : fault("DEVICE_DOWN", `the MAP device ${name} has been set down`, again);
    }),
  );
}

function lookAtAddress(patient: Patient): Verdict {
  const { facts } = patient;
  const again = `run \`ifup ${facts.iface}\``;
  return givenState(patient, ({ ipv4 = "", map_address: mapped, address_interfaces: holders }) =>
    given(facts.addresses4, (addresses) => {
      const [address = ""] = ipv4.split("/");
      if (!addresses.includes(address)) {
        return fault("IPV4_ADDRESS_MISSING", `the router has lost its IPv4 address ${address}`, again);
      }
      if (mapped === undefined || !holders) return "fine";
      return given(facts.addresses6, (own) =>
        own.includes(parseIpv6(mapped))
          ? "fine"
          : fault("MAP_ADDRESS_MISSING", `the link has lost the MAP address ${mapped}`, again),
      );
    }),
  );
}

function lookAtDefaultRoute(patient: Patient): Verdict {
  const { facts } = patient;
  const { table, noDefault } = told(facts.routeOptions) ?? {};
  if (noDefault === true) return "not used";
  if (table !== undefined)
    return { unknown: `\`option ip4table\`: routes of table ${table} are not looked at` };
  if (told(facts.mwan3) !== undefined) {
    return { unknown: "mwan3 chooses the way of packets, not the main table of routes" };
  }
  return givenState(patient, ({ device }) =>
    given(facts.defaultRoutes, (routes) => {
      const ours = routes.filter((route) => route.device === device);
      if (ours.length === 0) {
        return fault(
          "DEFAULT_ROUTE_MISSING",
          `there is no IPv4 default route into ${device}`,
          `run \`ifup ${facts.iface}\``,
        );
      }
      const least = Math.min(...ours.map(({ metric }) => metric));
      const better = routes.find(({ metric }) => metric < least);
      return better === undefined
        ? "fine"
        : fault(
            "DEFAULT_ROUTE_ELSEWHERE",
            `IPv4 packets leave by ${better.device}: its default route has metric ${better.metric}, that of ${device} ${least}`,
            `set \`option metric\` of the interface on ${better.device} above ${least}`,
          );
    }),
  );
}

/** MAP-T: packets to the MAP address have to find the module's device. */
function lookAtMapRoute(patient: Patient): Verdict {
  const { facts } = patient;
  return givenState(patient, ({ transport, device, map_address: mapped }) => {
    if (transport !== "map-t" || mapped === undefined) return "not used";
    return given(facts.routes6, (routes) =>
      routeOf(routes, parseIpv6(mapped), 0n)?.device === device
        ? "fine"
        : fault(
            "MAP_ROUTE_MISSING",
            `there is no IPv6 route for the MAP address ${mapped} into ${device}`,
            `run \`ifup ${facts.iface}\``,
          ),
    );
  });
}

/** Where packets go in the provider's network, and our end. */
export function farEnd(plan: Plan): { readonly far: bigint; readonly near: bigint } | undefined {
  const { module, tunnel } = plan;
  if (module?.carries === "translated") return { far: module.dmr.address, near: module.ce.mapAddress };
  const ends = module ?? tunnel;
  return ends && { far: ends.remote, near: ends.local };
}

function lookAtRelayRoute(patient: Patient): Verdict {
  const { facts } = patient;
  const plan = planOf(patient);
  const ends = plan && farEnd(plan);
  if (ends === undefined) return { unknown: "the border relay is not known" };
  return given(facts.routes6, (routes) => {
    const route = routeOf(routes, ends.far, ends.near);
    if (route !== undefined && !route.reject) return "fine";
    return fault(
      "NO_ROUTE_TO_RELAY",
      `there is no IPv6 route to ${formatIpv6(ends.far)}, where the provider takes IPv4 packets`,
      `run \`ifup ${facts.tunlink}\`; if that does not help, see \`ip -6 route\` and the firewall's rule for router advertisements`,
    );
  });
}

function lookAtNeighbour(patient: Patient): Verdict {
  const { facts } = patient;
  const plan = planOf(patient);
  const ends = plan && farEnd(plan);
  if (ends === undefined) return { unknown: "the border relay is not known" };
  return given(facts.routes6, (routes) =>
    given(facts.silentNeighbours, (silent) => {
      const route = routeOf(routes, ends.far, ends.near);
      const hop = route?.gateway || ends.far;
      return silent.includes(hop)
        ? fault(
            "NEXT_HOP_SILENT",
            `the next router, ${formatIpv6(hop)} on ${route?.device}, does not answer`,
            `look at the cable and the modem, and run \`ifup ${facts.tunlink}\``,
          )
        : "fine";
    }),
  );
}

function lookAtMtu(patient: Patient): Verdict {
  const { facts } = patient;
  const plan = planOf(patient);
  if (plan === undefined) return { unknown: "what setup would make is not known" };
  return given(facts.device, (device) => {
    // The module's device has the link's own.
    const wanted = plan.module === undefined ? plan.mtu : plan.link.mtu;
    if (device?.mtu !== wanted) {
      return fault(
        "DEVICE_MTU_CHANGED",
        `${plan.device} has an MTU of ${device?.mtu} octets instead of ${wanted}`,
        `run \`ip link set ${plan.device} mtu ${wanted}\``,
      );
    }
    const tunnel = plan.module?.carries === "encapsulated" ? plan.module : plan.tunnel;
    const overhead = overheadOf(plan.transport, tunnel?.encaplimit);
    return plan.mtu + overhead > plan.link.mtu
      ? fault(
          "MTU_TOO_LARGE",
          `IPv4 packets of ${plan.mtu} octets become ${plan.mtu + overhead}, and ${plan.link.iface} takes ${plan.link.mtu}`,
          `delete \`option mtu\` of ${facts.iface}: the right value, ${plan.link.mtu - overhead}, is then used`,
        )
      : "fine";
  });
}

export const afterSetup: readonly Check[] = [
  { about: "interface", after: needed, look: lookAtInterface },
  { about: "up to date", after: [...needed, "interface"], look: lookAtChanges },
  { about: "MAP device", after: ["interface", "kernel module"], look: lookAtDevice },
  { about: "addresses", after: ["MAP device", "up to date"], look: lookAtAddress },
  { about: "default route", after: ["MAP device", "addresses"], look: lookAtDefaultRoute },
  { about: "route to the MAP device", after: ["MAP device", "up to date"], look: lookAtMapRoute },
  {
    about: "route to the border relay",
    after: ["link", "rule and prefix", "interface"],
    look: lookAtRelayRoute,
  },
  {
    about: "next router",
    after: ["route to the border relay"],
    look: lookAtNeighbour,
  },
  { about: "MTU", after: ["MAP device", "up to date"], look: lookAtMtu },
];
