import { describe, expect, test } from "vitest";
import { runMapminctl } from "../../../src/cli/mapminctl.ts";
import { makeTerminal } from "./terminal.ts";

async function mapminctl(line: string) {
  const terminal = makeTerminal();
  try {
    const code = await runMapminctl(
      line.split(" ").filter((word) => word !== ""),
      terminal,
    );
    return { code, out: terminal.out(), err: terminal.err() };
  } catch (error) {
    // What main() does with it.
    return { code: 1, out: terminal.out(), err: `${(error as Error).message}\n` };
  }
}

const start =
  "-s -i br-lan -I eth1 -H -a 192.168.1.1/24 -A 192.0.2.18/32 -P 2001:db8:12::/48 -R 256 -z 4 -o 52 -c 1420";

/** spec: A = 1 to 15, and icmp, tcp, udp in that order; the PSID 0x34 in the middle, ranges of 16. */
const iptables = Array.from({ length: 15 }, (_, i) => (i + 1) * 4096 + 0x34 * 16).flatMap((low) =>
  ["icmp", "tcp", "udp"].map(
    (protocol) =>
      `iptables -t nat -A POSTROUTING -p ${protocol} -m connlimit --connlimit-daddr --connlimit-upto 16 -o mapmint -j SNAT --to 192.0.2.18:${low}-${low + 15}`,
  ),
);

describe("mapminctl -s", () => {
  test("MAP-T: device, addresses, routes, and the original's iptables lines exactly", async () => {
    const { code, out } = await mapminctl(`${start} -T`);
    expect(code).toBe(0);
    const lines = out.trimEnd().split("\n");
    expect(lines.filter((line) => line.startsWith("iptables -t nat"))).toEqual(iptables);
    expect(lines.slice(0, 2)).toEqual([
      "echo 'add mapmint' > /proc/net/nat46/control",
      "echo 'config mapmint local.style MAP local.v4 192.0.2.18/32 local.v6 2001:db8:12::/48 local.ea-len 8 local.psid-offset 4 ce.v4 192.0.2.18 ce.v6 2001:db8:12:3400:0:c000:212:34 ce.psid-offset 4 ce.psid-len 8 ce.psid 52' > /proc/net/nat46/control",
    ]);
    expect(lines).toContain("ip addr replace 192.168.1.1/24 dev br-lan");
    expect(lines).toContain("ip addr replace 192.0.2.18/32 dev mapmint");
    expect(lines).toContain("ip route replace default dev mapmint");
    expect(lines.filter((line) => line.includes("--set-mss 1420"))).toHaveLength(2);
  });

  test("MAP-E: the kernel's tunnel", async () => {
    const { out } = await mapminctl(`${start} -E`);
    expect(out).toContain(
      "ip -6 tunnel add mapmint mode ipip6 local 2001:db8:12:3400:0:c000:212:34 remote :: encaplimit none dev eth1\n",
    );
    expect(out).not.toContain("nat46");
    expect(out.split("\n").filter((line) => line.startsWith("iptables -t nat"))).toEqual(iptables);
  });

  test("-N leaves the NAT out, and without -H the LAN is not touched", async () => {
    const { out } = await mapminctl(`${start.replace(" -H", "")} -N -T`);
    expect(out).not.toContain("-t nat");
    expect(out).not.toContain("br-lan");
  });

  test("a ratio of 1: the whole address", async () => {
    const { code, out } = await mapminctl("-s -A 192.0.2.18/32 -P 2001:db8:12:3400::/56 -R 1 -z 6 -o 0 -T");
    expect(code).toBe(0);
    expect(out).not.toContain("connlimit");
    expect(out).toContain("192.0.2.18");
  });
});

describe("mapminctl -r and -q", () => {
  test("the DMR", async () => {
    expect((await mapminctl("-r -d -P 2001:db8:ffff::/64 -T")).out).toBe(
      "echo 'config mapmint remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::/64 remote.ea-len 0 remote.psid-offset 0' > /proc/net/nat46/control\n",
    );
    expect((await mapminctl("-r -d -P 2001:db8:ffff::1/128 -E")).out).toBe(
      "ip -6 tunnel change mapmint remote 2001:db8:ffff::1\n",
    );
  });

  test("a forwarding rule", async () => {
    expect((await mapminctl("-r -A 192.0.2.0/24 -P 2001:db8::/40 -R 256 -z 6 -T")).out).toBe(
      "echo 'insert mapmint remote.style MAP remote.v4 192.0.2.0/24 remote.v6 2001:db8::/40 remote.ea-len 16 remote.psid-offset 6' > /proc/net/nat46/control\n",
    );
  });

  test("-q takes away what is there, and names nothing that is not ours", async () => {
    const { code, out } = await mapminctl("-q");
    expect(code).toBe(0);
    for (const line of out.trimEnd().split("\n")) expect(line).toContain("mapmint");
  });
});

describe("mapminctl refuses", () => {
  test.each([
    ["a ratio that is no power of two", `${start.replace("256", "200")} -T`, "-R"],
    ["a PSID beyond the ratio", `${start.replace("-o 52", "-o 256")} -T`, "-o"],
    ["an offset of 16", `${start.replace("-z 4", "-z 16")} -T`, "-z"],
    ["a prefix for an address", `${start.replace("/32", "/24")} -T`, "-A"],
    ["a device for the shell", `${start.replace("br-lan", "$(reboot)")} -T`, "-i"],
    ["another device for the shell", `${start.replace("eth1", "e;x")} -T`, "-I"],
    ["an IPv6 prefix that is none", `${start.replace("2001:db8:12::/48", "2001:db8:12::")} -T`, "-P: "],
    ["no address", "-s -P 2001:db8:12::/48 -R 256 -z 4 -o 52 -T", "-A"],
    ["a border relay that is a prefix", "-r -d -P 2001:db8::/64 -E", "-P"],
    ["a forwarding rule for the tunnel", "-r -A 192.0.2.0/24 -P 2001:db8::/40 -R 256 -z 6 -E", "-E"],
  ])("%s: exit 1, a line that names it, and what to do", async (_title, line, words) => {
    const { code, out, err } = await mapminctl(line);
    expect([code, out]).toEqual([1, ""]);
    expect(err.split("\n").slice(1)).toEqual(["(mapminctl -s --help tells what it takes)", ""]);
    expect(err).toContain(words);
  });

  test.each(["-s -T -E", "-s", "-s -r -T", "-x", "", "frobnicate", "constructor"])(
    "%j: wrong usage, exit 2",
    async (line) => {
      const { code, out, err } = await mapminctl(line);
      expect([code, out]).toEqual([2, ""]);
      expect(err).not.toBe("");
    },
  );

  test.each(["--help", "-s --help", "calc --help", "explain --help", "plan --help", "status --help"])(
    "%s: exit 0",
    async (line) => {
      const { code, out, err } = await mapminctl(line);
      expect([code, err]).toEqual([0, ""]);
      expect(out).toContain("usage: ");
    },
  );
});
