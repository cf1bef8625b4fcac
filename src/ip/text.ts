/** Addresses and prefixes as text, read strictly and written as RFC 5952 wants. */

import { isIPv4, isIPv6 } from "node:net";
import { InputError } from "../wire/errors.ts";
import { type Ipv4Prefix, type Ipv6Prefix, truncate4, truncate6 } from "./prefix.ts";

/** How many characters of a wrong text an error quotes. */
const QUOTED = 60;

function refuse(what: string, text: string): never {
  throw new InputError(
    what,
    `"${text.slice(0, QUOTED)}" is not ${what === "prefix length" ? "a" : "an"} ${what}`,
  );
}

/** Dotted decimal, four parts, no leading zeros. @throws InputError */
export function parseIpv4(text: string): number {
  if (!isIPv4(text)) refuse("IPv4 address", text);
  return text.split(".").reduce((address, part) => address * 256 + Number(part), 0);
}

/** RFC 4291 s2.2 text, without zone. @throws InputError */
export function parseIpv6(text: string): bigint {
  // isIPv6 accepts a zone id (fe80::1%eth0), which a prefix cannot have.
  if (text.includes("%") || !isIPv6(text)) refuse("IPv6 address", text);
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  let groups = text;
  if (dotted !== null) {
    const low = parseIpv4(dotted[2] ?? "");
    groups = `${dotted[1]}${(low >>> 16).toString(16)}:${(low & 0xffff).toString(16)}`;
  }
  const [head = "", tail] = groups.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].reduce(
    (address, group) => (address << 16n) | BigInt(`0x${group}`),
    0n,
  );
}

function splitPrefix(text: string, longest: number): readonly [string, number] {
  const slash = text.indexOf("/");
  const length = text.slice(slash + 1);
  if (slash < 0 || !/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > longest) {
    throw new InputError(
      "prefix",
      `"${text.slice(0, QUOTED)}" has no length of 0 to ${longest} after a slash`,
    );
  }
  return [text.slice(0, slash), Number(length)];
}

/** `A.B.C.D/length`; bits behind the length are cleared. @throws InputError */
export function parseIpv4Prefix(text: string): Ipv4Prefix {
  const [address, length] = splitPrefix(text, 32);
  return truncate4({ address: parseIpv4(address), length });
}

/** `address/length`; bits behind the length are cleared. @throws InputError */
export function parseIpv6Prefix(text: string): Ipv6Prefix {
  const [address, length] = splitPrefix(text, 128);
  return truncate6({ address: parseIpv6(address), length });
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
