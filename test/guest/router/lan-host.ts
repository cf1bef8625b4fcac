/** The traffic tool (traffic.ts) where it runs: on the LAN host, and on the server that answers it. */

import { readFileSync } from "node:fs";
import { type Daemon, PATIENCE_MS, run, start, until, within } from "./command.ts";
import { server } from "./plan.ts";
import type { Namespace } from "./topology.ts";

const TOOL = "/lab/cache/lab/traffic.mjs";
const SERVER_LOG = "/run/lab/server.log";

/** The command line of the tool in a namespace, towards the server. */
export function trafficIn(namespace: Namespace, command: string, ...words: readonly (string | number)[]) {
  return within(namespace, [process.execPath, TOOL, command, server.address, ...words.map(String)]);
}

/** Runs the tool on the LAN host; gives what it tells. @throws CommandError with what it said */
export function traffic<T>(command: string, ...words: readonly (string | number)[]): T {
  return JSON.parse(run(trafficIn("lan", command, ...words))) as T;
}

/** The server, which answers the tool. */
export async function startServer(): Promise<Daemon> {
  const daemon = start(within("server", [process.execPath, TOOL, "serve"]), SERVER_LOG);
  await until("the server", PATIENCE_MS, () =>
    readFileSync(SERVER_LOG, "utf8").includes("ready") ? true : undefined,
  );
  return daemon;
}
