/** Looks up objects, calls methods and sends events. {@link UbusClient} can also listen and offer objects. */

import { existsSync } from "node:fs";
import {
  type BlobTable,
  BlobType,
  type BlobTypeName,
  type DecodedTable,
  decodeTable,
  encodeTable,
} from "./blobmsg.ts";
import { Connection, type Request } from "./connection.ts";
import { UbusError, UbusStatus } from "./errors.ts";
import type { Frame } from "./framer.ts";
import { type Attributes, EVENT_OBJECT, MessageType } from "./messages.ts";

/** Paths of the socket of ubusd: the current one, and the one of older systems. */
export const SOCKET_PATHS = ["/var/run/ubus/ubus.sock", "/var/run/ubus.sock"] as const;

/** Timeout of the command `ubus`, ms. */
const DEFAULT_TIMEOUT_MS = 30_000;

export interface CallerOptions {
  /** Socket of ubusd; otherwise the first of {@link SOCKET_PATHS} that exists. */
  readonly path?: string;
  /** Timeout of requests that set none, ms; 30,000 if not given. */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  readonly timeoutMs?: number;
}

/** An object as LOOKUP describes it. */
export interface UbusObject {
  readonly path: string;
  /** Changes when the object is registered again. */
  readonly id: number;
  readonly type: number;
  /** Arguments and their types by method. */
  readonly methods: Readonly<Record<string, Readonly<Record<string, BlobTypeName>>>>;
}

/** Calls methods. It does not reconnect when the connection is lost. */
export class UbusCaller {
  protected readonly options: CallerOptions;
  /** Object ids by path, as last looked up. */
  readonly #ids = new Map<string, number>();
  protected connection: Connection | undefined;
  protected closed = false;

  /** @throws UbusError CONNECTION_FAILED when nobody listens, or ubusd does not know our uid. */
  static async connect(options: CallerOptions = {}): Promise<UbusCaller> {
    const caller = new UbusCaller(options);
    await caller.open();
    return caller;
  }

  protected constructor(options: CallerOptions) {
    this.options = options;
  }

  /** Our client id, 0 while not connected. */
  get id(): number {
    return this.connection?.id ?? 0;
  }

  /**
   * Objects by exact path, by prefix (`network.*`), or all.
   * @throws UbusError NOT_FOUND if none matches. Objects that the caller may not access are left out.
   */
  async lookup(pattern?: string): Promise<UbusObject[]> {
    const found = await this.request({
      type: MessageType.LOOKUP,
      attributes: pattern === undefined ? {} : { objPath: pattern },
      what: `lookup ${pattern ?? "all"}`,
    });
    return found.map(({ objPath = "", objId = 0, objType = 0, signature }) => {
      this.#ids.set(objPath, objId);
      return { path: objPath, id: objId, type: objType, methods: methodsOf(signature) };
    });
  }

  /**
   * Calls a method of an object, by path or id. @returns the objects of the answer, usually one or none.
   * @throws UbusError with the status; BlobError for arguments that cannot be encoded or an answer that is malformed.
   */
  async call(
    object: string | number,
    method: string,
    args: BlobTable = {},
    options: CallOptions = {},
  ): Promise<DecodedTable[]> {
    const data = encodeTable(args);
    const known = typeof object === "number" ? object : this.#ids.get(object);
    const invoke = (id: number) => this.invoke(id, method, data, `call ${object} ${method}`, options);
    if (known === undefined) return invoke(await this.lookupId(object as string));
    try {
      return await invoke(known);
    } catch (error) {
      // Either the method answers NOT_FOUND, or the object has another id because it was registered again.
      if (typeof object === "number" || (error as UbusError).status !== UbusStatus.NOT_FOUND) throw error;
      this.#ids.delete(object);
      const id = await this.lookupId(object);
      if (id === known) throw error;
      return invoke(id);
    }
  }

  /** As {@link call}, the first object of the answer, or an empty one. */
  async callFirst(
    object: string | number,
    method: string,
    args: BlobTable = {},
    options: CallOptions = {},
  ): Promise<DecodedTable> {
    const [first = {}] = await this.call(object, method, args, options);
    return first;
  }

  /** Sends an event. @throws UbusError PERMISSION_DENIED for names that begin with "ubus.". */
  async send(event: string, data: BlobTable = {}): Promise<void> {
    await this.invoke(EVENT_OBJECT, "send", encodeTable({ id: event, data }), `send ${event}`);
  }

  /** Sends ubusd a message and waits for the answer. */
  async ping(options: CallOptions = {}): Promise<void> {
    await this.request({ type: MessageType.PING, attributes: {}, what: "ping", ...options });
  }

  /** Sends what is still to be sent, then closes. Requests still open fail with CONNECTION_FAILED. */
  close(): void {
    this.closed = true;
    this.connection?.close();
  }

  protected async open(): Promise<void> {
    const path = this.options.path ?? SOCKET_PATHS.find((each) => existsSync(each)) ?? SOCKET_PATHS[0];
    this.connection = await Connection.open(path, this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS, {
      message: (frame, attributes) => this.message(frame, attributes),
      closed: (cause) => {
        this.connection = undefined;
        this.#ids.clear();
        this.lost(cause);
      },
    });
    if (this.closed) this.connection.close();
  }

  /** Handles a message that is not an answer. A caller has no objects, so it ignores it. */
  protected message(_frame: Frame, _attributes: Attributes): void {}

  protected lost(_cause: Error | undefined): void {}

  protected connected(what: string): Connection {
    if (!this.connection) throw new UbusError(UbusStatus.CONNECTION_FAILED, what);
    return this.connection;
  }

  protected async request(
    request: Partial<Request> & Pick<Request, "type" | "attributes" | "what">,
  ): Promise<Attributes[]> {
    const timeoutMs = request.timeoutMs ?? this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    return this.connected(request.what).request({ peer: 0, ...request, timeoutMs });
  }

  protected async invoke(
    objId: number,
    method: string,
    data: Buffer,
    what: string,
    options: CallOptions = {},
  ): Promise<DecodedTable[]> {
    const attributes = { objId, method, data };
    const answers = await this.request({
      ...options,
      type: MessageType.INVOKE,
      peer: objId,
      attributes,
      what,
    });
    return answers.map((answer) => decodeTable(answer.data ?? Buffer.alloc(0)));
  }

  protected async lookupId(path: string): Promise<number> {
    const found = (await this.lookup(path)).find((object) => object.path === path);
    // STATUS 0 without DATA: ubusd hides the object, because this user may not access it.
    if (!found) throw new UbusError(UbusStatus.PERMISSION_DENIED, `lookup ${path}`);
    return found.id;
  }
}

function methodsOf(signature: Buffer | undefined): UbusObject["methods"] {
  const names = Object.keys(BlobType) as BlobTypeName[];
  const nameOf = (type: unknown) => names.find((name) => BlobType[name] === type) ?? "null";
  const methods = Object.entries(decodeTable(signature ?? Buffer.alloc(0)));
  return Object.fromEntries(
    methods.map(([method, args]) => [
      method,
      Object.fromEntries(Object.entries(args ?? {}).map(([arg, type]) => [arg, nameOf(type)])),
    ]),
  );
}
