/** The kernel module's counters (`/proc/net/mapmint/counters`): which packets it refused, and why. */

/** Counters of packets that were refused. The module has more, which count what passed. */
export const moduleRefusals = {
  nat_exhausted: "no port was free towards the destination",
  nat_filtered: "from outside to a port in use, by somebody whom nobody here had talked to",
  drop_bad_header: "a malformed header",
  drop_source_not_ours: "from an address that is not ours",
  drop_destination_without_rule: "to an address that no rule is for",
  drop_port_outside_set_out: "from a port or id outside the set",
  drop_port_outside_set_in: "to a port or id outside the set",
  drop_protocol_without_ports: "a protocol without ports",
  drop_icmp_type: "an ICMP message that belongs to no flow",
  drop_icmp_error_about_others: "an ICMP error about a packet that was not ours",
  drop_fragment: "a fragment without ports",
  drop_source_route: "with a source route",
  drop_source_does_not_match_rule: "from an IPv6 address that does not fit its IPv4 address and port",
  drop_source_without_rule: "from an IPv6 address that no rule is for",
  drop_destination_not_ours: "to an IPv4 address that is not ours",
  drop_ecn: "marked for congestion, and not able to say so",
  drop_extension_header: "an IPv6 extension header that cannot be translated",
  drop_no_route: "no IPv6 route to the border relay",
  drop_route_leads_back: "the IPv6 route to the border relay leads into the MAP device",
  drop_too_big: "larger than the link takes",
  drop_no_memory: "no memory",
  drop_untracked: "unknown to connection tracking",
  drop_invalid: "connection tracking calls it invalid",
} as const;

export type ModuleRefusal = keyof typeof moduleRefusals;

/** The refusals of one device, in the order of the file; lines that are not the module's are left out. */
export function parseRefusals(text: string, device: string): ReadonlyMap<ModuleRefusal, number> {
  const found = new Map<ModuleRefusal, number>();
  for (const line of text.split("\n")) {
    const [owner, name = "", count = ""] = line.split(" ");
    if (owner !== device || !Object.hasOwn(moduleRefusals, name) || !/^\d{1,20}$/.test(count)) continue;
    found.set(name as ModuleRefusal, Number(count));
  }
  return found;
}
