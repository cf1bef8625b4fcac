/** One connection to ubusd: the socket, the greeting HELLO, and the requests that wait for their STATUS. */

import { connect, type Socket } from "node:net";
import { UbusError, UbusFrameError, UbusStatus } from "./errors.ts";
import { type Frame, Framer } from "./framer.ts";
import { type Attributes, decodeAttributes, encodeMessage, MessageType } from "./messages.ts";

/** Longest delay that setTimeout accepts, ms. */
const TIMEOUT_MAX = 0x7fff_ffff;

/** A request to ubusd, or to an object through ubusd. */
export interface Request {
  readonly type: number;
  /** The header field `peer`: the id of the called object, or 0. Answers repeat it. */
  readonly peer: number;
  readonly attributes: Attributes;
  /** ms until the request fails with TIMEOUT; Infinity waits for ever. */
  readonly timeoutMs: number;
  /** For the text of errors. */
  readonly what: string;
  /** Called for each DATA message when it arrives, before the next message is read. */
  onData?(attributes: Attributes): void;
  /** Called for a STATUS message; returns true if more of them follow. */
  onStatus?(attributes: Attributes, peer: number): boolean;
}

interface Pending {
  readonly request: Request;
  readonly data: Attributes[];
  readonly timer: NodeJS.Timeout | undefined;
  resolve(data: Attributes[]): void;
  reject(error: Error): void;
}

/** Callbacks of a connection. */
export interface ConnectionOwner {
  /** Called for a message that is not an answer to a request. */
  message(frame: Frame, attributes: Attributes): void;
  /** Called when either side has closed the connection. Its requests have been rejected. */
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
   * @param timeoutMs How long to wait for ubusd's HELLO. ubusd disconnects a uid without a passwd entry instead.
   * @throws UbusError CONNECTION_FAILED, whose `cause` says why.
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
      // We have closed because of a frame; the frames behind it are ignored.
      if (this.#cause) return;
      // ubusd ignores the version; libubus accepts only 0.
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

  /** Closes after everything was sent. @param cause The cause in the errors of the requests that are still open. */
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

  /** @returns true if the frame answers one of our requests, even one that has timed out. */
  #answer({ type, seq, peer }: Frame, attributes: Attributes): boolean {
    if (type !== MessageType.DATA && type !== MessageType.STATUS) return false;
    const pending = this.#pending.get(seq);
    if (!pending) return true;
    const { request } = pending;
    // seq numbers are used again. A late answer to a request that timed out is told by its peer.
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
