/** What a session needs of the world; `system/` has the real ones, tests their own. */

import type { Log } from "../system/node/log.ts";

export interface Host {
  /** One ubus call; the first object of the answer, or an empty one. Rejects with an error that has the status code. */
  call(object: string, method: string, args: object): Promise<unknown>;
  readonly log: Log;
  /** Loads an nftables script, all of it or nothing. */
  loadFirewall(script: string): Promise<void>;
  /** Forgets the flows of an IPv4 address. Rejects when it cannot. */
  flushFlows(ipv4: string): Promise<void>;
  /** The text of the translator's control file, or undefined without the module. */
  readControl(): string | undefined;
  /** One write() to the control file: one transaction. */
  writeControl(lines: readonly string[]): void;
  /** MTU of a device in octets, or undefined when there is no such device. */
  deviceMtu(device: string): number | undefined;
  setDeviceMtu(device: string, mtu: number): void;
  readState(iface: string): string | undefined;
  writeState(iface: string, text: string): void;
  removeState(iface: string): void;
  now(): Date;
}

/** ubus status codes that sessions tell apart. */
export const UbusStatus = { notFound: 4, permissionDenied: 6 } as const;

/** The ubus status code of a rejected call, when it is one. */
export function ubusStatus(error: unknown): number | undefined {
  const code = (error as { status?: unknown } | undefined)?.status;
  return typeof code === "number" ? code : undefined;
}
