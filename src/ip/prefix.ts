/** IPv4 and IPv6 prefixes by bit: IPv4 as an unsigned 32-bit number, IPv6 as a bigint of 128 bits. */

/** `length` 0..32; `address` 0..2^32 - 1. */
export interface Ipv4Prefix {
  readonly address: number;
  readonly length: number;
}

/** `length` 0..128; `address` 0..2^128 - 1. */
export interface Ipv6Prefix {
  readonly address: bigint;
  readonly length: number;
}

/** The low `count` bits set, 0..128. */
export function ones(count: number): bigint {
  return (1n << BigInt(count)) - 1n;
}

/** An IPv6 prefix with every bit behind its length cleared. */
export function truncate6(prefix: Ipv6Prefix): Ipv6Prefix {
  const host = BigInt(128 - prefix.length);
  return { address: (prefix.address >> host) << host, length: prefix.length };
}

/** An IPv4 prefix with every bit behind its length cleared. */
export function truncate4(prefix: Ipv4Prefix): Ipv4Prefix {
  // Shifts count modulo 32 in this language, so length 0 needs a case of its own.
  const mask = prefix.length === 0 ? 0 : (0xffffffff << (32 - prefix.length)) >>> 0;
  return { address: (prefix.address & mask) >>> 0, length: prefix.length };
}

/** True when `inner` lies in `outer`, compared by bit and not by octet (RFC 7597 s5.2). */
export function contains6(outer: Ipv6Prefix, inner: Ipv6Prefix): boolean {
  const host = BigInt(128 - outer.length);
  return inner.length >= outer.length && inner.address >> host === outer.address >> host;
}

/** True when `inner` lies in `outer`. */
export function contains4(outer: Ipv4Prefix, inner: Ipv4Prefix): boolean {
  if (inner.length < outer.length) return false;
  const host = 32 - outer.length;
  // Shifts count modulo 32 in this language, so length 0 needs a case of its own.
  return host === 32 || inner.address >>> host === outer.address >>> host;
}

/** True when two prefixes have an address in common: one of them lies in the other. */
export function overlaps4(a: Ipv4Prefix, b: Ipv4Prefix): boolean {
  return contains4(a, b) || contains4(b, a);
}

/** `count` bits of an IPv6 address from bit `start`, bit 0 being the highest. */
export function bits6(address: bigint, start: number, count: number): bigint {
  return (address >> BigInt(128 - start - count)) & ones(count);
}
