/** The CE as a router has it: our files where the packages put them, ubus and netifd running, the link below. */

import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { UbusClient } from "ubus-client-ts";
import { PATIENCE_MS, run, start, until, within } from "./command.ts";

const project = "/lab/project";
const MODULE = "/lab/cache/lab/mapmint.ko";
const NETIFD_LOG = "/run/lab/netifd.log";
const UBUS_LOG = "/run/lab/ubus.log";

/** ubus's status for a connection that is lost. */
const CONNECTION_FAILED = 10;
/** ubus's status for an object that is not there. */
const NOT_FOUND = 4;
const RECONNECTIONS = 5;

/** The interface that is offered for wan6. */
export const MAP_INTERFACE = "wan6_4";

export interface InterfaceStatus {
  readonly up: boolean;
  readonly pending: boolean;
  readonly proto: string;
  readonly l3_device?: string;
  readonly "ipv4-address": readonly { readonly address: string; readonly mask: number }[];
  readonly errors?: readonly { readonly code: string; readonly data: readonly string[] }[];
  readonly setups: number;
}

export interface Router {
  /** Status of an interface of netifd, or undefined when there is none of that name. */
  status(name: string): Promise<InterfaceStatus | undefined>;
  call(object: string, method: string, args: object): Promise<unknown>;
  netifdLog(): string;
  /** Kills netifd and ubusd and starts them again: they know nothing of what they had set. Handlers live on. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** What runs our programs. */
export type Engine = "node" | "qjs";

export function isEngine(word: string): word is Engine {
  return word === "node" || word === "qjs";
}

/** In the guests alone: the machine's own files are not written. */
export const QJS = "/usr/bin/qjs";

let engine: Engine = "node";

/** What installRouterFiles has our programs run on. */
export function useEngine(wanted: Engine): void {
  engine = wanted;
}

/** The engine's path goes where engine.sh looks for it. */
export function writeEngine(path = engine === "node" ? process.execPath : QJS): void {
  writeFileSync("/usr/lib/mapmin/engine", `${path}\n`);
}

/** Puts the packages' files in place, and what the engine needs. */
export function installRouterFiles(): void {
  for (const dir of ["/usr/lib/mapmin", "/lib/netifd/proto", "/var/run/ubus", "/run/lab"]) {
    mkdirSync(dir, { recursive: true });
  }
  copyFileSync(`${project}/netifd-proto/map.sh`, "/lib/netifd/proto/map.sh");
  chmodSync("/lib/netifd/proto/map.sh", 0o755);
  cpSync(`${project}/files`, "/", { recursive: true });
  cpSync(`${project}/dist`, "/usr/lib/mapmin", { recursive: true });
  // Debian's QuickJS needs a loader of its own, and one shell to say so: on a router it is a program like any other.
  writeFileSync(
    QJS,
    readFileSync("/lab/cache/quickjs/qjs", "utf8").replace(/\$\{0%.*\}/, "/lab/cache/quickjs"),
  );
  chmodSync(QJS, 0o755);
  copyFileSync("/lab/cache/lab/ubus", "/usr/bin/ubus");
  chmodSync("/usr/bin/ubus", 0o755);
  writeEngine();
}

/** Loads the translator. False when it has not been built. */
export function insertModule(): boolean {
  if (!existsSync(MODULE)) return false;
  run(["insmod", MODULE]);
  return true;
}

export async function startRouter(environment: NodeJS.ProcessEnv = {}): Promise<Router> {
  const log = () => (existsSync(NETIFD_LOG) ? readFileSync(NETIFD_LOG, "utf8") : "");
  const startNetifd = async () => {
    const before = log().length;
    const argv = within("ce", [process.execPath, "/lab/cache/lab/netifd.mjs"]);
    const started = start(argv, NETIFD_LOG, environment);
    await until("netifd", PATIENCE_MS, () => {
      if (started.child.exitCode !== null) throw new Error(`netifd ended:\n${log()}`);
      return log().includes("netifd: ready", before) ? true : undefined;
    });
    return started;
  };
  let netifd = await startNetifd();
  const commands = start([process.execPath, "/lab/cache/lab/ubus.mjs"], UBUS_LOG);
  await until("the service behind ubus", PATIENCE_MS, () =>
    readFileSync(UBUS_LOG, "utf8").includes("ubus: ready") ? true : undefined,
  );
  const ubus = await UbusClient.connect({ reconnect: true });
  const once = async (object: string, method: string, args: object) => {
    const [answer] = await ubus.call(object, method, args as Record<string, never>, {
      timeoutMs: PATIENCE_MS,
    });
    return answer;
  };
  const labThere = () =>
    once("lab", "interface", { name: "" }).then(
      () => true,
      () => undefined,
    );
  const call = async (object: string, method: string, args: object) => {
    for (let tries = 0; ; tries += 1) {
      try {
        return await once(object, method, args);
      } catch (error) {
        // ubusd has started anew: a call that was on its way may have been done, and can be made again. The object `lab`
        // is the last that comes back.
        const { status } = error as { status?: number };
        const lost = status === CONNECTION_FAILED || (status === NOT_FOUND && (await labThere()) !== true);
        if (!lost || tries === RECONNECTIONS) throw error;
        await until("ubusd and netifd", PATIENCE_MS, labThere);
      }
    }
  };
  return {
    call,
    async status(name) {
      try {
        return (await call("network.interface", "status", { interface: name })) as unknown as InterfaceStatus;
      } catch (error) {
        if ((error as { status?: number }).status === 4) return undefined;
        throw error;
      }
    },
    netifdLog: log,
    async restart() {
      netifd.child.kill("SIGKILL");
      await until("netifd's end", PATIENCE_MS, () => netifd.child.signalCode ?? undefined);
      netifd = await startNetifd();
    },
    async stop() {
      ubus.close();
      await netifd.stop();
      await commands.stop();
    },
  };
}

/**
 * Waits until an interface is up; one that `recovers` may still show the error of its last attempt.
 * @throws Error with netifd's errors and log when it does not come.
 */
export async function waitUp(
  router: Router,
  name: string,
  { timeoutMs = PATIENCE_MS, recovers = false } = {},
): Promise<InterfaceStatus> {
  let last: InterfaceStatus | undefined;
  try {
    return await until(`${name} to come up`, timeoutMs, async () => {
      last = await router.status(name);
      if (!recovers && last?.errors !== undefined && last.errors.length > 0) throw new Error("it has errors");
      return last?.up === true ? last : undefined;
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `${name}: ${reason}; status ${JSON.stringify(last)}; netifd's log:\n${router.netifdLog()}`,
    );
  }
}
