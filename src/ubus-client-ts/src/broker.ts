/**
 * A small ubusd for tests: the same protocol on a socket of its own. It checks requests in ubusd's order and has
 * ubusd's
 * limits, so that a program that works with the broker works with ubusd. It has no ACL files and no `ubus monitor`.
 */

import { randomInt } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { decodeTable, encodeTable, fieldsOf, int32 } from "./blobmsg.ts";
import { UbusStatus } from "./errors.ts";
import { type Frame, Framer, MAX_BLOB } from "./framer.ts";
import {
  type Attributes,
  decodeAttributes,
  EVENT_OBJECT,
  encodeMessage,
  MessageType,
  wrapPayload,
} from "./messages.ts";

/** ubusd uses the ids below this for itself. */
const FIRST_ID = 1_024;

/** If more octets than this wait for a client, ubusd drops messages to it. */
const QUEUE_LIMIT = MAX_BLOB;

/** Who is behind a connection. */
export interface Credentials {
  readonly uid: number;
  readonly user: string;
  readonly group: string;
}

/** A question to access control. uid 0 may do everything, so there is no question about it. */
export interface AccessRequest {
  readonly who: Credentials;
  readonly kind: "access" | "publish" | "subscribe" | "listen" | "send";
  /** Path of the object, or the event's name or pattern. */
  readonly object: string;
  /** With "access". */
  readonly method?: string;
}

export interface BrokerOptions {
  readonly path: string;
  /**
   * Says who has connected, since Node cannot ask the kernel. Undefined disconnects the client, as ubusd does for an
   * unknown uid.
   */
  credentials?(): Credentials | undefined;
  /** Access control. Without it only uid 0 may do anything, as with ubusd without ACL files. */
  acl?(request: AccessRequest): boolean;
}

export interface Broker {
  /** Disconnects everybody and removes the socket. */
  close(): Promise<void>;
}

interface ObjectType {
  readonly id: number;
  readonly methods: readonly { readonly name: string; readonly raw: Buffer }[];
  uses: number;
}

interface BusObject {
  readonly id: number;
  readonly owner: Client;
  readonly path: string | undefined;
  readonly type: ObjectType | undefined;
  readonly subscribers: Set<BusObject>;
  readonly targets: Set<BusObject>;
  readonly patterns: { readonly text: string; readonly prefix: boolean }[];
  seq: number;
}

interface Client {
  readonly id: number;
  readonly who: Credentials;
  readonly objects: Set<BusObject>;
  send(message: Buffer): void;
}

/** The status to answer with; undefined when the answer comes later, or from another client. */
type Outcome = number | undefined;

