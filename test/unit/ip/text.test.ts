import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatIpv6, parseIpv4, parseIpv4Prefix, parseIpv6, parseIpv6Prefix } from "../../../src/ip/text.ts";
import { refusal } from "../../support/refusal.ts";

describe("IPv6 text", () => {
  test.each([
    ["::", 0n, "::"],
    ["::1", 1n, "::1"],
    ["2001:DB8::", 0x20010db8n << 96n, "2001:db8::"],
    ["2001:db8:0:0:1:0:0:1", 0x20010db8_00000000_00010000_00000001n, "2001:db8::1:0:0:1"],
    ["1:0:2:3:4:5:6:7", 0x0001_0000_0002_0003_0004_0005_0006_0007n, "1:0:2:3:4:5:6:7"],
    ["::ffff:192.0.2.1", 0xffff_c0000201n, "::ffff:c000:201"],
    ["64:ff9b::192.0.2.33", (0x64ff9bn << 96n) | 0xc0000221n, "64:ff9b::c000:221"],
    ["1::", 1n << 112n, "1::"],
  ])("%s", (text, value, formatted) => {
    expect(parseIpv6(text)).toBe(value);
    expect(formatIpv6(value)).toBe(formatted);
  });

  test.each([
    "",
    ":",
    ":::",
    "1::2::3",
    "fe80::1%eth0",
    "12345::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "::1/64",
    " ::1",
  ])("%j is refused", (text) => {
    expect(() => parseIpv6(text)).toThrow("IPv6 address");
  });
});

describe("IPv4 text", () => {
  test.each(["", "1.2.3", "010.0.0.1", "1.2.3.256", "1.2.3.4.5", "0x1.2.3.4", "1.2.3.4/32"])(
    "%j is refused",
    (text) => {
      expect(() => parseIpv4(text)).toThrow("IPv4 address");
    },
  );

  test("is an unsigned number", () => {
    expect(parseIpv4("255.255.255.255")).toBe(0xffffffff);
  });
});

describe("prefixes", () => {
  test("bits behind the length are cleared", () => {
    expect(parseIpv4Prefix("192.0.2.255/28")).toEqual({ address: 0xc00002f0, length: 28 });
    expect(parseIpv4Prefix("192.0.2.255/0")).toEqual({ address: 0, length: 0 });
    expect(parseIpv6Prefix("ffff::/1")).toEqual({ address: 1n << 127n, length: 1 });
    expect(parseIpv6Prefix("::1/128")).toEqual({ address: 1n, length: 128 });
  });

  test.each(["1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/08", "1.2.3.4/8/8"])(
    "%j is refused",
    (text) => {
      expect(() => parseIpv4Prefix(text)).toThrow();
    },
  );

  test.each(["::", "::/129", "::/1e1", "::/ 1", "/64"])("%j is refused", (text) => {
    expect(() => parseIpv6Prefix(text)).toThrow();
  });
});

const long = "x".repeat(61);
test.each([
  [parseIpv4, long, `IPv4 address: "${long.slice(1)}" is not an IPv4 address`],
  [parseIpv6, long, `IPv6 address: "${long.slice(1)}" is not an IPv6 address`],
  [parseIpv6, "::1.2.3.256", 'IPv6 address: "::1.2.3.256" is not an IPv6 address'],
  [parseIpv4Prefix, "24", 'prefix: "24" has no length of 0 to 32 after a slash'],
  [parseIpv4Prefix, "/24", 'IPv4 address: "" is not an IPv4 address'],
  [parseIpv6Prefix, "64", 'prefix: "64" has no length of 0 to 128 after a slash'],
  [parseIpv6Prefix, "/64", 'IPv6 address: "" is not an IPv6 address'],
  [parseIpv6Prefix, `${long}/129`, `prefix: "${long.slice(1)}" has no length of 0 to 128 after a slash`],
])("%o of %j: the error quotes up to 60 characters of it", (parse, text, message) => {
  expect(refusal(() => parse(text))).toBe(message);
});

/** Texts that are addresses, nearly so, or made of the same characters. */
const nearly = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc
    .tuple(fc.ipV6(), fc.nat(), fc.constantFrom("", ":", "::", "0", ".", "1.2.3.4", "g", " "))
    .map(([text, at, piece]) => text.slice(0, at % 40) + piece + text.slice((at % 40) + 1)),
  fc
    .array(fc.constantFrom("::", ":", "1", "0", "ffff", "1.2.3.4", "010", "256", "."), { maxLength: 17 })
    .map((parts) => parts.join("")),
);

test("takes what Node takes, without zones", () => {
  const takes = (parse: (text: string) => unknown, text: string) => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(nearly, (text) => {
      expect([text, takes(parseIpv4, text), takes(parseIpv6, text)]).toEqual([
        text,
        isIPv4(text),
        isIPv6(text),
      ]);
    }),
    { numRuns: 5_000 },
  );
});
