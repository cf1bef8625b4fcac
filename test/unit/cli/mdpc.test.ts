import { describe, expect, test } from "vitest";
import { runMdpc } from "../../../src/cli/mdpc.ts";
import { makeTerminal } from "./terminal.ts";

/** RFC 7597 example 1's rule and prefix, with the offset of the draft: 192.0.2.18, PSID 0x34 of 8 bits. */
const rule = "4202000d18c000020010002820010db800";
const dmr = "42030009402001 0db8ffff0000".replace(" ", "");
const relay = "4203001180" + "20010db8ffff00000000000000000001";
const prefixes = "2001:db8:12:3400::/56,3600,7200";

function mdpc(
  option: string | undefined,
  argv: readonly string[] = [],
  environment: Record<string, string> = {},
) {
  const terminal = makeTerminal();
  const code = runMdpc(
    argv,
    { PREFIXES: prefixes, ...(option === undefined ? {} : { OPTION_48879: option }), ...environment },
    terminal,
  );
  return { code, out: terminal.out(), err: terminal.err() };
}

const common = "-H -a 192.168.1.1/24 -A 192.0.2.18/32 -P 2001:db8:12::/48";

describe("mdpc prints what the original did", () => {
  test("MAP-T", () => {
    expect(mdpc(`00${rule}${dmr}`, ["-w", "eth1", "-m", "1420"])).toEqual({
      code: 0,
      out: `mapminctl -s -i br-lan -I eth1 ${common} -R 256 -z 4 -o 52 -c 1420 -T\nmapminctl -r -d -P 2001:db8:ffff::/64 -T\n`,
      err: "",
    });
  });

  test("MAP-E", () => {
    expect(mdpc(`01${rule}${relay}`, ["-w", "eth1", "-m", "1420"]).out).toBe(
      `mapminctl -s -i br-lan -I eth1 ${common} -R 256 -z 4 -o 52 -c 1420 -E\nmapminctl -r -d -P 2001:db8:ffff::1/128 -E\n`,
    );
  });

  test("MAP_PORTPARAMS counts: offset 6", () => {
    expect(mdpc(`00${rule}4204000406000000${dmr}`).out).toContain("-R 256 -z 6 -o 52 ");
  });

  test("a line for each rule that matches, in order", () => {
    const other = "4202000d1acb007100060028200 10db900".replace(" ", "");
    const { code, out } = mdpc(`00${other}${rule}${dmr}`);
    expect(code).toBe(0);
    expect(out.split("\n").filter((line) => line.startsWith("mapminctl -s"))).toHaveLength(1);
    expect(out).toContain("-A 192.0.2.18/32");
  });

  test("another variable", () => {
    expect(mdpc(undefined, ["-o", "MINE"], { MINE: `00${rule}${dmr}` }).code).toBe(0);
  });

  test("-v tells on standard error what was read", () => {
    const { out, err } = mdpc(`00${rule}${dmr}`, ["-v"]);
    expect(err).toContain("map-t, 1 rule, 1 prefix");
    expect(out.split("\n")).toHaveLength(3);
    const two = { PREFIXES: `2001:dead::/56,1,2 ${prefixes}` };
    expect(mdpc(`00${rule}${dmr}`, ["-v"], two).err).toContain("map-t, 1 rule, 2 prefixes\n");
  });
});

describe("mdpc tells on standard error", () => {
  test("what was accepted although it was wrong, and bits that nobody expects", () => {
    const padded = `${dmr.replace("0009", "000a")}00`;
    const longer = { PREFIXES: "2001:db8:12:3401::/64,3600,7200" };
    expect(mdpc(`00${rule}${padded}`, [], longer).err).toBe(
      "note: OPTION_48879/MAP_DMR[0]/dmr: the prefix is followed by 1 zero octet that should not be there: skipped\n" +
        "note: the 8 bits behind the EA bits are not zero; the border relay may want zeros\n",
    );
  });

  test("with -v, which rule does not match", () => {
    const other = "4202000d18cb007100100028" + "20010db900";
    expect(mdpc(`00${other}${rule}${dmr}`, ["-v"]).err).toBe(
      "map-t, 2 rules, 1 prefix\n" +
        "no rule matches: the delegated prefixes are 2001:db8:12:3400::/56; the rules are for 2001:db9::/40\n",
    );
  });

  test("why a rule cannot be used, where another one can", () => {
    const offset16 = `42020015${rule.slice(8)}4204000410000000`;
    expect(mdpc(`00${offset16}${rule}${dmr}`)).toEqual({
      ...mdpc(`00${rule}${dmr}`),
      err: "note: OPTION_48879/MAP_RULE[0]/MAP_PORTPARAMS[0]/offset: skipped: PSID offset 16 is not 0 to 15 at octet 22\n",
    });
  });
});

