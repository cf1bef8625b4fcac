import { describe, expect, test } from "vitest";
import { decodeChain, type Findings } from "../../../src/dhcpv6/decode.ts";
import { summarizeErrors, summarizeRemarks } from "../../../src/dhcpv6/findings.ts";
import { fieldValue, isPortParams, isPrefix, type OptionNode } from "../../../src/dhcpv6/node.ts";
import type { Space } from "../../../src/dhcpv6/options.ts";
import { DecodeError } from "../../../src/wire/errors.ts";
import { parseHex, Reader } from "../../../src/wire/reader.ts";

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
/** Code, length and value of an option, in hexadecimal digits. */
const option = (code: number, value: string) => `${hex(code, 4)}${hex(value.length / 2, 4)}${value}`;

function decode(text: string, space: Space = "dhcpv6") {
  const findings: Findings = { errors: [], remarks: [] };
  return { ...decodeChain(new Reader(parseHex(text), ""), space, findings), ...findings };
}

/** An option as lines: where it lies, its fields as text with their places, and what is inside it. */
function lines(node: OptionNode): string[] {
  return [
    `${node.path} ${node.offset}+${node.length}`,
    ...node.fields.map((field) => `  ${field.name} ${field.text} ${field.offset}+${field.length}`),
    ...node.options.flatMap(lines),
    ...node.unknown.map(({ code, offset, octets }) => `  unknown ${code} ${offset}+${octets.length}`),
    ...(node.lostPortParams === undefined ? [] : [`  lost ${node.lostPortParams.path}`]),
  ];
}
const tree = (text: string) => decode(text).options.flatMap(lines);
const errors = (text: string) => decode(text).errors.map((error) => `${error.path} ${error.offset}`);

const rule = "001018c00002002820010db800";
const dmr = option(91, "4020010db8ffff0000");
const portParams = (offset: number, length: number, psid: number) =>
  option(93, `${hex(offset, 2)}${hex(length, 2)}${hex(psid, 4)}`);
/** The port parameters that a rule inside a container decodes to, with what was remarked and what was wrong. */
function params(offset: number, length: number, psid: number) {
  const found = decode(option(95, option(89, rule + portParams(offset, length, psid)) + dmr));
  const node = found.options[0]?.options[0]?.options[0];
  return node === undefined
    ? found.errors.map(({ reason }) => reason)
    : [fieldValue(node, "port-params"), ...found.remarks.map(({ text }) => text)];
}