/** @throws the error of the operating system when the socket cannot be made. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const bus = new Bus(options);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const who = options.credentials ? options.credentials() : ROOT;
    if (who) bus.join(socket, who);
    else socket.destroy();
  });
  rmSync(options.path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.path, resolve);
  });
  // Every user may connect; access control decides about each request.
  chmodSync(options.path, 0o666);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

const ROOT: Credentials = { uid: 0, user: "root", group: "root" };

class Bus {
  readonly #options: BrokerOptions;
  readonly #clients = new Map<number, Client>();
  readonly #objects = new Map<number, BusObject>();
  readonly #types = new Map<number, ObjectType>();
  readonly #paths = new Map<string, BusObject>();
  #eventSeq = 0;

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  join(socket: Socket, who: Credentials): void {
    const client: Client = {
      id: unusedId(this.#clients),
      who,
      objects: new Set(),
      send: (message) => {
        const queued = socket.writableLength;
        if (queued === 0 || queued + message.length <= QUEUE_LIMIT) socket.write(message);
      },
    };
    this.#clients.set(client.id, client);
    const framer = new Framer((frame) => this.#receive(client, frame));
    socket.on("data", (chunk) => {
      try {
        framer.push(chunk);
      } catch {
        socket.destroy();
      }
    });
    socket.on("close", () => {
      for (const object of [...client.objects]) this.#free(object);
      this.#clients.delete(client.id);
    });
    client.send(encodeMessage(MessageType.HELLO, 0, client.id, {}));
  }

  #receive(client: Client, frame: Frame): void {
    const attributes = decodeAttributes(frame.payload);
    const status = this.#handle(client, frame, attributes);
    if (status !== undefined)
      client.send(encodeMessage(MessageType.STATUS, frame.seq, frame.peer, { status }));
  }

  #handle(client: Client, frame: Frame, attributes: Attributes): Outcome {
    switch (frame.type) {
      case MessageType.PING:
        client.send(wrapPayload(MessageType.DATA, frame.seq, frame.peer, frame.payload));
        return UbusStatus.OK;
      case MessageType.LOOKUP:
        return this.#lookup(client, frame, attributes);
      case MessageType.INVOKE:
        return this.#invoke(client, frame, attributes);
      case MessageType.ADD_OBJECT:
        return this.#addObject(client, frame, attributes);
      case MessageType.REMOVE_OBJECT:
        return this.#removeObject(client, frame, attributes);
      case MessageType.STATUS:
      case MessageType.DATA:
        return this.#respond(client, frame, attributes);
      case MessageType.SUBSCRIBE:
        return this.#subscribe(client, attributes);
      case MessageType.UNSUBSCRIBE:
        return this.#unsubscribe(client, attributes);
      case MessageType.NOTIFY:
        return this.#notify(client, frame, attributes);
      default:
        return UbusStatus.INVALID_COMMAND;
    }
  }

  #permits(client: Client, kind: AccessRequest["kind"], object: string, method?: string): boolean {
    const { who } = client;
    if (who.uid === 0) return true;
    return this.#options.acl?.({ who, kind, object, ...(method !== undefined && { method }) }) ?? false;
  }

  #lookup(client: Client, { seq, peer }: Frame, { objPath }: Attributes): Outcome {
    const describe = ({ id, path = "", type }: BusObject): void => {
      if (!type) return;
      const shown = type.methods.filter(({ name }) => this.#permits(client, "access", path, name));
      if (shown.length === 0 && type.methods.length > 0) return;
      const signature = Buffer.concat(shown.map(({ raw }) => raw));
      const attributes = { objPath: path, objId: id, objType: type.id, signature };
      client.send(encodeMessage(MessageType.DATA, seq, peer, attributes));
    };
    if (objPath === "") return UbusStatus.INVALID_ARGUMENT;
    const exact = objPath !== undefined && !objPath.endsWith("*");
    const prefix = objPath?.slice(0, -1) ?? "";
    const found = exact
      ? [this.#paths.get(objPath)].filter((object) => object !== undefined)
      : [...this.#paths.values()].filter(({ path = "" }) => path.startsWith(prefix));
    if (objPath !== undefined && found.length === 0) return UbusStatus.NOT_FOUND;
    found.sort((one, other) => Buffer.compare(Buffer.from(one.path ?? ""), Buffer.from(other.path ?? "")));
    found.forEach(describe);
    return UbusStatus.OK;
  }

  #invoke(client: Client, { seq }: Frame, { objId, method, data }: Attributes): Outcome {
    if (method === undefined || objId === undefined) return UbusStatus.INVALID_ARGUMENT;
    if (objId === EVENT_OBJECT) return this.#eventObject(client, method, data);
    const object = this.#objects.get(objId);
    if (!object) return UbusStatus.NOT_FOUND;
    if (object.path !== undefined && !this.#permits(client, "access", object.path, method)) {
      return UbusStatus.PERMISSION_DENIED;
    }
    this.#forward(client, object, seq, { method, ...(data && { data }) });
    return undefined;
  }

  #forward(client: Client, object: BusObject, seq: number, attributes: Attributes): void {
    const { user, group } = client.who;
    const forwarded = { ...attributes, objId: object.id, user, group };
    let message: Buffer;
    try {
      message = encodeMessage(MessageType.INVOKE, seq, client.id, forwarded);
    } catch {
      // With the names of user and group the message is too long for the owner. Nobody answers, as when the owner dies.
      return;
    }
    object.owner.send(message);
  }

  #respond(client: Client, { type, seq, peer, payload }: Frame, attributes: Attributes): Outcome {
    const { objId = 0, status, data } = attributes;
    const complete = type === MessageType.STATUS ? status !== undefined : data !== undefined;
    if (complete && this.#objects.get(objId)?.owner === client) {
      this.#clients.get(peer)?.send(wrapPayload(type, seq, objId, payload));
    }
    return undefined;
  }

  #addObject(client: Client, { seq, peer }: Frame, { objPath, objType, signature }: Attributes): Outcome {
    if (objPath !== undefined) {
      const refused = this.#paths.has(objPath) || !this.#permits(client, "publish", objPath);
      if (refused) return UbusStatus.INVALID_ARGUMENT;
    }
    const type = objType !== undefined ? this.#types.get(objType) : signature && this.#newType(signature);
    const object: BusObject = {
      id: unusedId(this.#objects),
      owner: client,
      path: objPath,
      type,
      subscribers: new Set(),
      targets: new Set(),
      patterns: [],
      seq: 0,
    };
    if (type) type.uses++;
    this.#objects.set(object.id, object);
    client.objects.add(object);
    if (objPath !== undefined) {
      this.#paths.set(objPath, object);
      this.#objectEvent(object, "ubus.object.add");
    }
    const shownType = signature && type && { objType: type.id };
    client.send(encodeMessage(MessageType.DATA, seq, peer, { objId: object.id, ...shownType }));
    return UbusStatus.OK;
  }

  #newType(signature: Buffer): ObjectType | undefined {
    try {
      const methods = Array.from(fieldsOf(signature), ({ name, start, next }) => ({
        name,
        raw: signature.subarray(start, next),
      }));
      if (methods.some(({ name }) => name === "")) return undefined;
      const type = { id: unusedId(this.#types), methods, uses: 0 };
      this.#types.set(type.id, type);
      return type;
    } catch {
      return undefined;
    }
  }

  #removeObject(client: Client, { seq, peer }: Frame, { objId }: Attributes): Outcome {
    if (objId === undefined) return UbusStatus.INVALID_ARGUMENT;
    const object = this.#objects.get(objId);
    if (!object) return UbusStatus.NOT_FOUND;
    if (object.owner !== client) return UbusStatus.PERMISSION_DENIED;
    const lastOfType = object.type?.uses === 1 && { objType: object.type.id };
    client.send(encodeMessage(MessageType.DATA, seq, peer, { objId, ...lastOfType }));
    this.#free(object);
    return UbusStatus.OK;
  }

  #free(object: BusObject): void {
    for (const target of [...object.targets]) this.#detach(object, target);
    for (const subscriber of [...object.subscribers]) {
      const attributes = { objId: subscriber.id, target: object.id };
      subscriber.owner.send(encodeMessage(MessageType.UNSUBSCRIBE, ++subscriber.seq & 0xffff, 0, attributes));
      this.#detach(subscriber, object);
    }
    object.patterns.length = 0;
    if (object.path !== undefined) {
      this.#objectEvent(object, "ubus.object.remove");
      this.#paths.delete(object.path);
    }
    object.owner.objects.delete(object);
    this.#objects.delete(object.id);
    if (object.type && --object.type.uses === 0) this.#types.delete(object.type.id);
  }

  #subscribe(client: Client, { objId, target: targetId }: Attributes): Outcome {
    if (objId === undefined || targetId === undefined) return UbusStatus.INVALID_ARGUMENT;
    const object = this.#objects.get(objId);
    if (!object) return UbusStatus.NOT_FOUND;
    if (object.owner !== client) return UbusStatus.INVALID_ARGUMENT;
    const target = this.#objects.get(targetId);
    if (!target) return UbusStatus.NOT_FOUND;
    if (target.owner === client) return UbusStatus.INVALID_ARGUMENT;
    const { user, group } = target.owner.who;
    const permitted =
      target.path === undefined
        ? user === client.who.user || group === client.who.group
        : this.#permits(client, "subscribe", target.path);
    if (!permitted) return UbusStatus.NOT_FOUND;
    object.targets.add(target);
    target.subscribers.add(object);
    if (target.subscribers.size === 1) this.#active(target);
    return UbusStatus.OK;
  }

  #unsubscribe(client: Client, { objId, target: targetId }: Attributes): Outcome {
    if (objId === undefined || targetId === undefined) return UbusStatus.INVALID_ARGUMENT;
    const object = this.#objects.get(objId);
    if (!object) return UbusStatus.NOT_FOUND;
    if (object.owner !== client) return UbusStatus.INVALID_ARGUMENT;
    const target = this.#objects.get(targetId);
    if (!target || !object.targets.has(target)) return UbusStatus.NOT_FOUND;
    this.#detach(object, target);
    return UbusStatus.OK;
  }

  #detach(subscriber: BusObject, target: BusObject): void {
    subscriber.targets.delete(target);
    target.subscribers.delete(subscriber);
    if (target.subscribers.size === 0) this.#active(target);
  }

  /** Tells an owner whether its object has subscribers. */
  #active(object: BusObject): void {
    const attributes = { objId: object.id, active: object.subscribers.size > 0 };
    object.owner.send(encodeMessage(MessageType.NOTIFY, ++object.seq & 0xffff, 0, attributes));
  }

  #notify(client: Client, { seq, peer }: Frame, { objId, method, data, noReply }: Attributes): Outcome {
    if (method === undefined || objId === undefined) return UbusStatus.INVALID_ARGUMENT;
    const object = this.#objects.get(objId);
    if (!object) return UbusStatus.NOT_FOUND;
    if (object.owner !== client) return UbusStatus.PERMISSION_DENIED;
    if (!noReply) {
      const subscribers = Array.from(object.subscribers, ({ id }) => id);
      const attributes = { objId, subscribers, status: UbusStatus.OK };
      client.send(encodeMessage(MessageType.STATUS, seq, peer, attributes));
    }
    for (const subscriber of object.subscribers) {
      this.#forward(client, subscriber, seq, { method, ...(data && { data }), ...(noReply && { noReply }) });
    }
    return undefined;
  }

  #eventObject(client: Client, method: string, data: Buffer | undefined): Outcome {
    if (method !== "register" && method !== "send") return UbusStatus.INVALID_COMMAND;
    if (!data) return UbusStatus.INVALID_ARGUMENT;
    try {
      return method === "register" ? this.#register(client, data) : this.#send(client, data);
    } catch {
      return UbusStatus.INVALID_ARGUMENT;
    }
  }

  #register(client: Client, data: Buffer): Outcome {
    const { object: objectId, pattern } = decodeTable(data);
    if (typeof objectId !== "number" || typeof pattern !== "string") return UbusStatus.INVALID_ARGUMENT;
    const id = objectId >>> 0;
    if (id < FIRST_ID) return UbusStatus.PERMISSION_DENIED;
    const object = this.#objects.get(id);
    if (!object) return UbusStatus.NOT_FOUND;
    if (object.owner !== client || pattern === "") return UbusStatus.PERMISSION_DENIED;
    const prefix = pattern.endsWith("*");
    const text = prefix ? pattern.slice(0, -1) : pattern;
    if (!this.#permits(client, "listen", text)) return UbusStatus.PERMISSION_DENIED;
    object.patterns.push({ text, prefix });
    return UbusStatus.OK;
  }

  #send(client: Client, data: Buffer): Outcome {
    const { id, data: fields } = decodeTable(data);
    if (typeof id !== "string" || typeof fields !== "object" || fields === null || Array.isArray(fields)) {
      return UbusStatus.INVALID_ARGUMENT;
    }
    if (id.startsWith("ubus.")) return UbusStatus.PERMISSION_DENIED;
    if (!this.#permits(client, "send", id)) return UbusStatus.PERMISSION_DENIED;
    this.#event(client, id, rawTable(data, "data"));
    return UbusStatus.OK;
  }

  #objectEvent({ id, path = "" }: BusObject, event: string): void {
    this.#event(undefined, event, encodeTable({ id: int32(id), path }));
  }

  #event(sender: Client | undefined, method: string, data: Buffer): void {
    for (const object of this.#objects.values()) {
      if (object.owner === sender) continue;
      const matches = object.patterns.some(({ text, prefix }) =>
        prefix ? method.startsWith(text) : method === text,
      );
      if (!matches) continue;
      this.#eventSeq = (this.#eventSeq + 1) & 0xffff;
      const attributes = { objId: object.id, method, data };
      object.owner.send(encodeMessage(MessageType.INVOKE, this.#eventSeq, 0, attributes));
    }
  }
}

/** The encoded fields of one table of a list. */
function rawTable(bytes: Buffer, name: string): Buffer {
  for (const field of fieldsOf(bytes)) {
    if (field.name === name) return bytes.subarray(field.data, field.end);
  }
  return Buffer.alloc(0);
}

function unusedId(taken: ReadonlyMap<number, unknown>): number {
  for (;;) {
    const id = randomInt(FIRST_ID, 2 ** 32);
    if (!taken.has(id)) return id;
  }
}
