/** The real world behind `engine/host.ts`. */

import type { Host } from "../engine/host.ts";
import { interfacesOf, STATE_DIRECTORY, statePath } from "../engine/state.ts";
import { isInterfaceName } from "../ip/names.ts";
import { TABLE_LIMIT } from "../provision/table-text.ts";
import { CONTROL_PATH, MODULE_MARK } from "../render/control.ts";
import { openLog } from "./log.ts";
import { PATIENCE_MS, type System } from "./system.ts";

/**
 * Longest wait for one ubus answer and for one program, ms: a target that dies never answers. netifd kills a teardown after
 * 5 s; it waits for a setup as long as that takes, and what it was told too late would be undone under its feet.
 */
const LIMITS = {
  teardown: { callMs: 3_000, programMs: 4_000 },
  otherwise: { callMs: PATIENCE_MS, programMs: PATIENCE_MS },
} as const;

/** Of a device's flags: it is up (linux/if.h). */
const IFF_UP = 1;
const IFA_F_TENTATIVE = 0x40;
/** A device's type: a tunnel over IPv6 (ARPHRD_TUNNEL6 of linux/if_arp.h). */
const TUNNEL6 = "769";

/** The file in which the kernel shows one attribute of a device. */
const attribute = (device: string, name: string) => `/sys/class/net/${device}/${name}`;

/** What a session needs, ubus among it. Close it, or the process may never end. */
export interface ConnectedHost extends Host {
  close(): void;
}

/** Nothing is connected yet: a ubusd that does not answer fails the first call. */
export function openHost(
  system: System,
  iface: string,
  purpose: keyof typeof LIMITS = "otherwise",
): ConnectedHost {
  const { callMs, programMs } = LIMITS[purpose];
  const { files } = system;
  const bus = system.openBus();
  return {
    call: (object, method, args) => bus.call(object, method, args, callMs),
    log: openLog(system, iface),
    async loadFirewall(script) {
      await system.run("nft", ["-f", "-"], { input: script, limitMs: programMs });
    },
    async flushFlows(ipv4) {
      const [address = ipv4] = ipv4.split("/");
      try {
        await system.run("conntrack", ["-D", "-q", address], { limitMs: programMs });
      } catch (error) {
        // conntrack exits 1 when there was no such flow.
        if (!String(error).includes("0 flow entries")) throw error;
      }
    },
    async listTable(table, form) {
      const json = form === "json" ? ["-j"] : [];
      try {
        return await system.run("nft", [...json, "list", "table", "ip", table], { limitMs: programMs });
      } catch (error) {
        if (String(error).includes("No such file or directory")) return undefined;
        throw error;
      }
    },
    readText: (path) => files.readText(path, TABLE_LIMIT),
    readControl: () => (files.readText(MODULE_MARK) === undefined ? undefined : files.readText(CONTROL_PATH)),
    writeControl: (lines) => files.writeOnce(CONTROL_PATH, `${lines.join("\n")}\n`),
    deviceMtu(device) {
      const mtu = Number(files.readText(attribute(device, "mtu")));
      return Number.isInteger(mtu) && mtu > 0 ? mtu : undefined;
    },
    setDeviceMtu: (device, mtu) => files.writeOnce(attribute(device, "mtu"), `${mtu}\n`),
    shutDevice(device) {
      const path = attribute(device, "flags");
      const flags = Number(files.readText(path));
      files.writeOnce(path, `0x${(flags & ~IFF_UP).toString(16)}\n`);
    },
    async deleteTunnel(device) {
      if (files.readText(attribute(device, "type"))?.trim() !== TUNNEL6) return false;
      await system.run("ip", ["link", "del", device], { limitMs: programMs });
      return true;
    },
    usesAddress(address) {
      // Each line: address, index, prefix length, scope, flags, device.
      const line = new RegExp(`^${address.toString(16).padStart(32, "0")}(?: \\w+){3} (\\w+)`, "m");
      const flags = line.exec(files.readText("/proc/net/if_inet6") ?? "")?.[1];
      return flags !== undefined && (Number.parseInt(flags, 16) & IFA_F_TENTATIVE) === 0;
    },
    stateNames: () => interfacesOf(files.namesIn(STATE_DIRECTORY)).filter(isInterfaceName),
    readState: (name) => files.readText(statePath(name)),
    writeState: (name, text) => files.replaceFile(statePath(name), text),
    removeState: (name) => files.removeFile(statePath(name)),
    now: () => system.now(),
    sleep: (ms) => system.sleep(ms),
    close: () => bus.close(),
  };
}
