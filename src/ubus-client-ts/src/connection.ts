/** One connection to ubusd: the socket, HELLO, and requests waiting for their STATUS. */

import { connect, type Socket } from "node:net";
import { UbusError, UbusFrameError, UbusStatus } from "./errors.ts";
import { type Frame, Framer } from "./framer.ts";
import { type Attributes, decodeAttributes, encodeMessage, MessageType } from "./messages.ts";

/** Longest delay that setTimeout takes, ms. */
const TIMEOUT_MAX = 0x7fff_ffff;

/** A request to ubusd or through it. */
export interface Request {
  readonly type: number;
  /** Header peer: the object called, or 0. Answers repeat it. */
  readonly peer: number;
  readonly attributes: Attributes;
  /** ms until the request fails with TIMEOUT; Infinity waits for ever. */
  readonly timeoutMs: number;
  /** For the text of errors. */
  readonly what: string;
  /** Called for each DATA as it arrives, before messages behind it are looked at. */
  onData?(attributes: Attributes): void;
  /** Called for a STATUS; true keeps the request open for more of them. */
  onStatus?(attributes: Attributes, peer: number): boolean;
}

interface Pending {
  readonly request: Request;
  readonly data: Attributes[];
  readonly timer: NodeJS.Timeout | undefined;
  resolve(data: Attributes[]): void;
  reject(error: Error): void;
}

/** What a connection tells its owner. */
export interface ConnectionOwner {
  /** A message that answers no request. */
  message(frame: Frame, attributes: Attributes): void;
  /** The connection is gone, by whichever side. Its requests have been rejected. */
  closed(cause: Error | undefined): void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  #seq = 0;
  #cause: Error | undefined;
  /** Our client id with ubusd. */
  id = 0;

  /**
   * @param timeoutMs For ubusd's HELLO; it never greets a uid that has no passwd entry, but disconnects it.
   * @throws UbusError CONNECTION_FAILED, with its cause.
   */
  static open(path: string, timeoutMs: number, owner: ConnectionOwner): Promise<Connection> {
    return new Promise((resolve, reject) => {
      let greeted = false;
      const connection = new Connection(path, {
        message(frame, attributes) {
          if (greeted) owner.message(frame, attributes);
          else if (frame.type === MessageType.HELLO) {
            greeted = true;
            clearTimeout(timer);
            connection.id = frame.peer;
            resolve(connection);
          }
        },
        closed(cause) {
          clearTimeout(timer);
          if (greeted) owner.closed(cause);
          else reject(new UbusError(UbusStatus.CONNECTION_FAILED, `connect ${path}`, { cause }));
        },
      });
      const timer = setTimeout(() => connection.close(new UbusError(UbusStatus.TIMEOUT, "HELLO")), timeoutMs);
    });
  }

  private constructor(path: string, owner: ConnectionOwner) {
    const framer = new Framer((frame) => {
      // What follows the frame that made us close is nobody's.
      if (this.#cause) return;
      // ubusd ignores the version, libubus takes none but 0.
      if (frame.version !== 0) throw new UbusFrameError(`version ${frame.version}`, frame.offset);
      const attributes = decodeAttributes(frame.payload);
      if (!this.#answer(frame, attributes)) owner.message(frame, attributes);
    });
    this.#socket = connect(path);
    this.#socket.on("data", (chunk) => {
      try {
        framer.push(chunk);
      } catch (error) {
        this.close(error as Error);
      }
    });
    this.#socket.on("error", (error) => {
      this.#cause ??= error;
    });
    this.#socket.on("close", () => {
      for (const [seq, pending] of this.#pending) {
        this.#settle(seq);
        const { what } = pending.request;
        pending.reject(new UbusError(UbusStatus.CONNECTION_FAILED, what, { cause: this.#cause }));
      }
      owner.closed(this.#cause);
    });
  }

  /**
   * @returns the DATA messages that came before STATUS OK.
   * @throws UbusError for any other status, TIMEOUT and CONNECTION_FAILED included; BlobError above 1 MiB.
   */
  async request(request: Request): Promise<Attributes[]> {
    const { timeoutMs, what } = request;
    const seq = this.#nextSeq();
    if (seq === undefined) throw new UbusError(UbusStatus.NO_MEMORY, what);
    this.send(request.type, seq, request.peer, request.attributes, what);
    return new Promise((resolve, reject) => {
      const expire = () => {
        this.#settle(seq);
        reject(new UbusError(UbusStatus.TIMEOUT, what));
      };
      const timer = timeoutMs > TIMEOUT_MAX ? undefined : setTimeout(expire, timeoutMs);
      this.#pending.set(seq, { request, data: [], timer, resolve, reject });
    });
  }

  /** @throws UbusError CONNECTION_FAILED on a closed connection; BlobError above 1 MiB. */
  send(type: number, seq: number, peer: number, attributes: Attributes, what?: string): void {
    const message = encodeMessage(type, seq, peer, attributes);
    if (!this.#socket.writable)
      throw new UbusError(UbusStatus.CONNECTION_FAILED, what, { cause: this.#cause });
    this.#socket.write(message);
  }

  /** Closes after what was sent has left. @param cause Given to the requests still open. */
  close(cause: Error = new Error("closed")): void {
    this.#cause ??= cause;
    this.#socket.destroySoon();
  }

  #nextSeq(): number | undefined {
    for (let tries = 0; tries < 0x1_0000; tries++) {
      this.#seq = (this.#seq + 1) & 0xffff;
      if (!this.#pending.has(this.#seq)) return this.#seq;
    }
    return undefined;
  }

  #settle(seq: number): void {
    clearTimeout(this.#pending.get(seq)?.timer);
    this.#pending.delete(seq);
  }

  /** @returns whether the frame belongs to a request of ours, one already given up included. */
  #answer({ type, seq, peer }: Frame, attributes: Attributes): boolean {
    if (type !== MessageType.DATA && type !== MessageType.STATUS) return false;
    const pending = this.#pending.get(seq);
    if (!pending) return true;
    const { request } = pending;
    // An answer to a request that timed out, whose seq has come round again, differs in its peer.
    if (peer !== request.peer && !request.onStatus) return true;
    if (type === MessageType.DATA) {
      pending.data.push(attributes);
      request.onData?.(attributes);
      return true;
    }
    if (request.onStatus?.(attributes, peer)) return true;
    this.#settle(seq);
    const status = attributes.status ?? UbusStatus.UNKNOWN_ERROR;
    if (status === UbusStatus.OK || request.onStatus) pending.resolve(pending.data);
    else pending.reject(new UbusError(status, request.what));
    return true;
  }
}
