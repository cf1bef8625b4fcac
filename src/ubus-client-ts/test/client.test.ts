import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type DecodedTable,
  encodeMessage,
  MessageType,
  UbusCaller,
  UbusClient,
  UbusError,
  UbusStatus,
} from "../src/index.ts";
import { type Daemon, startDaemon, startRawServer, until } from "./daemon.ts";

let daemon: Daemon;
const clients: UbusCaller[] = [];
const closing: (() => Promise<unknown>)[] = [];

async function connect(options: Parameters<typeof UbusClient.connect>[0] = {}): Promise<UbusClient> {
  const client = await UbusClient.connect({ path: daemon.path, ...options });
  clients.push(client);
  return client;
}

/** The status a request fails with. */
async function statusOf(request: Promise<unknown>): Promise<string> {
  try {
    await request;
    return "OK";
  } catch (error) {
    if (error instanceof UbusError) return error.statusName;
    throw error;
  }
}

const never = () => new Promise<undefined>(() => undefined);

beforeEach(async () => {
  daemon = await startDaemon();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const close of closing.splice(0)) await close();
  await daemon.stop();
});

describe("objects and calls", () => {
  test("an object is found, by path, by prefix and among all", async () => {
    const server = await connect();
    await server.addObject("lab.one", {
      add: {
        args: { a: "int32", b: "int32" },
        call: ({ a, b }: DecodedTable) => ({ sum: Number(a) + Number(b) }),
      },
      plain: () => undefined,
    });
    await server.addObject("lab.two", {});
    const client = await connect();
    const [one] = await client.lookup("lab.one");
    expect(one).toMatchObject({ path: "lab.one", methods: { add: { a: "int32", b: "int32" }, plain: {} } });
    expect((await client.lookup("lab.*")).map(({ path }) => path).sort()).toEqual(["lab.one", "lab.two"]);
    expect((await client.lookup()).map(({ path }) => path)).toEqual(
      expect.arrayContaining(["lab.one", "lab.two"]),
    );
    expect(await statusOf(client.lookup("lab.three"))).toBe("NOT_FOUND");
  });

  test("a call carries arguments there and an answer back; the caller is named", async () => {
    const server = await connect();
    const callers: unknown[] = [];
    await server.addObject("lab", {
      echo: async (args, { caller, method, user }) => {
        callers.push([caller, method, user]);
        return args;
      },
    });
    const client = await connect();
    const args = {
      text: "wan6",
      n: -5,
      big: 2 ** 40,
      half: 0.5,
      yes: true,
      list: [1, [2, "x"]],
      table: { a: null },
    };
    expect(await client.callFirst("lab", "echo", args)).toEqual(args);
    const [object] = await client.lookup("lab");
    expect(await client.call(object?.id ?? 0, "echo", {})).toEqual([{}]);
    expect(callers).toEqual([
      [client.id, "echo", "root"],
      [client.id, "echo", "root"],
    ]);
  });

  test("an object calls methods of its own client's peers while it is being called", async () => {
    const server = await connect();
    const other = await connect();
    await other.addObject("inner", { value: () => ({ value: 7 }) });
    await server.addObject("outer", { value: () => server.callFirst("inner", "value") });
    expect(await other.callFirst("outer", "value")).toEqual({ value: 7 });
  });

  test.each([
    [
      "a status of its own",
      () => {
        throw new UbusError(UbusStatus.NOT_SUPPORTED);
      },
      "NOT_SUPPORTED",
    ],
    [
      "a number",
      () => {
        throw UbusStatus.NO_DATA;
      },
      "NO_DATA",
    ],
    [
      "any other error",
      () => {
        throw new Error("broken");
      },
      "UNKNOWN_ERROR",
    ],
  ])("a method that throws %s", async (_title, method, status) => {
    const server = await connect({ onError: () => undefined });
    await server.addObject("lab", { fail: method });
    const client = await connect();
    expect(await statusOf(client.call("lab", "fail"))).toBe(status);
  });

  test("methods and objects that are not there", async () => {
    const server = await connect();
    await server.addObject("lab", { yes: () => undefined });
    const client = await connect();
    expect(await statusOf(client.call("lab", "no"))).toBe("METHOD_NOT_FOUND");
    expect(await statusOf(client.call("nobody", "yes"))).toBe("NOT_FOUND");
    expect(await statusOf(client.call(0x7fff_fff0, "yes"))).toBe("NOT_FOUND");
  });

  test("a path that is taken is refused; removed, it is free again", async () => {
    const server = await connect();
    const object = await server.addObject("lab", {});
    const other = await connect();
    expect(await statusOf(other.addObject("lab", {}))).toBe("INVALID_ARGUMENT");
    await server.removeObject(object);
    expect(await statusOf(other.addObject("lab", {}))).toBe("OK");
  });

  test("an object registered anew is found by who knew its old id", async () => {
    const server = await connect();
    const first = await server.addObject("lab", { n: () => ({ n: 1 }) });
    const client = await connect();
    expect(await client.callFirst("lab", "n")).toEqual({ n: 1 });
    await server.removeObject(first);
    await server.addObject("lab", { n: () => ({ n: 2 }) });
    expect(await client.callFirst("lab", "n")).toEqual({ n: 2 });
  });

  test("many calls at once get each its own answer", async () => {
    const server = await connect();
    await server.addObject("lab", { echo: (args) => args });
    const client = await connect();
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, n) => client.callFirst("lab", "echo", { n })),
    );
    expect(answers).toEqual(Array.from({ length: 500 }, (_, n) => ({ n })));
  });

  test("ping", async () => {
    await expect((await connect()).ping()).resolves.toBeUndefined();
  });
});

