import { describe, expect, test } from "vitest";
import {
  bits6,
  contains4,
  contains6,
  ones,
  overlaps4,
  truncate4,
  truncate6,
} from "../../../src/ip/prefix.ts";

/** The oracle: prefixes as texts of '0' and '1'. */
const ALL = "10".repeat(64);
const six = (bits: string) => ({ address: BigInt(`0b${bits.padEnd(128, "0")}`), length: bits.length });
const four = (bits: string) => ({ address: Number(`0b${bits.padEnd(32, "0")}`), length: bits.length });

test.each([0, 1, 31, 32, 33, 63, 64, 65, 127, 128])("%i bits of an IPv6 address", (length) => {
  const address = BigInt(`0b${ALL}`);
  const kept = six(ALL.slice(0, length)).address;
  expect(truncate6({ address, length })).toEqual({ address: kept, length });
  expect(ones(length)).toBe(BigInt(`0b0${"1".repeat(length)}`));
  expect(bits6(address, 0, length)).toBe(BigInt(`0b0${ALL.slice(0, length)}`));
  expect(bits6(address, 128 - length, length)).toBe(BigInt(`0b0${ALL.slice(128 - length)}`));
});

test.each([0, 1, 7, 8, 31, 32])("%i bits of an IPv4 address", (length) => {
  const kept = Number(`0b${"1".repeat(length).padEnd(32, "0")}`);
  expect(truncate4({ address: 0xffffffff, length })).toEqual({ address: kept, length });
});

describe("which prefix lies in which", () => {
  // outer, inner | contained, in common
  test.each([
    ["", "", true, true],
    ["", "1", true, true],
    ["1", "", false, true],
    ["1", "1", true, true],
    ["1", "0", false, false],
    ["1010", "101", false, true],
    ["101", "1010", true, true],
    ["101", "1011", true, true],
    ["101", "1001", false, false],
    ["0000000011", "00000000", false, true],
    ["0000000011", "00000000110", true, true],
    ["0000000011", "00000000100", false, false],
  ])("%j and %j", (outer, inner, contained, common) => {
    const [a, b] = [four(outer), four(inner)];
    expect(contains6(six(outer), six(inner))).toBe(contained);
    expect(contains4(a, b)).toBe(contained);
    expect([overlaps4(a, b), overlaps4(b, a)]).toEqual([common, common]);
  });
});
