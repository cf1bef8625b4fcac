/**
 * Port sets (RFC 7597 s5.1, App. B): port = A (a bits) | PSID (k bits) | j (m bits), m = 16 - a - k.
 */

import { InputError } from "../wire/errors.ts";
import type { PortSet } from "./model.ts";

/** Largest a and k (RFC 7598 s4.5), and of their sum. */
export const LIMITS = { offset: 15, psidLength: 16, sum: 16 } as const;

/** An inclusive range of ports. */
export type PortRange = readonly [low: number, high: number];

/** `80`, or `5000-5003`. */
export function formatRange([low, high]: PortRange): string {
  return low === high ? `${low}` : `${low}-${high}`;
}

/**
 * @throws InputError naming `offset`, `psidlen` or `psid`, when a > 15, k > 16, a + k > 16 or the PSID exceeds k bits.
 */
export function checkPortSet(set: PortSet): PortSet {
  const whole = (value: number, high: number) => Number.isInteger(value) && value >= 0 && value <= high;
  if (!whole(set.offset, LIMITS.offset))
    throw new InputError("offset", `PSID offset ${set.offset} is not 0 to 15`);
  if (!whole(set.psidLength, LIMITS.psidLength)) {
    throw new InputError("psidlen", `PSID length ${set.psidLength} is not 0 to 16`);
  }
  if (set.offset + set.psidLength > LIMITS.sum) {
    throw new InputError(
      "psidlen",
      `PSID offset ${set.offset} and length ${set.psidLength} exceed 16 bits together`,
    );
  }
  if (!whole(set.psid, 2 ** set.psidLength - 1)) {
    throw new InputError("psid", `PSID ${set.psid} does not fit ${set.psidLength} bits`);
  }
  return set;
}

/** m, the number of bits behind the PSID. */
function contiguousBits(set: PortSet): number {
  return 16 - set.offset - set.psidLength;
}

/** The ranges in ascending order. With k = 0 all ports may be used, and the list is empty. */
export function portRanges(set: PortSet): PortRange[] {
  if (set.psidLength === 0) return [];
  const size = 2 ** contiguousBits(set);
  const base = set.psid * size;
  // a = 0: one range. Only port 0 is left out, because it is never given to a flow.
  if (set.offset === 0) return base === 0 && size === 1 ? [] : [[Math.max(base, 1), base + size - 1]];
  // A starts at 1, so that nobody gets the well-known ports (s5.1).
  return Array.from({ length: 2 ** set.offset - 1 }, (_, i): PortRange => {
    const low = (i + 1) * 2 ** (16 - set.offset) + base;
    return [low, low + size - 1];
  });
}

/** Which of {@link portRanges} a port of the set is in; undefined for another port, and with k = 0. */
export function rangeIndex(set: PortSet, port: number): number | undefined {
  if (set.psidLength === 0 || !contains(set, port)) return undefined;
  return set.offset === 0 ? 0 : (port >> (16 - set.offset)) - 1;
}

/** Number of ports in the set; 65535 with k = 0. */
export function portCount(set: PortSet): number {
  if (set.psidLength === 0) return 65_535;
  return portRanges(set).reduce((sum, [low, high]) => sum + high - low + 1, 0);
}

/** True when a port or ICMP id belongs to the set (RFC 7597 App. B, the inverse). Port 0 is in no set with k > 0. */
export function contains(set: PortSet, port: number): boolean {
  if (set.psidLength === 0) return true;
  if (set.offset > 0 && port >> (16 - set.offset) === 0) return false;
  return port !== 0 && ((port >> contiguousBits(set)) & (2 ** set.psidLength - 1)) === set.psid;
}
