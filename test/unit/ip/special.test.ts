import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { overlaps4 } from "../../../src/ip/prefix.ts";
import { refuseIpv4, refuseIpv6, specialIpv4, specialIpv6 } from "../../../src/ip/special.ts";
import {
  formatIpv4Prefix,
  formatIpv6Prefix,
  parseIpv4Prefix,
  parseIpv6Prefix,
} from "../../../src/ip/text.ts";

describe("IPv4 prefixes", () => {
  test.each([
    ["0.0.0.0/8", "0.0.0.0/8"],
    ["0.255.255.255/32", "0.0.0.0/8"],
    ["127.0.0.1/32", "127.0.0.0/8"],
    ["169.254.0.0/24", "169.254.0.0/16"],
    ["224.0.0.0/32", "224.0.0.0/4"],
    ["239.255.255.255/32", "224.0.0.0/4"],
    ["240.0.0.0/32", "240.0.0.0/4"],
    ["255.255.255.254/32", "240.0.0.0/4"],
    ["255.255.255.255/32", "255.255.255.255/32"],
  ])("%s is refused whatever is configured, for %s", (prefix, special) => {
    for (const allowed of [false, true]) {
      const reason = refuseIpv4(parseIpv4Prefix(prefix), allowed);
      expect(reason).toContain(`${prefix} is in ${special}, `);
      expect(reason).not.toContain("allow_private");
    }
  });

  test.each([
    "10.0.0.0/8",
    "10.255.255.255/32",
    "172.16.0.0/32",
    "172.31.255.255/32",
    "192.168.1.1/32",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "100.127.255.255/32",
  ])("%s is refused unless private addresses are allowed", (prefix) => {
    expect(refuseIpv4(parseIpv4Prefix(prefix), false)).toContain("`option allow_private '1'`");
    expect(refuseIpv4(parseIpv4Prefix(prefix), true)).toBeUndefined();
  });

  test.each([
    "1.0.0.0/32",
    "9.255.255.255/32",
    "11.0.0.0/32",
    "100.63.255.255/32",
    "100.128.0.0/32",
    "126.255.255.255/32",
    "128.0.0.0/32",
    "169.253.255.255/32",
    "169.255.0.0/32",
    "172.15.255.255/32",
    "172.32.0.0/32",
    "192.167.255.255/32",
    "192.169.0.0/32",
    "223.255.255.255/32",
    // Documentation and benchmarking.
    "192.0.2.0/24",
    "198.51.100.7/32",
    "203.0.113.0/24",
    "198.18.0.0/15",
    // They hold special prefixes and lie in none.
    "0.0.0.0/0",
    "192.0.0.0/8",
    "172.0.0.0/11",
  ])("%s passes", (prefix) => {
    expect(refuseIpv4(parseIpv4Prefix(prefix), false)).toBeUndefined();
  });
});

describe("IPv6 prefixes", () => {
  test.each([
    ["::/128", "::/128"],
    ["::1/128", "::1/128"],
    ["fe80::1/128", "fe80::/10"],
    ["febf::/16", "fe80::/10"],
    ["ff02::1/128", "ff00::/8"],
  ])("%s is refused whatever is configured, for %s", (prefix, special) => {
    for (const allowed of [false, true]) {
      const reason = refuseIpv6(parseIpv6Prefix(prefix), allowed);
      expect(reason).toContain(`${prefix} is in ${special}, `);
      expect(reason).not.toContain("allow_private");
    }
  });

  test.each(["fc00::/7", "fd00:1:2::/48", "fdff::1/128"])("%s is refused unless allowed", (prefix) => {
    expect(refuseIpv6(parseIpv6Prefix(prefix), false)).toContain("unique local (RFC 4193 s3.1)");
    expect(refuseIpv6(parseIpv6Prefix(prefix), true)).toBeUndefined();
  });

  test.each(["2001:db8::/32", "64:ff9b::/96", "2001:2::/48", "::2/128", "fbff::/16", "fec0::/16", "::/0"])(
    "%s passes",
    (prefix) => {
      expect(refuseIpv6(parseIpv6Prefix(prefix), false)).toBeUndefined();
    },
  );
});

describe("a prefix that is used as a whole may hold no special one", () => {
  test.each([
    ["0.0.0.0/0", "holds 0.0.0.0/8"],
    ["192.168.0.0/15", "holds 192.168.0.0/16"],
    ["192.168.7.0/24", "is in 192.168.0.0/16"],
    ["96.0.0.0/3", "holds 127.0.0.0/8"],
  ])("%s %s", (prefix, reason) => {
    expect(refuseIpv4(parseIpv4Prefix(prefix), false, true)).toContain(reason);
  });

  test.each([
    ["::/96", "holds ::/128"],
    ["fe00::/8", "holds fe80::/10"],
    ["fe80::/64", "is in fe80::/10"],
    ["fd00::/32", "is in fc00::/7"],
  ])("%s %s", (prefix, reason) => {
    expect(refuseIpv6(parseIpv6Prefix(prefix), false, true)).toContain(reason);
  });

  test("private ones pass when they are allowed, documentation always", () => {
    expect(refuseIpv4(parseIpv4Prefix("192.168.0.0/15"), true, true)).toBeUndefined();
    expect(refuseIpv4(parseIpv4Prefix("192.0.2.0/24"), false, true)).toBeUndefined();
    expect(refuseIpv6(parseIpv6Prefix("fd00::/32"), true, true)).toBeUndefined();
    expect(refuseIpv6(parseIpv6Prefix("64:ff9b::/96"), false, true)).toBeUndefined();
  });
});

test("rows are truncated to their length, and no text stands twice", () => {
  for (const { prefix } of specialIpv4) {
    expect(parseIpv4Prefix(formatIpv4Prefix(prefix))).toEqual(prefix);
  }
  for (const { prefix } of specialIpv6) {
    expect(parseIpv6Prefix(formatIpv6Prefix(prefix))).toEqual(prefix);
  }
  const all = [...specialIpv4.map((row) => formatIpv4Prefix(row.prefix))];
  expect(new Set(all).size).toBe(all.length);
});

test("prefixes overlap when they share an address", () => {
  const prefix = fc.record({
    address: fc.integer({ min: 0, max: 0xffffffff }),
    length: fc.integer({ min: 0, max: 32 }),
  });
  const bits = (address: number, length: number) => address.toString(2).padStart(32, "0").slice(0, length);
  fc.assert(
    fc.property(prefix, prefix, fc.boolean(), (a, other, near) => {
      const b = near ? { address: (a.address ^ (other.address & 0xff)) >>> 0, length: other.length } : other;
      const length = Math.min(a.length, b.length);
      expect(overlaps4(a, b)).toBe(bits(a.address, length) === bits(b.address, length));
    }),
    { numRuns: 1000 },
  );
});