describe("mdpc refuses", () => {
  test.each([
    ["no rule for the prefix", `00${rule}${dmr}`, [], { PREFIXES: "2001:dead::/56,1,2" }, "PREFIXES"],
    ["no prefix", `00${rule}${dmr}`, [], { PREFIXES: "" }, "PREFIXES"],
    ["no option", undefined, [], {}, "OPTION_48879"],
    ["text that is no hex", "zz", [], {}, "OPTION_48879"],
    ["an option cut short", `00${rule}`.slice(0, 20), [], {}, "octet"],
    ["two DMRs", `00${rule}${dmr}${dmr}`, [], {}, "exactly one DMR"],
    ["a device for the shell", `00${rule}${dmr}`, ["-w", "eth0;reboot"], {}, "-w"],
    ["an MSS too small", `00${rule}${dmr}`, ["-m", "100"], {}, "-m"],
    ["an MSS that is none", `00${rule}${dmr}`, ["-m", "1e3x"], {}, "-m"],
    ["a variable that is none", `00${rule}${dmr}`, ["-o", "A=B"], {}, "-o"],
  ] as const)(
    "%s: one line on standard error, nothing on standard output, exit 1",
    (_title, option, argv, environment, words) => {
      const { code, out, err } = mdpc(option, argv, environment);
      expect([code, out]).toEqual([1, ""]);
      expect(err.trimEnd().split("\n")).toHaveLength(1);
      expect(err).toContain(words);
    },
  );

  test.each([
    [
      "2001:db8:12::/50,1,2",
      "2001:db8:12::/50 is too short: the rule for 2001:db8::/40 has 16 EA bits and needs /56 or longer",
    ],
    [
      "2001:dead::/56,1,2",
      "no rule matches: the delegated prefixes are 2001:dead::/56; the rules are for 2001:db8::/40",
    ],
    ["", "no rule matches: no prefix has been delegated yet; the rules are for 2001:db8::/40"],
  ])("the prefixes %j: which rules there are, and what they need", (PREFIXES, words) => {
    expect(mdpc(`00${rule}${dmr}`, [], { PREFIXES }).err).toBe(`PREFIXES: ${words}\n`);
  });

  const size = "-m: expected 536 to 65495 octets\n";
  test.each([
    ["-m", "535", size],
    ["-m", "536", ""],
    ["-m", "65495", ""],
    ["-m", "65496", size],
    ["-m", "1e3x", size],
    ["-o", "A=B", "-o: expected the name of a variable\n"],
    ["-o", "EMPTY", "EMPTY: is not set: the lease has no such option\n"],
    ["-o", "MISSING", "MISSING: is not set: the lease has no such option\n"],
  ])("%s %s: %j", (option, value, err) => {
    expect(mdpc(`00${rule}${dmr}`, [option, value], { EMPTY: "" }).err).toBe(err);
  });

  test("no prefixes where the environment has none", () => {
    const terminal = makeTerminal();
    expect(runMdpc([], { OPTION_48879: `00${rule}${dmr}` }, terminal)).toBe(1);
    expect(terminal.err()).toBe(
      "PREFIXES: no rule matches: no prefix has been delegated yet; the rules are for 2001:db8::/40\n",
    );
  });

  test("an error that nobody declared is a bug, and goes up", () => {
    const bug = new TypeError("a bug");
    const stdout = () => {
      throw bug;
    };
    const environment = { OPTION_48879: `00${rule}${dmr}`, PREFIXES: prefixes };
    expect(() => runMdpc([], environment, { ...makeTerminal(), stdout })).toThrow(bug);
  });

  const help = `usage: mdpc [-w WAN] [-m MSS] [-o ENVNAME] [-v]

Reads DHCPv6 option 48879 from the environment variable OPTION_48879 (or ENVNAME) and the delegated prefixes from
PREFIXES, as odhcp6c sets them, and prints the mapminctl commands for each rule that matches and for the DMR. Exits 0
only if a rule matched.
  -w WAN      the device of the WAN; wan0 without it
  -m MSS      the MSS that TCP is clamped to; 1440 without it
  -v          tells on standard error what was read
`;

  test("options it does not know: exit 2", () => {
    expect(mdpc("00", ["-x"])).toEqual({ code: 2, out: "", err: `unknown option "-x"\n\n${help}` });
  });

  test("--help: exit 0", () => {
    expect(mdpc(undefined, ["--help"])).toEqual({ code: 0, out: help, err: "" });
  });
});
