import { expect, test } from "vitest";
import { countPorts } from "../../../src/cli/conntrack.ts";

const table = `ipv4     2 tcp      6 117 SYN_SENT src=192.168.1.2 dst=203.0.113.1 sport=40000 dport=80 [UNREPLIED] src=203.0.113.1 dst=192.0.2.18 sport=80 dport=4928 mark=0 use=2
ipv4     2 tcp      6 117 ESTABLISHED src=192.168.1.2 dst=203.0.113.9 sport=40001 dport=80 src=203.0.113.9 dst=192.0.2.18 sport=80 dport=4928 [ASSURED] mark=0 use=2
udp      17 25 src=192.168.1.2 dst=203.0.113.1 sport=40000 dport=53 src=203.0.113.1 dst=192.0.2.18 sport=53 dport=4929 mark=0 use=1
udp      17 25 src=192.168.1.2 dst=203.0.113.1 sport=40000 dport=123 src=203.0.113.1 dst=192.0.2.18 sport=123 dport=4929 mark=0 use=1
udp      17 25 src=192.168.1.2 dst=203.0.113.1 sport=40000 dport=123 src=203.0.113.1 dst=192.0.2.18 sport=123 dport=4930 mark=0 use=1
icmp     1 29 src=192.168.1.2 dst=203.0.113.1 type=8 code=0 id=7 src=203.0.113.1 dst=192.0.2.18 type=0 code=0 id=4930 mark=0 use=1
icmp     1 29 src=192.168.1.2 dst=203.0.113.1 type=8 code=0 id=7 src=203.0.113.1 dst=192.0.2.18 type=0 code=0 id=4931 mark=0 use=1
tcp      6 100 ESTABLISHED src=192.168.1.2 dst=192.168.1.1 sport=1 dport=22 src=192.168.1.1 dst=192.168.1.2 sport=22 dport=1 mark=0 use=1
tcp      6 100 ESTABLISHED src=203.0.113.1 dst=192.0.2.18 sport=1 dport=4931 src=192.168.1.2 dst=203.0.113.1 sport=22 dport=1 mark=0 use=1
tcp      6 100 ESTABLISHED src=192.168.1.2 dst=203.0.113.1 sport=1 dport=22 src=203.0.113.1 dst=192.0.2.18 cut short
sctp     132 9 src=192.168.1.2 dst=203.0.113.1 sport=1 dport=2 src=203.0.113.1 dst=192.0.2.18 sport=2 dport=4932 mark=0 use=1
nonsense src=
`;

test("counts the ports of our address, once each, by protocol", () => {
  expect(countPorts(table, "192.0.2.18")).toEqual({ used: { tcp: 1, udp: 2, icmp: 2 }, flows: 7 });
  expect(countPorts(table, "192.0.2.1")).toEqual({ used: { tcp: 0, udp: 0, icmp: 0 }, flows: 0 });
});
