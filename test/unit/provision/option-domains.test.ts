import { describe, expect, test } from "vitest";
import { parseIpv6 } from "../../../src/ip/text.ts";
import { fromOption48879, fromPassthru } from "../../../src/provision/option.ts";
import { DecodeError } from "../../../src/wire/errors.ts";

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
const option = (code: number, value: string) => `${hex(code, 4)}${hex(value.length / 2, 4)}${value}`;

const rule = (more = "") => option(89, `001018c00002002820010db800${more}`);
const relay = (last: string) => option(90, `20010db8ffff00000000000000000${last}`);
const dmr = option(91, "4020010db8ffff0000");
const params = (value: string) => option(93, value);
const bind = (more = "") => option(92, `c00002123820010db8001234${more}`);
const rule48879 = (more = "") => option(0x4202, `18c0000200100028${"20010db800"}${more}`);
const dmr48879 = option(0x4203, "4020010db8ffff0000");

/** The domains, or what was refused, and where. */
function domains(text: string) {
  try {
    return fromPassthru(text).map(({ domain }) => domain);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return [`${error.path} ${error.offset}: ${error.reason}`];
  }
}
const br = parseIpv6("2001:db8:ffff::1");

describe("containers of RFC 7598", () => {
  test("MAP-E: rules, and all border relays", () => {
    expect(domains(option(94, rule() + relay("001") + relay("002")))).toEqual([
      {
        transport: "map-e",
        legacyInterfaceId: false,
        borderRelays: [br, br + 1n],
        rules: [
          {
            ipv6Prefix: { address: parseIpv6("2001:db8::"), length: 40 },
            ipv4Prefix: { address: 0xc0000200, length: 24 },
            eaLength: 16,
            forward: false,
            psidOffset: 6,
          },
        ],
      },
    ]);
    expect(domains(option(94, relay("001")))).toMatchObject([{ rules: [], borderRelays: [br] }]);
  });

  test("MAP-T: rules and one DMR; a border relay beside it means nothing", () => {
    expect(domains(option(95, dmr + rule() + relay("001")))).toEqual([
      {
        transport: "map-t",
        legacyInterfaceId: false,
        borderRelays: [],
        dmr: { address: parseIpv6("2001:db8:ffff::"), length: 64 },
        rules: [expect.objectContaining({ eaLength: 16 })],
      },
    ]);
  });

  test("lw4o6: the address that is bound, with its PSID; offset 0 without port parameters", () => {
    expect(domains(option(96, bind() + relay("001")))).toEqual([
      {
        transport: "lw4o6",
        legacyInterfaceId: false,
        borderRelays: [br],
        rules: [
          {
            ipv6Prefix: { address: parseIpv6("2001:db8:12:3400::"), length: 56 },
            ipv4Prefix: { address: 0xc0000212, length: 32 },
            eaLength: 0,
            forward: false,
            psidOffset: 0,
          },
        ],
      },
    ]);
    expect(domains(option(96, bind(params("00083400")) + relay("001")))).toMatchObject([
      { rules: [{ psidOffset: 0, explicitPsid: { psidLength: 8, psid: 0x34 } }] },
    ]);
  });

  test("port parameters: an offset alone, one with a PSID, and those that cannot be read", () => {
    const ruleWith = (value: string) => {
      const [domain] = domains(option(94, rule(params(value)) + relay("001")));
      return typeof domain === "object" ? domain.rules[0] : undefined;
    };
    expect(ruleWith("0a000000")).toMatchObject({ psidOffset: 10 });
    expect(ruleWith("0a000000")?.explicitPsid).toBeUndefined();
    expect(ruleWith("04083400")).toMatchObject({
      psidOffset: 4,
      explicitPsid: { psidLength: 8, psid: 0x34 },
    });
    expect(ruleWith("04083400")?.unusable).toBeUndefined();
    expect(ruleWith("10000000")?.unusable).toMatchObject({ reason: "PSID offset 16 is not 0 to 15" });
    expect(ruleWith("0408")?.unusable).toBeInstanceOf(DecodeError);
  });

  test.each([
    [option(94, rule()), "S46_CONT_MAPE[0] 4: exactly one BR is needed, found 0"],
    [option(95, rule()), "S46_CONT_MAPT[0] 4: exactly one DMR is needed, found 0"],
    [option(95, dmr + dmr), "S46_CONT_MAPT[0] 4: exactly one DMR is needed, found 2"],
    [option(96, relay("001")), "S46_CONT_LW[0] 4: exactly one V4V6BIND is needed, found 0"],
    [option(96, bind() + bind() + relay("001")), "S46_CONT_LW[0] 4: exactly one V4V6BIND is needed, found 2"],
    [option(96, bind()), "S46_CONT_LW[0] 4: exactly one BR is needed, found 0"],
  ])("%s is refused", (text, refused) => {
    expect(domains(text)).toEqual([refused]);
  });
});

