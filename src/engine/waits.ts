/** What a session waits for, and how long. It goes on in every case: the next step fails if what it needs is not there. */

import type { Host } from "./host.ts";
import { presenceOf } from "./presence.ts";

/** How often we look, ms. */
const LOOK_MS = 200;
/** How long netifd may take to remove an interface, ms: its handler has 5 s for a teardown. */
const REMOVAL_MS = 8_000;

/** Waits until netifd knows an interface no more. */
export async function untilAbsent(iface: string, host: Host): Promise<void> {
  for (let waited = 0; waited < REMOVAL_MS; waited += LOOK_MS) {
    if ((await presenceOf(iface, host)) === "absent") return;
    await host.sleep(LOOK_MS);
  }
}

/** How long the kernel may take to find that nobody else has an address, ms: a second, after one by chance (RFC 4861 s10). */
const DETECTION_MS = 3_000;

/** Waits until the kernel uses an address: the old customer edge goes on meanwhile. */
export async function untilUsable(address: bigint, host: Host): Promise<void> {
  for (let waited = 0; waited < DETECTION_MS && !host.usesAddress(address); waited += LOOK_MS) {
    await host.sleep(LOOK_MS);
  }
}
