/** The NAT that an interface's state file says is loaded. */

import { isDeviceName } from "../ip/names.ts";
import { parseIpv4Prefix } from "../ip/text.ts";
import type { PortSet } from "../map/model.ts";
import type { NatPlan } from "../map/plan.ts";
import { checkPortSet, portCount } from "../map/port-set.ts";
import { allocatablePorts } from "../map/virtual-block.ts";
import { decodePorts } from "../provision/request.ts";
import { MapminError } from "../wire/errors.ts";
import type { SavedState } from "./state.ts";

/** The port set in a state; undefined when it has none, or the numbers are damaged. */
export function savedPortSet(state: SavedState): PortSet | undefined {
  const set = {
    offset: Number(state.offset),
    psidLength: Number(state.psid_length),
    psid: Number(state.psid),
  };
  return orUndefined(() => checkPortSet(set));
}

function orUndefined<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    return undefined;
  }
}

/** How many ports NAT has for flows towards each remote end; undefined where the state does not say, or is damaged. */
export function savedPortCount(state: SavedState): number | undefined {
  const portSet = savedPortSet(state);
  const reservedPorts = orUndefined(() => decodePorts(state.reserved_ports ?? ""));
  if (portSet === undefined || reservedPorts === undefined) return undefined;
  if (portSet.psidLength === 0) return portCount(portSet) - reservedPorts.length;
  return allocatablePorts({ portSet, reservedPorts }).length;
}

/** The NAT of a state; undefined when it had none to load, or what it keeps is damaged. */
export function savedNat(state: SavedState): NatPlan | undefined {
  const { device, table, ipv4, reserved_ports: reserved = "", mtu } = state;
  const portSet = savedPortSet(state);
  if (table === undefined || ipv4 === undefined || portSet === undefined) return undefined;
  if (device === undefined || !isDeviceName(device)) return undefined;
  return orUndefined(() => ({
    table,
    device,
    ipv4: parseIpv4Prefix(ipv4),
    portSet,
    reservedPorts: decodePorts(reserved),
    mtu: Number(mtu),
  }));
}
