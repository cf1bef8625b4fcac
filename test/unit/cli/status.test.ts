import { beforeEach, describe, expect, test } from "vitest";
import { runStatus } from "../../../src/cli/status.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { makeTerminal } from "./terminal.ts";

const disk = new Map<string, string>();
/** What programs print; one that is not here is not installed, a text that begins with "!" is its error. */
const programs = new Map<string, string>();

/** RFC 7597 example 1: 192.0.2.18, PSID 0x34 of 8 bits, 252 ports in 63 ranges. */
const up = `interface=wan6_4
state=up
since=2026-01-02T03:04:05Z
transport=map-t
tunlink=wan6
device=map-wan6_4
ipv4=192.0.2.18/32
map_address=2001:db8:12:3400:0:c000:212:34
offset=6
psid_length=8
psid=52
mtu=1480
source=DHCPv6 option 95
`;
const flows =
  "udp 17 25 src=192.168.1.2 dst=203.0.113.1 sport=40000 dport=53 src=203.0.113.1 dst=192.0.2.18 sport=53 dport=1232 mark=0\n";

async function status(...argv: string[]) {
  const terminal = makeTerminal();
  const files = {
    readText: (path: string) => disk.get(path),
    namesIn: (directory: string) =>
      [...disk.keys()]
        .filter((path) => path.startsWith(`${directory}/`))
        .map((path) => path.slice(directory.length + 1)),
  };
  const run = async (file: string, argv: readonly string[]) => {
    const text = programs.get(file) ?? "!not installed";
    if (text.startsWith("!")) throw new EffectError(`${file} ${argv.join(" ")}`, text.slice(1));
    return text;
  };
  const code = await runStatus(argv, { ...terminal, files, run });
  return { code, out: terminal.out(), err: terminal.err() };
}

beforeEach(() => {
  disk.clear();
  programs.clear();
});

