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
