import { expect, test } from "vitest";
import { parseDeviceName } from "../../../src/ip/names.ts";
import type { NatPlan } from "../../../src/map/plan.ts";
import { checkLoaded, parseTable } from "../../../src/render/readback.ts";
import { InputError } from "../../../src/wire/errors.ts";

const plan: NatPlan = {
  table: "mapmin_wan6",
  device: parseDeviceName("map-wan6", "device"),
  ipv4: { address: 0xc0000212, length: 32 },
  portSet: { offset: 4, psidLength: 10, psid: 1 },
  reservedPorts: [],
  mtu: 1480,
};

const own = { family: "ip", table: "mapmin_wan6" };
const map = (name: string, size: number) => ({
  map: {
    ...own,
    name,
    type: "inet_service",
    map: "inet_service",
    elem: Array.from({ length: size }, (_, i) => [i, i]),
  },
});
const chain = (name: string) => ({ chain: { ...own, name, handle: 1 } });
const rule = (of: string, expr: readonly object[] = []) => ({ rule: { ...own, chain: of, handle: 2, expr } });
const chains = ["translate", "incoming", "guard", "rewrite"].flatMap((name) => [chain(name), rule(name)]);
// a = 4, k = 10: 15 ranges of 4 ports.
const maps = ["port_out", "id_out", "port_in", "id_in"].map((name) => map(name, 60));

const text = (objects: readonly unknown[]) => JSON.stringify({ nftables: [{ metainfo: {} }, ...objects] });

test("a table loaded whole has no fault, whatever other tables hold", () => {
  const other = { map: { family: "inet", table: "fw4", name: "port_out", elem: [] } };
  expect(checkLoaded(plan, parseTable(text([...chains, ...maps, other]), plan.table))).toEqual([]);
});

test.each([
  [
    "a map too short",
    [...chains, ...maps.slice(1), map("port_out", 59)],
    ["map port_out holds 59 of 60 ports"],
  ],
  ["a map missing", [...chains, ...maps.slice(0, 3)], ["map id_in holds 0 of 60 ports"]],
  ["the guard missing", [...chains.slice(0, 4), ...maps], ["chain guard is missing"]],
  [
    "nft flush chain",
    [...chains.filter((object) => !("rule" in object && object.rule.chain === "guard")), ...maps],
    ["chain guard has no rules"],
  ],
  [
    "nft flush table",
    [...["translate", "incoming", "guard"].map(chain), ...maps],
    ["chain translate has no rules", "chain incoming has no rules", "chain guard has no rules"],
  ],
])("fault: %s", (_title, objects, faults) => {
  expect(checkLoaded(plan, parseTable(text(objects), plan.table))).toEqual(faults);
});

test("a set of one range has no maps", () => {
  const single = { ...plan, portSet: { offset: 0, psidLength: 8, psid: 52 } };
  expect(checkLoaded(single, parseTable(text(chains), plan.table))).toEqual([]);
  expect(checkLoaded(single, parseTable(text([...chains, map("id_in", 60)]), plan.table))).toEqual([
    "map id_in holds 60 of 0 ports",
  ]);
});

test("counters by name, those that are ours", () => {
  const counter = (name: string, packets: unknown) => ({
    counter: { ...own, name, packets, bytes: 120, handle: 3 },
  });
  const { counters } = parseTable(
    text([counter("out_port", 3), counter("toString", 1), counter("mine", 2)]),
    plan.table,
  );
  expect([...counters]).toEqual([["out_port", { packets: 3, bytes: 120 }]]);
});

test("objects of other tables, and of other families, are passed over", () => {
  const elsewhere = [
    { chain: { family: "ip", table: "other", name: "guard" } },
    { chain: { family: "inet", table: plan.table, name: "guard" } },
    { chain: "guard" },
    { map: { ...own, name: "no_elements" } },
  ];
  const { chains: found, maps: sizes } = parseTable(text(elsewhere), plan.table);
  expect([...found]).toEqual([]);
  expect([...sizes]).toEqual([["no_elements", 0]]);
});

test("a set that is all reserved has no block and no maps to check", () => {
  const reservedPorts = Array.from({ length: 65_535 }, (_, i) => i + 1);
  const all = { ...plan, portSet: { offset: 0, psidLength: 8, psid: 52 }, reservedPorts };
  expect(checkLoaded(all, parseTable(text(chains), plan.table))).toEqual([]);
});

test.each([
  ["nothing", "", "what it printed is not JSON"],
  ["no JSON", "Error: No such file or directory", "what it printed is not JSON"],
  ["a list", "[]", "what it printed has no list `nftables`"],
  ["null", "null", "what it printed has no list `nftables`"],
  ["nftables is no list", '{"nftables":{}}', "what it printed has no list `nftables`"],
  ["an object that is none", '{"nftables":[null]}', "an entry of its list is not an object"],
  ["a rule without chain", JSON.stringify({ nftables: [{ rule: { ...own } }] }), "a rule has no name"],
  ["a map without name", JSON.stringify({ nftables: [{ map: { ...own } }] }), "a map has no name"],
  ["a negative counter", counterText(-1, 0), "packets of in_port is not a whole number"],
  ["a counter that is a text", counterText("1", 0), "packets of in_port is not a whole number"],
  ["a counter that is no whole number", counterText(0, 0.5), "bytes of in_port is not a whole number"],
])("refused: %s", (_title, printed, message) => {
  expect(() => parseTable(printed, plan.table)).toThrow(new InputError("nft", message));
});

function counterText(packets: unknown, bytes: unknown): string {
  return JSON.stringify({ nftables: [{ counter: { ...own, name: "in_port", packets, bytes } }] });
}
