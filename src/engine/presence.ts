import { isNotFound } from "./effect.ts";
import type { Host } from "./host.ts";

/** Whether netifd has the interface, and whether it runs (up or pending). @throws EffectError when netifd does not tell */
export async function presenceOf(iface: string, host: Host): Promise<"absent" | "down" | "running"> {
  try {
    const status = await host.call("network.interface", "status", { interface: iface });
    const { up, pending } = (status ?? {}) as { up?: unknown; pending?: unknown };
    return up === true || pending === true ? "running" : "down";
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return "absent";
  }
}
