/** Octets, most significant first, into one array. */
export class Writer {
  readonly #octets: number[] = [];

  /** An unsigned number in `size` octets, 1 to 4. @throws RangeError when it does not fit */
  uint(value: number, size: number): this {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * size)) {
      throw new RangeError(`${value} does not fit ${size} octets`);
    }
    for (let i = size - 1; i >= 0; i--) this.#octets.push(Math.floor(value / 2 ** (8 * i)) % 256);
    return this;
  }

  /** The first `count` of the 16 octets of an IPv6 address. */
  ipv6(address: bigint, count = 16): this {
    for (let i = 0; i < count; i++) this.#octets.push(Number((address >> BigInt(120 - 8 * i)) & 0xffn));
    return this;
  }

  bytes(octets: Uint8Array): this {
    for (const octet of octets) this.#octets.push(octet);
    return this;
  }

  done(): Uint8Array {
    return Uint8Array.from(this.#octets);
  }
}
