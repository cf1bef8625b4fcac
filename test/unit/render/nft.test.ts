import { expect, test } from "vitest";
import { parseDeviceName } from "../../../src/ip/names.ts";
import type { NatPlan } from "../../../src/map/plan.ts";
import {
  natCounters,
  renderNft,
  renderNftClosed,
  renderNftDelete,
  renderNftRestore,
} from "../../../src/render/nft.ts";

const plan: NatPlan = {
  table: "mapmin_wan6",
  device: parseDeviceName("map-wan6", "device"),
  ipv4: { address: 0x6a483261, length: 32 },
  portSet: { offset: 4, psidLength: 8, psid: 100 },
  reservedPorts: [],
  mtu: 1480,
};

test.each([
  ["a table that ends the statement", { table: "x; flush ruleset" }],
  ["a table with a line break", { table: "x\nflush ruleset" }],
  ["no table", { table: "" }],
  ["a table beginning with a digit", { table: "4to6" }],
  ["a device with a quote", { device: 'a" drop' }],
  ["a device that is a pattern", { device: "map*" }],
  ["a device of 16 octets", { device: "map-aaaaaaaaaaaa" }],
  ["no device", { device: "" }],
  ["an MTU that leaves no MSS", { mtu: 40 }],
  ["an MTU that is no number", { mtu: Number.NaN }],
  ["an MTU beyond IPv4", { mtu: 65536 }],
])("refused: %s", (_title, change) => {
  expect(() => renderNft({ ...plan, ...change } as NatPlan)).toThrow(RangeError);
});

test("the table is replaced whole, and taken away whether it is there or not", () => {
  expect(renderNft(plan).split("\n").slice(0, 3)).toEqual([
    "add table ip mapmin_wan6",
    "delete table ip mapmin_wan6",
    "table ip mapmin_wan6 {",
  ]);
  expect(renderNftDelete("mapmin_wan6")).toBe("add table ip mapmin_wan6\ndelete table ip mapmin_wan6\n");
  expect(() => renderNftDelete("x; flush ruleset")).toThrow(RangeError);
});

test("every rule says whose it is, in a comment that nft takes", () => {
  const rules = renderNft(plan)
    .split("\n")
    .filter((line) => / (accept|drop|goto|jump|snat|set|map) .*comment /.test(line));
  expect(rules.length).toBeGreaterThan(40);
  for (const rule of rules) {
    const comment = / comment "(mapmin map-wan6: [^"]+)"$/.exec(rule)?.[1];
    expect(comment, rule).toBeDefined();
    expect(comment?.length).toBeLessThanOrEqual(128);
  }
});

test("every drop is counted by a counter that the table has", () => {
  const script = renderNft(plan);
  const drops = script.split("\n").filter((line) => line.includes(" drop comment"));
  for (const line of drops) expect(line).toMatch(/counter name "[a-z_]+" drop/);
  const used = new Set([...script.matchAll(/counter name "([a-z_]+)"/g)].map((match) => match[1]));
  expect([...used].sort()).toEqual(Object.keys(natCounters).sort());
});

test("both maps of a direction hold the whole set, and each other's inverse", () => {
  const script = renderNft(plan);
  const elements = (name: string) => {
    const body = new RegExp(`map ${name} \\{[^{]*\\{([^}]*)\\}`).exec(script)?.[1] ?? "";
    return [...body.matchAll(/(\d+) : (\d+)/g)].map(([, from, to]) => [Number(from), Number(to)] as const);
  };
  const out = elements("port_out");
  expect(out.length).toBe(240);
  // RFC 7597 App. B: the PSID lies in bits 4 to 11.
  for (const [, port] of out) expect((port >> 4) & 0xff).toBe(100);
  expect(elements("port_in")).toEqual(out.map(([block, port]) => [port, block]));
  expect(elements("id_out")).toEqual(out);
  expect(elements("id_in")).toEqual(elements("port_in"));
});

test("a set that is all reserved: NAT gives no port, and reserved ports keep their number", () => {
  const portSet = { offset: 0, psidLength: 12, psid: 0x123 };
  const reservedPorts = Array.from({ length: 16 }, (_, i) => 0x1230 + i);
  const script = renderNft({ ...plan, portSet, reservedPorts });
  const given = ["tcp", "udp"].map(
    (protocol) =>
      `\t\toifname "map-wan6" ip saddr 106.72.50.97 ${protocol} sport @kept_ports snat to 106.72.50.97:${protocol} sport comment "mapmin map-wan6: services of ours on reserved ports"`,
  );
  const hook = [
    "\t\ttype nat hook postrouting priority srcnat - 10; policy accept;",
    '\t\toifname "map-wan6" meta l4proto tcp ct timeout set "closed_tcp" comment "mapmin map-wan6: closed connections give their ports back"',
  ];
  expect(script).toContain(`\tchain translate {\n${[...hook, ...given].join("\n")}\n\t}\n`);
  expect(script).not.toContain("map port_out");
});

test("a set of no port is a set without elements", () => {
  // PSID 0 of 65,536 is port 0.
  const script = renderNft({ ...plan, portSet: { offset: 0, psidLength: 16, psid: 0 } });
  expect(script).toContain("\tset ports {\n\t\ttype inet_service\n\t\tflags interval\n\t}\n");
});

test("an address below 16.0.0.0 has its eight digits too", () => {
  expect(renderNft({ ...plan, ipv4: { address: 0x01020304, length: 32 } })).toContain(
    "@th,160,32 != 0x01020304",
  );
});

test("an address from 128.0.0.0 up stays an unsigned number", () => {
  const script = renderNft({ ...plan, ipv4: { address: 0xfffffffe, length: 32 } });
  expect(script).toContain("@th,160,32 != 0xfffffffe");
  expect(script).not.toContain("0x-");
});

test("what is refused is named", () => {
  const refused = (change: object) => () => renderNft({ ...plan, ...change } as NatPlan);
  expect(refused({ table: "4to6" })).toThrow('"4to6" is not the name of a table');
  expect(refused({ device: "a b" })).toThrow('"a b" is not the name of a device');
  expect(refused({ mtu: 67 })).toThrow("an MTU of 67 octets is not possible");
});

test("the least and the largest MTU of IPv4 are taken", () => {
  expect(refusedMtu(68)).toBe(false);
  expect(refusedMtu(67)).toBe(true);
  expect(refusedMtu(65_535)).toBe(false);
  expect(refusedMtu(65_536)).toBe(true);
});

function refusedMtu(mtu: number): boolean {
  try {
    renderNft({ ...plan, mtu });
    return false;
  } catch {
    return true;
  }
}

test("a device that is closed lets nothing out and nothing in", () => {
  expect(renderNftClosed("mapmin_wan6", plan.device)).toBe(`add table ip mapmin_wan6
delete table ip mapmin_wan6
table ip mapmin_wan6 {
\tcomment "mapmin: NAT into the port set of map-wan6"

\tchain closed_out {
\t\ttype filter hook postrouting priority 310; policy accept;
\t\toifname "map-wan6" drop comment "mapmin map-wan6: the interface is being taken down"
\t}

\tchain closed_in {
\t\ttype filter hook prerouting priority -310; policy accept;
\t\tiifname "map-wan6" drop comment "mapmin map-wan6: the interface is being taken down"
\t}

}
`);
  expect(() => renderNftClosed("a b", plan.device)).toThrow(RangeError);
});

test("a table that was listed comes back in the place of what has its name", () => {
  expect(renderNftRestore("x", "table ip x {\n}\n")).toBe(
    "add table ip x\ndelete table ip x\ntable ip x {\n}\n",
  );
});
