/**
 * The stand-in for netifd as a process: a ubus broker at the router's path, netifd's objects on it, and `lab`, by which
 * the lab does what UCI does on a router.
 *
 *   network                    add_dynamic
 *   network.interface          dump, status, notify_proto, up, down, remove, renew      {"interface": NAME, ...}
 *   network.interface.NAME     the same, for links and configured interfaces as they appear
 *   lab                        stranger {name, proto}, handlers {map},
 *                              configure {name, config}, unconfigure {name}, interface {name},
 *                              trouble {how}: what becomes of the next call by which a handler changes something
 *                                refuse    it fails
 *                                slow      it is done a second later
 *                                late      it is done, and answered after the handler's patience has ended
 *                                restart   ubusd starts anew before it is answered
 */

import { type BlobTable, UbusClient } from "ubus-client-ts";
import { startBroker } from "ubus-client-ts/broker";
import { type LinkState, MethodRefused, Netifd, Status } from "./netifd.ts";

const SOCKET = "/var/run/ubus/ubus.sock";
/** Interfaces that a protocol of somebody else brings up: lease.ts speaks for it. */
const LINK = "wan6";

type Table = Readonly<Record<string, unknown>>;

/** With the time, as the handler's own log has it. */
function log(line: string): void {
  process.stdout.write(`${new Date().toISOString()} ${line}\n`);
}

/** What is in a status may be anything JSON has; blobmsg carries the same. */
function blob(value: unknown): BlobTable {
  return JSON.parse(JSON.stringify(value)) as BlobTable;
}

/** `2001:db8:12:3400::/56,3600,7200` as a status has it. */
function entry(text: unknown): { address: string; mask: number } {
  const [prefix = ""] = String(text).split(",");
  const [address = "", mask = "128"] = prefix.split("/");
  return { address, mask: Number(mask) };
}

function texts(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The link's own protocol reports as handlers do. */
function linkState(args: Table): LinkState {
  const data = (args["data"] ?? {}) as Table;
  return {
    up: args["link-up"] === true || args["link-up"] === 1,
    device: String(args["ifname"] ?? ""),
    addresses: texts(args["ip6addr"]).map(entry),
    prefixes: texts(args["ip6prefix"]).map(entry),
    passthru: String(data["passthru"] ?? ""),
  };
}

const netifd = new Netifd({ protoDirectory: "/lib/netifd/proto", environment: process.env, log });
netifd.setLink(LINK, { up: false, device: "wan", addresses: [], prefixes: [], passthru: "" });

const troubles = ["refuse", "slow", "late", "restart"] as const;
type Trouble = (typeof troubles)[number];
let trouble: Trouble | undefined;
/** Longer than a handler waits for an answer. */
const LATE_MS = 31_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Does what a handler asks for, with the trouble that it was to meet. */
async function troubled(act: () => Promise<BlobTable>): Promise<BlobTable> {
  const met = trouble;
  trouble = undefined;
  if (met !== undefined) log(`lab: trouble: ${met}`);
  switch (met) {
    case undefined:
      return act();
    case "refuse":
      throw new MethodRefused(Status.unknownError);
    case "slow":
      await pause(1_000);
      return act();
    case "late": {
      const answer = await act();
      await pause(LATE_MS);
      return answer;
    }
    case "restart": {
      const answer = await act();
      void restart();
      return answer;
    }
  }
}

async function interfaceMethod(method: string, args: Table): Promise<BlobTable> {
  log(`ubus: network.interface ${method} ${JSON.stringify(args)}`);
  if (method === "notify_proto" && args["interface"] === LINK) {
    netifd.setLink(LINK, linkState(args));
    return {};
  }
  const act = async () => blob(await netifd.networkInterface(method, args));
  return method === "notify_proto" && args["action"] === 0 ? troubled(act) : act();
}

const methods = ["dump", "status", "notify_proto", "up", "down", "remove", "renew"];

function interfaceMethods(fixed: Table) {
  return Object.fromEntries(
    methods.map((method) => [method, (args: Table) => interfaceMethod(method, { ...args, ...fixed })]),
  );
}

function nameOf(args: Table): string {
  const { name } = args;
  if (typeof name !== "string") throw new MethodRefused(Status.invalidArgument);
  return name;
}

let broker: Awaited<ReturnType<typeof startBroker>>;
let ubus: UbusClient;

/** ubusd, and netifd's objects on it. */
async function serve(): Promise<void> {
  broker = await startBroker({ path: SOCKET });
  ubus = await UbusClient.connect({ path: SOCKET });
  await ubus.addObject("network", {
    async add_dynamic(args) {
      log(`ubus: network add_dynamic ${JSON.stringify(args)}`);
      return troubled(async () => blob(await netifd.network("add_dynamic", args)));
    },
    get_proto_handlers: async (args) => blob(await netifd.network("get_proto_handlers", args)),
  });
  await ubus.addObject("network.interface", interfaceMethods({}));
  await ubus.addObject(`network.interface.${LINK}`, interfaceMethods({ interface: LINK }));
  await ubus.addObject("lab", {
    async configure(args) {
      await netifd.configure(nameOf(args), (args["config"] ?? {}) as Table);
    },
    async unconfigure(args) {
      await netifd.unconfigure(nameOf(args));
    },
    interface: (args) => blob(netifd.handlerOf(nameOf(args))),
    stranger: ({ name, proto }) => {
      netifd.setStranger(String(name), typeof proto === "string" && proto !== "" ? proto : undefined);
    },
    handlers: ({ map }) => {
      netifd.handlers = map === true ? { static: {}, map: {} } : { static: {} };
    },
    trouble: ({ how }) => {
      trouble = troubles.find((one) => one === how);
    },
  });
}

async function restart(): Promise<void> {
  ubus.close();
  await broker.close();
  await pause(300);
  await serve();
  log("lab: ubusd is back");
}

await serve();
log("netifd: ready");

process.once("SIGTERM", () => {
  ubus.close();
  void broker.close().then(() => process.exit(0));
});
