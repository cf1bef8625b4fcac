/** Decodes netifd's answer to `network.interface status` of the link (`tunlink`). */

import { type DeviceName, isDeviceName } from "../ip/names.ts";
import type { Ipv6Prefix } from "../ip/prefix.ts";
import { parseIpv6 } from "../ip/text.ts";
import { MapminError, throwUnless } from "../wire/errors.ts";
import { custom, object, optional, safeParse, text } from "../wire/schema.ts";

/**
 * Longest text that is accepted, characters. The DHCPv6 options of one message have up to 131,072 as hexadecimal text.
 */
const LONGEST = 200_000;
const word = text(LONGEST);
/** A list of anything. */
export const list = custom<readonly unknown[]>((value) => Array.isArray(value));

const addressEntry = object({
  address: word,
  mask: custom<number>((value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 128),
});

const statusSchema = object({
  up: optional(custom<boolean>((value) => typeof value === "boolean")),
  l3_device: optional(word),
  device: optional(word),
  "ipv6-address": optional(list),
  "ipv6-prefix": optional(list),
  data: optional(object({ passthru: optional(word) })),
});

export interface LinkStatus {
  readonly up: boolean;
  /** Empty when netifd gives no name, or one that is not valid. */
  readonly device: DeviceName | "";
  /**
   * Delegated prefixes first, then the /64 of each address: a /64 from router advertisements may be the end-user
   * prefix.
   */
  readonly prefixes: readonly Ipv6Prefix[];
  /** Those of {@link prefixes} that are the link's own and not delegated; none without it. */
  readonly onLink?: readonly Ipv6Prefix[];
  /** The first global address, for a B4's tunnel. */
  readonly address?: bigint;
  /** The DHCPv6 options netifd keeps, as hex of `code length value`. */
  readonly passthru?: string;
}

const HOST_BITS = 64n;

/** The entries of a list of addresses with their lengths, as netifd prints them. */
export function entries<Address>(
  list: readonly unknown[] | undefined,
  parse: (text: string) => Address,
): readonly { address: Address; length: number }[] {
  const found: { address: Address; length: number }[] = [];
  for (const item of list ?? []) {
    const entry = safeParse(addressEntry, item);
    if (!entry.success) continue;
    try {
      found.push({ address: parse(entry.data.address), length: entry.data.mask });
    } catch (error) {
      // An entry that is not an address is left out; the others count.
      throwUnless(error, MapminError);
    }
  }
  return found;
}

/**
 * Whether the seconds that are left of an address are over. netifd prints 0 or less then, and nothing where they have no
 * end.
 */
function over(entry: unknown, lifetime: "preferred" | "valid"): boolean {
  return Number((entry as { readonly [name: string]: unknown } | null)?.[lifetime]) <= 0;
}

/**
 * Without those that are no longer valid; those that are deprecated (RFC 4862 s5.5.4) come last. After a renumbering netifd
 * has the old prefix too, for as long as it lives.
 */
function living(found: readonly unknown[] | undefined): readonly unknown[] {
  const last = (entry: unknown) => Number(over(entry, "preferred"));
  return (found ?? []).filter((entry) => !over(entry, "valid")).sort((a, b) => last(a) - last(b));
}

/** Unique local (fc00::/7) and link-local (fe80::/10) addresses are not part of an end-user prefix. */
function isGlobal(address: bigint): boolean {
  const top = address >> 112n;
  return top >> 9n !== 0x7en && top >> 6n !== 0x3fan;
}

/** Decodes a status; parts that cannot be decoded count as absent. */
export function decodeLinkStatus(value: unknown): LinkStatus {
  const parsed = safeParse(statusSchema, value);
  const status = parsed.success ? parsed.data : {};
  const addresses = entries(living(status["ipv6-address"]), parseIpv6).filter(({ address }) =>
    isGlobal(address),
  );
  const delegated = entries(living(status["ipv6-prefix"]), parseIpv6);
  const onLink = addresses.map(({ address }) => ({
    address: (address >> HOST_BITS) << HOST_BITS,
    length: 64,
  }));
  const device = status.l3_device ?? status.device;
  const first = addresses[0];
  return {
    up: status.up === true,
    device: device !== undefined && isDeviceName(device) ? device : "",
    prefixes: [...delegated, ...onLink],
    onLink,
    ...(first === undefined ? {} : { address: first.address }),
    ...(status.data?.passthru === undefined ? {} : { passthru: status.data.passthru }),
  };
}
