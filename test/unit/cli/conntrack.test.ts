import { describe, expect, test } from "vitest";
import { type Owned, portUse } from "../../../src/cli/conntrack.ts";

const table = `ipv4     2 tcp      6 117 SYN_SENT src=192.168.1.2 dst=203.0.113.1 sport=40000 dport=80 [UNREPLIED] src=203.0.113.1 dst=192.0.2.18 sport=80 dport=4928 mark=0 use=2
ipv4     2 tcp      6 117 ESTABLISHED src=192.168.1.2 dst=203.0.113.9 sport=40001 dport=80 src=203.0.113.9 dst=192.0.2.18 sport=80 dport=4928 [ASSURED] mark=0 use=2
udp      17 25 src=192.168.1.2 dst=203.0.113.1 sport=40000 dport=53 src=203.0.113.1 dst=192.0.2.18 sport=53 dport=4929 mark=0 use=1
udp      17 25 src=192.168.1.2 dst=203.0.113.1 sport=40000 dport=123 src=203.0.113.1 dst=192.0.2.18 sport=123 dport=4929 mark=0 use=1
udp      17 25 src=192.168.1.3 dst=203.0.113.1 sport=40000 dport=123 src=203.0.113.1 dst=192.0.2.18 sport=123 dport=4930 mark=0 use=1
icmp     1 29 src=192.0.2.18 dst=203.0.113.1 type=8 code=0 id=7 src=203.0.113.1 dst=192.0.2.18 type=0 code=0 id=4930 mark=0 use=1
icmp     1 29 src=192.168.1.2 dst=203.0.113.1 type=8 code=0 id=7 src=203.0.113.1 dst=192.0.2.18 type=0 code=0 id=9025 mark=0 use=1
tcp      6 100 ESTABLISHED src=192.168.1.2 dst=192.168.1.1 sport=1 dport=22 src=192.168.1.1 dst=192.168.1.2 sport=22 dport=1 mark=0 use=1
tcp      6 100 ESTABLISHED src=203.0.113.1 dst=192.0.2.18 sport=1 dport=4931 src=192.168.1.2 dst=203.0.113.1 sport=22 dport=1 mark=0 use=1
tcp      6 100 ESTABLISHED src=192.168.1.2 dst=203.0.113.1 sport=1 dport=22 src=203.0.113.1 dst=192.0.2.18 cut short
sctp     132 9 src=192.168.1.2 dst=203.0.113.1 sport=1 dport=2 src=203.0.113.1 dst=192.0.2.18 sport=2 dport=4932 mark=0 use=1
nonsense src=
`;
const owned: Owned = {
  ipv4: "192.0.2.18",
  portSet: { offset: 4, psidLength: 8, psid: 52 },
  block: undefined,
  towardsEach: 240,
};
const zeros = (count: number) => new Array<number>(count).fill(0);
const nothing = {
  used: { tcp: 0, udp: 0, icmp: 0 },
  flows: 0,
  ports: 0,
  ranges: zeros(15),
  cells: zeros(64),
  remotes: [],
  fullest: { tcp: 0, udp: 0, icmp: 0 },
  moreRemotes: 0,
  hosts: [],
  moreHosts: 0,
};

const remote = (protocol: string, address: string, port: number | undefined, ports: number) => ({
  protocol,
  address,
  port,
  ports,
  of: 240,
});

describe("how the ports of our address are in use", () => {
  test("by protocol, range, remote end and host", () => {
    expect(portUse(table, owned)).toEqual({
      used: { tcp: 1, udp: 2, icmp: 2 },
      flows: 7,
      ports: 4,
      ranges: [3, 1, ...zeros(13)],
      cells: [...zeros(4), 3, ...zeros(3), 1, ...zeros(55)],
      remotes: [
        remote("icmp", "203.0.113.1", undefined, 2),
        remote("udp", "203.0.113.1", 123, 2),
        remote("tcp", "203.0.113.1", 80, 1),
        remote("tcp", "203.0.113.9", 80, 1),
        remote("udp", "203.0.113.1", 53, 1),
      ],
      fullest: { tcp: 1, udp: 2, icmp: 2 },
      moreRemotes: 0,
      hosts: [
        { address: "192.168.1.2", ports: 3, flows: 5, router: false },
        { address: "192.0.2.18", ports: 1, flows: 1, router: true },
        { address: "192.168.1.3", ports: 1, flows: 1, router: false },
      ],
      moreHosts: 0,
    });
  });

  test("of another address: none", () => {
    expect(portUse(table, { ...owned, ipv4: "192.0.2.1" })).toEqual(nothing);
  });

  test("ports of another set are not ours", () => {
    const portSet = { offset: 4, psidLength: 8, psid: 53 };
    expect(portUse(table, { ...owned, portSet })).toEqual(nothing);
  });

  test("without a set every flow counts, and there are no ranges; a whole address has none either", () => {
    const { used, flows, ranges, ports, remotes } = portUse(table, {
      ...owned,
      portSet: undefined,
      towardsEach: undefined,
    });
    expect({ used, flows, ranges, ports, of: remotes[0]?.of }).toEqual({
      used: { tcp: 1, udp: 2, icmp: 2 },
      flows: 7,
      ranges: [],
      ports: 4,
      of: null,
    });
    const whole = { ...owned, portSet: { offset: 6, psidLength: 0, psid: 0 } };
    expect(portUse(table, whole)).toMatchObject({ flows: 7, ranges: [], ports: 4 });
  });

  test("ports of the block that stands for the set are shown as those of the set", () => {
    const ports = [4_928, 4_929, 9_024];
    const behind = ports.map(
      (_, i) =>
        `udp 17 25 src=192.168.1.2 dst=203.0.113.1 sport=4 dport=53 src=203.0.113.1 dst=192.0.2.18 sport=53 dport=${65_300 + i} mark=0`,
    );
    const block = { start: 65_300, ports, rewritten: true };
    expect(portUse(behind.join("\n"), { ...owned, block })).toMatchObject({
      used: { tcp: 0, udp: 3, icmp: 0 },
      ranges: [2, 1, ...zeros(13)],
      remotes: [{ ports: 3 }],
    });
    expect(portUse(behind.join("\n"), owned)).toEqual(nothing);
  });

  test("twenty remote ends and twenty hosts, and how many more there are", () => {
    const lines = Array.from({ length: 240 }, (_, i) => {
      const port = 4_928 + 4_096 * Math.floor(i / 16) + (i % 16);
      return `udp 17 25 src=192.168.1.${i} dst=203.0.113.${i} sport=4 dport=53 src=203.0.113.${i} dst=192.0.2.18 sport=53 dport=${port} mark=0`;
    });
    const use = portUse(lines.join("\n"), owned);
    expect([use.remotes.length, use.moreRemotes, use.hosts.length, use.moreHosts]).toEqual([
      20, 220, 20, 220,
    ]);
    expect(use.ranges).toEqual(new Array<number>(15).fill(16));
    const few = portUse(lines.slice(0, 20).join("\n"), owned);
    expect([few.remotes.length, few.moreRemotes, few.hosts.length, few.moreHosts]).toEqual([20, 0, 20, 0]);
    const more = portUse(lines.slice(0, 21).join("\n"), owned);
    expect([more.remotes.length, more.moreRemotes, more.hosts.length, more.moreHosts]).toEqual([
      20, 1, 20, 1,
    ]);
  });
});
