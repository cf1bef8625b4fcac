/**
 * Port forwards, both ways, as an nftables script: a table of its own beside the NAT, the same for the module and for
 * nftables. What comes to a port of the set goes to its host, and what the host sends from there leaves from that port: its
 * flows meet this table before the NAT, which takes their port for reserved and leaves it alone.
 *
 *     prerouting   -110   from the MAP domain, or from the LAN to our own address: to the host
 *     postrouting    80   from the host: from its port of the set
 *
 * fw4 lets pass what was forwarded by `/usr/share/nftables.d/chain-post/forward/mapmin.nft`.
 */

import { formatIpv4 } from "../ip/text.ts";
import type { ForwardPlan } from "../map/plan.ts";
import { type NftSet, nftScript } from "./nft-script.ts";

function map(name: string, key: string, pairs: ReadonlyMap<string, string>): NftSet {
  return {
    kind: "map",
    name,
    type: `type inet_proto . ${key} : ipv4_addr . inet_service`,
    flags: "constant",
    elements: [...pairs].map(([from, to]) => `${from} : ${to}`),
  };
}

/** The script that loads the forwards of one MAP interface, in the place of those that are loaded, in one transaction. */
export function renderForwards({ table, device, ipv4, forwards }: ForwardPlan): string {
  const own = formatIpv4(ipv4.address);
  const ports = "meta l4proto { tcp, udp }";
  const inward = new Map<string, string>();
  const outward = new Map<string, string>();
  for (const { protocol, port, host, hostPort } of forwards) {
    const place = `${formatIpv4(host)} . ${hostPort}`;
    inward.set(`${protocol} . ${port}`, place);
    // Where two ports lead to one of the host, what it sends leaves from the first.
    if (!outward.has(`${protocol} . ${place}`)) outward.set(`${protocol} . ${place}`, `${own} . ${port}`);
  }
  return nftScript(
    { table, device },
    {
      counters: {},
      sets: [map("to_host", "inet_service", inward), map("to_set", "ipv4_addr . inet_service", outward)],
      chains: [
        {
          name: "forward_in",
          hook: "type nat hook prerouting priority dstnat - 10",
          rules: [
            [`ip daddr ${own} ${ports} dnat ip to meta l4proto . th dport map @to_host`, "to the host"],
          ],
        },
        {
          name: "forward_out",
          hook: "type nat hook postrouting priority srcnat - 20",
          rules: [
            [
              `oifname "${device}" ${ports} snat ip to meta l4proto . ip saddr . th sport map @to_set`,
              "from the host",
            ],
            [
              `iifname != "${device}" oifname != "${device}" ct status dnat ct original ip daddr ${own} masquerade`,
              "from the LAN by our own address",
            ],
          ],
        },
      ],
    },
    "port forwards",
  );
}
