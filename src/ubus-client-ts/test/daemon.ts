/** The daemon that the tests talk to: our broker, or the ubusd that UBUSD names. */

import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Broker, type Credentials, startBroker } from "../src/broker.ts";
import { UbusClient } from "../src/index.ts";

const program = process.env["UBUSD"];

export const root: Credentials = { uid: 0, user: "root", group: "root" };
const nobody: Credentials = { uid: 65_534, user: "nobody", group: "nogroup" };

export interface Daemon {
  readonly path: string;
  /** A client with no rights but those of an ACL, of which there is none. */
  connectAsNobody(): Promise<UbusClient>;
  /** Ends it and starts it again on the same socket. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function until<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const end = Date.now() + 5_000;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A directory of its own for sockets: their paths may have 107 octets. */
export function socketDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "ubus-"));
  // The one without rights has to get as far as the socket.
  chmodSync(directory, 0o755);
  return directory;
}

export async function startDaemon(): Promise<Daemon> {
  const directory = socketDirectory();
  const path = join(directory, "ubus.sock");
  let who = root;
  let broker: Broker | undefined;
  let child: ChildProcess | undefined;

  const start = async () => {
    if (program === undefined) {
      broker = await startBroker({ path, credentials: () => who });
      return;
    }
    child = spawn(program, ["-s", path, "-A", join(directory, "acl")], { stdio: "ignore" });
    await until("ubusd's socket", () => (existsSync(path) ? true : undefined));
  };
  const stop = async () => {
    await broker?.close();
    if (child !== undefined) {
      const ended = new Promise((resolve) => child?.once("exit", resolve));
      child.kill();
      await ended;
    }
  };
  await start();
  return {
    path,
    async connectAsNobody() {
      if (program === undefined) {
        who = nobody;
        const client = await UbusClient.connect({ path });
        who = root;
        return client;
      }
      // ubusd asks the kernel who connects: that needs root, as ubusd itself does.
      const { seteuid } = process;
      if (seteuid === undefined) throw new Error("no seteuid on this system");
      const connecting = () => UbusClient.connect({ path });
      seteuid(nobody.uid);
      const client = connecting();
      await new Promise((resolve) => setImmediate(resolve));
      seteuid(0);
      return client;
    },
    async restart() {
      await stop();
      await start();
    },
    async stop() {
      await stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A peer that says what a real one never would: octets on a socket. */
export async function startRawServer(
  connected: (socket: Socket) => void,
): Promise<{ readonly path: string; stop(): Promise<void> }> {
  const directory = socketDirectory();
  const path = join(directory, "raw.sock");
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    connected(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
