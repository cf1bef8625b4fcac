/** The router's firewall, in the form that OpenWrt's fw4 gives it. */

/** Rules as fw4 loads them for the zones lan and wan, the MAP interface being in wan. */
export function firewall(device: string, offload: boolean): string {
  return `table inet fw4 {
${offload ? `	flowtable ft { hook ingress priority filter; devices = { "br-lan", "${device}" }; }` : ""}
	chain input {
		type filter hook input priority filter; policy drop
		ct state established,related accept
		iifname { "lo", "br-lan", "wan" } accept
	}
	chain forward {
		type filter hook forward priority filter; policy drop
		${offload ? "meta l4proto { tcp, udp } flow add @ft" : ""}
		ct state established,related accept
		iifname "br-lan" oifname "${device}" accept
	}
	chain srcnat {
		type nat hook postrouting priority srcnat; policy accept
		oifname "${device}" meta nfproto ipv4 masquerade
	}
	chain dstnat { type nat hook prerouting priority dstnat; policy accept; }
}
`;
}

/** Zones as fw4 writes them: lan takes and forwards everything, wan rejects and masquerades. */
export function zones(wan: readonly string[], lan: readonly string[], offload: boolean): string {
  const set = (devices: readonly string[]) => `{ ${devices.map((device) => `"${device}"`).join(", ")} }`;
  return `table inet fw4 {
${offload ? '	flowtable ft { hook ingress priority filter; devices = { "br-lan", "wan" }; }' : ""}
	chain input {
		type filter hook input priority filter; policy accept;
		iifname ${set(lan)} jump input_lan
		iifname ${set(wan)} jump input_wan
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		${offload ? "meta l4proto { tcp, udp } flow add @ft" : ""}
		ct state vmap { established : accept, related : accept }
		iifname ${set(lan)} jump forward_lan
		iifname ${set(wan)} jump forward_wan
	}
	chain srcnat {
		type nat hook postrouting priority srcnat; policy accept;
		oifname ${set(wan)} jump srcnat_wan
	}
	chain accept_from_lan { iifname ${set(lan)} counter accept; }
	chain accept_to_lan { oifname ${set(lan)} counter accept; }
	chain accept_to_wan { oifname ${set(wan)} counter accept; }
	chain input_lan { jump accept_from_lan; }
	chain input_wan { meta l4proto { icmp, ipv6-icmp } accept; }
	chain forward_lan { jump accept_to_wan; jump accept_to_lan; }
	chain forward_wan { ct status dnat accept; }
	chain srcnat_wan { meta nfproto ipv4 masquerade; }
}
`;
}
