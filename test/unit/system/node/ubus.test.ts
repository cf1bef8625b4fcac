import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UbusClient } from "ubus-client-ts";
import { startBroker } from "ubus-client-ts/broker";
import { afterAll, beforeAll, expect, test } from "vitest";
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
