/** The interface to the world: what a session needs of it. `system/` has the real one, tests have their own. */

import type { InterfaceName } from "../ip/names.ts";
import type { JsonObject } from "../render/netifd.ts";

/** How a step of setup or teardown ended. */
export type Outcome = "ok" | "failed" | "note";

/** Writes one record: time, interface, what was done, how it ended, and with which command. */
export type Log = (what: string, outcome: Outcome, detail?: string) => void;

export interface Host {
  /**
   * Makes one ubus call and gives the first object of the answer, or an empty one.
   *
   * @throws EffectError with ubus's status, when the call was answered by one
   */
  call(object: string, method: string, args: JsonObject): Promise<unknown>;
  readonly log: Log;
  /** Loads an nftables script: all of it or nothing. @throws EffectError */
  loadFirewall(script: string): Promise<void>;
  /**
   * A table as nft prints it, to be loaded again (`text`) or to be read (`json`); undefined when there is none.
   *
   * @throws EffectError when nft cannot be run
   */
  listTable(table: string, form: "text" | "json"): Promise<string | undefined>;
  /** Deletes the flows of an IPv4 address from the kernel's table. @throws EffectError */
  flushFlows(ipv4: string): Promise<void>;
  /** The text of a file, of the size of a table of rules at most; undefined where there is no such file. @throws EffectError */
  readText(path: string): string | undefined;
  /** The text of our module's control file, or undefined where it is not loaded. @throws EffectError */
  readControl(): string | undefined;
  /** Makes one write() to the control file, which is one transaction. @throws EffectError */
  writeControl(lines: readonly string[]): void;
  /** The MTU of a device in octets, or undefined when there is no such device. */
  deviceMtu(device: string): number | undefined;
  /** @throws EffectError */
  setDeviceMtu(device: string, mtu: number): void;
  /** Takes a device down, so that nothing leaves by it. @throws EffectError */
  shutDevice(device: string): void;
  /** Deletes a tunnel over IPv6 of the kernel's own, as netifd makes them. False where the device is no such tunnel. @throws EffectError */
  deleteTunnel(device: string): Promise<boolean>;
  /**
   * True for an IPv6 address that the kernel uses: it has it, and does not ask the neighbours any more whether it is theirs
   * (RFC 4862 s5.4).
   */
  usesAddress(address: bigint): boolean;
  /** The interfaces that have a state file. */
  stateNames(): readonly InterfaceName[];
  /** @throws EffectError when the state file is there and cannot be read */
  readState(iface: string): string | undefined;
  /** @throws EffectError */
  writeState(iface: string, text: string): void;
  /** @throws EffectError */
  removeState(iface: string): void;
  now(): Date;
  sleep(ms: number): Promise<void>;
}

/** The ubus status codes that sessions tell apart; each may mean that netifd is not there. */
export const UbusStatus = { notFound: 4, timeout: 7, connectionFailed: 10 } as const;
