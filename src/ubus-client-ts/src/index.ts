/** ubus without native code: the client, the blobmsg codec and the framer. */

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
export { type CallerOptions, type CallOptions, SOCKET_PATHS, UbusCaller, type UbusObject } from "./caller.ts";
export {
  type Caller,
  type ConnectOptions,
  type Method,
  type MethodHandler,
  type NotifyAnswer,
  type Registered,
  type ServedObject,
  type SubscribeOptions,
  UbusClient,
} from "./client.ts";
export { BlobError, UbusError, UbusFrameError, UbusStatus } from "./errors.ts";
export { type Frame, Framer, MAX_BLOB } from "./framer.ts";
export { type Attributes, decodeAttributes, encodeMessage, MessageType } from "./messages.ts";