describe("an option becomes a tree with texts and places", () => {
  test("48879: E, rule, port parameters, DMR", () => {
    const inside =
      option(0x4202, `18c0000200100128${"20010db800"}${option(0x4204, "04083400")}`) +
      option(0x4203, "8020010db8ffff00000000000000000001");
    expect(tree(option(48879, `01${inside}`))).toEqual([
      "OPTION_48879[0] 4+47",
      "  E set 4+1",
      "OPTION_48879[0]/MAP_RULE[0] 9+21",
      "  prefix4-len 24 9+1",
      "  ipv4-prefix 192.0.2.0 10+4",
      "  ea-len 16 14+1",
      "  F set 15+1",
      "  ipv6-prefix 2001:db8::/40 16+6",
      "OPTION_48879[0]/MAP_RULE[0]/MAP_PORTPARAMS[0] 26+4",
      "  port-params offset 4, PSID length 8, PSID 52 (0x34) 26+4",
      "OPTION_48879[0]/MAP_DMR[0] 34+17",
      "  dmr 2001:db8:ffff::1/128 34+17",
    ]);
  });

  test("96: address and prefix bound to it, a border relay, and options of others", () => {
    const bind = option(92, `c00002125020010db8001234000000${option(23, "ff")}`);
    const relay = option(90, "20010db8ffff00000000000000000001");
    expect(tree(option(96, relay + option(7, "aabb") + bind))).toEqual([
      "S46_CONT_LW[0] 4+50",
      "S46_CONT_LW[0]/S46_BR[0] 8+16",
      "  br-ipv6-address 2001:db8:ffff::1 8+16",
      "S46_CONT_LW[0]/S46_V4V6BIND[0] 34+20",
      "  ipv4-address 192.0.2.18 34+4",
      "  bind-ipv6-prefix 2001:db8:12:3400::/80 38+11",
      "  unknown 23 49+1",
      "  unknown 7 24+2",
    ]);
  });

  test("a flag that is clear, and other bits of its octet, which mean nothing", () => {
    const forwards = (octet: string) =>
      tree(option(94, option(89, `${octet}${rule.slice(2)}`))).filter((line) => line.startsWith("  F"));
    expect(forwards("00")).toEqual(["  F clear 8+1"]);
    expect(forwards("fe")).toEqual(["  F clear 8+1"]);
    expect(forwards("ff")).toEqual(["  F set 8+1"]);
  });

  test("111: codes in order; 17: who defined what follows", () => {
    expect(tree(option(111, "005f005e0060"))).toEqual([
      "S46_PRIORITY[0] 4+6",
      "  option-codes 95, 94, 96 4+6",
    ]);
    expect(tree(option(111, ""))).toEqual(["S46_PRIORITY[0] 4+0", "  option-codes  4+0"]);
    expect(errors(option(111, "005f00"))).toEqual(["S46_PRIORITY[0]/option-codes 6"]);
    expect(tree(option(17, `00000009${option(1, "")}`))).toEqual([
      "VENDOR_OPTS[0] 4+8",
      "  enterprise-number 9 4+4",
      "  unknown 1 8+0",
    ]);
  });

  test("several of one kind are numbered", () => {
    expect(tree(option(94, dmr + dmr)).filter((line) => line.startsWith("S46_CONT_MAPE[0]/"))).toEqual([
      "S46_CONT_MAPE[0]/S46_DMR[0] 8+9",
      "S46_CONT_MAPE[0]/S46_DMR[1] 21+9",
    ]);
  });

  test("bits of a rule's prefix behind its length are cleared", () => {
    const field = decode(
      option(94, option(89, "001018c00002002420010db8ff")),
    ).options[0]?.options[0]?.fields.at(-1);
    expect(field?.value).toEqual({ address: 0x20010db8f0000000_0000000000000000n, length: 36 });
  });

  test("an error that the octets did not cause goes up as it is", () => {
    const reader = new Reader(parseHex(dmr), "");
    const bug = new TypeError("a bug");
    reader.slice = () => {
      throw bug;
    };
    const findings: Findings = { errors: [], remarks: [] };
    expect(() => decodeChain(reader, "s46-container", findings)).toThrow(bug);
    expect(findings.errors).toEqual([]);
  });

  test("a field that the row does not have is a bug", () => {
    const [node] = decode(option(111, "")).options;
    expect(() => node && fieldValue(node, "psid")).toThrow(new RangeError("S46_PRIORITY has no field psid"));
  });

  test("values are told apart by their shape", () => {
    const prefix = { address: 0n, length: 0 };
    const portSet = { offset: 0, psidLength: 0, psid: 0 };
    const others = [0, true, 0n, [1]];
    expect([prefix, portSet, ...others].map(isPrefix)).toEqual([true, false, false, false, false, false]);
    expect([prefix, portSet, ...others].map(isPortParams)).toEqual([false, true, false, false, false, false]);
  });
});

