/** Blob attributes: `u32 id_len`, data, zero padding to 4 octets. ubus messages and blobmsg fields consist of them. */

import { BlobError } from "./errors.ts";

/** Bit 31 of `id_len`: the data begins with a blobmsg name. */
export const EXTENDED = 0x8000_0000;

/** Bits 23-0 of `id_len`. */
export const LENGTH_MASK = 0xff_ffff;

/** Octets of `id_len`, counted in its own length field. */
export const BLOB_HEADER = 4;

export const align4 = (length: number): number => (length + 3) & ~3;

/** An attribute found by {@link attributesOf}. */
export interface BlobAttribute {
  /** Bits 30-24 of `id_len`. */
  readonly id: number;
  readonly data: Buffer;
}

/**
 * The attributes of a blob. As in ubusd, an attribute whose length or padding reaches beyond the blob ends the list
 * without
 * an error.
 */
export function* attributesOf(bytes: Buffer): Generator<BlobAttribute> {
  for (let at = 0; at + BLOB_HEADER <= bytes.length; ) {
    const idLen = bytes.readUInt32BE(at);
    const length = idLen & LENGTH_MASK;
    const next = at + align4(length);
    if (length < BLOB_HEADER || next > bytes.length) return;
    yield { id: (idLen >>> 24) & 0x7f, data: bytes.subarray(at + BLOB_HEADER, at + length) };
    at = next;
  }
}

/** Writes attributes one after another into one growing buffer; nested ones get their length when they are closed. */
export class BlobWriter {
  #bytes = Buffer.alloc(256);
  #length = 0;

  /** Octets written so far. */
  get length(): number {
    return this.#length;
  }

  /** Appends `count` zero octets. @returns where they begin, and the buffer to write them in until the next append. */
  reserve(count: number): [bytes: Buffer, at: number] {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(this.#length * 2);
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return [this.#bytes, at];
  }

  u8(value: number): void {
    const [bytes, at] = this.reserve(1);
    bytes.writeUInt8(value, at);
  }

  u32(value: number): void {
    const [bytes, at] = this.reserve(4);
    bytes.writeUInt32BE(value >>> 0, at);
  }

  raw(data: Uint8Array): void {
    const [bytes, at] = this.reserve(data.length);
    bytes.set(data, at);
  }

  /** UTF-8 with the NUL that ends it. */
  text(value: string): void {
    const [bytes, at] = this.reserve(Buffer.byteLength(value) + 1);
    bytes.write(value, at);
  }

  /** One attribute around whatever `fill` writes. @throws BlobError above 2^24 - 1 octets. */
  attribute(idAndFlag: number, fill: () => void): void {
    const start = this.#length;
    this.u32(0);
    fill();
    const length = this.#length - start;
    if (length > LENGTH_MASK) throw new BlobError(`attribute of ${length} octets`, start);
    this.#bytes.writeUInt32BE((idAndFlag | length) >>> 0, start);
    this.reserve(align4(length) - length);
  }

  /** What was written; the writer must not be used after it. */
  take(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}