test("of several border relays the first is used, in MAP-E and in lw4o6", () => {
  const relays = relay("001") + relay("002");
  for (const text of [option(94, rule() + relays), option(96, bind() + relays)])
    expect(domains(text)).toMatchObject([{ borderRelays: [br, br + 1n] }]);
});

describe("option 48879 and its vendor form", () => {
  test("E clear: MAP-T; E set: MAP-E with the address of the DMR", () => {
    expect(domains(option(48879, `00${rule48879()}${dmr48879}`))).toMatchObject([
      { transport: "map-t", dmr: { length: 64 }, borderRelays: [], legacyInterfaceId: false },
    ]);
    const far = option(0x4203, "8020010db8ffff00000000000000000001");
    const [encapsulated] = domains(option(48879, `01${rule48879()}${far}`));
    expect(encapsulated).toMatchObject({ transport: "map-e", borderRelays: [br], legacyInterfaceId: false });
    expect(encapsulated).not.toHaveProperty("dmr");
    expect(domains(option(17, `00000009${rule48879()}${dmr48879}`))).toMatchObject([{ transport: "map-t" }]);
  });

  test("option 17 without a rule or DMR in it is another vendor's", () => {
    expect(domains(option(17, "00000009"))).toEqual([]);
    expect(domains(option(17, `00000009${option(1, "ff")}`))).toEqual([]);
    expect(domains(option(17, `00000009${rule48879()}`))).toEqual([
      "VENDOR_OPTS[0] 4: exactly one DMR is needed, found 0",
    ]);
  });

  test("port parameters of the rule before those of all rules, and the default offset 4", () => {
    const offsets = (of: string, ofRule: string) => {
      const [domain] = domains(option(48879, `00${of}${rule48879(ofRule)}${dmr48879}`));
      return typeof domain === "object" ? domain.rules[0] : undefined;
    };
    expect(offsets("", "")?.psidOffset).toBe(4);
    expect(offsets(option(0x4204, "0a000000"), "")?.psidOffset).toBe(10);
    expect(offsets(option(0x4204, "0a000000"), option(0x4204, "06000000"))?.psidOffset).toBe(6);
    expect(offsets(option(0x4204, "0a000000"), option(0x4204, "0600"))?.unusable).toBeInstanceOf(DecodeError);
    expect(offsets(option(0x4204, "0a00"), "")?.unusable).toBeInstanceOf(DecodeError);
  });

  test("a DMR of MAP-T has a length of RFC 6052", () => {
    const odd = option(0x4203, "4820010db8ffff000001");
    expect(domains(option(48879, `00${rule48879()}${odd}`))).toEqual([
      "OPTION_48879[0]/MAP_DMR[0] 26: /72 is not one of /32, /40, /48, /56, /64, /96 (RFC 6052 s2.2)",
    ]);
  });

  test("its value alone; why its DMR cannot be read is told before that it is missing", () => {
    expect(fromOption48879(`00${rule48879()}${dmr48879}`).domain.transport).toBe("map-t");
    expect(() => fromOption48879(`00${option(0x4203, "81")}`)).toThrow("129 is not 0 to 128");
    expect(() => fromOption48879("00")).toThrow("exactly one DMR is needed, found 0");
    expect(() => fromOption48879("zz")).toThrow("OPTION_48879: ");
  });
});

describe("several options", () => {
  const mapE = option(94, rule() + relay("001"));
  const mapT = option(95, rule() + dmr);
  const lw = option(96, bind() + relay("001"));
  const order = (text: string) =>
    domains(text).map((domain) => (typeof domain === "object" ? domain.transport : domain));

  test.each([
    ["as they come", mapE + mapT + lw, ["map-e", "map-t", "lw4o6"]],
    ["as S46_PRIORITY says", mapE + mapT + lw + option(111, "0060005f005e"), ["lw4o6", "map-t", "map-e"]],
    [
      "those that it does not name come last",
      mapE + mapT + lw + option(111, "0060"),
      ["lw4o6", "map-e", "map-t"],
    ],
    ["a code that is not there", mapE + mapT + option(111, "0001005f"), ["map-t", "map-e"]],
  ])("%s", (_title, text, expected) => {
    expect(order(text)).toEqual(expected);
    expect(fromPassthru(text)[0]?.remarks).toEqual([]);
  });

  test("a broken one beside a good one is a remark of each; alone it is the error", () => {
    const found = fromPassthru(option(95, rule()) + mapE + option(23, "00"));
    expect(found.map(({ domain }) => domain.transport)).toEqual(["map-e"]);
    expect(found[0]?.remarks).toEqual([
      {
        code: "skipped",
        path: "S46_CONT_MAPT[0]",
        offset: 4,
        text: "skipped: exactly one DMR is needed, found 0 at octet 4",
      },
    ]);
    expect(fromPassthru(option(23, "00"))).toEqual([]);
    expect(() => fromPassthru("zz")).toThrow("passthru: ");
  });
});
