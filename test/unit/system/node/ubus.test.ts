import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlobError, UbusCaller, UbusClient, UbusError, UbusFrameError, UbusStatus } from "ubus-client-ts";
import { startBroker } from "ubus-client-ts/broker";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { openBus } from "../../../../src/system/node/ubus.ts";
import { EffectError } from "../../../../src/wire/errors.ts";

const directory = mkdtempSync(join(tmpdir(), "mapmin-ubus-"));
const path = join(directory, "ubus.sock");
let broker: Awaited<ReturnType<typeof startBroker>>;
let server: UbusClient;

beforeAll(async () => {
  broker = await startBroker({ path });
  server = await UbusClient.connect({ path });
  await server.addObject("test", {
    echo: (args) => args as Record<string, never>,
    refuse: () => {
      throw Object.assign(new Error("no"), { status: 6 });
    },
    silent: () => new Promise(() => {}),
  });
});
afterAll(async () => {
  server.close();
  await broker.close();
  rmSync(directory, { recursive: true });
});

test("an answer, and a refusal by its status", async () => {
  const bus = openBus(path);
  expect(await bus.call("test", "echo", { a: 1 }, 5_000)).toEqual({ a: 1 });
  const refused = await bus.call("test", "refuse", {}, 5_000).catch((error) => error);
  expect(refused).toBeInstanceOf(EffectError);
  expect(refused).toMatchObject({
    message: "ubus call test refuse: PERMISSION_DENIED",
    status: 6,
    cause: { status: 6 },
  });
  const late = await bus.call("test", "silent", {}, 50).catch((error) => error);
  expect(late).toMatchObject({ message: "ubus call test silent: TIMEOUT", status: 7 });
  // A refusal is no reason for another connection.
  expect(await bus.call("test", "echo", { a: 2 }, 5_000)).toEqual({ a: 2 });
  bus.close();
});

test("without ubusd the call fails; the next one connects anew", async () => {
  const later = join(directory, "later.sock");
  const bus = openBus(later);
  await expect(bus.call("test", "echo", {}, 5_000)).rejects.toMatchObject({
    message: "ubus call test echo: CONNECTION_FAILED",
    status: 10,
  });
  const second = await startBroker({ path: later });
  await expect(bus.call("test", "echo", {}, 5_000)).rejects.toMatchObject({ status: 4 });
  bus.close();
  await second.close();
});

test("what is not sent is told without a status; what is no error of ubus stays what it is", async () => {
  const bus = openBus(path);
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  const error = await bus.call("test", "echo", cyclic, 5_000).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(Error);
  expect((error as EffectError).status).toBeUndefined();
  bus.close();
  // One that was never asked, or never got through, has nothing to close.
  openBus(path).close();
  const nowhere = openBus(join(directory, "nowhere.sock"));
  const call = nowhere.call("test", "echo", {}, 5_000);
  nowhere.close();
  await expect(call).rejects.toThrow(EffectError);
});

describe("the connection to ubusd", () => {
  const undo: (() => void)[] = [];
  afterEach(() => {
    for (const action of undo.splice(0)) action();
  });

  /** In the place of the library's connections: `answer` is what calls give, and `asked` what was asked of the library. */
  function library(answer: () => unknown = () => ({}), connected: () => unknown = () => {}) {
    const asked: unknown[][] = [];
    const spy = vi.spyOn(UbusCaller, "connect").mockImplementation(async (options) => {
      asked.push(["connect", options]);
      connected();
      const caller = {
        callFirst: async (...call: unknown[]) => {
          asked.push(["call", ...call]);
          return answer();
        },
        close: () => asked.push(["close"]),
      };
      return caller as unknown as UbusCaller;
    });
    undo.push(() => spy.mockRestore());
    return { asked, connections: () => asked.filter(([what]) => what === "connect").length };
  }
  const thrown = (error: unknown) => () => {
    throw error;
  };

  test("is made once, by the limit of the first call, and closed", async () => {
    const { asked } = library();
    const bus = openBus("/run/x.sock");
    await bus.call("a", "b", { c: 1 }, 70);
    await bus.call("a", "d", {}, 80);
    bus.close();
    await Promise.resolve();
    expect(asked).toStrictEqual([
      ["connect", { path: "/run/x.sock", timeoutMs: 70 }],
      ["call", "a", "b", { c: 1 }, { timeoutMs: 70 }],
      ["call", "a", "d", {}, { timeoutMs: 80 }],
      ["close"],
    ]);
  });

  test("without a path is the library's own", async () => {
    const { asked } = library();
    await openBus(undefined).call("a", "b", {}, 70);
    expect(asked[0]).toStrictEqual(["connect", { timeoutMs: 70 }]);
  });

  test.each<[string, Error, number]>([
    ["a connection that failed", new UbusError(UbusStatus.CONNECTION_FAILED), 2],
    ["a refusal", new UbusError(UbusStatus.PERMISSION_DENIED), 1],
    ["a frame that is malformed", new UbusFrameError("x", 0), 1],
    ["a bug with a status", Object.assign(new Error("x"), { status: UbusStatus.CONNECTION_FAILED }), 1],
  ])("after %s the next call has this many of them: %s", async (_title, error, expected) => {
    const { connections } = library(thrown(error));
    const bus = openBus(undefined);
    await expect(bus.call("a", "b", {}, 70)).rejects.toThrow();
    await expect(bus.call("a", "b", {}, 70)).rejects.toThrow();
    expect(connections()).toBe(expected);
  });

  test.each([
    ["a frame", new UbusFrameError("length is 3", 8), "ubus call a b: length is 3 at octet 8 of the stream"],
    ["an answer", new BlobError("length is 3", 8), "ubus call a b: length is 3 at offset 8"],
  ])("%s that is malformed is told in the library's words", async (_title, error, message) => {
    library(thrown(error));
    const told = await openBus(undefined)
      .call("a", "b", {}, 70)
      .catch((found: unknown) => found);
    expect(told).toBeInstanceOf(EffectError);
    expect(told).toMatchObject({ message, cause: error, status: undefined });
  });

  test("a bug stays what it is", async () => {
    const bug = new TypeError("x is not a function");
    library(thrown(bug));
    await expect(openBus(undefined).call("a", "b", {}, 70)).rejects.toBe(bug);
  });

  test("that never came has nothing to close", async () => {
    const { asked } = library(undefined, thrown(new UbusError(UbusStatus.CONNECTION_FAILED)));
    const bus = openBus(undefined);
    const call = bus.call("a", "b", {}, 70);
    bus.close();
    await expect(call).rejects.toThrow("ubus call a b: CONNECTION_FAILED");
    expect(asked).toHaveLength(1);
  });
});
