import { describe, expect, test } from "vitest";
import { meanings } from "../../../src/dhcpv6/meanings.ts";
import { findRow, optionTable, tableRow } from "../../../src/dhcpv6/options.ts";

/** The options as their documents draw them, field by field in the order of the wire. */
const documents: readonly (readonly [
  clause: string,
  code: number,
  name: string,
  places: string,
  fields: string,
])[] = [
  [
    "RFC 7598 s4.1",
    89,
    "S46_RULE",
    "s46-container > s46-rule",
    "flag F; uint8 ea-len 0..48; uint8 prefix4-len 0..32; ipv4 ipv4-prefix; prefix6 ipv6-prefix",
  ],
  ["RFC 7598 s4.2", 90, "S46_BR", "s46-container", "ipv6 br-ipv6-address"],
  ["RFC 7598 s4.3", 91, "S46_DMR", "s46-container", "prefix6 dmr-ipv6-prefix 32,40,48,56,64,96"],
  [
    "RFC 7598 s4.4",
    92,
    "S46_V4V6BIND",
    "s46-container > s46-rule",
    "ipv4 ipv4-address; prefix6 bind-ipv6-prefix",
  ],
  ["RFC 7598 s4.5", 93, "S46_PORTPARAMS", "s46-rule", "port-params port-params"],
  ["RFC 7598 s5.1", 94, "S46_CONT_MAPE", "dhcpv6 > s46-container", ""],
  ["RFC 7598 s5.2", 95, "S46_CONT_MAPT", "dhcpv6 > s46-container", ""],
  ["RFC 7598 s5.3", 96, "S46_CONT_LW", "dhcpv6 > s46-container", ""],
  ["RFC 8026 s1.4.1", 111, "S46_PRIORITY", "dhcpv6", "uint16-list option-codes"],
  ["draft-ietf-softwire-map-dhcp-03 s4", 48879, "OPTION_48879", "dhcpv6 > option-48879", "flag E"],
  [
    "draft-ietf-softwire-map-dhcp-03 s4.2",
    0x4202,
    "MAP_RULE",
    "option-48879 > rule-48879",
    "uint8 prefix4-len 0..32; ipv4 ipv4-prefix; uint8 ea-len 0..48; flag F; prefix6 ipv6-prefix",
  ],
  ["draft-ietf-softwire-map-dhcp-03 s4.3", 0x4203, "MAP_DMR", "option-48879 > far-end", "prefix6 dmr"],
  [
    "draft-ietf-softwire-map-dhcp-03 s4.4",
    0x4204,
    "MAP_PORTPARAMS",
    "option-48879, rule-48879",
    "port-params port-params",
  ],
  [
    "draft-ietf-softwire-map-dhcp-03; RFC 8415 s21.17",
    17,
    "VENDOR_OPTS",
    "dhcpv6 > option-48879",
    "uint32 enterprise-number",
  ],
];

describe("the option table", () => {
  test.each(documents)("%s: option %i, %s", (clause, code, name, places, fields) => {
    const row = optionTable.find((candidate) => candidate.name === name);
    expect(row).toMatchObject({ clause, code });
    const inside = row?.encapsulates === undefined ? "" : ` > ${row.encapsulates}`;
    expect(`${row?.space.join(", ")}${inside}`).toBe(places);
    const laidOut = row?.fields.map((field) =>
      [
        field.kind,
        field.name,
        ...("high" in field ? [`0..${field.high}`] : []),
        ...("lengths" in field ? [field.lengths?.join()] : []),
      ].join(" "),
    );
    expect(laidOut?.join("; ")).toBe(fields);
  });

  test("has no other row, and each row where its code stands", () => {
    expect(optionTable.map((row) => row.name).sort()).toEqual(documents.map(([, , name]) => name).sort());
    for (const row of optionTable) for (const space of row.space) expect(findRow(space, row.code)).toBe(row);
    expect(findRow("s46-container", 95)).toBeUndefined();
    expect(findRow("dhcpv6", 89)).toBeUndefined();
    expect(tableRow("dhcpv6", 95)).toBe(findRow("dhcpv6", 95));
    expect(() => tableRow("dhcpv6", 89)).toThrow(new TypeError("the table has no row for 89"));
  });

  test("says of each field what it is, in words", () => {
    const said = Object.fromEntries(
      optionTable.flatMap((row) =>
        row.fields.map((field) => [`${row.name} ${field.name}`, meanings[field.name]]),
      ),
    );
    expect(said).toEqual({
      "OPTION_48879 E": "set: encapsulation (MAP-E); clear: translation (MAP-T)",
      "MAP_RULE prefix4-len": "length of the rule's IPv4 prefix",
      "MAP_RULE ipv4-prefix": "the rule's IPv4 prefix",
      "MAP_RULE ea-len": "EA bits: how many bits of the end-user prefix carry IPv4 address and PSID",
      "MAP_RULE F": "set: the rule is also a forwarding mapping rule (FMR)",
      "MAP_RULE ipv6-prefix": "the rule's IPv6 prefix",
      "MAP_DMR dmr": "MAP-T: the DMR prefix; MAP-E: the border relay's address, a /128",
      "MAP_PORTPARAMS port-params": "PSID offset a, PSID length k, and the PSID",
      "S46_RULE F": "set: the rule is also a forwarding mapping rule (FMR)",
      "S46_RULE ea-len": "EA bits: how many bits of the end-user prefix carry IPv4 address and PSID",
      "S46_RULE prefix4-len": "length of the rule's IPv4 prefix",
      "S46_RULE ipv4-prefix": "the rule's IPv4 prefix",
      "S46_RULE ipv6-prefix": "the rule's IPv6 prefix",
      "S46_BR br-ipv6-address": "the border relay's address",
      "S46_DMR dmr-ipv6-prefix": "the DMR prefix",
      "S46_V4V6BIND ipv4-address": "the CE's IPv4 address",
      "S46_V4V6BIND bind-ipv6-prefix": "the prefix the CE's tunnel address lies in",
      "S46_PORTPARAMS port-params": "PSID offset a, PSID length k, and the PSID",
      "S46_PRIORITY option-codes": "containers in the provider's order of preference",
      "VENDOR_OPTS enterprise-number": "who defined what follows",
    });
  });
});
