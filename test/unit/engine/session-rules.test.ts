/** `option rules`: a session reads the table, and what becomes of a table that cannot be used. */

import { expect, test } from "vitest";
import { renew, setup } from "../../../src/engine/session.ts";
import { decodeState } from "../../../src/engine/state.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import type { HandlerRequest, InterfaceConfig } from "../../../src/provision/request.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { effects, makeWorld } from "./world.ts";

const path = "/etc/mapmin/rules.csv";
const wanMap = parseInterfaceName("wan_map", "interface");
const request = (config: InterfaceConfig = {}): HandlerRequest => ({
  action: "setup",
  iface: wanMap,
  config: { rules: path, ...config },
});
const head = "# br=2001:db8:ffff::1\nruleIpv6Prefix,ruleIpv4Prefix,eaLength,psidOffset\n";
const table = `${head}2001:db8:100::/40,203.0.113.0/24,16,4\n2001:db8::/40,198.51.100.0/24,16,4\n`;

function worldWith(text: string) {
  const world = makeWorld();
  world.files.set(path, text);
  return world;
}

const control = (ipv4: string) => [
  "add map-wan_map",
  "config map-wan_map transport encapsulate tunnel.hop-limit 64 tunnel.encap-limit none",
  `config map-wan_map local.style MAP local.v4 198.51.100.0/24 local.v6 2001:db8::/40 local.ea-len 16 local.psid-offset 4 ce.v4 ${ipv4} ce.v6 2001:db8:12:3400:0:c633:6412:34 ce.psid-offset 4 ce.psid-len 8 ce.psid 52 remote.style NONE remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::1/128`,
  "config map-wan_map nat.mode ports nat.reserved -",
];

test("setup takes the row that matches, though DHCPv6 brings a rule", async () => {
  const world = worldWith(table);
  expect(await setup(request(), world)).toBe(0);
  expect(world.control?.trimEnd().split("\n")).toEqual(control("198.51.100.18"));
  expect(decodeState(world.states.get("wan_map") ?? "")).toMatchObject({
    state: "up",
    transport: "map-e",
    ipv4: "198.51.100.18/32",
    offset: "4",
    psid: "52",
    psid_length: "8",
    source: `the table ${path}, line 4`,
    remarks: "",
  });
  expect(world.done.at(-1)).toBe(
    `log ok setup map-e 198.51.100.18/32, PSID 52 of 8 bits, MTU 1460, rule from the table ${path}, line 4, NAT by the kernel module`,
  );
});

test("a renewal reads the table again", async () => {
  const world = worldWith(table);
  await setup(request(), world);
  world.done.length = 0;
  expect(await renew(request(), world)).toBe(0);
  expect(world.done).toEqual(["log ok renew nothing changed"]);
  world.files.set(path, table.replace("ffff::1", "ffff::2"));
  expect(await renew(request(), world)).toBe(0);
  expect(world.control).toContain("remote.v6 2001:db8:ffff::2/128");
  world.files.set(path, table.replace("198.51.100.0/24,16", "198.51.100.0/24,x"));
  expect(await renew(request(), world)).toBe(1);
  expect(world.control).toContain("remote.v6 2001:db8:ffff::2/128");
});

test("rows that are left out are notes in the log, and in the state", async () => {
  const world = worldWith(`${table}\u001b[2J,,,\nmapmin,198.51.100.0/24,16,4\n`);
  expect(await setup(request(), world)).toBe(0);
  expect(world.done.filter((line) => line.startsWith("log note"))).toEqual([
    'log note rule rules: line 5, ruleIpv6Prefix: " [2J" has no length of 0 to 128 after a slash; this row is left out',
    'log note rule rules: line 6, ruleIpv6Prefix: "mapmin" has no length of 0 to 128 after a slash; this row is left out',
  ]);
});

test.each([
  ["no file", undefined, {}, `INVALID_OPTION","rules: there is no file ${path}`],
  [
    "two rules",
    table,
    { ipaddr: "192.0.2.0", ealen: 0 },
    'INVALID_OPTION","rules: is given together with ipaddr, ealen',
  ],
  ["no table", "{", {}, `INVALID_MAP_RULE","${path}: table: is not JSON`],
  [
    "a bad row",
    `${head}2001:db8::/40,192.0.2.0/24,99,4`,
    {},
    `INVALID_MAP_RULE","${path}: line 3, eaLength: \\"99\\" is not 0 to 48`,
  ],
  [
    "no row",
    `${head}2001:db9::/40,192.0.2.0/24,16,4`,
    {},
    `NO_MATCHING_PD","${path}: end-user prefix: no rule matches`,
  ],
])("%s: reported, and nothing is done", async (_title, text, config, said) => {
  const world = makeWorld();
  if (text !== undefined) world.files.set(path, text);
  expect(await setup(request(config), world)).toBe(1);
  const done = effects(world);
  expect(done.map((line) => line.split(" {")[0])).toEqual(["notify 6", "notify 3"]);
  expect(done[1]).toContain(said);
  expect(world.control).toBe("");
});

test("a file that cannot be read is named; a bug is not called one of the file", async () => {
  const unreadable = new EffectError(path, "is not a regular file");
  const world = makeWorld({ failing: new Map([["read rules", unreadable]]) });
  expect(await setup(request(), world)).toBe(1);
  expect(effects(world)[1]).toContain(`INVALID_OPTION","rules: ${path}: is not a regular file`);
  const bug = makeWorld({ failing: new Map([["read rules", new TypeError("ours")]]) });
  await expect(setup(request(), bug)).rejects.toThrow("ours");
});

test("without the option no table is read", async () => {
  const world = makeWorld({ failing: new Map([["read rules", new TypeError("read")]]) });
  expect(await setup({ action: "setup", iface: wanMap, config: {} }, world)).toBe(0);
});

test("the border relay that the doctor chose is used at setup and at a renewal, and told", async () => {
  const two = "2001:db8:ffff::2";
  const world = worldWith(table.replace("# br=2001:db8:ffff::1", `# br=2001:db8:ffff::1 ${two}`));
  await setup(request(), world);
  expect(world.control).toContain("remote.v6 2001:db8:ffff::1/128");
  world.files.set("/var/run/mapmin/wan_map.relay", two);
  expect(await renew(request(), world)).toBe(0);
  expect(world.control).toContain(`remote.v6 ${two}/128`);
  expect(decodeState(world.states.get("wan_map") ?? "")).toMatchObject({
    remarks: `border relay ${two} is used`,
  });
});
