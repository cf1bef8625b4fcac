/** The NAT that an interface's state file says is loaded. */

import { isDeviceName } from "../ip/names.ts";
import { parseIpv4Prefix } from "../ip/text.ts";
import type { PortSet } from "../map/model.ts";
import type { NatPlan } from "../map/plan.ts";
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
  return Object.values(set).every((value) => Number.isInteger(value)) ? set : undefined;
}

/** The NAT of a state; undefined when it had none to load, or what it keeps is damaged. */
export function savedNat(state: SavedState): NatPlan | undefined {
  const { device, table, ipv4, reserved_ports: reserved = "", mtu } = state;
  const portSet = savedPortSet(state);
  if (table === undefined || ipv4 === undefined || portSet === undefined) return undefined;
  if (device === undefined || !isDeviceName(device)) return undefined;
  try {
    return {
      table,
      device,
      ipv4: parseIpv4Prefix(ipv4),
      portSet,
      reservedPorts: decodePorts(reserved),
      mtu: Number(mtu),
    };
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    return undefined;
  }
}