describe("what is cut short is reported where it ends", () => {
  const whole = `00${"10"}18c00002002820010db800`;
  test.each([
    [0, "F 8"],
    [1, "ea-len 9"],
    [2, "prefix4-len 10"],
    [3, "ipv4-prefix 11"],
    [6, "ipv4-prefix 11"],
    [7, "ipv6-prefix-len 15"],
    [8, "ipv6-prefix 16"],
    [12, "ipv6-prefix 16"],
  ])("a rule of %i octets", (octets, place) => {
    expect(errors(option(94, option(89, whole.slice(0, 2 * octets))))).toEqual([
      `S46_CONT_MAPE[0]/S46_RULE[0]/${place}`,
    ]);
  });

  test.each([
    ["", "offset 25"],
    ["04", "psid-len 26"],
    ["0408", "psid 27"],
    ["040834", "psid 27"],
  ])("port parameters of the octets '%s'", (octets, place) => {
    const found = decode(option(94, option(89, rule + option(93, octets))));
    expect(found.errors.map(({ path, offset }) => `${path} ${offset}`)).toEqual([
      `S46_CONT_MAPE[0]/S46_RULE[0]/S46_PORTPARAMS[0]/${place}`,
    ]);
    expect(found.options[0]?.options[0]?.lostPortParams).toBe(found.errors[0]);
  });

  test("octets left over where no options are inside", () => {
    const found = decode(option(94, option(90, `${"20010db8ffff00000000000000000001"}0005`)));
    expect(found.errors[0]).toMatchObject({
      path: "S46_CONT_MAPE[0]/S46_BR[0]",
      offset: 24,
      reason: "2 octets are left over",
    });
  });

  test.each([
    ["one to three zero octets at the end are padding, and hide no option", "000000", "option-len 2", false],
    ["one zero octet", "00", "option-code 0", false],
    ["other octets may be the start of any option", "005f", "option-len 2", true],
    ["three octets, the last not zero", "000001", "option-len 2", true],
    ["a length beyond the end, of an unknown option", "00170001", "option 23[0]/option-len 4", true],
    ["a length beyond the end, of one that we know", "005f0001", "S46_CONT_MAPT[0]/option-len 4", true],
    ["four zero octets are an option", "00000000", undefined, false],
  ])("%s", (_title, text, place, hides) => {
    const found = decode(text);
    expect(found.errors.map(({ path, offset }) => `${path} ${offset}`)).toEqual(
      place === undefined ? [] : [place],
    );
    // They may be port parameters where these are valid.
    expect(found.lostPortParams).toBeUndefined();
    const inRule = decode(text, "s46-rule");
    expect(inRule.lostPortParams).toBe(hides ? inRule.errors[0] : undefined);
  });

  test.each([
    ["a message", "S46_PORTPARAMS[0] 4", (params: string) => params],
    ["a container", "S46_CONT_MAPE[0]/S46_PORTPARAMS[0] 8", (params: string) => option(94, params)],
    [
      "a border relay",
      "S46_CONT_MAPE[0]/S46_BR[0]/S46_PORTPARAMS[0] 28",
      (params: string) => option(94, option(90, `20010db8ffff00000000000000000001${params}`)),
    ],
    [
      "the DMR of RFC 7598",
      "S46_CONT_MAPT[0]/S46_DMR[0]/S46_PORTPARAMS[0] 21",
      (params: string) => option(95, option(91, `4020010db8ffff0000${params}`)),
    ],
    ["option 48879", "OPTION_48879[0]/S46_PORTPARAMS[0] 9", (params: string) => option(48879, `00${params}`)],
  ])("port parameters in %s are lost there, whole or cut short", (_title, place, around) => {
    for (const params of [portParams(4, 8, 0x3400), option(93, ""), "005d0004", "005d"]) {
      const found = decode(around(params));
      const { lostPortParams } = found.options[0] ?? found;
      expect(lostPortParams).toBe(found.errors[0]);
      expect(found.errors).toHaveLength(1);
      if (params.length < 16) continue;
      expect(`${lostPortParams?.path} ${lostPortParams?.offset}`).toBe(place);
      expect(lostPortParams?.reason).toBe("port parameters do not belong here: see RFC 7598 s4.5");
    }
  });

  test("within a container the path goes on", () => {
    expect(errors(option(94, "0059"))).toEqual(["S46_CONT_MAPE[0]/option-len 6"]);
    expect(errors(option(94, "00"))).toEqual(["S46_CONT_MAPE[0]/option-code 4"]);
  });

  test("numbers beyond their limits, with the limits", () => {
    const reason = (text: string) => decode(option(94, text)).errors.map((error) => error.reason);
    expect(reason(option(91, "2420010db800"))).toEqual([
      "/36 is not one of /32, /40, /48, /56, /64, /96 (RFC 6052 s2.2)",
    ]);
    expect(errors(option(94, option(91, "2420010db800")))).toEqual([
      "S46_CONT_MAPE[0]/S46_DMR[0]/dmr-ipv6-prefix-len 8",
    ]);
    expect(errors(option(94, option(89, "003100c0000200")))).toEqual([
      "S46_CONT_MAPE[0]/S46_RULE[0]/ea-len 9",
    ]);
  });
});