describe("what goes wrong", () => {
  test("a call that is not answered ends with TIMEOUT, and the next one works", async () => {
    const server = await connect();
    await server.addObject("lab", { hang: never, echo: (args) => args });
    const client = await connect();
    expect(await statusOf(client.call("lab", "hang", {}, { timeoutMs: 40 }))).toBe("TIMEOUT");
    expect(await client.callFirst("lab", "echo", { a: 1 })).toEqual({ a: 1 });
  });

  test("a peer that dies in mid-call leaves the call to its timeout", async () => {
    const server = await connect();
    let called = false;
    await server.addObject("lab", {
      hang: () => {
        called = true;
        return never();
      },
    });
    const client = await connect();
    const call = statusOf(client.call("lab", "hang", {}, { timeoutMs: 200 }));
    await until("the call", () => (called ? true : undefined));
    server.close();
    // ubusd says nothing of it; newer ones may say NOT_FOUND.
    expect(["TIMEOUT", "NOT_FOUND"]).toContain(await call);
    expect(await statusOf(client.call("lab", "hang"))).toBe("NOT_FOUND");
  });

  test("a daemon that dies in mid-call fails it at once", async () => {
    const server = await connect();
    await server.addObject("lab", { hang: never });
    const lost: unknown[] = [];
    const client = await connect({ onDisconnect: (cause) => lost.push(cause) });
    const call = statusOf(client.call("lab", "hang"));
    await daemon.restart();
    expect(await call).toBe("CONNECTION_FAILED");
    expect(lost).toHaveLength(1);
    expect(await statusOf(client.ping())).toBe("CONNECTION_FAILED");
  });

  test("nobody listens", async () => {
    expect(await statusOf(UbusClient.connect({ path: `${daemon.path}.not` }))).toBe("CONNECTION_FAILED");
  });

  test("a message of 1 MiB passes, a larger one is refused here", async () => {
    const server = await connect();
    await server.addObject("lab", { size: ({ text }) => ({ size: String(text).length }) });
    const client = await connect();
    // What the message holds beside the text: its own header and the attributes around the field.
    const overhead =
      encodeMessage(MessageType.INVOKE, 0, 0, { objId: 1, method: "size", data: Buffer.alloc(17) }).length -
      8;
    const room = 1_048_576 - overhead;
    // ubusd adds user and group to what it passes on, which has to fit as well.
    const text = "x".repeat(room - 64);
    expect(await client.callFirst("lab", "size", { text })).toEqual({ size: text.length });
    await expect(client.call("lab", "size", { text: "x".repeat(1_048_576) })).rejects.toThrow(
      "more than 1048576",
    );
    expect(await client.callFirst("lab", "size", { text: "small" })).toEqual({ size: 5 });
  });

  test("who has no rights sees nothing and may do nothing", async () => {
    const server = await connect();
    await server.addObject("lab", { secret: () => ({ secret: 1 }) });
    const stranger = await daemon.connectAsNobody();
    clients.push(stranger);
    expect(await stranger.lookup("lab")).toEqual([]);
    expect(await statusOf(stranger.call("lab", "secret"))).toBe("PERMISSION_DENIED");
    const [object] = await server.lookup("lab");
    expect(await statusOf(stranger.call(object?.id ?? 0, "secret"))).toBe("PERMISSION_DENIED");
    expect(await statusOf(stranger.addObject("mine", {}))).toBe("INVALID_ARGUMENT");
    expect(await statusOf(stranger.listen("*", () => undefined))).toBe("PERMISSION_DENIED");
  });
});

