/** The errors of this package. */

/** ubus status codes, by the names of the protocol. */
export const UbusStatus = {
  OK: 0,
  INVALID_COMMAND: 1,
  INVALID_ARGUMENT: 2,
  METHOD_NOT_FOUND: 3,
  NOT_FOUND: 4,
  NO_DATA: 5,
  PERMISSION_DENIED: 6,
  TIMEOUT: 7,
  NOT_SUPPORTED: 8,
  UNKNOWN_ERROR: 9,
  CONNECTION_FAILED: 10,
  NO_MEMORY: 11,
  PARSE_ERROR: 12,
  SYSTEM_ERROR: 13,
} as const;

const statusNames = Object.keys(UbusStatus);

/** The name of a status, such as "NOT_FOUND". */
export function statusNameOf(status: number): string {
  return statusNames[status] ?? `STATUS_${status}`;
}

/**
 * A request that failed: with a status from the object or ubusd, or with TIMEOUT or CONNECTION_FAILED from this
 * package.
 */
export class UbusError extends Error {
  override readonly name: string = "UbusError";
  /** A value of {@link UbusStatus}, or another number if the peer sent one. */
  readonly status: number;
  /** Its name, such as "NOT_FOUND". */
  readonly statusName: string;

  /** @param what The request that failed, such as "call network.device status". */
  constructor(status: number, what?: string, options?: ErrorOptions) {
    const statusName = statusNameOf(status);
    super(what === undefined ? statusName : `${what}: ${statusName}`, options);
    this.status = status;
    this.statusName = statusName;
  }
}

/** A value that blobmsg cannot hold, or octets that are not valid blobmsg. */
export class BlobError extends Error {
  override readonly name: string = "BlobError";
  /** When decoding, octets from the start of the fields; when encoding, octets written so far. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} at offset ${offset}`);
    this.offset = offset;
  }
}

/** A stream that does not follow the ubus protocol. Nothing behind that point can be read. */
export class UbusFrameError extends Error {
  override readonly name: string = "UbusFrameError";
  /** Octets from the start of the stream to the rejected message. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} at octet ${offset} of the stream`);
    this.offset = offset;
  }
}
