/** Makes a domain from the options of `/etc/config/network`: one rule that somebody typed. */

import { EA_LENGTH_LIMIT } from "../dhcpv6/options.ts";
import { truncate4, truncate6 } from "../ip/prefix.ts";
import { parseIpv4, parseIpv6, parseIpv6List } from "../ip/text.ts";
import type { MapDomain } from "../map/model.ts";
import { InputError } from "../wire/errors.ts";
import { defaultOffset, type ProvisionedDomain } from "./option.ts";
import { explicitPsid } from "./port-parameters.ts";
import { parseDmr, parseNumber, parseTransport } from "./rule-text.ts";

/** The options that make a rule. The range of each number is already checked. */
export interface UciRule {
  readonly type?: string | undefined;
  readonly maptype?: string | undefined;
  readonly ipaddr?: string | undefined;
  readonly ip4prefixlen?: number | undefined;
  readonly ip6prefix?: string | undefined;
  readonly ip6prefixlen?: number | undefined;
  readonly peeraddr?: string | undefined;
  readonly ealen?: number | undefined;
  readonly psidlen?: number | undefined;
  readonly psid?: number | undefined;
  readonly offset?: number | undefined;
  readonly legacymap?: boolean | undefined;
}

function need<T>(value: T | undefined, field: string, why: string): T {
  if (value === undefined || value === "") throw new InputError(field, `is not set: ${why}`);
  return value;
}

/** `address` or `address/length`. Without a length, another option has it. */
function split(
  text: string,
  length: number | undefined,
  field: string,
  longest: number,
): readonly [string, number] {
  const [address = "", inline] = text.split("/");
  const chosen = length ?? (inline === undefined ? undefined : parseNumber(inline, field, 0, longest));
  return [address, need(chosen, `${field}len`, "the length of the prefix is needed")];
}

/** @throws InputError naming the option */
export function fromUci(config: UciRule): ProvisionedDomain {
  const transport = parseTransport(config.type ?? config.maptype ?? "map-e", "type");
  const [address6, length6] = split(
    need(config.ip6prefix, "ip6prefix", "the rule's IPv6 prefix"),
    config.ip6prefixlen,
    "ip6prefix",
    128,
  );
  const ipaddr = need(config.ipaddr, "ipaddr", "the rule's IPv4 prefix");
  const [address4, inline4] = ipaddr.split("/");
  const length4 = config.ip4prefixlen ?? (inline4 === undefined ? 32 : parseNumber(inline4, "ipaddr", 0, 32));
  const eaLength = config.ealen ?? 0;
  if (eaLength > EA_LENGTH_LIMIT) throw new InputError("ealen", `${eaLength} is not 0 to ${EA_LENGTH_LIMIT}`);
  const legacyInterfaceId = config.legacymap === true;
  const rule = {
    ipv6Prefix: truncate6({ address: parseIpv6(address6, "ip6prefix"), length: length6 }),
    ipv4Prefix: truncate4({ address: parseIpv4(address4 ?? "", "ipaddr"), length: length4 }),
    eaLength,
    forward: false,
    psidOffset: config.offset ?? defaultOffset(transport, legacyInterfaceId),
  };
  const psid = explicitPsid({ psidlen: config.psidlen, psid: config.psid }, rule);
  const peer = need(
    config.peeraddr,
    "peeraddr",
    transport === "map-t" ? "the DMR prefix" : "the border relay's address",
  );
  const common = { transport, rules: [{ ...rule, ...psid }], legacyInterfaceId };
  const domain: MapDomain =
    transport === "map-t"
      ? // Stock takes the DMR in peeraddr, with its length.
        { ...common, dmr: parseDmr(peer, "peeraddr"), borderRelays: [] }
      : { ...common, borderRelays: parseIpv6List(peer, "peeraddr") };
  return { domain, remarks: [] };
}
