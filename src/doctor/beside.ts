/** The checks of what works on the packets: NAT, firewall, rivals, how full the port set is, and probes. */

import { savedNat, savedPortCount, savedPortSet } from "../engine/saved-nat.ts";
import type { SavedState } from "../engine/state.ts";
import { forwardTableBeside } from "../map/plan.ts";
import { setPort, virtualBlock } from "../map/virtual-block.ts";
import { checkLoaded } from "../render/readback.ts";
import { planOf } from "./after-setup.ts";
import { type Check, fault, given, givenState, type Patient, type Verdict } from "./check.ts";
import { told, type Volley } from "./facts.ts";
import { appliesTo, isForwardedTo, offloads, takesInput, zoneOf } from "./firewall.ts";

/** From this share of the ports on, the next page may find none. */
const NEARLY_ALL = 0.9;
/** Protocols of netifd whose interfaces are another way of having IPv4. */
const RIVAL_PROTOCOLS = ["464xlat", "dslite"];

function stateOf({ facts }: Patient): SavedState | undefined {
  return told(facts.state);
}

function lookAtNat(patient: Patient): Verdict {
  const { facts } = patient;
  const again = `run \`ubus call network.interface.${facts.iface} renew\``;
  return givenState(patient, (state) => {
    // The module's is one of its device's rules.
    if (state.table === undefined) return "not used";
    const nat = savedNat(state);
    if (nat === undefined) return { unknown: "the state file does not say what NAT was loaded" };
    return given(facts.table, (table) => {
      if (table === undefined) {
        return fault(
          "NAT_MISSING",
          `the table ip ${nat.table} of nftables, which does the NAT, is gone (\`nft flush ruleset\` takes it away)`,
          again,
        );
      }
      const faults = checkLoaded(nat, table);
      return faults.length === 0
        ? "fine"
        : fault(
            "NAT_CHANGED",
            `the table ip ${nat.table} is not what was loaded: ${faults.join("; ")}`,
            again,
          );
    });
  });
}

function lookAtOrder(patient: Patient): Verdict {
  return givenState(patient, ({ table, device = "" }) => {
    if (table === undefined) return "not used";
    return given(patient.facts.earlierNat, (chains) => {
      // Our own forwards come first: what they give is a port of the set.
      const first = chains.find(
        (chain) => chain.table !== forwardTableBeside(table) && appliesTo(chain, device),
      );
      return first === undefined
        ? "fine"
        : fault(
            "NAT_NOT_FIRST",
            `the chain ${first.chain} of the table ${first.family} ${first.table} changes the source of packets before our NAT does`,
            `take ${device} out of that chain: no SNAT and no masquerading but ours`,
          );
    });
  });
}

function lookAtZone(patient: Patient): Verdict {
  const { facts } = patient;
  return givenState(patient, ({ device = "" }) =>
    given(facts.firewall, (firewall) => {
      if (firewall === undefined) return { unknown: "the table inet fw4 is not loaded" };
      const zone = zoneOf(firewall, device);
      const reload = "and run `service firewall reload`";
      if (zone === undefined) {
        return fault(
          "ZONE_MISSING",
          `${facts.iface} is in no firewall zone: packets of the LAN are not forwarded to it`,
          `add \`list network '${facts.iface}'\` to the zone wan in /etc/config/firewall, ${reload}`,
        );
      }
      if (zone === zoneOf(firewall, told(facts.link)?.device ?? "")) return "fine";
      if (!takesInput(firewall, zone) && isForwardedTo(firewall, zone)) return "fine";
      return fault(
        "ZONE_WRONG",
        takesInput(firewall, zone)
          ? `${facts.iface} is in the firewall zone ${zone}, which lets the internet connect to the router`
          : `${facts.iface} is in the firewall zone ${zone}, to which no other zone is forwarded`,
        `move ${facts.iface} to the zone of ${facts.tunlink} in /etc/config/firewall, ${reload}`,
      );
    }),
  );
}

function lookAtOffload(patient: Patient): Verdict {
  return givenState(patient, ({ table }) => {
    if (table === undefined) return "not used";
    return given(patient.facts.firewall, (firewall) => {
      if (firewall === undefined || !offloads(firewall)) return "fine";
      return fault(
        "FLOW_OFFLOAD",
        "flow offload is on: packets of known flows pass the NAT by, and may leave from other subscribers' ports",
        "delete `option flow_offloading` in /etc/config/firewall and run `service firewall reload`, or install kmod-mapmint",
      );
    });
  });
}

/** The same address and port set: who has the packets is chance. */
function sameSet(a: SavedState, b: SavedState): boolean {
  if (b.state !== "up" || a.ipv4 !== b.ipv4) return false;
  return a.psid === b.psid && a.psid_length === b.psid_length && a.offset === b.offset;
}

