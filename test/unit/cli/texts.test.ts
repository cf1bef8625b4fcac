import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { calcHelp, calcLine, calculate, runCalc } from "../../../src/cli/calc.ts";
import { runExplain } from "../../../src/cli/explain.ts";
import { legacyHelp, runLegacy } from "../../../src/cli/legacy.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { refusal } from "../../support/refusal.ts";
import { makeTerminal } from "./terminal.ts";

describe("calc", () => {
  const fields = {
    endUserIpv6Prefix: "2001:db8:12:3400::/56",
    ruleIpv6Prefix: "2001:db8::/40",
    ruleIpv4Prefix: "192.0.2.0/24",
    eaLength: 16,
  };

  test.each([
    [{ eaLength: undefined }, "eaLength: is missing"],
    [{ eaLength: 49 }, "eaLength: 49 is not 0 to 48"],
    [{ eaLength: -1 }, "eaLength: -1 is not 0 to 48"],
    [{ eaLength: 1.5 }, "eaLength: 1.5 is not 0 to 48"],
    [{ eaLength: [16] }, "eaLength: what is given is not 0 to 48"],
    [{ eaLength: null }, "eaLength: is missing"],
    [{ eaLength: "49" }, 'eaLength: "49" is not 0 to 48'],
    [{ eaLength: "16" }, "accepted"],
    [{ psidOffset: 15, eaLength: 8 }, "accepted"],
    [{ psidOffset: 16 }, "psidOffset: 16 is not 0 to 15"],
    [{ ruleIpv6Prefix: undefined }, "ruleIpv6Prefix: is missing"],
    [{ ruleIpv6Prefix: 7 }, "ruleIpv6Prefix: is not text"],
    [{ endUserIpv6Prefix: null }, "endUserIpv6Prefix: is not text"],
    [{ legacy: "1" }, "legacy: is not true or false"],
    [{ psid: 1 }, "psid: PSID 1 is given without psidLength, its number of bits"],
    [{ psid: 1, psidLength: 17 }, "psidLength: 17 is not 0 to 16"],
    [{ psid: 65_536, psidLength: 8 }, "psid: 65536 is not 0 to 65535"],
    [
      { psid: 1, psidLength: 4 },
      "psidLength: 4 does not agree with eaLength: 16 EA bits minus 8 bits of the IPv4 address leave 8 bits for the PSID",
    ],
  ])("%j: %s", (changes, message) => {
    expect(refusal(() => calculate({ ...fields, ...changes }))).toBe(message);
  });

  test("offset 6 unless given, and the interface identifier of the drafts when asked for", () => {
    expect(calculate(fields).ranges[0]).toEqual([1232, 1235]);
    expect(calculate({ ...fields, psidOffset: 4 }).ranges[0]).toEqual([4928, 4943]);
    expect(calculate(fields).mapIpv6Address).toBe("2001:db8:12:3400:0:c000:212:34");
    expect(calculate({ ...fields, legacy: false })).toEqual(calculate(fields));
    expect(calculate({ ...fields, legacy: true }).mapIpv6Address).toBe("2001:db8:12:3400:c0:2:1200:3400");
    expect(calculate(fields)).not.toHaveProperty("remarks");
  });

  test.each([
    ["nonsense", "line: is not a JSON object"],
    ["null", "line: is not a JSON object"],
    ["[]", "line: is not a JSON object"],
    ["7", "line: is not a JSON object"],
    ["x".repeat(65_536), "line: is not a JSON object"],
    ["x".repeat(65_537), "line: is longer than 65536 characters"],
  ])("a line %#", (line, error) => {
    expect(calcLine(line)).toEqual({ error });
  });

  async function ndjson(...chunks: string[]) {
    const terminal = makeTerminal();
    const writes: string[] = [];
    const stdout = (text: string) => {
      writes.push(text);
    };
    expect(await runCalc(["--ndjson"], { ...terminal, stdout, stdin: Readable.from(chunks) })).toBe(0);
    return writes;
  }
  const line = JSON.stringify(fields);
  const answer = `${JSON.stringify(calculate(fields))}\n`;

  test("lines in pieces; blank lines are left out; the last needs no end", async () => {
    expect((await ndjson(line.slice(0, 20), `${line.slice(20)}\n  \n\n`, line)).join("")).toBe(
      answer + answer,
    );
    expect((await ndjson(`${line}\n`)).join("")).toBe(answer);
    expect((await ndjson("")).join("")).toBe("");
    expect((await ndjson(" ")).join("")).toBe("");
  });

  test("a line without an end is kept up to its limit, and the next one is read", async () => {
    const long = "x".repeat(40_000);
    expect((await ndjson(long, long, long, `\n${line}`)).join("")).toBe(
      `{"error":"line: is longer than 65536 characters"}\n${answer}`,
    );
  });

  test("an input that cannot be read is an error that says so", async () => {
    const stdin = (async function* () {
      yield `${line}\n`;
      throw new Error("EISDIR: illegal operation on a directory, read");
    })();
    const error = await runCalc(["--ndjson"], { ...makeTerminal(), stdin }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(EffectError);
    expect(error).toMatchObject({
      message: "standard input: EISDIR: illegal operation on a directory, read",
      cause: new Error("EISDIR: illegal operation on a directory, read"),
    });
  });

  test("answers are written in pieces of 64 KiB", async () => {
    const count = Math.ceil(65_536 / answer.length);
    const writes = await ndjson(`${line}\n`.repeat(count + 1));
    expect(writes.map((text) => text.length)).toEqual([count * answer.length, answer.length]);
  });

  test("for a person", async () => {
    const words = (more: readonly string[]) => [
      ...["--end-user-ipv6-prefix", "2001:db8:12::/48", "--rule-ipv6-prefix", "2001:db8::/40"],
      ...["--rule-ipv4-prefix", "192.0.2.0/24", "--ea-length", "8", ...more],
    ];
    const terminal = makeTerminal();
    expect(await runCalc(words([]), terminal)).toBe(0);
    expect(terminal.out()).toBe(
      "IPv4         192.0.2.18/32\nPSID         0 (0x0), 0 bits\nMAP address  2001:db8:12::c000:212:0\nports        all\n",
    );
    const shared = makeTerminal();
    await runCalc(words(["--psid", "52", "--psid-length", "8", "--psid-offset", "2"]), shared);
    expect(shared.out().split("\n")).toEqual([
      "IPv4         192.0.2.18/32",
      "PSID         52 (0x34), 8 bits",
      "MAP address  2001:db8:12::c000:212:34",
      "ports        192 in 3 ranges: 19712-19775 36096-36159 52480-52543",
      "",
    ]);
    const help = makeTerminal();
    expect([await runCalc(["--help"], help), help.out()]).toEqual([0, calcHelp]);
    const nothing = makeTerminal();
    expect([await runCalc([], nothing), nothing.err(), nothing.out()]).toEqual([2, calcHelp, ""]);
  });
});

describe("explain", () => {
  function explain(...argv: string[]) {
    const terminal = makeTerminal();
    return { code: runExplain(argv, terminal), out: terminal.out(), err: terminal.err() };
  }
  const mapE = "005e00250059000d001018c00002002820010db800005a001020010db8ffff00000000000000000001";

  test("a container with a delegated prefix, every line", () => {
    const lines = explain(mapE, "--pd", "2001:db8:12:3400::/56").out.split("\n");
    expect(lines.slice(0, 17)).toEqual([
      "read as: series of options",
      "",
      "S46_CONT_MAPE (94), 37 octets at 4; RFC 7598 s5.1",
      "  S46_RULE (89), 13 octets at 8; RFC 7598 s4.1",
      "    F                clear                    set: the rule is also a forwarding mapping rule (FMR)",
      "    ea-len           16                       EA bits: how many bits of the end-user prefix carry IPv4 address and PSID",
      "    prefix4-len      24                       length of the rule's IPv4 prefix",
      "    ipv4-prefix      192.0.2.0                the rule's IPv4 prefix",
      "    ipv6-prefix      2001:db8::/40            the rule's IPv6 prefix",
      "  S46_BR (90), 16 octets at 25; RFC 7598 s4.2",
      "    br-ipv6-address  2001:db8:ffff::1         the border relay's address",
      "",
      "customer edge (map-e)",
      "  IPv4             192.0.2.18/32",
      "  PSID             52 (0x34), 8 bits, offset 6",
      "  MAP address      2001:db8:12:3400:0:c000:212:34",
      "  ports            252 in 63 ranges: 1232-1235 2256-2259 3280-3283 4304-4307",
    ]);
    expect(lines.slice(-2)).toEqual(["                   62672-62675 63696-63699 64720-64723", ""]);
  });

  test("the same for programs", () => {
    const [option] = JSON.parse(explain("--json", `${mapE}00170001ff`).out).options;
    expect(option).toMatchObject({
      code: 94,
      name: "S46_CONT_MAPE",
      path: "S46_CONT_MAPE[0]",
      offset: 4,
      length: 37,
    });
    expect(option.options[1]).toStrictEqual({
      code: 90,
      name: "S46_BR",
      path: "S46_CONT_MAPE[0]/S46_BR[0]",
      offset: 25,
      length: 16,
      fields: [
        {
          name: "br-ipv6-address",
          text: "2001:db8:ffff::1",
          meaning: "the border relay's address",
          offset: 25,
          length: 16,
        },
      ],
      options: [],
      unknown: [],
    });
    const inside = "005e0009" + "00170001ff" + "00180000";
    expect(JSON.parse(explain("--json", inside).out).options[0].unknown).toEqual([
      { code: 23, offset: 4, length: 1 },
      { code: 24, offset: 9, length: 0 },
    ]);
  });

  test("options that are not known: the first ones, and how many more", () => {
    const unknown = (count: number) => {
      const inner = "00170001ff".repeat(count);
      return explain(`005e${(inner.length / 2).toString(16).padStart(4, "0")}${inner}`).out;
    };
    expect(unknown(1)).toContain("  option 23 at 4, 1 octets: not known, skipped\n");
    for (const count of [1, 8]) expect(unknown(count)).not.toContain("more options");
    expect(unknown(9)).toContain("  and 1 more options that are not known, skipped\n");
    const lines = unknown(100)
      .split("\n")
      .filter((line) => line.includes("not known"));
    expect(lines.at(-1)).toBe(`  and ${100 - (lines.length - 1)} more options that are not known, skipped`);
  });

  test("a whole address has all ports; 0x may stand before the octets", () => {
    const whole = mapE.replace("001018", "000818");
    expect(explain(whole, "--pd", "2001:db8:12::/48").out).toContain("  ports            all\n");
    expect(explain("0x".concat(mapE)).code).toBe(0);
  });
});

describe("the original's options", () => {
  function legacy(...argv: string[]) {
    const terminal = makeTerminal();
    return {
      code: runLegacy(argv, terminal),
      out: terminal.out().split("\n").slice(0, -1),
      err: terminal.err(),
    };
  }
  const ce = ["-A", "192.0.2.18/32", "-P", "2001:db8:12::/48", "-R", "256", "-z", "6", "-o", "52"];
  const map = "2001:db8:12:3400:0:c000:212:34";

  test("MAP-T without NAT", () => {
    expect(legacy("-s", "-T", "-N", ...ce).out).toEqual([
      "echo 'add mapmint' > /proc/net/nat46/control",
      `echo 'config mapmint local.style MAP local.v4 192.0.2.18/32 local.v6 2001:db8:12::/48 local.ea-len 8 local.psid-offset 6 ce.v4 192.0.2.18 ce.v6 ${map} ce.psid-offset 6 ce.psid-len 8 ce.psid 52' > /proc/net/nat46/control`,
      "ip link set mapmint up",
      `ip -6 route replace ${map}/128 dev mapmint`,
      "sysctl -w net.ipv4.ip_forward=1",
      "sysctl -w net.ipv6.conf.all.forwarding=1",
      "ip addr replace 192.0.2.18/32 dev mapmint",
      "ip route replace default dev mapmint",
    ]);
  });

  test("MAP-E with LAN, WAN and MSS; the LAN only with -H", () => {
    const lan = ["-i", "br-lan", "-a", "192.168.1.1/24"];
    const clamp = (way: string) =>
      `iptables -t mangle -A FORWARD ${way} mapmint -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1400`;
    expect(legacy("-s", "-E", "-N", "-H", "-c", "1400", "-I", "eth1", ...lan, ...ce).out).toEqual([
      `ip -6 addr replace ${map}/128 dev eth1`,
      `ip -6 tunnel add mapmint mode ipip6 local ${map} remote :: encaplimit none dev eth1`,
      "ip link set mapmint up",
      "sysctl -w net.ipv4.ip_forward=1",
      "sysctl -w net.ipv6.conf.all.forwarding=1",
      "ip addr replace 192.168.1.1/24 dev br-lan",
      "ip addr replace 192.0.2.18/32 dev mapmint",
      "ip route replace default dev mapmint",
      clamp("-o"),
      clamp("-i"),
    ]);
    const without = legacy("-s", "-E", "-N", ...lan, ...ce).out;
    expect(without.slice(0, 2)).toEqual([
      `ip -6 addr replace ${map}/128 dev lo`,
      `ip -6 tunnel add mapmint mode ipip6 local ${map} remote :: encaplimit none`,
    ]);
    for (const some of [without, legacy("-s", "-E", "-N", "-H", "-i", "br-lan", ...ce).out]) {
      expect(some.join("\n")).not.toContain("br-lan");
    }
    expect(legacy("-s", "-E", "-N", "-H", "-a", "192.168.1.1/24", ...ce).out.join("\n")).not.toContain(
      "192.168",
    );
  });

  test("with NAT: a rule for each range and protocol", () => {
    const rules = legacy("-s", "-T", ...ce).out.filter((line) => line.startsWith("iptables"));
    expect(rules).toHaveLength(189);
    expect(rules[0]).toBe(
      "iptables -t nat -A POSTROUTING -p icmp -m connlimit --connlimit-daddr --connlimit-upto 4 -o mapmint -j SNAT --to 192.0.2.18:1232-1235",
    );
  });

  test("-r and -q", () => {
    expect(legacy("-r", "-d", "-T", "-P", "2001:db8:ffff::/64").out).toEqual([
      "echo 'config mapmint remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::/64 remote.ea-len 0 remote.psid-offset 0' > /proc/net/nat46/control",
    ]);
    expect(legacy("-r", "-d", "-E", "-P", "2001:db8:ffff::1/128").out).toEqual([
      "ip -6 tunnel change mapmint remote 2001:db8:ffff::1",
    ]);
    expect(legacy("-r", "-T", ...ce.slice(0, 8)).out).toEqual([
      "echo 'insert mapmint remote.style MAP remote.v4 192.0.2.18/32 remote.v6 2001:db8:12::/48 remote.ea-len 8 remote.psid-offset 6' > /proc/net/nat46/control",
    ]);
    expect(legacy("-q").out).toEqual([
      "iptables -t nat -S POSTROUTING | sed -n 's/^-A \\(.* -o mapmint .*\\)$/iptables -t nat -D \\1/p' | sh",
      "iptables -t mangle -S FORWARD | sed -n 's/^-A \\(.* -[io] mapmint .*\\)$/iptables -t mangle -D \\1/p' | sh",
      "if [ -e /proc/net/nat46/control ] && grep -q '^add mapmint$' /proc/net/nat46/control; then echo 'del mapmint' > /proc/net/nat46/control; else ip link del mapmint; fi",
    ]);
  });

  const without = (option: string) => ce.filter((_, i) => ce[i - (i % 2)] !== option);
  test.each([
    [["-s", "-T", ...without("-A")], "-A: is missing"],
    [["-s", "-T", ...without("-P")], "-P: is missing"],
    [["-s", "-T", ...without("-R")], "-R: expected 1 to 65536"],
    [["-s", "-T", ...without("-R"), "-R", "0"], "-R: expected 1 to 65536"],
    [["-s", "-T", ...without("-R"), "-R", "65537"], "-R: expected 1 to 65536"],
    [["-s", "-T", ...without("-R"), "-R", "3"], "-R: expected a power of two"],
    [["-s", "-T", ...without("-R"), "-R", "x2"], "-R: expected 1 to 65536"],
    [["-s", "-T", ...without("-R"), "-R", "2x"], "-R: expected 1 to 65536"],
    [["-s", "-T", ...without("-z"), "-z", "16"], "-z: expected 0 to 15"],
    [["-s", "-T", ...without("-o"), "-o", "256"], "-o: expected 0 to 255"],
    [["-s", "-T", ...without("-A"), "-A", "192.0.2.0/24"], "-A: expected one address, with /32"],
    [["-s", "-T", "-c", "535", ...ce], "-c: expected 536 to 65495"],
    [["-s", "-T", ...without("-P"), "-P", "2001:db8::/121"], "-P: is too long for the 8 bits of the PSID"],
    [["-s", "-T", "-N", ...without("-P"), "-P", "2001:db8::/120"], "accepted"],
    [["-s", "-T", "-i", "a;b", ...ce], "-i: "],
    [["-s", "-T", "-I", "a b", ...ce], "-I: "],
    [["-r", "-d", "-T"], "-P: is missing"],
    [["-r", "-d", "-E", "-P", "2001:db8::/64"], "-P: expected the border relay's address, with /128"],
    [
      ["-r", "-E", "-P", "2001:db8::/64"],
      "-E: the kernel's tunnel has no forwarding rules, so only -r -d is possible",
    ],
  ])("%j: %s", (argv, message) => {
    expect(refusal(() => legacy(...argv))).toContain(message);
  });

  test("devices, and the MSS, at their bounds", () => {
    const mangle = (mss: string) =>
      legacy("-s", "-T", "-N", "-c", mss, ...ce).out.filter((text) => text.includes("-t mangle"));
    for (const mss of ["536", "65495"]) expect(mangle(mss)).toHaveLength(2);
    expect(refusal(() => mangle("65496"))).toBe("-c: expected 536 to 65495");
  });

  test("one action, and one of -T and -E", () => {
    expect(legacy("-s", "-r", "-T")).toMatchObject({
      code: 2,
      err: `give one of -s, -r and -q\n\n${legacyHelp}`,
    });
    expect(legacy("-T").err).toMatch(/^give one of -s, -r and -q\n/);
    expect(legacy("-s", ...ce).err).toBe(`give one of -T and -E\n\n${legacyHelp}`);
    expect(legacy("-s", "-T", "-E", ...ce).err).toMatch(/^give one of -T and -E\n/);
    expect(legacy("--help")).toMatchObject({ code: 0, out: legacyHelp.split("\n").slice(0, -1) });
    expect(legacyHelp).toMatch(/^usage: mapminctl -s /);
  });
});
