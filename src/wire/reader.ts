/** Reads octets, checks bounds, and knows the offset in the whole input and the path in the structure. */

import { DecodeError, InputError } from "./errors.ts";

export class Reader {
  readonly #octets: Uint8Array;
  readonly #end: number;
  #position: number;
  /** The place in the structure, for errors. */
  readonly path: string;

  constructor(octets: Uint8Array, path: string, start = 0, end = octets.length) {
    this.#octets = octets;
    this.#position = start;
    this.#end = end;
    this.path = path;
  }

  /** Octets from the start of the whole input. */
  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#end - this.#position;
  }

  /** @throws DecodeError at this position */
  fail(field: string, reason: string, offset = this.#position): never {
    throw new DecodeError([this.path, field].filter((part) => part !== "").join("/"), offset, reason);
  }

  #take(count: number, field: string): number {
    if (count > this.remaining) this.fail(field, `truncated: ${count} octets needed, ${this.remaining} left`);
    const start = this.#position;
    this.#position += count;
    return start;
  }

  /** An unsigned number of 1 to 4 octets, most significant first. @throws DecodeError when cut short */
  uint(size: number, field: string): number {
    const start = this.#take(size, field);
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (this.#octets[start + i] ?? 0);
    return value;
  }

  /** @throws DecodeError when cut short */
  bytes(count: number, field: string): Uint8Array {
    const start = this.#take(count, field);
    return this.#octets.subarray(start, start + count);
  }

  /** A reader for the next `count` octets only; this reader goes on behind them. @throws DecodeError when cut short */
  slice(count: number, path: string, field: string): Reader {
    const start = this.#take(count, field);
    return new Reader(this.#octets, path, start, start + count);
  }

  /** Another reader at the same place, to look ahead with. */
  copy(): Reader {
    return new Reader(this.#octets, this.path, this.#position, this.#end);
  }
}

/**
 * Octets from hexadecimal digits, two each, without separators.
 *
 * @throws InputError with the position, from 0, of the first character that is not a digit, or if the number of
 * digits is
 *   odd.
 */
export function parseHex(text: string, field = "hex"): Uint8Array {
  const wrong = text.search(/[^0-9a-fA-F]/);
  if (wrong >= 0) {
    throw new InputError(
      field,
      `${JSON.stringify(text[wrong])} at position ${wrong} is not a hexadecimal digit`,
    );
  }
  if (text.length % 2 !== 0) throw new InputError(field, `${text.length} digits are not whole octets`);
  return Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  );
}

/** Two digits an octet, lower case. */
export function formatHex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
}
