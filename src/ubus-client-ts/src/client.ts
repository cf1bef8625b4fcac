/**
 * A ubus client: calls, events, subscriptions and objects of its own. With `reconnect` they survive a restart of
 * ubusd.
 */

import {
  type BlobTable,
  BlobType,
  type BlobTypeName,
  type DecodedTable,
  decodeTable,
  encodeTable,
  int32,
} from "./blobmsg.ts";
import { type CallerOptions, type CallOptions, UbusCaller } from "./caller.ts";
import { UbusError, UbusStatus } from "./errors.ts";
import type { Frame } from "./framer.ts";
import { type Attributes, EVENT_OBJECT, MessageType } from "./messages.ts";

const RECONNECT_FIRST_MS = 100;
const RECONNECT_MAX_MS = 5_000;

export interface ConnectOptions extends CallerOptions {
  /** Reconnect when the connection is lost, and register everything again. The first connection is tried once only. */
  readonly reconnect?: boolean;
  /** A connection was lost; calls fail with CONNECTION_FAILED until `onReconnect`. */
  onDisconnect?(cause: Error | undefined): void;
  /** Called after reconnecting. What could be registered again is registered. */
  onReconnect?(): void;
  /**
   * Called with an error that no request waits for: of a callback, a malformed event, or registering again. Default: a
   * warning.
   */
  onError?(error: unknown): void;
}

/** Who called a method. */
export interface Caller {
  /** Client id of the caller. */
  readonly caller: number;
  readonly method: string;
  /** Names of the caller's uid and gid, from ubusd. */
  readonly user: string | undefined;
  readonly group: string | undefined;
}

/**
 * Answers a call: with an object, or with nothing (only the status is sent), or with an error. A thrown error with a
 * numeric
 * `status`, or a thrown number, is sent as the status; any other as UNKNOWN_ERROR.
 */
export type MethodHandler = (args: DecodedTable, call: Caller) => Answer | Promise<Answer>;

// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a return statement is the usual one.
type Answer = BlobTable | undefined | void;

/** A method. `args` is what `ubus -v list` shows; ubus does not check it. */
export type Method =
  | MethodHandler
  | { readonly args: Readonly<Record<string, BlobTypeName>>; readonly call: MethodHandler };

/** An object that this client offers. */
export interface ServedObject {
  readonly path: string;
  /** Changes when ubusd restarts; 0 while it is not registered. */
  readonly id: number;
  /** Whether somebody is subscribed. */
  readonly subscribed: boolean;
}

export interface Registered {
  /** Ends it. Resolves when ubusd has deleted it, or the connection is lost. */
  close(): Promise<void>;
}

export interface SubscribeOptions {
  /** Called when the object is removed. The client subscribes again when an object with this path appears. */
  onLost?(): void;
}

/** One answer of a subscriber to a notification. */
export interface NotifyAnswer {
  readonly subscriber: number;
  /** TIMEOUT if it did not answer in time. */
  readonly status: number;
}

/** Something that ubusd gave an object id. */
interface Registration {
  readonly path: string | undefined;
  readonly signature: Buffer | undefined;
  id: number;
  /** Called when the object has its id. */
  attach(): Promise<void>;
  invoked(attributes: Attributes, frame: Frame): void;
  subscribed: boolean;
  /** For a subscription: path and id of the object subscribed to, 0 while there is none. */
  target?: { readonly path: string; id: number };
  onLost?: (() => void) | undefined;
}

export class UbusClient extends UbusCaller {
  declare protected readonly options: ConnectOptions;
  readonly #registrations = new Set<Registration>();
  readonly #byId = new Map<number, Registration>();
  #reconnectTimer: NodeJS.Timeout | undefined;
  #watch: Promise<Registered | undefined> | undefined;

  /** @throws UbusError CONNECTION_FAILED when nobody listens, or ubusd does not know our uid. */
  static override async connect(options: ConnectOptions = {}): Promise<UbusClient> {
    const client = new UbusClient(options);
    await client.open();
    return client;
  }

  /**
   * Listens to events by exact name, by prefix (`ubus.object.*`) or all (`*`). The client does not receive its own
   * events.
   * @throws UbusError PERMISSION_DENIED if access control says so.
   */
  async listen(pattern: string, heard: (data: DecodedTable, event: string) => void): Promise<Registered> {
    const registration: Registration = {
      path: undefined,
      signature: undefined,
      id: 0,
      subscribed: false,
      attach: async () => {
        const args = encodeTable({ object: int32(registration.id), pattern });
        await this.invoke(EVENT_OBJECT, "register", args, `listen ${pattern}`);
      },
      invoked: ({ method = "", data }) =>
        this.#guard(() => heard(decodeTable(data ?? Buffer.alloc(0)), method)),
    };
    return this.#add(registration);
  }

