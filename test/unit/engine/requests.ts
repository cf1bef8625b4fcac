/** Requests of netifd's for one interface, and what it was told. */

import type { setup } from "../../../src/engine/session.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { effects, type World } from "./world.ts";

export const wanMap = parseInterfaceName("wan_map", "interface");
export const request = (config: object = { tunlink: "wan6" }) =>
  ({ action: "setup", iface: wanMap, config }) as Parameters<typeof setup>[0];

/** MAP-E by options. */
export const mapE = {
  tunlink: "wan6",
  maptype: "map-e",
  ip6prefix: "2001:db8::",
  ip6prefixlen: 40,
  ipaddr: "192.0.2.0",
  ip4prefixlen: 24,
  ealen: 16,
  offset: 6,
  peeraddr: "2001:db8:ffff::1",
};

/** What netifd was told of the interface. */
export function update(world: World) {
  const line = effects(world).find((entry) => entry.startsWith("notify 0 "));
  return JSON.parse(line?.slice("notify 0 ".length) ?? "null");
}