describe("port parameters (RFC 7598 s4.5)", () => {
  test.each([
    ["the longest PSID", 0, 16, 0xffff, [{ offset: 0, psidLength: 16, psid: 0xffff }]],
    ["no bit of the port is left", 15, 1, 0x8000, [{ offset: 15, psidLength: 1, psid: 1 }]],
    ["offset alone", 15, 0, 0, [{ offset: 15, psidLength: 0, psid: 0 }]],
    ["one bit too many", 15, 2, 0, ["PSID length 2 with offset 15 exceeds 16 bits"]],
    ["17 bits", 0, 17, 0, ["PSID length 17 with offset 0 exceeds 16 bits"]],
    ["offset 16", 16, 0, 0, ["PSID offset 16 is not 0 to 15"]],
    [
      "right-aligned, the largest",
      4,
      6,
      0x3f,
      [
        { offset: 4, psidLength: 6, psid: 0x3f },
        "the PSID is right-aligned, not left-aligned as RFC 7598 s4.5 says: read as 63",
      ],
    ],
    [
      "one more than the largest",
      4,
      6,
      0x40,
      ["0x40 is not a PSID of 6 bits, neither left- nor right-aligned"],
    ],
  ])("%s", (_title, offset, length, psid, expected) => {
    expect(params(offset, length, psid)).toEqual(expected);
  });

  test("a right-aligned PSID is remarked with its place", () => {
    expect(decode(option(95, option(89, rule + portParams(4, 6, 1)) + dmr)).remarks).toEqual([
      {
        code: "right-aligned-psid",
        path: "S46_CONT_MAPT[0]/S46_RULE[0]/S46_PORTPARAMS[0]/psid",
        offset: 27,
        text: "the PSID is right-aligned, not left-aligned as RFC 7598 s4.5 says: read as 1",
      },
    ]);
  });
});

