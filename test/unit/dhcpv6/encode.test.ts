import { describe, expect, test } from "vitest";
import { decodeChain, type Findings } from "../../../src/dhcpv6/decode.ts";
import { encodeChain, encodeValue } from "../../../src/dhcpv6/encode.ts";
import type { FieldValue } from "../../../src/dhcpv6/node.ts";
import type { Field } from "../../../src/dhcpv6/options.ts";
import { parseHex, Reader } from "../../../src/wire/reader.ts";

/** A field of each kind of the table. */
const fields: Readonly<Record<Field["kind"], Field>> = {
  flag: { kind: "flag", name: "F" },
  uint8: { kind: "uint8", name: "ea-len", high: 48 },
  uint32: { kind: "uint32", name: "enterprise-number" },
  ipv4: { kind: "ipv4", name: "ipv4-prefix" },
  ipv6: { kind: "ipv6", name: "br-ipv6-address" },
  prefix6: { kind: "prefix6", name: "ipv6-prefix" },
  "port-params": { kind: "port-params", name: "port-params" },
  "uint16-list": { kind: "uint16-list", name: "option-codes" },
};

/** The octets of an option with one field of that kind. */
function written(kind: Field["kind"], value: FieldValue): string {
  const field = fields[kind];
  const row = { code: 1, name: "TEST", space: [], fields: [field], clause: "" };
  return Buffer.from(encodeValue({ row, fields: [{ name: field.name, value }] })).toString("hex");
}

const number = 7;
const address = 0x20010db8_00000000_00000000_00000001n;
const prefix = { address: 0x20010db8_12000000_00000000_00000000n, length: 40 };
const portParams = { offset: 4, psidLength: 8, psid: 0x34 };
const codes = [94, 95];
const values: readonly FieldValue[] = [number, true, address, prefix, portParams, codes];

describe("each kind of field", () => {
  test.each<[kind: Field["kind"], octets: string, value: FieldValue]>([
    ["flag", "01", true],
    ["flag", "00", false],
    ["uint8", "07", number],
    ["uint32", "9f3c0102", 0x9f3c0102],
    ["ipv4", "c0000212", 0xc0000212],
    ["ipv6", "20010db8000000000000000000000001", address],
    ["prefix6", "2820010db812", prefix],
    ["prefix6", "2920010db81200", { ...prefix, length: 41 }],
    ["prefix6", "00", { address: 0n, length: 0 }],
    ["port-params", "04083400", portParams],
    ["port-params", "0010abcd", { offset: 0, psidLength: 16, psid: 0xabcd }],
    ["port-params", "06000000", { offset: 6, psidLength: 0, psid: 0 }],
    ["uint16-list", "005e005f", codes],
    ["uint16-list", "", []],
  ])("%s: %s", (kind, octets, value) => {
    expect(written(kind, value)).toBe(octets);
  });

  test.each<[kind: Field["kind"], fits: FieldValue]>([
    ["uint8", number],
    ["uint32", number],
    ["ipv4", number],
    ["ipv6", address],
    ["prefix6", prefix],
    ["port-params", portParams],
    ["uint16-list", codes],
  ])("%s with the value of another kind is a bug of ours, which names the field", (kind, fits) => {
    const { name } = fields[kind];
    for (const value of values) {
      if (value === fits) continue;
      expect(() => written(kind, value)).toThrow(new TypeError(`${name} cannot hold ${String(value)}`));
    }
  });

  test("a number that is too large for its field", () => {
    expect(() => written("uint8", 256)).toThrow(new RangeError("256 does not fit 1 octets"));
  });
});

const rule48879 = "18 c0000200 10 01 2820010db800 4204 0004 04083400";

describe("what was received is written again, octet by octet", () => {
  test.each([
    ["codes", "006f0004 005f005e"],
    ["48879, with an unknown option inside", `beef0020 01 42020015 ${rule48879} 00630002abcd`],
    [
      "a container, with an unknown option inside",
      "005f0016 0059000d 00 10 18 c0000200 2820010db800 0064 0001 ff",
    ],
    ["the vendor's form", "00110009 00001234 43210001 ff"],
    ["an option without value", "00630000"],
  ])("%s", (_, text) => {
    const digits = text.replaceAll(" ", "");
    const findings: Findings = { errors: [], remarks: [] };
    const { options, unknown } = decodeChain(new Reader(parseHex(digits), ""), "dhcpv6", findings);
    expect(Buffer.from(encodeChain(options, unknown)).toString("hex")).toBe(digits);
  });

  test("options without others", () => {
    expect(encodeChain([])).toEqual(new Uint8Array());
  });
});
