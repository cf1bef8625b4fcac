import { describe, expect, test } from "vitest";
import { runPlan } from "../../../src/cli/plan.ts";
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
    expect(steps[1]).toMatchObject({
      title: "set the rules of the MAP device",
      undo: [{ title: "remove the MAP device", does: "del map-wan6_4" }],
    });
    expect(steps.at(-1)).toMatchObject({ title: "tell netifd", undo: [] });
  });

  test("--shell prints commands", () => {
    const { out } = run(...given);
    expect(out).toContain("/proc/net/nat46/control");
    expect(out).toContain("192.0.2.18");
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
    expect(run(...argv)).toMatchObject({ code: 2, out: "" });
  });

  test.each([
    ["a link's MTU below 1280", [...given, "--link-mtu", "1279"], "--link-mtu"],
    ["a device for the shell", [...given, "--device", "a b"], "--device"],
    ["an interface for the shell", [...given, "--iface", "$(x)"], "--iface"],
    ["no prefix", given.slice(0, 2), "prefix"],
    ["an option that is none", ["--option", "00", "--pd", "2001:db8::/56"], "DMR"],
    ["configuration that is no JSON", ["--config", "{", "--pd", "2001:db8::/56"], "is not JSON"],
  ])("%s: an error that names it", (_title, argv, words) => {
    expect(() => run(...argv)).toThrow(words);
  });
});
