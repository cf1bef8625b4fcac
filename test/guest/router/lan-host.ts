/** The traffic tool (traffic.ts) where it runs: on the LAN host, and on the server that answers it. */

import { readFileSync, rmSync } from "node:fs";
import { type Daemon, PATIENCE_MS, run, start, until, within } from "./command.ts";
import { server } from "./plan.ts";
import type { Namespace } from "./topology.ts";

const TOOL = "/lab/cache/lab/traffic.mjs";

/** The command line of the tool in a namespace, towards the server. */
export function trafficIn(namespace: Namespace, command: string, ...words: readonly (string | number)[]) {
  return within(namespace, [process.execPath, TOOL, command, server.address, ...words.map(String)]);
}

/** Runs the tool on the LAN host; gives what it tells. @throws CommandError with what it said */
export function traffic<T>(command: string, ...words: readonly (string | number)[]): T {
  return JSON.parse(run(trafficIn("lan", command, ...words))) as T;
}

/** Runs the tool in any namespace, towards any address. @throws CommandError with what it said */
export function trafficFrom<T>(
  namespace: Namespace,
  address: string,
  command: string,
  ...words: readonly (string | number)[]
): T {
  const argv = [process.execPath, TOOL, command, address, ...words.map(String)];
  return JSON.parse(run(within(namespace, argv))) as T;
}

/** What answers the tool, in a namespace. */
export async function startServerOn(namespace: Namespace): Promise<Daemon> {
  const log = `/run/lab/serving-${namespace}.log`;
  // One that was stopped has said there that it is ready.
  rmSync(log, { force: true });
  const daemon = start(within(namespace, [process.execPath, TOOL, "serve"]), log);
  await until(`the services on ${namespace}`, PATIENCE_MS, () =>
    readFileSync(log, "utf8").includes("ready") ? true : undefined,
  );
  return daemon;
}

/** The server, which answers the tool. */
export function startServer(): Promise<Daemon> {
  return startServerOn("server");
}
