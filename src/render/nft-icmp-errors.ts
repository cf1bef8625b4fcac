/**
 * The packet that an ICMP error quotes (RFC 792; RFC 7597 s8.1 judges an error by it): which are of the port set, and
 * the port or echo id in it rewritten as the packet itself was.
 *
 * nft keeps the checksum of an ICMP message right only for writes to the message's own fields, and none of them lies in
 * the quoted packet. So the change is made twice: once to a field of the message, with the checksum (the field holds
 * the old port for that moment, and becomes the new one), once to the quoted port, without. The field then gets its own
 * value back. Our address in the quoted packet, whose value is known, holds what has to be remembered meanwhile.
 * The field is the MTU, which nft writes only to Destination Unreachable: the other types are that type meanwhile.
 */

import type { Rule } from "./nft-script.ts";

/** Offsets in bits from the start of the ICMP message, the quoted IPv4 header having no options. */
const at = {
  type: "@th,0,8",
  /** The MTU of Destination Unreachable, octets 6-7. */
  field: "@th,48,16",
  versionAndLength: "@th,64,8",
  fragment: "@th,112,16",
  protocol: "@th,136,8",
  source: 160,
  destination: 192,
  sourcePort: "@th,224,16",
  destinationPort: "@th,240,16",
  echoType: "@th,224,8",
  echoId: "@th,256,16",
} as const;

/** ICMP types that quote a packet. */
const errorTypes = { destinationUnreachable: 3, timeExceeded: 11, parameterProblem: 12 } as const;
const echo = { reply: 0, request: 8 } as const;
const TCP_OR_UDP = "{ 6, 17 }";
const ICMP = "1";

export interface QuotedPlan {
  /** Our address, as `0x` and eight digits. */
  readonly own: string;
  /**
   * `in`: errors from the domain quote what we sent; they are judged, and rewritten from set to block. `rewrite`:
   * errors of ours quote what we were sent; rewritten from block to set. `guard`: those after that, judged.
   */
  readonly direction: "in" | "rewrite" | "guard";
  /** False where the block is the set. */
  readonly rewritten: boolean;
  /** The set of ids that keep their number, or none. */
  readonly keptIds: string | undefined;
  drop(counter: "in_error" | "out_error"): string;
}

/** Writes what `map` gives for the port or id at `port` in its place, the checksum kept right. Ends the rule unless mapped. */
function rewritten(type: number, address: number, port: string, map: string, own: string): string {
  const value = `@th,${address},16`;
  const saved = `@th,${address + 16},16`;
  const masked = type !== errorTypes.destinationUnreachable;
  return [
    // The look-up comes first: a port that is not in the map leaves the packet as it is.
    `${value} set ${port} map @${map}`,
    `${saved} set ${at.field}`,
    `${at.field} set ${port}`,
    ...(masked ? [`${at.type} set ${errorTypes.destinationUnreachable}`] : []),
    `icmp mtu set ${value}`,
    ...(masked ? [`${at.type} set ${type}`] : []),
    `${port} set ${value}`,
    `${at.field} set ${saved}`,
    `@th,${address},32 set ${own}`,
  ].join(" ");
}

/** The rules of a chain that only ICMP errors reach. */
export function quotedRules(plan: QuotedPlan): Rule[] {
  const inbound = plan.direction === "in";
  const address = inbound ? at.source : at.destination;
  const port = inbound ? at.sourcePort : at.destinationPort;
  // An echo whose id NAT gave: the request that we sent, or the reply to it. The other one kept the sender's id.
  const [given, foreign] = inbound ? [echo.request, echo.reply] : [echo.reply, echo.request];
  const ports = `${at.protocol} ${TCP_OR_UDP} ${port}`;
  const ids = (type: number) => `${at.protocol} ${ICMP} ${at.echoType} ${type} ${at.echoId}`;
  const [refuse, map] = inbound ? [plan.drop("in_error"), "id_in"] : [plan.drop("out_error"), "id_out"];

  const rewrite = Object.values(errorTypes).flatMap((type): Rule[] => [
    [
      `${at.type} ${type} ${at.protocol} ${TCP_OR_UDP} ${rewritten(type, address, port, map, plan.own)} accept`,
      `quoted port, in ICMP type ${type}`,
    ],
    [
      `${at.type} ${type} ${at.protocol} ${ICMP} ${at.echoType} ${given} ${rewritten(type, address, at.echoId, map, plan.own)} accept`,
      `quoted echo id, in ICMP type ${type}`,
    ],
  ]);
  const readable: Rule[] = [
    [`${at.versionAndLength} != 0x45 ${refuse}`, "quotes IPv4 options"],
    [`${at.fragment} & 0x1fff != 0 ${refuse}`, "quotes a fragment without ports"],
    [`@th,${address},32 != ${plan.own} ${refuse}`, "about another address"],
  ];
  if (plan.direction === "rewrite") return [...readable, ...rewrite];

  const accept = (set: string, type: number): Rule => [`${ids(type)} ${set} accept`, "about an echo of ours"];
  const judged = inbound && plan.rewritten ? plan.keptIds : "@ids";
  return [
    ...readable,
    ...(inbound && plan.rewritten ? rewrite : []),
    ...(judged === undefined ? [] : [[`${ports} ${judged} accept`, "about a packet of ours"] as const]),
    ...(inbound && plan.rewritten ? [] : [accept("@ids", given)]),
    accept("@ids", foreign),
    [refuse, "about another subscriber's packet"],
  ];
}