describe("zero octets behind a prefix, which some providers send", () => {
  /** A rule whose prefix has this many octets of padding behind it, and then port parameters. */
  const padded = (octets: number, more = portParams(4, 8, 0x3400), of = rule) =>
    decode(option(94, option(89, `${of}${"00".repeat(octets)}${more}`)));
  /** Its prefix has 112 bits, so that two octets are left of an address. */
  const long = `001018c000020070${"20010db8"}${"00".repeat(10)}`;

  test("none: nothing is remarked", () => {
    expect(padded(0)).toMatchObject({ errors: [], remarks: [] });
  });

  // Four of them are an option of code 0, which is not known.
  test.each([
    [1, 1, undefined],
    [2, 2, undefined],
    [3, 3, undefined],
    [4, 0, undefined],
    [5, 1, undefined],
    [11, 3, undefined],
    [4, 0, ""],
    [5, 1, ""],
  ])("%i octets: %i are skipped, the others are options of code 0", (octets, skipped, more) => {
    const { options, remarks, errors: wrong } = padded(octets, more);
    expect(wrong).toEqual([]);
    expect(remarks).toEqual(
      skipped === 0
        ? []
        : [
            {
              code: "padded-prefix",
              path: "S46_CONT_MAPE[0]/S46_RULE[0]/ipv6-prefix",
              offset: 21,
              text: `the prefix is followed by ${skipped} zero ${skipped === 1 ? "octet" : "octets"} that should not be there: skipped`,
            },
          ],
    );
    expect(options[0]?.options[0]?.options.map(({ path }) => path)).toEqual(
      more === "" ? [] : ["S46_CONT_MAPE[0]/S46_RULE[0]/S46_PORTPARAMS[0]"],
    );
    expect(options[0]?.options[0]?.unknown.map(({ code }) => code)).toEqual(
      Array.from({ length: (octets - skipped) / 4 }, () => 0),
    );
  });

  test("at most up to the 16 octets of an address", () => {
    expect(padded(2, undefined, long)).toMatchObject({ errors: [], remarks: [{ code: "padded-prefix" }] });
    expect(padded(3, undefined, long).remarks).toEqual([]);
    expect(padded(3, undefined, long).errors).toHaveLength(1);
  });

  test.each([1, 3, 5])("%i octets at the end", (octets) => {
    expect(padded(octets, "")).toMatchObject({ errors: [], remarks: [{ code: "padded-prefix" }] });
  });

  test.each([1, 4, 7])("behind a DMR, in which no options are: %i octets", (octets) => {
    const found = decode(option(95, option(91, `4020010db8ffff0000${"00".repeat(octets)}`)));
    expect(found.errors).toEqual([]);
    expect(found.remarks[0]).toMatchObject({
      path: "S46_CONT_MAPT[0]/S46_DMR[0]/dmr-ipv6-prefix",
      offset: 17,
      text: `the prefix is followed by ${octets} zero ${octets === 1 ? "octet" : "octets"} that should not be there: skipped`,
    });
    const dmrAnd = (more: string) => errors(option(95, option(91, `4020010db8ffff0000${more}`)));
    expect(dmrAnd("00000001")).toEqual(["S46_CONT_MAPT[0]/S46_DMR[0] 17"]);
    expect(dmrAnd("00".repeat(8))).toEqual([]);
    expect(dmrAnd("00".repeat(9))).toEqual(["S46_CONT_MAPT[0]/S46_DMR[0] 17"]);
  });

  test("octets that are not zero end the search", () => {
    expect(padded(1, "01").remarks).toEqual([]);
    expect(padded(1, "01").errors.map(({ path, offset }) => `${path} ${offset}`)).toEqual([
      "S46_CONT_MAPE[0]/S46_RULE[0]/option-len 23",
    ]);
  });

  test("only behind a prefix", () => {
    for (const inside of [
      option(90, `${"20010db8ffff00000000000000000001"}0000`),
      option(89, rule + option(93, "0408340000")),
    ]) {
      const found = decode(option(94, inside));
      expect(found.remarks).toEqual([]);
      expect(found.errors).toHaveLength(1);
    }
  });
});

describe("15,000 findings of one kind are one", () => {
  const error = (path: string, reason: string) => new DecodeError(path, 7, reason);

  test("errors", () => {
    const found = summarizeErrors([
      error("A[0]/B[0]/psid", "first"),
      error("A[0]/B[12]/psid", "second"),
      error("A/B/psid", "without numbers"),
      error("option 23[0]/option-len", "third"),
      error("option 7777[1]/option-len", "fourth"),
      error("A[0]/option 23", "fifth"),
    ]);
    expect(found).toEqual([
      { code: "skipped", path: "A[0]/B[0]/psid", offset: 7, text: "first (and 2 more like it)" },
      { code: "skipped", path: "option 23[0]/option-len", offset: 7, text: "third (and 1 more like it)" },
      { code: "skipped", path: "A[0]/option 23", offset: 7, text: "fifth" },
    ]);
    expect(summarizeErrors([error("A", "x")], ({ path }) => `at ${path}`)).toMatchObject([{ text: "at A" }]);
  });

  test("remarks, by their code too", () => {
    const remark = (code: string, path: string) => ({ code, path, offset: 1, text: code });
    expect(
      summarizeRemarks([
        remark("a", "P[0]"),
        remark("b", "P[0]"),
        remark("a", "P[1]"),
        remark("a", "P[2]"),
        remark("a", "Q"),
      ]),
    ).toEqual([
      { code: "a", path: "P[0]", offset: 1, text: "a (and 2 more like it)" },
      { code: "b", path: "P[0]", offset: 1, text: "b" },
      { code: "a", path: "Q", offset: 1, text: "a" },
    ]);
  });

  test("an option that comes 15,000 times", () => {
    const { errors: wrong } = decode(option(94, option(91, "00").repeat(1000)));
    expect(wrong).toHaveLength(1000);
    expect(summarizeErrors(wrong)).toHaveLength(1);
  });
});
