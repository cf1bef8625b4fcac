/** ubus without native code: a client that also serves, the blobmsg codec and the framer. */

export {
  type BlobTable,
  BlobType,
  type BlobTypeName,
  type BlobValue,
  type Decoded,
  type DecodedTable,
  decodeTable,
  double,
  encodeTable,
  int8,
  int16,
  int32,
  int64,
  TypedNumber,
} from "./blobmsg.ts";
export {
  type Caller,
  type CallOptions,
  type ConnectOptions,
  type Method,
  type MethodHandler,
  type NotifyAnswer,
  type Registered,
  type ServedObject,
  SOCKET_PATHS,
  type SubscribeOptions,
  UbusClient,
  type UbusObject,
} from "./client.ts";
export { BlobError, UbusError, UbusFrameError, UbusStatus } from "./errors.ts";
export { type Frame, Framer, MAX_BLOB } from "./framer.ts";
export { type Attributes, decodeAttributes, encodeMessage, MessageType } from "./messages.ts";
