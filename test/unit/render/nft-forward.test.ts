import { expect, test } from "vitest";
import { parseDeviceName } from "../../../src/ip/names.ts";
import { parseIpv4 } from "../../../src/ip/text.ts";
import { decodeForwards } from "../../../src/provision/forward.ts";
import { renderForwards } from "../../../src/render/nft-forward.ts";

const set = { offset: 4, psidLength: 8, psid: 0x34 };
const script = (...lines: readonly string[]) =>
  renderForwards({
    table: "mapmin_wan_fwd",
    device: parseDeviceName("map-wan", "device"),
    ipv4: { address: parseIpv4("192.0.2.18"), length: 32 },
    forwards: decodeForwards(lines, set, []).forwards,
  });

test("the script, whole", () => {
  expect(script("tcp 4928-4929 192.168.1.10:80", "udp 9024 192.168.1.11")).toBe(`add table ip mapmin_wan_fwd
delete table ip mapmin_wan_fwd
table ip mapmin_wan_fwd {
	comment "mapmin: port forwards of map-wan"

	map to_host {
		type inet_proto . inet_service : ipv4_addr . inet_service
		flags constant
		elements = {
			tcp . 4928 : 192.168.1.10 . 80, tcp . 4929 : 192.168.1.10 . 81, udp . 9024 : 192.168.1.11 . 9024,
		}
	}

	map to_set {
		type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
		flags constant
		elements = {
			tcp . 192.168.1.10 . 80 : 192.0.2.18 . 4928, tcp . 192.168.1.10 . 81 : 192.0.2.18 . 4929, udp . 192.168.1.11 . 9024 : 192.0.2.18 . 9024,
		}
	}

	chain forward_in {
		type nat hook prerouting priority dstnat - 10; policy accept;
		ip daddr 192.0.2.18 meta l4proto { tcp, udp } dnat ip to meta l4proto . th dport map @to_host comment "mapmin map-wan: to the host"
	}

	chain forward_out {
		type nat hook postrouting priority srcnat - 20; policy accept;
		oifname "map-wan" meta l4proto { tcp, udp } snat ip to meta l4proto . ip saddr . th sport map @to_set comment "mapmin map-wan: from the host"
		iifname != "map-wan" oifname != "map-wan" ct status dnat ct original ip daddr 192.0.2.18 masquerade comment "mapmin map-wan: from the LAN by our own address"
	}

}
`);
});

test("where two ports lead to one of the host, what it sends leaves from the first", () => {
  const text = script("tcp 4928 192.168.1.10:80", "tcp 4930 192.168.1.10:80");
  expect(text).toContain("tcp . 4928 : 192.168.1.10 . 80, tcp . 4930 : 192.168.1.10 . 80,");
  expect(text).toContain("tcp . 192.168.1.10 . 80 : 192.0.2.18 . 4928,\n");
  expect(text).not.toContain("192.0.2.18 . 4930");
});