describe("events", () => {
  test("are heard by exact name and by prefix, not by their sender", async () => {
    const listener = await connect();
    const sender = await connect();
    const heard: unknown[] = [];
    await listener.listen("lab.exact", (data, event) => heard.push(["exact", event, data]));
    await listener.listen("lab.pre*", (data, event) => heard.push(["prefix", event, data]));
    await sender.listen("lab.*", () => heard.push("own"));
    await sender.send("lab.exact", { a: 1 });
    await sender.send("lab.prefixed");
    await sender.send("other");
    await until("two events", () => (heard.length >= 2 ? true : undefined));
    await listener.ping();
    expect(heard).toEqual([
      ["exact", "lab.exact", { a: 1 }],
      ["prefix", "lab.prefixed", {}],
    ]);
  });

  test("are not heard any more once closed", async () => {
    const listener = await connect();
    const sender = await connect();
    const heard: unknown[] = [];
    const registered = await listener.listen("lab", () => heard.push(1));
    await registered.close();
    await sender.send("lab");
    await listener.ping();
    expect(heard).toEqual([]);
  });

  test("the daemon's own: objects that come and go", async () => {
    const listener = await connect();
    const heard: unknown[] = [];
    await listener.listen("ubus.object.*", ({ path }, event) => heard.push([event, path]));
    const server = await connect();
    const object = await server.addObject("lab", {});
    await server.removeObject(object);
    await until("both events", () => (heard.length >= 2 ? true : undefined));
    expect(heard).toEqual([
      ["ubus.object.add", "lab"],
      ["ubus.object.remove", "lab"],
    ]);
  });

  test("names of the daemon's are not for others to send", async () => {
    expect(await statusOf((await connect()).send("ubus.object.add", {}))).toBe("PERMISSION_DENIED");
  });
});

describe("subscriptions", () => {
  test("notifications arrive, and again from an object registered anew", async () => {
    const server = await connect();
    let object = await server.addObject("lab", {});
    const subscriber = await connect();
    const heard: unknown[] = [];
    let lost = 0;
    await subscriber.subscribe("lab", (data, type) => heard.push([type, data]), { onLost: () => lost++ });
    await until("the subscription", () => (object.subscribed ? true : undefined));
    await server.notify(object, "changed", { a: 1 });
    await until("the notification", () => (heard.length === 1 ? true : undefined));
    await server.removeObject(object);
    await until("the loss", () => (lost === 1 ? true : undefined));
    object = await server.addObject("lab", {});
    await until("the new subscription", () => (object.subscribed ? true : undefined));
    await server.notify(object, "again");
    await until("the second notification", () => (heard.length === 2 ? true : undefined));
    expect(heard).toEqual([
      ["changed", { a: 1 }],
      ["again", {}],
    ]);
  });

  test("subscribers are asked for their answer", async () => {
    const server = await connect();
    const object = await server.addObject("lab", {});
    const subscriber = await connect();
    await subscriber.subscribe("lab", () => undefined);
    await until("the subscription", () => (object.subscribed ? true : undefined));
    const answers = await server.notify(object, "asked", {}, { timeoutMs: 2_000 });
    expect(answers.map(({ status }) => status)).toEqual([UbusStatus.OK]);
  });

  test("to nobody is refused", async () => {
    expect(await statusOf((await connect()).subscribe("nobody", () => undefined))).toBe("NOT_FOUND");
  });
});

