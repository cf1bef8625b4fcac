/**
 * THE option table: every MAP option of DHCPv6 is a row. Decoding, encoding, `explain` and the documents read it.
 */

/**
 * Where an option is valid: at the top of a message, or inside another option. No option is valid inside a `far-end`, which a
 * DMR or a border relay is.
 */
export type Space = "dhcpv6" | "option-48879" | "rule-48879" | "s46-container" | "s46-rule" | "far-end";

/** The fields' names. What each means is said in meanings.ts, which the handler does without. */
export type FieldName =
  | "E"
  | "F"
  | "bind-ipv6-prefix"
  | "br-ipv6-address"
  | "dmr"
  | "dmr-ipv6-prefix"
  | "ea-len"
  | "enterprise-number"
  | "ipv4-address"
  | "ipv4-prefix"
  | "ipv6-prefix"
  | "option-codes"
  | "port-params"
  | "prefix4-len";

/** A field, as it is laid out on the wire. */
export type Field =
  /** One octet, 0 to `high`. */
  | {
      readonly kind: "uint8";
      readonly name: FieldName;
      readonly high: number;
    }
  /** Two octets each, to the end of the option. */
  | { readonly kind: "uint16-list"; readonly name: FieldName }
  /** Four octets, a number. */
  | { readonly kind: "uint32"; readonly name: FieldName }
  /** One octet, of which the least significant bit is the flag; the others are ignored and written as 0. */
  | { readonly kind: "flag"; readonly name: FieldName }
  /** Four octets. */
  | { readonly kind: "ipv4"; readonly name: FieldName }
  /** Sixteen octets. */
  | { readonly kind: "ipv6"; readonly name: FieldName }
  /** A length octet and as many whole octets as it needs; `lengths` lists the legal ones where not all are. */
  | {
      readonly kind: "prefix6";
      readonly name: FieldName;
      readonly lengths?: typeof RFC6052_LENGTHS;
    }
  /** Offset, PSID length, and the PSID in two octets, left-aligned. */
  | { readonly kind: "port-params"; readonly name: FieldName };

export interface OptionRow {
  readonly code: number;
  readonly name: string;
  readonly space: readonly Space[];
  readonly fields: readonly Field[];
  /** The space of the options inside, when there are any. */
  readonly encapsulates?: Space;
  /** The clause that defines it. */
  readonly clause: string;
}

/** Most EA bits (RFC 7598 s4.1). */
export const EA_LENGTH_LIMIT = 48;

/** The lengths of an RFC 6052 prefix (s2.2). */
const RFC6052_LENGTHS: readonly number[] = [32, 40, 48, 56, 64, 96];

/** Why a DMR of MAP-T cannot have this length; undefined for one that it can have. */
export function refuseDmrLength(length: number): string | undefined {
  if (RFC6052_LENGTHS.includes(length)) return undefined;
  return `/${length} is not one of /${RFC6052_LENGTHS.join(", /")} (RFC 6052 s2.2)`;
}

const eaLength: Field = {
  kind: "uint8",
  name: "ea-len",
  high: EA_LENGTH_LIMIT,
};
const prefix4Length: Field = {
  kind: "uint8",
  name: "prefix4-len",
  high: 32,
};
const prefix4: Field = { kind: "ipv4", name: "ipv4-prefix" };
const prefix6: Field = { kind: "prefix6", name: "ipv6-prefix" };
const forward: Field = { kind: "flag", name: "F" };
const portParams: Field = {
  kind: "port-params",
  name: "port-params",
};

/** A clause of the draft of option 48879. */
const draft = (clause: string) => `draft-ietf-softwire-map-dhcp-03${clause}`;

/** The experimental option. */
export const CODE_48879 = 48_879;

/** One row: what {@link OptionRow} says of an option, the space of the options inside last. */
function row(
  code: number,
  name: string,
  space: readonly Space[],
  fields: readonly Field[],
  clause: string,
  encapsulates?: Space,
): OptionRow {
  return { code, name, space, fields, clause, ...(encapsulates && { encapsulates }) };
}

export const optionTable: readonly OptionRow[] = [
  row(CODE_48879, "OPTION_48879", ["dhcpv6"], [{ kind: "flag", name: "E" }], draft(" s4"), "option-48879"),
  row(
    0x4202,
    "MAP_RULE",
    ["option-48879"],
    [prefix4Length, prefix4, eaLength, forward, prefix6],
    draft(" s4.2"),
    "rule-48879",
  ),
  row(0x4203, "MAP_DMR", ["option-48879"], [{ kind: "prefix6", name: "dmr" }], draft(" s4.3"), "far-end"),
  row(0x4204, "MAP_PORTPARAMS", ["option-48879", "rule-48879"], [portParams], draft(" s4.4")),
  row(
    89,
    "S46_RULE",
    ["s46-container"],
    [forward, eaLength, prefix4Length, prefix4, prefix6],
    "RFC 7598 s4.1",
    "s46-rule",
  ),
  row(90, "S46_BR", ["s46-container"], [{ kind: "ipv6", name: "br-ipv6-address" }], "RFC 7598 s4.2"),
  row(
    91,
    "S46_DMR",
    ["s46-container"],
    [{ kind: "prefix6", name: "dmr-ipv6-prefix", lengths: RFC6052_LENGTHS }],
    "RFC 7598 s4.3",
  ),
  row(
    92,
    "S46_V4V6BIND",
    ["s46-container"],
    [
      { kind: "ipv4", name: "ipv4-address" },
      { kind: "prefix6", name: "bind-ipv6-prefix" },
    ],
    "RFC 7598 s4.4",
    "s46-rule",
  ),
  row(93, "S46_PORTPARAMS", ["s46-rule"], [portParams], "RFC 7598 s4.5"),
  row(94, "S46_CONT_MAPE", ["dhcpv6"], [], "RFC 7598 s5.1", "s46-container"),
  row(95, "S46_CONT_MAPT", ["dhcpv6"], [], "RFC 7598 s5.2", "s46-container"),
  row(96, "S46_CONT_LW", ["dhcpv6"], [], "RFC 7598 s5.3", "s46-container"),
  row(111, "S46_PRIORITY", ["dhcpv6"], [{ kind: "uint16-list", name: "option-codes" }], "RFC 8026 s1.4.1"),
  // The vendor form of option 48879: no flags octet, always MAP-T.
  row(
    17,
    "VENDOR_OPTS",
    ["dhcpv6"],
    [{ kind: "uint32", name: "enterprise-number" }],
    draft("; RFC 8415 s21.17"),
    "option-48879",
  ),
];

/** The row of a code that the table has. @throws TypeError when it has none, which is a bug */
export function tableRow(space: Space, code: number): OptionRow {
  const row = findRow(space, code);
  if (row === undefined) throw new TypeError(`the table has no row for ${code}`);
  return row;
}

const portParamsRows = optionTable.filter(({ fields }) => fields.includes(portParams));

/** The row of a code that stands for port parameters, in whatever space; undefined for another code. */
export function portParamsRow(code: number): OptionRow | undefined {
  return portParamsRows.find((row) => row.code === code);
}

/** True where port parameters are valid. */
export function holdsPortParams(space: Space): boolean {
  return portParamsRows.some((row) => row.space.includes(space));
}

/** The row of a code in a space; undefined for an option that we do not know. */
export function findRow(space: Space, code: number): OptionRow | undefined {
  return optionTable.find((row) => row.code === code && row.space.includes(space));
}
