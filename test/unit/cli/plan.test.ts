import { describe, expect, test } from "vitest";
import { planHelp, runPlan } from "../../../src/cli/plan.ts";
import { makeTerminal } from "./terminal.ts";

const option = "004202000d18c000020010002820010db800420300094020010db8ffff0000";
const rule =
  "type=map-t,ealen=16,prefix4len=24,prefix6len=40,ipv4prefix=192.0.2.0,ipv6prefix=2001:db8::,offset=4";
const given = ["--option", option, "--pd", "2001:db8:12:3400::/56"];

function run(...argv: string[]) {
  const terminal = makeTerminal();
  const code = runPlan(argv, terminal);
  return { code, out: terminal.out(), err: terminal.err() };
}

describe("plan", () => {
  test("--json: control lines, the update for netifd, the NAT", () => {
    const plan = JSON.parse(run(...given, "--json").out);
    expect(plan.control).toEqual([
      "add map-wan6_4",
      "config map-wan6_4 lowest-ipv6-mtu 1500",
      "config map-wan6_4 local.style MAP local.v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 16 local.psid-offset 4 ce.v4 192.0.2.18 ce.v6 2001:db8:12:3400:0:c000:212:34 ce.psid-offset 4 ce.psid-len 8 ce.psid 52 remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::/64 remote.ea-len 0 remote.psid-offset 0",
      "config map-wan6_4 nat.mode ports nat.reserved -",
    ]);
    expect(plan.notifyProto).toMatchObject({ action: 0, ifname: "map-wan6_4", "link-up": true });
    expect(plan.nft).toBeNull();
    expect(plan.source).toContain("DHCPv6");
  });

  test.each([
    [1400, "lowest-ipv6-mtu 1420"],
    [1280, "lowest-ipv6-mtu 1300"],
  ])("option mtu %i: packets that may be cut are cut to %s", (mtu, words) => {
    const rule =
      "type=map-t,ealen=16,prefix4len=24,prefix6len=40,ipv4prefix=192.0.2.0,ipv6prefix=2001:db8::,offset=4,dmr=2001:db8:ffff::/64";
    const config = JSON.stringify({ maptype: "map-t", rule, mtu });
    const plan = JSON.parse(run("--config", config, "--pd", "2001:db8:12:3400::/56", "--json").out);
    expect(plan.control[1]).toContain(words);
  });

  test("--nft prints the script of a NAT by nftables", () => {
    const config = JSON.stringify({ nat: "nftables", rule: `${rule},dmr=2001:db8:ffff::/64` });
    const { nft } = JSON.parse(run("--config", config, "--pd", "2001:db8:12:3400::/56", "--json").out);
    expect(nft).toContain("table ip mapmin_wan6__4 {");
    expect(run(...given, "--nft").out).toBe(nft);
  });

  test("a table of rules is read, and port forwards are shown", () => {
    const table = {
      rules: [
        {
          ruleIpv6Prefix: "2001:db8::/40",
          ruleIpv4Prefix: "192.0.2.0/24",
          eaLength: 16,
          br: "2001:db8:ffff::1",
        },
      ],
    };
    const terminal = makeTerminal();
    const readText = (path: string) => (path === "/t" ? JSON.stringify(table) : undefined);
    const config = JSON.stringify({ rules: "/t", forward: "tcp 1233 192.168.1.2:80" });
    const argv = ["--config", config, "--pd", "2001:db8:12:3400::/56", "--json"];
    expect(runPlan(argv, { ...terminal, files: { ...terminal.files, readText } })).toBe(0);
    const { source, forward } = JSON.parse(terminal.out());
    expect(source).toBe("the table /t, rules[0]");
    expect(forward).toContain("table ip mapmin_wan6__4_fwd {");
    expect(JSON.parse(run(...given, "--json").out).forward).toBeNull();
  });

  test("--no-module: MAP-E takes netifd's tunnel, and nftables do the NAT", () => {
    const config = JSON.stringify({ rule: `${rule.replace("map-t", "map-e")},br=2001:db8:ffff::1` });
    const argv = ["--config", config, "--pd", "2001:db8:12:3400::/56", "--json"];
    const without = JSON.parse(run(...argv, "--no-module").out);
    expect(without).toMatchObject({ control: [], notifyProto: { tunnel: { remote: "2001:db8:ffff::1" } } });
    expect(without.nft).toContain("table ip");
    const { control, notifyProto, nft } = JSON.parse(run(...argv).out);
    expect({ tunnel: notifyProto.tunnel, nft }).toEqual({ tunnel: undefined, nft: null });
    expect(control).toEqual([
      "add map-wan6_4",
      "config map-wan6_4 transport encapsulate tunnel.hop-limit 64 tunnel.encap-limit none",
      "config map-wan6_4 local.style MAP local.v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 16 local.psid-offset 4 ce.v4 192.0.2.18 ce.v6 2001:db8:12:3400:0:c000:212:34 ce.psid-offset 4 ce.psid-len 8 ce.psid 52 remote.style NONE remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::1/128",
      "config map-wan6_4 nat.mode ports nat.reserved -",
    ]);
  });

  test("--shell prints the steps, --json outlines them with how each is undone", () => {
    const titles = run(...given)
      .out.split("\n")
      .filter((line) => line.startsWith("# "));
    expect(titles).toEqual([
      "# set the rules of the MAP device",
      "# set the MTU of the MAP device",
      "# tell netifd",
    ]);
    const { steps } = JSON.parse(run(...given, "--json").out);
    expect(steps[2]).toMatchObject({
      title: "set the rules of the MAP device",
      undo: [{ title: "remove the MAP device", does: "del map-wan6_4" }],
    });
    expect(steps.at(-1)).toMatchObject({ title: "tell netifd", undo: [] });
  });

  test("--shell prints commands: the module's device", () => {
    expect(run(...given)).toEqual({
      code: 0,
      out: `# set the rules of the MAP device
printf '%s\\n' 'add map-wan6_4' 'config map-wan6_4 lowest-ipv6-mtu 1500' 'config map-wan6_4 local.style MAP local.v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 16 local.psid-offset 4 ce.v4 192.0.2.18 ce.v6 2001:db8:12:3400:0:c000:212:34 ce.psid-offset 4 ce.psid-len 8 ce.psid 52 remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::/64 remote.ea-len 0 remote.psid-offset 0' 'config map-wan6_4 nat.mode ports nat.reserved -' | dd of=/proc/net/nat46/control bs=2097152 2>/dev/null
# set the MTU of the MAP device
ip link set map-wan6_4 mtu 1500 up
# tell netifd
ip -6 route add 2001:db8:12:3400:0:c000:212:34/128 dev map-wan6_4
ip address add 192.0.2.18/32 dev map-wan6_4
ip route add default dev map-wan6_4 mtu 1480
`,
      err: "",
    });
  });

  describe("MAP-E without the module, on a link of another name, with a prefix longer than the rule needs", () => {
    const config = JSON.stringify({
      tunlink: "wan9",
      rule: `${rule.replace("map-t", "map-e")},br=2001:db8:ffff::1`,
    });
    const argv = ["--config", config, "--pd", "2001:db8:12:3401::/64", "--no-module"];
    const remark = "the 8 bits behind the EA bits are not zero; the border relay may want zeros";

    test.each([
      ["DEVICE", []],
      ["eth1", ["--device", "eth1"]],
    ])("--shell prints commands with the link's device, %s", (device, more) => {
      const { out, err } = run(...argv, ...more);
      expect(err).toBe(`note: end-user prefix: ${remark}\n`);
      expect(out).toBe(
        `# load the NAT into the port set
nft -f - <<'END_OF_NFT'
${run(...argv, "--nft").out}END_OF_NFT
# add the MAP address to the link
ip -6 address add 2001:db8:12:3401:0:c000:212:34/128 dev ${device}
# tell netifd
ip -6 tunnel add map-wan6_4 mode ipip6 local 2001:db8:12:3401:0:c000:212:34 remote 2001:db8:ffff::1 dev ${device} ttl 64 encaplimit none
ip link set map-wan6_4 mtu 1460 up
ip address add 192.0.2.18/32 dev map-wan6_4
ip route add default dev map-wan6_4
`,
      );
    });

    test("--json outlines each step, and gives what netifd is told", () => {
      const { steps, nft, ...plan } = JSON.parse(run(...argv, "--json").out);
      const address = {
        name: "wan6_4_",
        ifname: "@wan9",
        proto: "static",
        ip6addr: ["2001:db8:12:3401:0:c000:212:34"],
      };
      const notice = {
        interface: "wan6_4",
        action: 0,
        ifname: "map-wan6_4",
        "link-up": true,
        keep: false,
        tunnel: {
          mode: "ipip6",
          mtu: 1460,
          ttl: 64,
          local: "2001:db8:12:3401:0:c000:212:34",
          remote: "2001:db8:ffff::1",
          link: "wan9",
          data: { encaplimit: "ignore", fmrs: [] },
        },
        ipaddr: [{ ipaddr: "192.0.2.18", mask: "32" }],
        routes: [{ target: "0.0.0.0", netmask: "0" }],
        data: {},
      };
      expect(nft).toMatch(/^add table ip mapmin_wan6__4\n/);
      expect(plan).toEqual({
        source: "the option `rule`",
        remarks: [{ code: "nonzero-subnet-bits", path: "end-user prefix", text: remark }],
        control: [],
        addDynamic: address,
        notifyProto: notice,
        forward: null,
      });
      expect(steps).toEqual([
        {
          title: "load the NAT into the port set",
          does: "nft -f - (table ip mapmin_wan6__4)",
          undo: [
            { title: "remove the NAT", does: "nft delete table ip mapmin_wan6__4" },
            { title: "forget the flows", does: "conntrack -D -q 192.0.2.18/32" },
          ],
        },
        { title: "load the port forwards", does: null, undo: [] },
        {
          title: "set the rules of the MAP device",
          does: null,
          undo: [{ title: "remove the MAP device", does: "del map-wan6_4" }],
        },
        { title: "set the MTU of the MAP device", does: null, undo: [] },
        {
          title: "add the MAP address to the link",
          does: `ubus call network add_dynamic ${JSON.stringify(address)}`,
          undo: [
            {
              title: "remove the MAP address from the link",
              does: 'ubus call network.interface down {"interface":"wan6_4_"}',
            },
          ],
        },
        {
          title: "tell netifd",
          does: `ubus call network.interface notify_proto ${JSON.stringify(notice)}`,
          undo: [],
        },
      ]);
    });
  });

  test.each([1280, 65_535])("a link's MTU of %i", (octets) => {
    const { notifyProto } = JSON.parse(run(...given, "--link-mtu", String(octets), "--json").out);
    expect(notifyProto.routes).toMatchObject([{ mtu: octets - 20 }]);
  });

  test("--rule and --config lead to the same customer edge", () => {
    const rule =
      "type=map-t,ealen=16,prefix4len=24,prefix6len=40,ipv4prefix=192.0.2.0,ipv6prefix=2001:db8::,offset=4,dmr=2001:db8:ffff::/64";
    const config = JSON.stringify({ maptype: "map-t", rule });
    for (const argv of [
      ["--rule", rule],
      ["--config", config],
    ]) {
      const plan = JSON.parse(run(...argv, "--pd", "2001:db8:12:3400::/56", "--json").out);
      expect(plan.control[2]).toContain("ce.v4 192.0.2.18 ");
    }
  });

  test.each([
    ["no source", []],
    ["two sources", ["--option", option, "--rule", "type=map-t"]],
  ])("%s: exit 2", (_title, argv) => {
    expect(run(...argv)).toEqual({
      code: 2,
      out: "",
      err: `give one of --option, --rule and --config\n\n${planHelp}`,
    });
    expect(planHelp).toMatch(/^usage: mapminctl plan /);
  });

  test.each([
    [
      "a link's MTU below 1280",
      [...given, "--link-mtu", "1279"],
      "--link-mtu: expected 1280 to 65535 octets",
    ],
    [
      "a link's MTU above 65535",
      [...given, "--link-mtu", "65536"],
      "--link-mtu: expected 1280 to 65535 octets",
    ],
    ["a link's MTU that is not a number", [...given, "--link-mtu", "1500x"], "--link-mtu: expected 1280 to"],
    ["a link for the shell", [...given, "--tunlink", "a b"], "--tunlink: is not the name of an interface"],
    ["a device for the shell", [...given, "--device", "a b"], "--device"],
    ["an interface for the shell", [...given, "--iface", "$(x)"], "--iface"],
    ["no prefix", given.slice(0, 2), "end-user prefix: no rule matches: no prefix has been delegated yet"],
    ["an option that is none", ["--option", "00", "--pd", "2001:db8::/56"], "DMR"],
    ["configuration that is no JSON", ["--config", "{", "--pd", "2001:db8::/56"], "is not JSON"],
  ])("%s: an error that names it", (_title, argv, words) => {
    expect(() => run(...argv)).toThrow(words);
  });
});
