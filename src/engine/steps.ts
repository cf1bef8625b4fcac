/**
 * The steps of a session: one list. Setup and renew walk it down; a failure and teardown walk it up; `mapminctl plan`
 * prints it.
 *
 * Each step takes the place of what an earlier session left of it, in one transaction where the kernel has one, so that a
 * renewal is the same walk as a setup: made before broken, and never open in between.
 *
 * What a step undoes follows from the interface's name and from what its state file keeps, so that teardown does not need
 * setup to have finished. Undoing what was never done changes nothing.
 */

import type { InterfaceName } from "../ip/names.ts";
import { formatIpv4Prefix } from "../ip/text.ts";
import { deviceName, forwardTableName, type Plan, tableName } from "../map/plan.ts";
import { ruleLines } from "../render/control.ts";
import {
  addressInterfaces,
  addressRemoval,
  addressRequest,
  NETWORK,
  updateRequest,
} from "../render/netifd.ts";
import { renderNft, renderNftDelete } from "../render/nft.ts";
import { renderForwards } from "../render/nft-forward.ts";
import type { Effect } from "./effect.ts";
import type { SavedState } from "./state.ts";

/** What takes back a step, or a part of it. */
export interface Undo {
  readonly title: string;
  readonly do: Effect;
  /** True where a failure only has to be logged: what stays behind does no harm. */
  readonly optional?: true;
}

export const stepKeys = ["nat", "forward", "device", "mtu", "address", "netifd"] as const;
export type StepKey = (typeof stepKeys)[number];

export interface Step {
  readonly key: StepKey;
  readonly title: string;
  /** What a person would type to the same end; nothing where there is no plan, or nobody asked. */
  readonly command: readonly string[];
  /** Absent where the plan has no such part, and where there is no plan. */
  readonly do: Effect | undefined;
  /** In the order to be done. */
  readonly undo: readonly Undo[];
}

/** What an interface may have taken of the router: known from its plan, or from its name and its state file. */
export interface Claim {
  readonly iface: InterfaceName;
  /** The IPv4 address or prefix, where it is known. */
  readonly ipv4?: string;
  /** Whether there may be a table of nftables with the NAT, and one with port forwards. */
  readonly table: boolean;
  readonly forwards: boolean;
  /** Interfaces of netifd that may hold the MAP address. */
  readonly addressInterfaces: readonly string[];
}

export function claimOf(plan: Plan, addressInterface = addressInterfaces(plan.iface)[0]): Claim {
  return {
    iface: plan.iface,
    ipv4: formatIpv4Prefix(plan.ipv4),
    table: plan.nat !== undefined,
    forwards: plan.forward !== undefined,
    addressInterfaces: addressRequest(plan) === undefined ? [] : [addressInterface],
  };
}

/** The words of a text. */
function words(text: string | undefined): readonly string[] {
  return (text ?? "").split(" ").filter((word) => word !== "");
}

/** The claim of an interface whose plan is not known any more. `saved` is absent when its state file is, or is damaged. */
export function claimFrom(iface: InterfaceName, saved: SavedState | undefined): Claim {
  const own: readonly string[] = addressInterfaces(iface);
  return {
    iface,
    ...(saved?.ipv4 === undefined ? {} : { ipv4: saved.ipv4 }),
    // Only a state that tells of a carrier tells for sure that no table was loaded.
    table: saved?.carrier === undefined || saved.table !== undefined,
    forwards: saved?.carrier === undefined || saved.forwards !== undefined,
    // Whatever the file says, other interfaces are not ours to take down.
    addressInterfaces: saved ? words(saved.address_interfaces).filter((name) => own.includes(name)) : own,
  };
}

/** What a person would type for each step. The handler shows none, and so has none of this in its program. */
export type Commands = Readonly<Record<StepKey, (plan: Plan) => readonly string[]>>;

/** All steps, first to last. Without a plan they can only be undone. @throws SetupError when the module cannot take the plan */
export function sessionSteps(claim: Claim, plan?: Plan, commands?: Commands): readonly Step[] {
  const { iface, ipv4 } = claim;
  const { nat, module, forward } = plan ?? {};
  const device = deviceName(iface);
  const table = tableName(iface);
  const side = forwardTableName(iface);
  const noForwards = renderNftDelete(side);
  const sideTable = (script: string) => ({ kind: "nft", table: side, script }) as const;
  const [addressInterface] = claim.addressInterfaces;
  const address = plan && addressRequest(plan, addressInterface);
  const commandOf = (key: StepKey) => (plan && commands?.[key](plan)) ?? [];
  return [
    {
      key: "nat",
      // Before anything can leave: a packet without NAT would use another subscriber's ports.
      title: "load the NAT into the port set",
      command: commandOf("nat"),
      do: nat && { kind: "nft", table, device, script: renderNft(nat) },
      undo: claim.table
        ? [
            { title: "remove the NAT", do: { kind: "remove table", table, device } },
            // Flows of an address that is gone would hold on to ports of the old set.
            ...(ipv4 === undefined
              ? []
              : [{ title: "forget the flows", do: { kind: "flush flows", ipv4 }, optional: true } as const]),
          ]
        : [],
    },
    {
      key: "forward",
      title: "load the port forwards",
      command: commandOf("forward"),
      // Those of an earlier session may be there, and the plan have none.
      do:
        plan && claim.forwards
          ? sideTable(forward === undefined ? noForwards : renderForwards(forward))
          : undefined,
      undo: claim.forwards ? [{ title: "remove the port forwards", do: sideTable(noForwards) }] : [],
    },
    {
      key: "device",
      title: "set the rules of the MAP device",
      command: commandOf("device"),
      do: module && { kind: "device", device, rules: ruleLines(device, module) },
      undo: [{ title: "remove the MAP device", do: { kind: "remove device", device } }],
    },
    {
      key: "mtu",
      title: "set the MTU of the MAP device",
      command: commandOf("mtu"),
      do: module && plan && { kind: "device mtu", device, octets: plan.link.mtu },
      undo: [],
    },
    {
      key: "address",
      title: "add the MAP address to the link",
      command: commandOf("address"),
      do: address && { kind: "ubus", object: "network", method: "add_dynamic", args: address },
      undo: claim.addressInterfaces.map((name) => ({
        title: "remove the MAP address from the link",
        do: {
          kind: "ubus",
          object: NETWORK,
          method: "down",
          args: addressRemoval(name),
          ifPresent: true,
        } as const,
      })),
    },
    {
      // netifd takes its part back itself when the handler's teardown has ended.
      key: "netifd",
      title: "tell netifd",
      command: commandOf("netifd"),
      do: plan && { kind: "ubus", object: NETWORK, method: "notify_proto", args: updateRequest(plan) },
      undo: [],
    },
  ];
}
