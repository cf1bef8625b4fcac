/**
 * The steps of a session: one list. Setup walks it down; a failure and teardown walk it up; `mapminctl plan` prints it.
 *
 * What a step undoes follows from the interface's name and from what its state file keeps, so that teardown does not need
 * setup to have finished. Undoing what was never done changes nothing.
 */

import type { InterfaceName } from "../ip/names.ts";
import { formatIpv4Prefix } from "../ip/text.ts";
import { deviceName, type Plan, tableName } from "../map/plan.ts";
import { addressRemoval, addressRequest, NETWORK, updateRequest } from "../render/netifd.ts";
import { renderNft, renderNftDelete } from "../render/nft.ts";
import {
  addressCommands,
  mtuCommands,
  natCommands,
  netifdCommands,
  translatorCommands,
} from "../render/shell.ts";
import { setupLines } from "../render/translator.ts";
import type { Effect } from "./effect.ts";
import type { SavedState } from "./state.ts";

/** What takes back a step, or a part of it. */
export interface Undo {
  readonly title: string;
  readonly do: Effect;
  /** True where a failure only has to be logged: what stays behind does no harm. */
  readonly optional?: true;
}

export interface Step {
  readonly title: string;
  /** What a person would type to the same end; nothing where there is no plan. */
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
  /** Whether netifd may have been asked for an interface that holds the tunnel's address. */
  readonly tunnelAddress: boolean;
}

export function claimOf(plan: Plan): Claim {
  return {
    iface: plan.iface,
    ipv4: formatIpv4Prefix(plan.ipv4),
    tunnelAddress: addressRequest(plan) !== undefined,
  };
}

/** The claim of an interface whose plan is not known any more. `saved` is absent when its state file is, or is damaged. */
export function claimFrom(iface: InterfaceName, saved: SavedState | undefined): Claim {
  return {
    iface,
    ...(saved?.ipv4 === undefined ? {} : { ipv4: saved.ipv4 }),
    tunnelAddress: saved?.transport !== undefined && saved.transport !== "map-t",
  };
}

/** All steps, first to last. Without a plan they can only be undone. */
export function sessionSteps(claim: Claim, plan?: Plan): readonly Step[] {
  const { iface, ipv4 } = claim;
  const { nat, translator } = plan ?? {};
  const device = deviceName(iface);
  const table = tableName(iface);
  const address = plan && addressRequest(plan);
  const removeDevice: Effect = { kind: "remove device", device };
  return [
    {
      // Before anything can leave: a packet without NAT would use another subscriber's ports.
      title: "load the NAT into the port set",
      command: natCommands(nat),
      do: nat && { kind: "nft", table, script: renderNft(nat) },
      undo: [
        { title: "remove the NAT", do: { kind: "nft", table, script: renderNftDelete(table) } },
        // Flows of an address that is gone would hold on to ports of the old set.
        ...(ipv4 === undefined
          ? []
          : [{ title: "forget the flows", do: { kind: "flush flows", ipv4 }, optional: true } as const]),
      ],
    },
    {
      // A device that an interrupted run left would make `add` fail with EEXIST.
      title: "remove a translator left behind",
      command: [],
      do: translator && removeDevice,
      undo: [],
    },
    {
      title: "create the translator",
      command: translatorCommands(plan),
      do: translator && { kind: "control", lines: setupLines(device, translator) },
      undo: [{ title: "remove the translator", do: removeDevice }],
    },
    {
      title: "set the translator's MTU",
      command: mtuCommands(plan),
      do: translator && plan && { kind: "device mtu", device, octets: plan.link.mtu },
      undo: [],
    },
    {
      title: "add the tunnel's address",
      command: addressCommands(plan),
      do: address && { kind: "ubus", object: "network", method: "add_dynamic", args: address },
      undo: claim.tunnelAddress
        ? [
            {
              title: "remove the tunnel's address",
              do: {
                kind: "ubus",
                object: NETWORK,
                method: "down",
                args: addressRemoval(iface),
                ifPresent: true,
              },
            },
          ]
        : [],
    },
    {
      // netifd takes its part back itself when the handler's teardown has ended.
      title: "tell netifd",
      command: netifdCommands(plan),
      do: plan && { kind: "ubus", object: NETWORK, method: "notify_proto", args: updateRequest(plan) },
      undo: [],
    },
  ];
}
