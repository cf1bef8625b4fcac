import { describe, expect, test } from "vitest";
import { fromRuleText } from "../../../src/provision/rule-text.ts";
import { fromUci } from "../../../src/provision/uci.ts";
import { InputError } from "../../../src/wire/errors.ts";

interface Written {
  readonly ealen: number;
  readonly ip4prefixlen: number;
  readonly psidlen?: number;
  readonly psid?: number;
}

/** The same rule as options of UCI and in words, as odhcp6c writes it. */
const forms: readonly (readonly [string, (written: Written) => unknown])[] = [
  [
    "UCI",
    (written) =>
      fromUci({
        ...written,
        maptype: "map-e",
        ipaddr: "192.0.2.0",
        ip6prefix: "2001:db8::",
        ip6prefixlen: 40,
        peeraddr: "2001:db8:ffff::1",
      }).domain.rules[0]?.explicitPsid,
  ],
  [
    "rule",
    ({ ealen, ip4prefixlen, psidlen, psid }) =>
      fromRuleText(
        [
          `type=map-e,ealen=${ealen},prefix4len=${ip4prefixlen},ipv4prefix=192.0.2.0`,
          "prefix6len=40,ipv6prefix=2001:db8::,br=2001:db8:ffff::1",
          ...(psidlen === undefined ? [] : [`psidlen=${psidlen}`]),
          ...(psid === undefined ? [] : [`psid=${psid}`]),
        ].join(","),
      )[0]?.domain.rules[0]?.explicitPsid,
  ],
];

/** 16 EA bits over a /24: 8 for the address, 8 for the PSID. */
const shared = { ealen: 16, ip4prefixlen: 24 };
/** No EA bits, one address: the PSID can only be written. */
const single = { ealen: 0, ip4prefixlen: 32 };
/** 8 EA bits over a /24: a whole address. */
const whole = { ealen: 8, ip4prefixlen: 24 };
/** 4 EA bits over a /24: the CE has a /28. */
const prefix = { ealen: 4, ip4prefixlen: 24 };

describe.each(forms)("%s", (_form, read) => {
  test.each([
    ["nothing written", shared, undefined],
    ["psidlen 0 says nothing, as stock has it", { ...shared, psidlen: 0 }, undefined],
    ["psidlen 0 and psid 0, as odhcp6c has it", { ...shared, psidlen: 0, psid: 0 }, undefined],
    ["psidlen that the EA bits give", { ...shared, psidlen: 8 }, undefined],
    ["psid of the length that the EA bits give", { ...shared, psidlen: 8, psid: 52 }, [8, 52]],
    ["psid 0 is a PSID", { ...shared, psidlen: 8, psid: 0 }, [8, 0]],
    ["a PSID of its own", { ...single, psidlen: 8, psid: 52 }, [8, 52]],
    ["the same for an address of EA bits", { ...whole, psidlen: 4, psid: 3 }, [4, 3]],
    ["an IPv4 prefix without any", prefix, undefined],
    ["an IPv4 prefix and zeros", { ...prefix, psidlen: 0, psid: 0 }, undefined],
  ] as const)("agrees: %s", (_title, written, explicit) => {
    expect(read(written)).toEqual(
      explicit === undefined ? undefined : { psidLength: explicit[0], psid: explicit[1] },
    );
  });

  test.each([
    ["psid without psidlen", { ...shared, psid: 52 }, "psid", "without psidlen"],
    ["psid 0 without psidlen", { ...single, psid: 0 }, "psid", "without psidlen"],
    ["psid with psidlen 0", { ...single, psidlen: 0, psid: 5 }, "psid", "does not fit psidlen 0"],
    ["psidlen without psid or EA bits", { ...single, psidlen: 8 }, "psidlen", "without psid"],
    [
      "psidlen without psid beside an address of EA bits",
      { ...whole, psidlen: 8 },
      "psidlen",
      "without psid",
    ],
    ["psidlen below the EA bits", { ...shared, psidlen: 7 }, "psidlen", "leave 8 bits for the PSID"],
    ["psidlen above the EA bits", { ...shared, psidlen: 9, psid: 1 }, "psidlen", "leave 8 bits for the PSID"],
    ["psidlen of an IPv4 prefix", { ...prefix, psidlen: 8 }, "psidlen", "an IPv4 prefix of 28 bits"],
    ["both of an IPv4 prefix", { ...prefix, psidlen: 8, psid: 1 }, "psidlen", "an IPv4 prefix of 28 bits"],
    ["psid of an IPv4 prefix", { ...prefix, psid: 1 }, "psid", "without psidlen"],
    ["psid above its length", { ...single, psidlen: 2, psid: 4 }, "psid", "does not fit 2 bits"],
    ["psidlen beside an offset of 6", { ...single, psidlen: 11, psid: 4 }, "psidlen", "exceed 16 bits"],
  ] as const)("refused: %s", (_title, written, field, reason) => {
    const attempt = () => read(written);
    expect(attempt).toThrow(InputError);
    expect(attempt).toThrow(`${field}: `);
    expect(attempt).toThrow(reason);
  });
});
