/** The real world behind `engine/host.ts`. */

import { BlobError, UbusCaller, UbusError, UbusFrameError } from "ubus-client-ts";
import type { Host } from "../../engine/host.ts";
import { statePath } from "../../engine/state.ts";
import { CONTROL_PATH, MODULE_MARK } from "../../render/control.ts";
import { EffectError } from "../../wire/errors.ts";
import { PATIENCE_MS, run } from "./exec.ts";
import { readText, removeFile, replaceFile, writeOnce } from "./files.ts";
import { openLog } from "./log.ts";

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

/** A connection to ubus with what a session needs beside it. Close it, or the process never ends. */
export interface ConnectedHost extends Host {
  close(): void;
}

/** An error of ubus as one of ours; one that is not declared stays what it is. */
function asEffectError(error: unknown, subject: string): unknown {
  if (error instanceof UbusError) {
    return new EffectError(subject, error.statusName, { cause: error, status: error.status });
  }
  return error instanceof UbusFrameError || error instanceof BlobError
    ? new EffectError(subject, error.message, { cause: error })
    : error;
}

/** @throws EffectError when ubusd does not answer. */
export async function openHost(
  iface: string,
  purpose: keyof typeof LIMITS = "otherwise",
): Promise<ConnectedHost> {
  const { callMs, programMs } = LIMITS[purpose];
  const path = process.env["UBUS_SOCKET"];
  const ubus = await UbusCaller.connect(path === undefined ? {} : { path }).catch((error: unknown) => {
    throw asEffectError(error, "ubus");
  });
  return {
    async call(object, method, args) {
      try {
        const [first] = await ubus.call(object, method, args as Record<string, never>, {
          timeoutMs: callMs,
        });
        return first ?? {};
      } catch (error) {
        throw asEffectError(error, `ubus call ${object} ${method}`);
      }
    },
    log: openLog(iface),
    async loadFirewall(script) {
      await run("nft", ["-f", "-"], { input: script, limitMs: programMs });
    },
    async flushFlows(ipv4) {
      const [address = ipv4] = ipv4.split("/");
      try {
        await run("conntrack", ["-D", "-q", address], { limitMs: programMs });
      } catch (error) {
        // conntrack exits 1 when there was no such flow.
        if (!String(error).includes("0 flow entries")) throw error;
      }
    },
    async listTable(table, form) {
      try {
        return await run("nft", [...(form === "json" ? ["-j"] : []), "list", "table", "ip", table], {
          limitMs: programMs,
        });
      } catch (error) {
        if (String(error).includes("No such file or directory")) return undefined;
        throw error;
      }
    },
    readControl: () => (readText(MODULE_MARK) === undefined ? undefined : readText(CONTROL_PATH)),
    writeControl: (lines) => writeOnce(CONTROL_PATH, `${lines.join("\n")}\n`),
    deviceMtu(device) {
      const mtu = Number(readText(`/sys/class/net/${device}/mtu`));
      return Number.isInteger(mtu) && mtu > 0 ? mtu : undefined;
    },
    setDeviceMtu: (device, mtu) => writeOnce(`/sys/class/net/${device}/mtu`, `${mtu}\n`),
    shutDevice(device) {
      const path = `/sys/class/net/${device}/flags`;
      const flags = Number(readText(path));
      writeOnce(path, `0x${(flags & ~IFF_UP).toString(16)}\n`);
    },
    readState: (name) => readText(statePath(name)),
    writeState: (name, text) => replaceFile(statePath(name), text),
    removeState: (name) => removeFile(statePath(name)),
    now: () => new Date(),
    close: () => ubus.close(),
  };
}
