import { describe, expect, test } from "vitest";
import { claimFrom, claimOf, sessionSteps } from "../../../src/engine/steps.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { provision } from "../../../src/provision/choose.ts";
import { decodeLinkStatus } from "../../../src/provision/link.ts";
import { stepCommands } from "../../../src/render/shell.ts";
import { fingerprint } from "../../../src/wire/fingerprint.ts";
import { linkStatus } from "./world.ts";

const wanMap = parseInterfaceName("wan_map", "interface");
const wan6 = parseInterfaceName("wan6", "tunlink");
const rule =
  "type=map-e,ealen=16,prefix4len=24,prefix6len=40,ipv4prefix=192.0.2.0,ipv6prefix=2001:db8::,offset=4,br=2001:db8:ffff::1";
const planOf = (config: object) =>
  provision(wanMap, config, {
    tunlink: wan6,
    link: decodeLinkStatus(linkStatus),
    linkMtu: 1500,
    neighbours: [],
  }).plan;
const plans = {
  "MAP-T": planOf({}),
  "MAP-T with port forwards": planOf({ forward: ["tcp 4928 192.168.1.10:80"] }),
  "MAP-T with nftables": planOf({ nat: "nftables" }),
  "MAP-E": planOf({ rule }),
  "MAP-E by netifd's tunnel": planOf({ rule, nat: "nftables" }),
};

describe.each(Object.entries(plans))("the steps of %s", (_title, plan) => {
  const steps = sessionSteps(claimOf(plan), plan, stepCommands);

  test("what is done has a command for a person", () => {
    for (const { title, do: effect, command } of steps) {
      expect([title, command.length > 0]).toEqual([title, effect !== undefined]);
    }
  });

  test("can be undone from the state file alone just as from the plan", () => {
    const saved = { interface: "wan_map", state: "starting", since: "", transport: plan.transport } as const;
    const known = claimFrom(wanMap, {
      ...saved,
      ipv4: "192.0.2.18/32",
      carrier: plan.module === undefined ? "tunnel" : "module",
      address_interfaces: claimOf(plan).addressInterfaces.join(" "),
      ...(plan.nat === undefined ? {} : { table: plan.nat.table }),
      ...(plan.forward === undefined ? {} : { forwards: "tcp 4928 192.168.1.10:80" }),
    });
    expect(sessionSteps(known).map((step) => step.undo)).toEqual(steps.map((step) => step.undo));
    expect(sessionSteps(known).every((step) => step.do === undefined)).toBe(true);
    expect(sessionSteps(known).flatMap((step) => step.command)).toEqual([]);
  });

  test("without a state all that there may be is undone", () => {
    const undone = sessionSteps(claimFrom(wanMap, undefined)).flatMap((step) => step.undo);
    expect(undone.map((undo) => undo.title)).toEqual([
      "remove the NAT",
      "remove the port forwards",
      "remove the MAP device",
      "remove the MAP address from the link",
      "remove the MAP address from the link",
    ]);
  });
});

test("fingerprints of texts that differ differ", () => {
  const texts = ["", "a", "b", "ab", "ba", "aa", `${"x".repeat(5000)}a`, `${"x".repeat(5000)}b`];
  expect(new Set(texts.map(fingerprint)).size).toBe(texts.length);
  expect(texts.every((text) => /^[0-9a-f]{32}$/.test(fingerprint(text)))).toBe(true);
});