  /**
   * Subscribes to an object's notifications, and subscribes again whenever the object is registered again.
   * @throws UbusError NOT_FOUND if there is no such object, or access control hides it; INVALID_ARGUMENT for an own
   * object.
   */
  async subscribe(
    object: string,
    notified: (data: DecodedTable, type: string) => void,
    options: SubscribeOptions = {},
  ): Promise<Registered> {
    const target = { path: object, id: 0 };
    let first = true;
    const registration: Registration = {
      path: undefined,
      signature: undefined,
      id: 0,
      subscribed: false,
      target,
      onLost: options.onLost?.bind(options),
      attach: async () => {
        try {
          await this.#attach(registration, target);
        } catch (error) {
          // After a restart of ubusd the object may be registered later than we are. The event of that is watched for.
          if (first || (error as UbusError).status !== UbusStatus.NOT_FOUND) throw error;
        }
        first = false;
      },
      invoked: ({ method = "", data, noReply }, { seq, peer }) => {
        this.#guard(() => notified(decodeTable(data ?? Buffer.alloc(0)), method));
        if (!noReply) this.#reply(seq, peer, { objId: registration.id, status: UbusStatus.OK });
      },
    };
    // A user who may not listen to events gets notifications too, but not after the object was registered again.
    this.#watch ??= this.listen("ubus.object.add", ({ path }) => this.#appeared(path)).catch(() => undefined);
    await this.#watch;
    return this.#add(registration);
  }

  /**
   * Offers an object.
   * @throws UbusError INVALID_ARGUMENT if the path is taken or access control rejects it.
   */
  async addObject(path: string, methods: Readonly<Record<string, Method>>): Promise<ServedObject> {
    const handlers = new Map(
      Object.entries(methods).map(([name, method]) => [
        name,
        typeof method === "function" ? method : method.call,
      ]),
    );
    const registration: Registration & { readonly path: string } = {
      path,
      signature: signatureOf(methods),
      id: 0,
      subscribed: false,
      attach: async () => undefined,
      invoked: (attributes, frame) => void this.#serve(registration.id, handlers, attributes, frame),
    };
    await this.#add(registration);
    return registration;
  }

  /** Removes an object. Also resolves when the connection is lost meanwhile. */
  async removeObject(object: ServedObject): Promise<void> {
    await this.#remove(object as unknown as Registration);
  }

  /**
   * Notifies the subscribers of one of our objects. With `timeoutMs` it waits for their answers and returns them;
   * without it,
   * it sends the notification and does not wait.
   * @throws UbusError CONNECTION_FAILED while not connected, NOT_FOUND for an object that was removed.
   */
  async notify(
    object: ServedObject,
    type: string,
    data: BlobTable = {},
    options: CallOptions = {},
  ): Promise<NotifyAnswer[]> {
    const what = `notify ${object.path} ${type}`;
    const { timeoutMs } = options;
    const attributes = { objId: object.id, method: type, data: encodeTable(data) };
    if (timeoutMs === undefined) {
      // With NO_REPLY ubusd answers only errors. No request has seq 0, so they are ignored.
      this.connected(what).send(MessageType.NOTIFY, 0, 0, { ...attributes, noReply: true }, what);
      return [];
    }
    const answers = new Map<number, number>();
    let waiting = 0;
    let refused: UbusError | undefined;
    const onStatus = (
      { status = UbusStatus.UNKNOWN_ERROR, subscribers }: Attributes,
      peer: number,
    ): boolean => {
      if (subscribers) {
        for (const id of subscribers) answers.set(id, UbusStatus.TIMEOUT);
        waiting = answers.size;
      } else if (answers.has(peer)) {
        answers.set(peer, status);
        waiting--;
      } else if (answers.size === 0) refused = new UbusError(status, what);
      return waiting > 0;
    };
    try {
      await this.request({ type: MessageType.NOTIFY, attributes, what, timeoutMs, onStatus });
    } catch (error) {
      if ((error as UbusError).status !== UbusStatus.TIMEOUT || answers.size === 0) throw error;
    }
    if (refused) throw refused;
    return Array.from(answers, ([subscriber, status]) => ({ subscriber, status }));
  }