function lookAtRivals(patient: Patient): Verdict {
  const { facts } = patient;
  const { iface } = facts;
  if (!facts.interfaces.known) return { unknown: facts.interfaces.why };
  const rival = facts.interfaces.value.find(
    ({ name, proto, up }) => up && name !== iface && RIVAL_PROTOCOLS.includes(proto),
  );
  if (rival !== undefined) {
    return fault(
      "RIVAL_INTERFACE",
      `${rival.name} (${rival.proto}) is up as well, and is another way for IPv4 to leave`,
      `delete ${rival.name} or set its \`option auto '0'\`; for one that a lease made, set \`iface_464xlat\` or \`iface_dslite\` of ${facts.tunlink} to 0`,
    );
  }
  const state = stateOf(patient);
  const twin = state && told(facts.otherStates)?.find((other) => sameSet(state, other));
  if (twin !== undefined) {
    return fault(
      "SAME_PORT_SET",
      `${twin.interface} is up with the same address and the same ports`,
      `keep one of ${iface} and ${twin.interface}, and delete the other from /etc/config/network`,
    );
  }
  const managed = told(facts.mwan3);
  if (managed !== undefined && !managed.includes(iface)) {
    return fault(
      "RIVAL_MWAN3",
      `mwan3 chooses the way of IPv4 packets, and ${iface} is not one of the interfaces that it uses`,
      `have ${iface} in /etc/config/mwan3 as an interface with \`option enabled '1'\` and as a member of a policy, or stop mwan3`,
    );
  }
  return "fine";
}

/** Ports that NAT may give to flows; undefined where the set is not shared. */
function usablePorts(state: SavedState | undefined): number | undefined {
  // A whole address has so many that nobody uses them up.
  return state === undefined || savedPortSet(state)?.psidLength === 0 ? undefined : savedPortCount(state);
}

function lookAtPortsInUse(patient: Patient): Verdict {
  const usable = usablePorts(stateOf(patient));
  if (usable === undefined) return "not used";
  return given(patient.facts.busiest, (busiest) => {
    const full = busiest.find(({ ports }) => ports >= NEARLY_ALL * usable);
    if (full === undefined) return "fine";
    const { protocol, peer, ports } = full;
    return fault(
      "PORTS_NEARLY_USED_UP",
      `${protocol.toUpperCase()}: ${ports} of ${usable} ports are in use towards ${peer}`,
      `find who in your network talks so much to ${peer} (\`conntrack -L -p ${protocol}\`)`,
    );
  });
}

/** Most ids that a finding lists. */
const LISTED = 6;

/** What others see of a port of the block that stands for the set. */
function outside(state: SavedState | undefined, port: number): number {
  const nat = state && savedNat(state);
  const block = nat && virtualBlock(nat);
  return setPort(block, port);
}

/** Some ids are ours, in the eyes of who answers, and some are not. */
function partly(patient: Patient, { address, sent, answered, ids }: Volley): Verdict {
  const state = stateOf(patient);
  const list = (which: boolean) =>
    ids
      .filter((one) => one.answered === which)
      .slice(0, LISTED)
      .map(({ id }) => outside(state, id))
      .sort((a, b) => a - b)
      .join(", ");
  const [right, wrong] = [list(true), list(false)];
  const which =
    right === "" || wrong === "" ? "" : `: those with the ids ${right}, and not those with ${wrong}`;
  return fault(
    "PORT_SET_DOUBTFUL",
    `of ${sent} pings to ${address} with different ids of the port set, ${answered} were answered${which}`,
    "compare `offset`, `psidlen` and `psid` with what your provider publishes: a part of these ports is another subscriber's",
  );
}

/** A probe that was not sent is not judged; one that could not be sent is not known. */
function lookAtProbes(patient: Patient): Verdict {
  const { relay, named, full } = patient.facts.probes;
  if (relay === undefined && named === undefined) return "not used";
  if (named?.known === true && named.value.answered > 0) {
    const shared = usablePorts(stateOf(patient)) !== undefined;
    if (shared && named.value.answered < named.value.sent) return partly(patient, named.value);
    if (full === undefined) return "fine";
    return given(full, ({ answered, address, octets }) =>
      answered
        ? "fine"
        : fault(
            "FULL_SIZE_LOST",
            `${address} answers small packets, and none of ${octets} octets, which the MTU allows`,
            `set \`option mtu\` of ${patient.facts.iface} lower, beginning with ${Math.max(octets - 80, 1280)}, until this finding is gone`,
          ),
    );
  }
  if (relay?.known === true && !relay.value.answered) {
    return fault(
      "RELAY_SILENT",
      `the border relay ${relay.value.address} does not answer pings (some never do)`,
      named === undefined
        ? "give an IPv4 address that answers pings, as `--probe ADDRESS`: that asks through the relay"
        : "ask your provider whether the address of the border relay is right, and whether the relay works",
    );
  }
  if (named?.known === true) {
    return fault(
      "NO_ANSWER_THROUGH_RELAY",
      `${named.value.address} does not answer pings through ${planOf(patient)?.device ?? "the MAP device"}`,
      "try another address; if none answers, compare the rule (`mapminctl status`) with what your provider publishes",
    );
  }
  for (const probe of [named, relay]) if (probe?.known === false) return { unknown: probe.why };
  return "fine";
}

export const beside: readonly Check[] = [
  { about: "NAT", after: ["MAP device"], look: lookAtNat },
  { about: "order of NAT", after: ["NAT"], look: lookAtOrder },
  { about: "firewall zone", after: ["MAP device"], look: lookAtZone },
  { about: "flow offload", after: ["NAT"], look: lookAtOffload },
  { about: "rivals", after: [], look: lookAtRivals },
  { about: "ports in use", after: ["interface"], look: lookAtPortsInUse },
  {
    about: "probes",
    after: [
      "addresses",
      "default route",
      "route to the MAP device",
      "next router",
      "firewall zone",
      "NAT",
      "rivals",
    ],
    look: lookAtProbes,
  },
];