describe("status", () => {
  test("no state files: says so, exit 1", async () => {
    const { code, out, err } = await status();
    expect([code, out]).toEqual([1, ""]);
    expect(err).toBe("no MAP interface has been set up; see /tmp/map.log\n");
    expect(JSON.parse((await status("--json")).out)).toEqual([]);
  });

  test("what came from the network or UCI is shown without controls and directional marks", async () => {
    const hostile = String.raw`"x\u001b[2J\u009b31m\u202e\ny"`;
    disk.set("/var/run/mapmin/wan6_4.state", `${up}error=${hostile}\nremarks=${hostile}\nzone=x\n`);
    const { out } = await status();
    expect(out).toContain("  last error      x [2J 31m y\n");
    expect(out).toContain("  remarks         x [2J 31m y\n");
  });

  test("a state file that is damaged, or has sections, is a warning", async () => {
    disk.set("/var/run/mapmin/wan6_4.state", `[x]\n${up}`);
    disk.set("/var/run/mapmin/wan_b.state", `${up}[x]\na=1\n`);
    const { code, out, err } = await status();
    expect(code).toBe(1);
    expect(out).toContain("192.0.2.18");
    expect(err).toBe(
      "warning: /var/run/mapmin/wan6_4.state: it is damaged: the interface counts as not set up\n" +
        "warning: /var/run/mapmin/wan_b.state: it holds sections or lists, which are ignored\n",
    );
  });

  test("an interface that does not exist, with and without another that does", async () => {
    const message = "wan_map has not been set up as a MAP interface; see /tmp/map.log\n";
    expect(await status("wan_map")).toEqual({ code: 1, out: "", err: message });
    disk.set("/var/run/mapmin/wan6_4.state", up);
    expect(await status("wan_map")).toEqual({ code: 1, out: "", err: message });
  });

  test("an interface that is up: address, PSID, ports, and how many are in use", async () => {
    disk.set("/var/run/mapmin/wan6_4.state", up);
    disk.set("/sys/class/net/map-wan6_4/mtu", "1500\n");
    disk.set("/proc/net/nf_conntrack", flows);
    const { code, out } = await status("wan6_4", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject([
      {
        interface: "wan6_4",
        up: true,
        ipv4: "192.0.2.18/32",
        mapIpv6Address: "2001:db8:12:3400:0:c000:212:34",
        psid: 52,
        ports: 252,
        mtu: 1480,
        inUse: { used: { tcp: 0, udp: 1, icmp: 0 }, flows: 1 },
        error: null,
      },
    ]);
    const words = (await status()).out;
    expect(words).toContain("252 in 63 ranges: 1232-1235, 2256-2259,");
    expect(words).toContain("DHCPv6 option 95");
  });

  describe("the NAT that should be loaded", () => {
    const table = "mapmin_wan6__4";
    const object = (kind: string, name: string, more: object = {}) => ({
      [kind]: { family: "ip", table, name, ...more },
    });
    const chains = ["translate", "incoming", "guard"].flatMap((chain) => [
      object("chain", chain),
      object("rule", "", { chain }),
    ]);
    const maps = ["port_out", "id_out", "port_in", "id_in"].map((name) =>
      object("map", name, { elem: Array.from({ length: 252 }, (_, i) => [i, i]) }),
    );
    const whole = [...chains, ...maps];

    beforeEach(() => {
      disk.set("/var/run/mapmin/wan6_4.state", `${up}table=${table}\nreserved_ports=\n`);
      disk.set("/sys/class/net/map-wan6_4/mtu", "1500\n");
    });

    test.each([
      ["is loaded", JSON.stringify({ nftables: whole }), 0, "NAT             loaded"],
      [
        "is not there",
        "!Error: No such file or directory",
        1,
        `NAT             NOT LOADED as it should be: the table ip ${table} is missing`,
      ],
      [
        "lacks a chain",
        JSON.stringify({ nftables: whole.slice(0, 4).concat(maps) }),
        1,
        "NAT             NOT LOADED as it should be: chain guard is missing",
      ],
      [
        "lacks a map",
        JSON.stringify({ nftables: whole.slice(0, -1) }),
        1,
        "NAT             NOT LOADED as it should be: map id_in holds 0 of 252 ports",
      ],
      [
        "cannot be asked for",
        "!Operation not permitted (you must be root)",
        0,
        `NAT             not known: nft -j list table ip ${table}: Operation not permitted (you must be root)`,
      ],
      [
        "is answered by nonsense",
        "nonsense",
        0,
        "NAT             not known: nft: what it printed is not JSON",
      ],
    ])("%s", async (_title, nft, code, line) => {
      programs.set("nft", nft);
      const told = await status();
      expect([told.code, told.out.split("\n").find((text) => text.startsWith("  NAT"))]).toEqual([
        code,
        `  ${line}`,
      ]);
      const [entry] = JSON.parse((await status("--json")).out);
      expect([entry.up, entry.nat.loaded]).toEqual([true, line.includes("not known") ? null : code === 0]);
      expect(entry.refused).toEqual(nft.startsWith("{") ? [] : null);
      expect(entry.nat.packets).toEqual({});
    });

    test("what its counters have seen is told", async () => {
      const counter = (name: string, packets: number) => object("counter", name, { packets, bytes: 0 });
      const nftables = [
        ...whole,
        counter("in_error", 1),
        counter("to_domain", 2),
        counter("out_port", 3),
        counter("in_port", 0),
      ];
      programs.set("nft", JSON.stringify({ nftables }));
      expect((await status()).out).toContain(
        "  refused         3 packets: port or id outside the set (out_port)\n" +
          "                  1 packet: ICMP error about a packet outside the set (in_error)\n" +
          "  passed on       2 packets: to another subscriber of our address (passed on)\n",
      );
      const [entry] = JSON.parse((await status("--json")).out);
      expect(entry.nat).toEqual({
        loaded: true,
        faults: [],
        packets: { in_error: 1, to_domain: 2, out_port: 3 },
      });
      expect(entry.refused).toEqual([
        { reason: "out_port", packets: 3, meaning: "port or id outside the set" },
        { reason: "in_error", packets: 1, meaning: "ICMP error about a packet outside the set" },
      ]);
    });

    test("nothing is asked where none was loaded, or setup has not ended", async () => {
      programs.set("nft", "!must not be asked");
      disk.set("/var/run/mapmin/wan6_4.state", up);
      expect((await status()).out).not.toContain("NAT ");
      disk.set("/var/run/mapmin/wan6_4.state", `${up.replace("=up", "=starting")}table=${table}\n`);
      expect((await status()).out).not.toContain("NAT ");
    });

    test("a state that is damaged is no plan to compare with", async () => {
      for (const line of ["ipv4=here", "device=$(x)", "psid=none", "reserved_ports=0"]) {
        disk.set("/var/run/mapmin/wan6_4.state", `${up}table=${table}\n${line}\n`);
        expect((await status()).out).not.toContain("NAT ");
      }
    });
  });

  test("the device is gone: down, and why; no table of flows: not known", async () => {
    disk.set("/var/run/mapmin/wan6_4.state", up);
    const { code, out } = await status();
    expect(code).toBe(1);
    expect(out).toContain("wan6_4: down");
    expect(out).toContain("the device map-wan6_4 is missing");
    expect(out).toContain("not known");
  });

  test("a failed set-up tells its error", async () => {
    disk.set("/var/run/mapmin/wan6_4.state", "interface=wan6_4\nstate=failed\nsince=now\nerror=no DMR\n");
    const { code, out } = await status();
    expect(code).toBe(1);
    expect(out).toMatch(/last error +no DMR/);
  });

  test.each([["nonsense"], ["interface=wan6_4\nstate=maybe\nsince=now\n"], [""]])(
    "a state file %j counts as none",
    async (content) => {
      disk.set("/var/run/mapmin/wan6_4.state", content);
      expect(await status()).toMatchObject({ code: 1, out: "" });
    },
  );

  test.each(["../../etc/passwd", "$(reboot)", "a;b", "a b", ""])("the name %j is refused", async (name) => {
    await expect(status(name)).rejects.toThrow("INTERFACE");
  });

  test("two names: exit 2", async () => {
    expect((await status("a", "b")).code).toBe(2);
  });
});
