/** What netifd knows of all interfaces (`network.interface dump`), decoded: the addresses that are the router's own. */

import { type InterfaceName, isInterfaceName } from "../ip/names.ts";
import type { Ipv4Prefix, Ipv6Prefix } from "../ip/prefix.ts";
import { parseIpv4, parseIpv6 } from "../ip/text.ts";
import { custom, object, optional, safeParse, text } from "../wire/schema.ts";
import { decodeLinkStatus, entries, type LinkStatus, list } from "./link.ts";

/** One interface beside ours. */
export interface Neighbour {
  /** netifd's name of it. */
  readonly iface: string;
  /** Its addresses with the length of their networks; host bits are kept. */
  readonly ipv4: readonly Ipv4Prefix[];
  readonly ipv6: readonly Ipv6Prefix[];
}

/** Longest name that is taken, characters. */
const name = text(200);
const anything = custom<unknown>(() => true);
const dumpSchema = object({ interface: list });
const entrySchema = object({
  interface: name,
  proto: optional(name),
  dynamic: optional(anything),
  "ipv4-address": optional(list),
  "ipv6-address": optional(list),
  "ipv6-prefix-assignment": optional(list),
});

/** The entries of a dump; none where it cannot be decoded. */
function entriesOf(dump: unknown): readonly unknown[] {
  const parsed = safeParse(dumpSchema, dump);
  return parsed.success ? parsed.data.interface : [];
}

/** The status of the interface `name`; undefined where netifd knows none of that name. */
export function decodeLink(dump: unknown, name: InterfaceName): LinkStatus | undefined {
  const entry = entriesOf(dump).find((item) => safeParse(entrySchema, item).data?.interface === name);
  return entry === undefined ? undefined : decodeLinkStatus(entry);
}

/** The address that netifd gives the router in a prefix that it assigns to a network. */
function localAddress(assignment: unknown): unknown {
  return (assignment as { readonly "local-address"?: unknown } | null | undefined)?.["local-address"];
}

/** Names of the MAP interfaces that were offered, where `own` is not one of them itself: netifd calls them dynamic. */
export function decodeOffered(dump: unknown, own: InterfaceName): readonly InterfaceName[] {
  const offered = entriesOf(dump).flatMap((item) => {
    const { data } = safeParse(entrySchema, item);
    return data?.proto === "map" && data.dynamic === true && isInterfaceName(data.interface)
      ? [data.interface]
      : [];
  });
  return offered.includes(own) ? [] : offered;
}

/**
 * The interfaces of a dump beside those in `own`. Other MAP interfaces are left out: two of them may share an address,
 * with port sets of their own. What cannot be decoded counts as absent.
 */
export function decodeNeighbours(dump: unknown, own: readonly string[]): readonly Neighbour[] {
  return entriesOf(dump).flatMap((item) => {
    const found = safeParse(entrySchema, item);
    if (!found.success || own.includes(found.data.interface) || found.data.proto === "map") return [];
    const { data } = found;
    const assigned = (data["ipv6-prefix-assignment"] ?? []).map(localAddress);
    return [
      {
        iface: data.interface,
        // A network without a length would be everything: it counts as one address.
        ipv4: entries(data["ipv4-address"], parseIpv4).map(({ address, length }) => ({
          address,
          length: length === 0 ? 32 : Math.min(length, 32),
        })),
        ipv6: entries([...(data["ipv6-address"] ?? []), ...assigned], parseIpv6),
      },
    ];
  });
}
