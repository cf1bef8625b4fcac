import { beforeEach, describe, expect, test } from "vitest";
import { runStatus } from "../../../src/cli/status.ts";
import { rulesPrint } from "../../../src/render/control.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { makeTerminal } from "./terminal.ts";

const disk = new Map<string, string>();

async function metrics(...argv: string[]) {
  const terminal = makeTerminal();
  const files = {
    readText: (path: string) => disk.get(path),
    namesIn: (directory: string) =>
      [...disk.keys()]
        .filter((path) => path.startsWith(`${directory}/`))
        .map((path) => path.slice(directory.length + 1)),
  };
  const run = async (file: string) => {
    throw new EffectError(file, "not installed");
  };
  const code = await runStatus(["--metrics", ...argv], { ...terminal, files, run });
  return { code, out: terminal.out(), err: terminal.err() };
}

const rule = "config map-wan nat.mode ports nat.reserved -";
/** RFC 7597 example 1 by the module. */
const up = `interface=wan
state=up
since=now
device=map-wan
ipv4=192.0.2.18/32
offset=6
psid_length=8
psid=52
carrier=module
reserved_ports=1232
rules=${rulesPrint([rule])}
`;
const flow = (protocol: string, remote: string, port: number) =>
  `${protocol} 17 25 src=192.168.1.2 dst=${remote} sport=4 dport=53 src=${remote} dst=192.0.2.18 sport=53 dport=${port} mark=0\n`;

beforeEach(() => {
  disk.clear();
  disk.set("/sys/class/net/map-wan/mtu", "1500\n");
});

describe("metrics", () => {
  test("of an interface that is up, and of one whose set-up failed", async () => {
    disk.set("/var/run/mapmin/wan.state", up);
    disk.set("/var/run/mapmin/b.state", "interface=b\nstate=failed\nsince=now\nerror=x\n");
    disk.set("/proc/net/nat46/control", `add map-wan\n${rule}\n`);
    disk.set(
      "/proc/net/mapmint/counters",
      "map-wan nat_exhausted 12\nmap-wan nat_flows 5\nmap-wan drop_ecn 0\n",
    );
    disk.set(
      "/proc/net/nf_conntrack",
      flow("udp", "203.0.113.1", 1233) +
        flow("udp", "203.0.113.2", 1234) +
        flow("udp", "203.0.113.2", 1235) +
        flow("tcp", "203.0.113.2", 1235),
    );
    expect(await metrics()).toEqual({
      code: 0,
      err: "",
      out: `# HELP mapmin_interfaces MAP interfaces that have been set up.
# TYPE mapmin_interfaces gauge
mapmin_interfaces 2
# HELP mapmin_up Whether the interface is up.
# TYPE mapmin_up gauge
mapmin_up{interface="wan"} 1
mapmin_up{interface="b"} 0
# HELP mapmin_nat_loaded Whether the NAT is loaded as it should be.
# TYPE mapmin_nat_loaded gauge
mapmin_nat_loaded{interface="wan"} 1
# HELP mapmin_ports Ports of the set.
# TYPE mapmin_ports gauge
mapmin_ports{interface="wan"} 252
# HELP mapmin_nat_ports Ports that NAT has for flows towards each remote end: those of the set that are not reserved.
# TYPE mapmin_nat_ports gauge
mapmin_nat_ports{interface="wan"} 251
# HELP mapmin_ports_used Different ports in use; for ICMP ids.
# TYPE mapmin_ports_used gauge
mapmin_ports_used{interface="wan",protocol="tcp"} 1
mapmin_ports_used{interface="wan",protocol="udp"} 3
mapmin_ports_used{interface="wan",protocol="icmp"} 0
# HELP mapmin_fullest_remote_ports Ports in use towards the remote end with most of them.
# TYPE mapmin_fullest_remote_ports gauge
mapmin_fullest_remote_ports{interface="wan",protocol="tcp"} 1
mapmin_fullest_remote_ports{interface="wan",protocol="udp"} 2
mapmin_fullest_remote_ports{interface="wan",protocol="icmp"} 0
# HELP mapmin_flows Flows that have a port of the set.
# TYPE mapmin_flows gauge
mapmin_flows{interface="wan"} 4
# HELP mapmin_refused_packets_total Packets that were refused, by the name of the counter.
# TYPE mapmin_refused_packets_total counter
mapmin_refused_packets_total{interface="wan",reason="nat_exhausted"} 12
mapmin_refused_packets_total{interface="wan",reason="drop_ecn"} 0
`,
    });
  });

  test("what is not known has no sample; a NAT that is missing is 0", async () => {
    disk.set("/var/run/mapmin/wan.state", up);
    expect((await metrics("wan")).out.split("\n").filter((line) => !line.startsWith("#"))).toEqual([
      "mapmin_interfaces 1",
      'mapmin_up{interface="wan"} 1',
      'mapmin_nat_loaded{interface="wan"} 0',
      'mapmin_ports{interface="wan"} 252',
      'mapmin_nat_ports{interface="wan"} 251',
      "",
    ]);
  });

  test("a NAT of which nobody knows whether it is loaded has no sample", async () => {
    disk.set("/var/run/mapmin/wan.state", `${up}mtu=1460\ntable=mapmin_wan\n`);
    const { out } = await metrics();
    expect(out).toContain('mapmin_up{interface="wan"} 1\n');
    expect(out).not.toContain("mapmin_nat_loaded");
  });

  test("no interface is no error; one that was asked for and is not set up is down", async () => {
    const none = `# HELP mapmin_interfaces MAP interfaces that have been set up.
# TYPE mapmin_interfaces gauge
mapmin_interfaces 0
`;
    expect(await metrics()).toEqual({ code: 0, err: "", out: none });
    const down = `# HELP mapmin_up Whether the interface is up.
# TYPE mapmin_up gauge
mapmin_up{interface="wan"} 0
`;
    expect(await metrics("wan")).toEqual({ code: 0, err: "", out: none + down });
  });

  test("hostile names are escaped, and each sample is there once whatever the files say", async () => {
    disk.set(String.raw`/var/run/mapmin/a"} 1\.state`, up);
    disk.set("/var/run/mapmin/b\n\u202e.state", up);
    const { out } = await metrics();
    expect(out.split("\n").filter((line) => line.startsWith("mapmin_up"))).toEqual([
      String.raw`mapmin_up{interface="a\"} 1\\"} 1`,
      'mapmin_up{interface="b "} 1',
    ]);
  });

  test("a state file that is damaged is a warning beside them", async () => {
    disk.set("/var/run/mapmin/wan.state", "[x]\n");
    const { code, err, out } = await metrics();
    expect([code, err]).toEqual([
      0,
      "warning: /var/run/mapmin/wan.state: it is damaged: the interface counts as not set up\n",
    ]);
    expect(out).toContain("mapmin_interfaces 0\n");
  });

  test("one form at a time", async () => {
    await expect(metrics("--json")).rejects.toThrow(
      "--json and --metrics do not go together: give one of them",
    );
  });
});
