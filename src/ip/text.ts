/** Addresses and prefixes as text, read strictly and written as RFC 5952 wants. */

import { InputError } from "../wire/errors.ts";
import { type Ipv4Prefix, type Ipv6Prefix, truncate4, truncate6 } from "./prefix.ts";

/** How many characters of a wrong text an error quotes. */
const QUOTED = 60;

function refuse(what: string, text: string, field = what): never {
  throw new InputError(field, `"${text.slice(0, QUOTED)}" is not an ${what}`);
}

/** Value of one decimal part: 0 to 255, without leading zeros. */
const DECIMAL = /^(?:0|[1-9]\d{0,2})$/;
const HEXADECIMAL = /^[0-9a-fA-F]{1,4}$/;

/** Dotted decimal, four parts, no leading zeros. @throws InputError naming the field */
export function parseIpv4(text: string, field?: string): number {
  const parts = text.split(".");
  const holds = parts.length === 4 && parts.every((part) => DECIMAL.test(part) && Number(part) <= 255);
  if (!holds) refuse("IPv4 address", text, field);
  return parts.reduce((address, part) => address * 256 + Number(part), 0);
}

/**
 * Groups of 16 bits of one side of a `::`; the last may be dotted decimal, which is two. Undefined if one is wrong.
 *
 * @throws InputError if the dotted decimal is
 */
function groupsOf(text: string, mayEndDotted: boolean): readonly bigint[] | undefined {
  if (text === "") return [];
  const groups: bigint[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (HEXADECIMAL.test(part)) groups.push(BigInt(`0x${part}`));
    else if (mayEndDotted && i === parts.length - 1) {
      const low = BigInt(parseIpv4(part));
      groups.push(low >> 16n, low & 0xffffn);
    } else return undefined;
  }
  return groups;
}

/** IPv6 addresses, one at least, with blanks between them. @throws InputError naming the field */
export function parseIpv6List(text: string, field: string): readonly bigint[] {
  return text
    .trim()
    .split(/\s+/)
    .map((one) => parseIpv6(one, field));
}

/** RFC 4291 s2.2 text, without zone. @throws InputError naming the field */
export function parseIpv6(text: string, field?: string): bigint {
  const halves = text.split("::");
  const [head, tail] = halves;
  if (head === undefined || halves.length > 2) refuse("IPv6 address", text, field);
  let left: readonly bigint[] | undefined;
  let right: readonly bigint[] | undefined;
  try {
    left = groupsOf(head, tail === undefined);
    right = tail === undefined ? [] : groupsOf(tail, true);
  } catch {
    // The dotted part is wrong, and a side is missing: the error names what the whole text should have been.
  }
  if (left === undefined || right === undefined) refuse("IPv6 address", text, field);
  const count = left.length + right.length;
  if (tail === undefined ? count !== 8 : count > 7) refuse("IPv6 address", text, field);
  const zeros = Array.from({ length: 8 - count }, () => 0n);
  return [...left, ...zeros, ...right].reduce((address, group) => (address << 16n) | group, 0n);
}

function splitPrefix(text: string, longest: number, field = "prefix"): readonly [string, number] {
  const slash = text.indexOf("/");
  const length = text.slice(slash + 1);
  if (slash < 0 || !/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > longest) {
    throw new InputError(field, `"${text.slice(0, QUOTED)}" has no length of 0 to ${longest} after a slash`);
  }
  return [text.slice(0, slash), Number(length)];
}

/** `A.B.C.D/length`; bits behind the length are cleared. @throws InputError naming the field */
export function parseIpv4Prefix(text: string, field?: string): Ipv4Prefix {
  const [address, length] = splitPrefix(text, 32, field);
  return truncate4({ address: parseIpv4(address, field), length });
}

/** `address/length`; bits behind the length are cleared. @throws InputError naming the field */
export function parseIpv6Prefix(text: string, field?: string): Ipv6Prefix {
  const [address, length] = splitPrefix(text, 128, field);
  return truncate6({ address: parseIpv6(address, field), length });
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}

/**
 * RFC 5952 s4: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) as `::`.
 */
export function formatIpv6(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => Number((address >> BigInt(112 - 16 * i)) & 0xffffn));
  let best = { start: -1, length: 1 };
  let run = 0;
  for (const [i, group] of groups.entries()) {
    run = group === 0 ? run + 1 : 0;
    if (run > best.length) best = { start: i - run + 1, length: run };
  }
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (best.start < 0) return hex(groups);
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`;
}

export function formatIpv4Prefix(prefix: Ipv4Prefix): string {
  return `${formatIpv4(prefix.address)}/${prefix.length}`;
}

export function formatIpv6Prefix(prefix: Ipv6Prefix): string {
  return `${formatIpv6(prefix.address)}/${prefix.length}`;
}