test("everything is back after the daemon's restart", async () => {
  const back = { server: 0, client: 0 };
  const server = await connect({ reconnect: true, onReconnect: () => back.server++ });
  const client = await connect({ reconnect: true, onReconnect: () => back.client++ });
  const heard: string[] = [];
  const object = await server.addObject("lab", { echo: (args) => args });
  await client.listen("lab.event", () => heard.push("event"));
  await client.subscribe("lab", () => heard.push("notification"));
  await daemon.restart();
  await until("both to come back", () => (back.server > 0 && back.client > 0 ? true : undefined));
  expect(await client.callFirst("lab", "echo", { a: 1 })).toEqual({ a: 1 });
  await server.send("lab.event");
  await until("the subscription", () => (object.subscribed ? true : undefined));
  await server.notify(object, "x");
  await until("both", () => (heard.length >= 2 ? true : undefined));
  expect(heard.sort()).toEqual(["event", "notification"]);
});

describe("a peer that does not keep to the protocol", () => {
  const hello = encodeMessage(MessageType.HELLO, 0, 0x1234, {});

  test.each([
    ["no ubus message", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["a length of 0", Buffer.alloc(12)],
    ["another version", Buffer.from(encodeMessage(MessageType.STATUS, 1, 0, { status: 0 })).fill(1, 0, 1)],
  ])("%s ends the connection, and the calls in it", async (_title, octets) => {
    const peer = await startRawServer((socket) => {
      socket.write(hello);
      socket.on("data", () => socket.write(octets));
    });
    closing.push(peer.stop);
    const client = await UbusCaller.connect({ path: peer.path });
    clients.push(client);
    expect(await statusOf(client.lookup())).toBe("CONNECTION_FAILED");
    expect(await statusOf(client.lookup())).toBe("CONNECTION_FAILED");
  });

  test("frames in single octets, and several in one chunk", async () => {
    const peer = await startRawServer((socket) => {
      for (const octet of hello) socket.write(Buffer.from([octet]));
      socket.on("data", (request: Buffer) => {
        const seq = request.readUInt16BE(2);
        const found = encodeMessage(MessageType.DATA, seq, 0, { objPath: "lab", objId: 5, objType: 1 });
        const done = encodeMessage(MessageType.STATUS, seq, 0, { status: 0 });
        const both = Buffer.concat([found, done]);
        if (seq === 1) socket.write(both);
        else for (const octet of both) socket.write(Buffer.from([octet]));
      });
    });
    closing.push(peer.stop);
    const client = await UbusCaller.connect({ path: peer.path });
    clients.push(client);
    expect(client.id).toBe(0x1234);
    for (let n = 0; n < 2; n++) expect(await client.lookup("lab")).toMatchObject([{ path: "lab", id: 5 }]);
  });

  test("an answer nobody asked for is passed over", async () => {
    const peer = await startRawServer((socket) => {
      socket.write(hello);
      socket.on("data", (request: Buffer) => {
        const seq = request.readUInt16BE(2);
        socket.write(encodeMessage(MessageType.STATUS, seq + 1, 0, { status: 4 }));
        socket.write(encodeMessage(99, seq, 0, {}));
        socket.write(encodeMessage(MessageType.STATUS, seq, 0, { status: 0 }));
      });
    });
    closing.push(peer.stop);
    const client = await UbusCaller.connect({ path: peer.path });
    clients.push(client);
    expect(await client.lookup()).toEqual([]);
  });

  test("no greeting: TIMEOUT is the cause", async () => {
    const peer = await startRawServer(() => undefined);
    closing.push(peer.stop);
    await expect(UbusCaller.connect({ path: peer.path, timeoutMs: 40 })).rejects.toMatchObject({
      statusName: "CONNECTION_FAILED",
      cause: { statusName: "TIMEOUT" },
    });
  });

  test("a peer that closes before it greets", async () => {
    const peer = await startRawServer((socket) => socket.destroy());
    closing.push(peer.stop);
    expect(await statusOf(UbusCaller.connect({ path: peer.path }))).toBe("CONNECTION_FAILED");
  });
});
