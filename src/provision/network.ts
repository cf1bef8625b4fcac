/** What netifd knows of all interfaces (`network.interface dump`), decoded: the addresses that are the router's own. */

import type { Ipv4Prefix, Ipv6Prefix } from "../ip/prefix.ts";
import { parseIpv4, parseIpv6 } from "../ip/text.ts";
import { MapminError } from "../wire/errors.ts";
import { custom, object, optional, safeParse, text } from "../wire/schema.ts";

/** One interface beside ours. */
export interface Neighbour {
  /** netifd's name of it. */
  readonly iface: string;
  /** Its addresses with the length of their networks; host bits are kept. */
  readonly ipv4: readonly Ipv4Prefix[];
  readonly ipv6: readonly Ipv6Prefix[];
}

/** Longest text taken, characters. */
const word = text(200);
const list = custom<readonly unknown[]>((value) => Array.isArray(value));
const length = custom<number>(
  (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 128,
);
const addressEntry = object({ address: word, mask: length });
const assignmentEntry = object({ "local-address": addressEntry });

const dumpSchema = object({ interface: list });
const entrySchema = object({
  interface: word,
  proto: optional(word),
  "ipv4-address": optional(list),
  "ipv6-address": optional(list),
  "ipv6-prefix-assignment": optional(list),
});

interface Entry {
  readonly address: string;
  readonly mask: number;
}

/** One entry that is not understood, or no address, costs that entry. */
function addresses<T>(entries: readonly (Entry | undefined)[], parse: (entry: Entry) => T): readonly T[] {
  return entries.flatMap((entry) => {
    if (entry === undefined) return [];
    try {
      return [parse(entry)];
    } catch (error) {
      if (!(error instanceof MapminError)) throw error;
      return [];
    }
  });
}

function entry(value: unknown): Entry | undefined {
  const found = safeParse(addressEntry, value);
  return found.success ? found.data : undefined;
}

/** The address that netifd gives the router in a prefix that it assigns to a network. */
function localAddress(value: unknown): Entry | undefined {
  const found = safeParse(assignmentEntry, value);
  return found.success ? found.data["local-address"] : undefined;
}

/** A network without a length would be everything: it counts as one address. */
function ipv4({ address, mask }: Entry): Ipv4Prefix {
  return { address: parseIpv4(address), length: mask >= 1 && mask <= 32 ? mask : 32 };
}

function ipv6({ address, mask }: Entry): Ipv6Prefix {
  return { address: parseIpv6(address), length: mask };
}

/**
 * The interfaces of a dump beside those in `own`. Other MAP interfaces are left out: two of them may share an address,
 * with port sets of their own. What is not understood counts as absent.
 */
export function decodeNeighbours(dump: unknown, own: readonly string[]): readonly Neighbour[] {
  const parsed = safeParse(dumpSchema, dump);
  return (parsed.success ? parsed.data.interface : []).flatMap((item) => {
    const found = safeParse(entrySchema, item);
    if (!found.success || own.includes(found.data.interface) || found.data.proto === "map") return [];
    const { data } = found;
    return [
      {
        iface: data.interface,
        ipv4: addresses((data["ipv4-address"] ?? []).map(entry), ipv4),
        ipv6: addresses(
          [
            ...(data["ipv6-address"] ?? []).map(entry),
            ...(data["ipv6-prefix-assignment"] ?? []).map(localAddress),
          ],
          ipv6,
        ),
      },
    ];
  });
}
