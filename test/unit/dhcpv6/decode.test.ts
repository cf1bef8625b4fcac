import { describe, expect, test } from "vitest";
import { decodeChain, type Findings } from "../../../src/dhcpv6/decode.ts";
import { meanings } from "../../../src/dhcpv6/meanings.ts";
import { fieldValue } from "../../../src/dhcpv6/node.ts";
import { optionTable } from "../../../src/dhcpv6/options.ts";
import { parseHex, Reader } from "../../../src/wire/reader.ts";

function decode(hex: string) {
  const findings: Findings = { errors: [], remarks: [] };
  return { ...decodeChain(new Reader(parseHex(hex), ""), "dhcpv6", findings), ...findings };
}

/** One container 95 around what is given. */
const mapT = (...options: string[]) => {
  const inner = options.join("");
  return `005f${(inner.length / 2).toString(16).padStart(4, "0")}${inner}`;
};
const dmr = "005b00094020010db8ffff0000";
const rule = "0059000d001018c00002002820010db800";

describe("what is wrong is reported with path and offset, and costs nothing else", () => {
  test.each([
    [
      "EA length 49",
      mapT(rule.replace("0059000d0010", "0059000d0031"), dmr),
      "S46_CONT_MAPT[0]/S46_RULE[0]/ea-len",
      9,
      "49 is not 0 to 48",
    ],
    [
      "IPv4 prefix length 33",
      mapT(rule.replace("001018", "001021"), dmr),
      "S46_CONT_MAPT[0]/S46_RULE[0]/prefix4-len",
      10,
      "33 is not 0 to 32",
    ],
    [
      "IPv6 prefix length 129",
      mapT(rule.replace("0028", "0081"), dmr),
      "S46_CONT_MAPT[0]/S46_RULE[0]/ipv6-prefix-len",
      15,
      "129 is not 0 to 128",
    ],
    [
      "prefix cut short",
      mapT("0059000b001018c00002002820010d", dmr),
      "S46_CONT_MAPT[0]/S46_RULE[0]/ipv6-prefix",
      16,
      "truncated: 5 octets needed, 3 left",
    ],
    [
      "port parameters beyond 16 bits",
      mapT("00590015001018c00002002820010db800005d00040a070000", dmr),
      "S46_CONT_MAPT[0]/S46_RULE[0]/S46_PORTPARAMS[0]/psid-len",
      26,
      "exceeds 16 bits",
    ],
    [
      "offset 16",
      mapT("00590015001018c00002002820010db800005d000410000000", dmr),
      "S46_CONT_MAPT[0]/S46_RULE[0]/S46_PORTPARAMS[0]/offset",
      25,
      "16 is not 0 to 15",
    ],
    [
      "a PSID that fits neither way",
      mapT("00590015001018c00002002820010db800005d000404087fff", dmr),
      "S46_CONT_MAPT[0]/S46_RULE[0]/S46_PORTPARAMS[0]/psid",
      27,
      "is not a PSID of 8 bits",
    ],
  ] as const)("%s", (_title, hex, path, offset, reason) => {
    const { errors, options } = decode(hex);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ path, offset });
    expect(errors[0]?.reason).toContain(reason);
    expect(options[0]?.options.map((option) => option.row.name)).toContain("S46_DMR");
  });

  test("a DMR of a length that RFC 6052 does not have", () => {
    expect(decode(mapT(rule, "005b0006" + "2820010db800")).errors).toEqual([]);
    expect(decode(mapT(rule, "005b0006" + "2420010db800")).errors[0]?.reason).toContain("36 is not one of");
  });

  test("an option that reaches beyond its container ends the series there", () => {
    const { errors, options } = decode(`${mapT(rule, dmr)}005e00ff00`);
    expect(errors[0]).toMatchObject({ path: "S46_CONT_MAPE[0]/option-len", offset: 38 });
    expect(options).toHaveLength(1);
  });

  test("options that are not ours are kept as they came", () => {
    const { unknown, options } = decode(`00170010${"00".repeat(16)}${mapT(rule, dmr)}`);
    expect(unknown).toEqual([{ code: 23, offset: 0, octets: new Uint8Array(16) }]);
    expect(options).toHaveLength(1);
  });

  test("nesting is bounded by the table, whatever the depth of the input", () => {
    let hex = "";
    for (let i = 0; i < 500; i++) {
      const value = `20c0000201000000${hex}`;
      hex = `4202${(value.length / 2).toString(16).padStart(4, "0")}${value}`;
    }
    const { errors, options } = decode(`beef${((hex.length + 2) / 2).toString(16).padStart(4, "0")}00${hex}`);
    expect(errors).toEqual([]);
    expect(options[0]?.options[0]?.unknown).toHaveLength(1);
  });
});

describe("what servers get wrong is forgiven and reported", () => {
  test("a right-aligned PSID", () => {
    const { remarks, options } = decode(mapT("00590015001018c00002002820010db800005d000404080034", dmr));
    expect(remarks).toEqual([expect.objectContaining({ code: "right-aligned-psid", offset: 27 })]);
    const params = options[0]?.options[0]?.options[0];
    expect(params && fieldValue(params, "port-params")).toEqual({ offset: 4, psidLength: 8, psid: 0x34 });
  });

  test("k = 0: the PSID is ignored, the offset kept", () => {
    const { remarks, options } = decode(mapT("00590015001018c00002002820010db800005d00040a00ffff", dmr));
    expect(remarks).toEqual([]);
    const params = options[0]?.options[0]?.options[0];
    expect(params && fieldValue(params, "port-params")).toEqual({ offset: 10, psidLength: 0, psid: 0 });
  });

  test("padding that is not zero is not skipped", () => {
    expect(decode(mapT("0059000f001018c00002002820010db8000001", dmr)).errors).not.toEqual([]);
  });
});

test("every row has names and meanings of its own", () => {
  for (const row of optionTable) {
    const names = row.fields.map((field) => field.name);
    expect(new Set(names).size).toBe(names.length);
    for (const field of row.fields) expect(meanings[field.name]).not.toBe("");
  }
});
