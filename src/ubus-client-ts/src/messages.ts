/** ubus messages: their types and attributes. */

import { attributesOf, BLOB_HEADER, BlobWriter } from "./blob.ts";
import { BlobError } from "./errors.ts";
import { MAX_BLOB, MESSAGE_HEADER } from "./framer.ts";

export const MessageType = {
  HELLO: 0,
  STATUS: 1,
  DATA: 2,
  PING: 3,
  LOOKUP: 4,
  INVOKE: 5,
  ADD_OBJECT: 6,
  REMOVE_OBJECT: 7,
  SUBSCRIBE: 8,
  UNSUBSCRIBE: 9,
  NOTIFY: 10,
} as const;

/** The object that ubusd itself serves: `register` and `send` of events. */
export const EVENT_OBJECT = 1;

export interface Attributes {
  readonly status?: number;
  readonly objPath?: string;
  readonly objId?: number;
  readonly method?: string;
  readonly objType?: number;
  /** blobmsg fields, one table for each method. */
  readonly signature?: Buffer;
  /** blobmsg fields. */
  readonly data?: Buffer;
  readonly target?: number;
  readonly active?: boolean;
  readonly noReply?: boolean;
  /** Object ids. */
  readonly subscribers?: readonly number[];
  readonly user?: string;
  readonly group?: string;
}

type Value = number | boolean | string | Buffer | readonly number[];

/** How one kind of attribute is read and written. Reading gives undefined for an attribute that counts as absent. */
interface Kind<T extends Value> {
  read(data: Buffer): T | undefined;
  write(writer: BlobWriter, value: T): void;
}

const u32: Kind<number> = {
  read: (data) => (data.length === 4 ? data.readUInt32BE() : undefined),
  write: (writer, value) => writer.u32(value),
};

const flag: Kind<boolean> = {
  read: (data) => (data.length === 1 ? data[0] !== 0 : undefined),
  write: (writer, value) => writer.u8(value ? 1 : 0),
};

const text: Kind<string> = {
  read: (data) => (data.at(-1) === 0 ? data.toString("utf8", 0, data.indexOf(0)) : undefined),
  write: (writer, value) => {
    if (value.includes("\0")) throw new BlobError("NUL in a string", writer.length);
    writer.text(value);
  },
};

const nested: Kind<Buffer> = {
  read: (data) => data,
  write: (writer, value) => writer.raw(value),
};

const ids: Kind<readonly number[]> = {
  read: (data) =>
    Array.from(attributesOf(data), (attribute) => u32.read(attribute.data)).filter((id) => id !== undefined),
  write: (writer, value) => {
    for (const id of value) writer.attribute(0, () => writer.u32(id));
  },
};

/** Attributes by id; an id without a row is ignored. */
const rows: readonly (readonly [name: keyof Attributes, kind: Kind<Value>] | undefined)[] = [
  undefined,
  ["status", u32],
  ["objPath", text],
  ["objId", u32],
  ["method", text],
  ["objType", u32],
  ["signature", nested],
  ["data", nested],
  ["target", u32],
  ["active", flag],
  ["noReply", flag],
  ["subscribers", ids],
  ["user", text],
  ["group", text],
];

/** Never throws. As in ubusd, a malformed attribute counts as absent, and of several with one id the last is used. */
export function decodeAttributes(payload: Buffer): Attributes {
  const found: Partial<Record<keyof Attributes, Value>> = {};
  for (const { id, data } of attributesOf(payload)) {
    const row = rows[id];
    const value = row?.[1].read(data);
    if (row && value !== undefined) found[row[0]] = value;
  }
  return found as Attributes;
}

/** @throws BlobError above 1 MiB, which every program rejects. */
export function encodeMessage(type: number, seq: number, peer: number, attributes: Attributes): Buffer {
  const writer = new BlobWriter();
  const [header] = writer.reserve(MESSAGE_HEADER);
  writeHeader(header, type, seq, peer);
  writer.attribute(0, () => {
    for (const [id, row] of rows.entries()) {
      const value = row && attributes[row[0]];
      if (row && value !== undefined) writer.attribute(id << 24, () => row[1].write(writer, value));
    }
  });
  const message = writer.take();
  const length = message.length - MESSAGE_HEADER;
  if (length > MAX_BLOB) throw new BlobError(`message of ${length} octets, more than ${MAX_BLOB}`, MAX_BLOB);
  return message;
}

/** Makes a message of a payload that is already encoded. The last padding of the payload may be missing. */
export function wrapPayload(type: number, seq: number, peer: number, payload: Buffer): Buffer {
  const message = Buffer.alloc(MESSAGE_HEADER + BLOB_HEADER + payload.length);
  writeHeader(message, type, seq, peer);
  message.writeUInt32BE(BLOB_HEADER + payload.length, MESSAGE_HEADER);
  message.set(payload, MESSAGE_HEADER + BLOB_HEADER);
  return message;
}

function writeHeader(bytes: Buffer, type: number, seq: number, peer: number): void {
  bytes.writeUInt8(type, 1);
  bytes.writeUInt16BE(seq, 2);
  bytes.writeUInt32BE(peer, 4);
}