  /** Sends what is still to be sent, then closes. Requests still open fail with CONNECTION_FAILED. */
  override close(): void {
    clearTimeout(this.#reconnectTimer);
    super.close();
  }

  protected override lost(cause: Error | undefined): void {
    this.#byId.clear();
    for (const registration of this.#registrations) {
      registration.id = 0;
      registration.subscribed = false;
      if (registration.target) registration.target.id = 0;
    }
    if (this.closed) return;
    this.#guard(() => this.options.onDisconnect?.(cause));
    if (this.options.reconnect) this.#reconnect(RECONNECT_FIRST_MS);
  }

  #reconnect(delay: number): void {
    this.#reconnectTimer = setTimeout(async () => {
      try {
        await this.open();
      } catch {
        if (!this.closed) this.#reconnect(Math.min(delay * 2, RECONNECT_MAX_MS));
        return;
      }
      for (const registration of [...this.#registrations]) {
        if (!this.connection) return;
        // If one cannot be registered again, because its path is taken, the others still are.
        await this.#register(registration).catch((error) => this.#error(error));
      }
      if (this.connection) this.#guard(() => this.options.onReconnect?.());
    }, delay);
  }

  async #add(registration: Registration): Promise<Registered> {
    await this.#register(registration);
    this.#registrations.add(registration);
    return { close: () => this.#remove(registration) };
  }

  async #register(registration: Registration): Promise<void> {
    const { path, signature } = registration;
    await this.request({
      type: MessageType.ADD_OBJECT,
      attributes: { ...(path !== undefined && { objPath: path }), ...(signature && { signature }) },
      what: `add object ${path ?? ""}`,
      // At once, because the first call may be in the same chunk of data.
      onData: ({ objId = 0 }) => {
        registration.id = objId;
        this.#byId.set(objId, registration);
      },
    });
    try {
      await registration.attach();
    } catch (error) {
      await this.#remove(registration, this.#registrations.has(registration));
      throw error;
    }
  }

  async #remove(registration: Registration, keep = false): Promise<void> {
    if (!keep) this.#registrations.delete(registration);
    const { id } = registration;
    registration.id = 0;
    if (!this.#byId.delete(id)) return;
    const request = { type: MessageType.REMOVE_OBJECT, attributes: { objId: id }, what: "remove object" };
    // Even after an error the object is gone: the connection or ubusd has ended.
    await this.request(request).catch(() => undefined);
  }

  async #attach(registration: Registration, target: { readonly path: string; id: number }): Promise<void> {
    const id = await this.lookupId(target.path);
    const attributes = { objId: registration.id, target: id };
    await this.request({ type: MessageType.SUBSCRIBE, attributes, what: `subscribe ${target.path}` });
    target.id = id;
  }

  #appeared(path: unknown): void {
    for (const registration of this.#registrations) {
      const { target } = registration;
      if (target?.path !== path || !target || target.id !== 0 || registration.id === 0) continue;
      this.#attach(registration, target).catch((error) => this.#error(error));
    }
  }

  protected override message(frame: Frame, attributes: Attributes): void {
    const { objId = 0 } = attributes;
    const registration = this.#byId.get(objId);
    if (frame.type === MessageType.INVOKE) {
      if (registration) registration.invoked(attributes, frame);
      else this.#reply(frame.seq, frame.peer, { objId, status: UbusStatus.NOT_FOUND });
    } else if (frame.type === MessageType.NOTIFY) {
      if (registration) registration.subscribed = attributes.active ?? false;
    } else if (frame.type === MessageType.UNSUBSCRIBE && registration?.target) {
      registration.target.id = 0;
      this.#guard(() => registration.onLost?.());
    }
  }

  async #serve(
    objId: number,
    handlers: ReadonlyMap<string, MethodHandler>,
    { method = "", data, noReply, user, group }: Attributes,
    { seq, peer }: Frame,
  ): Promise<void> {
    // Answer on the connection that the call came from. After reconnecting, seq and peer would belong to another call.
    const connection = this.connection;
    const reply = (type: number, attributes: Attributes) => {
      if (!noReply && connection === this.connection) this.#reply(seq, peer, { objId, ...attributes }, type);
    };
    let status: number = UbusStatus.OK;
    try {
      const handler = handlers.get(method);
      if (!handler) throw new UbusError(UbusStatus.METHOD_NOT_FOUND);
      const args = argumentsOf(data);
      const answer = await handler(args, { caller: peer, method, user, group });
      if (answer !== undefined) reply(MessageType.DATA, { data: encodeTable(answer) });
    } catch (error) {
      status = statusOf(error) ?? UbusStatus.UNKNOWN_ERROR;
      if (statusOf(error) === undefined) this.#error(error);
    }
    reply(MessageType.STATUS, { status });
  }

  #reply(seq: number, peer: number, attributes: Attributes, type: number = MessageType.STATUS): void {
    try {
      this.connection?.send(type, seq, peer, attributes);
    } catch (error) {
      // The connection is closing, so the caller gets no answer, as from any program that dies.
      if (!(error instanceof UbusError)) throw error;
    }
  }

  /** Runs a callback. Its errors must not end the connection. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#error(error);
    }
  }

  #error(error: unknown): void {
    if (this.options.onError) this.options.onError(error);
    else process.emitWarning(error instanceof Error ? error : String(error));
  }
}

/** @throws UbusError INVALID_ARGUMENT for arguments absent or malformed, as libubus answers. */
function argumentsOf(data: Buffer | undefined): DecodedTable {
  try {
    if (data) return decodeTable(data);
  } catch {}
  throw new UbusError(UbusStatus.INVALID_ARGUMENT);
}

/** The status in a thrown value, if it has one. */
function statusOf(thrown: unknown): number | undefined {
  const status = (thrown as { status?: unknown } | null | undefined)?.status ?? thrown;
  return typeof status === "number" && Number.isInteger(status) && status >= 0 ? status : undefined;
}

function signatureOf(methods: Readonly<Record<string, Method>>): Buffer {
  const signature: Record<string, BlobTable> = {};
  for (const [name, method] of Object.entries(methods)) {
    const args: Record<string, number> = {};
    if (typeof method !== "function") {
      for (const [arg, type] of Object.entries(method.args)) args[arg] = BlobType[type];
    }
    signature[name] = args;
  }
  return encodeTable(signature);
}
