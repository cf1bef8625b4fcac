/** Takes a stream of octets apart into ubus messages. */

import { BLOB_HEADER, LENGTH_MASK } from "./blob.ts";
import { UbusFrameError } from "./errors.ts";

/** Octets before the outer blob: version, type, seq, peer. */
export const MESSAGE_HEADER = 8;

/** Largest outer blob, its own header included, in octets: ubusd and libubus reject larger ones. */
export const MAX_BLOB = 1_048_576;

/** One message, whose attributes are not decoded yet. */
export interface Frame {
  /** Octets of the stream before the message. */
  readonly offset: number;
  readonly version: number;
  readonly type: number;
  readonly seq: number;
  readonly peer: number;
  /** The data of the outer blob. */
  readonly payload: Buffer;
}

/** A chunk of the stream may have several messages, or a part of one. */
export class Framer {
  readonly #onFrame: (frame: Frame) => void;
  #chunks: Buffer[] = [];
  #held = 0;
  /** Octets that must be there before the next message can be read. */
  #wanted = MESSAGE_HEADER + BLOB_HEADER;
  /** Octets of the stream before those in the buffer. */
  #offset = 0;
  #broken: UbusFrameError | undefined;

  /** @param onFrame Called for each message, in order, from within {@link push}. */
  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** @throws UbusFrameError when the stream is malformed; the messages before that point have been delivered. */
  push(chunk: Buffer): void {
    if (this.#broken) throw this.#broken;
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#wanted) return;

    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#held);
    let at = 0;
    let wanted: number;
    for (;;) {
      const left = bytes.length - at;
      wanted = MESSAGE_HEADER + BLOB_HEADER;
      if (left < wanted) break;
      const length = bytes.readUInt32BE(at + MESSAGE_HEADER) & LENGTH_MASK;
      if (length < BLOB_HEADER || length > MAX_BLOB) {
        this.#broken = new UbusFrameError(`outer blob of ${length} octets`, this.#offset + at);
        this.#chunks = [];
        throw this.#broken;
      }
      wanted = MESSAGE_HEADER + length;
      if (left < wanted) break;
      const start = at;
      at += wanted;
      this.#onFrame({
        offset: this.#offset + start,
        version: bytes.readUInt8(start),
        type: bytes.readUInt8(start + 1),
        seq: bytes.readUInt16BE(start + 2),
        peer: bytes.readUInt32BE(start + 4),
        payload: bytes.subarray(start + MESSAGE_HEADER + BLOB_HEADER, at),
      });
    }
    this.#chunks = at < bytes.length ? [bytes.subarray(at)] : [];
    this.#held = bytes.length - at;
    this.#offset += at;
    this.#wanted = wanted;
  }
}
