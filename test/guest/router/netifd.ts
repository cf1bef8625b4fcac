/**
 * A stand-in for netifd that keeps its contract with protocol handlers, where no OpenWrt is: discovery by `dump`, argv,
 * file descriptors, actions, host dependencies, no back-off, add_dynamic. Addresses, routes and tunnels are set by `ip`.
 */

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";

type Json = { readonly [key: string]: unknown };

/** ubus status codes that netifd answers with. */
export const Status = {
  ok: 0,
  invalidArgument: 2,
  notFound: 4,
  permissionDenied: 6,
  unknownError: 9,
} as const;

/** Thrown by a method; the ubus side turns it into a status. */
export class MethodRefused extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`status ${status}`);
    this.status = status;
  }
}

/** What the lab says of a link that netifd itself would have configured. */
export interface LinkState {
  readonly up: boolean;
  readonly device: string;
  readonly addresses: readonly { readonly address: string; readonly mask: number }[];
  readonly prefixes: readonly { readonly address: string; readonly mask: number }[];
  /** DHCPv6 options as hex TLVs. */
  readonly passthru: string;
}

interface Dump {
  readonly name: string;
  readonly config: readonly (readonly [string, number])[];
  readonly "no-proto-task"?: boolean;
  readonly "renew-handler"?: boolean;
}

/** A line of `ip -batch`. */
interface Line {
  readonly words: readonly string[];
  readonly mayFail?: true;
}

type Phase = "down" | "setup" | "up" | "teardown";

interface Interface {
  readonly name: string;
  config: Json;
  readonly dynamic: boolean;
  phase: Phase;
  available: boolean;
  autostart: boolean;
  errors: Json[];
  device: string;
  data: Json;
  addresses: Json[];
  routes: Json[];
  /** Commands that take away what was set, last first. */
  undo: string[][];
  /** What the last update set: addresses and routes, each with the command that takes it away, and the tunnel. */
  settings: Map<string, string[]>;
  tunnel: string;
  dependsOn?: string;
  child?: ChildProcess;
  /** A renew came while a handler was running: it follows. */
  renewPending?: boolean;
  /** What action 1 started; its end, whatever it is, takes the interface down and sets it up again. */
  task?: ChildProcess;
  /** Setups so far: a handler that loops is seen here. */
  setups: number;
  link?: LinkState;
}

export interface NetifdOptions {
  readonly protoDirectory: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
}

/** netifd waits 1 s and 5 s; starting a program in the lab's guest takes several times as long as on a router. */
const TERM_GRACE_MS = 4_000;
const TEARDOWN_LIMIT_MS = 20_000;
/** netifd itself knows no limit; here a handler that is set up without end stops, and its test sees how often. */
const SETUP_LIMIT = 20;

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

export class Netifd {
  readonly #interfaces = new Map<string, Interface>();
  readonly #dump: Dump;
  readonly #options: NetifdOptions;

  constructor(options: NetifdOptions) {
    this.#options = options;
    const answer = execFileSync("sh", ["-c", "./map.sh '' dump"], {
      cwd: options.protoDirectory,
      encoding: "utf8",
      env: options.environment,
    });
    // Line by line: an object spread over lines is lost.
    const found = answer.split("\n").flatMap((line) => {
      try {
        return [JSON.parse(line) as Dump];
      } catch {
        return [];
      }
    });
    const [dump] = found;
    if (dump?.name !== "map") throw new Error(`map.sh dump gave no handler: ${answer}`);
    this.#dump = dump;
  }

  /** The protocols that it says it knows. */
  handlers: Json = { static: {}, map: {} };

  /** A link of another protocol, whose state the lab sets. */
  setLink(name: string, state: LinkState): void {
    if (!this.#interfaces.has(name)) this.#clearDevice(state.device);
    const known = this.#interfaces.get(name) ?? this.#add(name, { proto: "dhcpv6" }, false);
    const was = known.phase === "up";
    known.link = state;
    known.device = state.device;
    known.phase = state.up ? "up" : "down";
    for (const dependent of [...this.#interfaces.values()]) {
      if (dependent.dependsOn !== name) continue;
      if (was && !state.up && dependent.phase !== "down") {
        this.#options.log(`Interface '${dependent.name}' has lost the connection`);
        void this.#again(dependent);
      } else if (!was && state.up && dependent.autostart && dependent.phase === "down") {
        dependent.available = true;
        void this.#setup(dependent);
      }
    }
  }

  /** An interface of /etc/config/network; the JSON holds declared options only. */
  async configure(name: string, config: Json): Promise<void> {
    const old = this.#interfaces.get(name);
    if (old !== undefined) {
      await this.#teardown(old);
      this.#interfaces.delete(name);
    }
    await this.#setup(this.#add(name, config, false));
  }

  /** An interface taken out of /etc/config/network. */
  async unconfigure(name: string): Promise<void> {
    const known = this.#interfaces.get(name);
    if (known === undefined) return;
    await this.#teardown(known);
    this.#interfaces.delete(name);
  }

  /** An interface of another protocol, which is up; or none of that name. */
  setStranger(name: string, proto: string | undefined): void {
    this.#interfaces.delete(name);
    if (proto !== undefined) this.#add(name, { proto }, false).phase = "up";
  }

  /** Times setup has been called for an interface, and whether its handler is running now. */
  handlerOf(name: string): { readonly setups: number; readonly running: boolean } {
    const entry = this.#interfaces.get(name);
    return {
      setups: entry?.setups ?? 0,
      running: entry !== undefined && (entry.child !== undefined || entry.phase === "teardown"),
    };
  }

  /** Interfaces known, links included. */
  names(): readonly string[] {
    return [...this.#interfaces.keys()];
  }

  /** Resolves when no handler is running, or rejects after `limitMs`. */
  async settled(limitMs: number): Promise<void> {
    const end = Date.now() + limitMs;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (
        [...this.#interfaces.values()].every(
          (entry) => entry.child === undefined && entry.phase !== "teardown",
        )
      )
        return;
      if (Date.now() > end) throw new Error(`a handler is still running after ${limitMs} ms`);
    }
  }

  /** Methods of the ubus object `network`. */
  async network(method: string, args: Json): Promise<Json> {
    if (method === "add_dynamic") return this.#addDynamic(args);
    if (method === "get_proto_handlers") return this.handlers;
    throw new MethodRefused(3);
  }

  /** Methods of `network.interface`; `interface` names which. */
  async networkInterface(method: string, args: Json): Promise<Json> {
    if (method === "dump")
      return { interface: this.names().map((name) => ({ interface: name, ...this.status(name) })) };
    const entry = this.#interfaces.get(text(args["interface"]));
    if (entry === undefined) throw new MethodRefused(Status.notFound);
    switch (method) {
      case "status":
        return this.status(entry.name);
      case "notify_proto":
        return this.#notify(entry, args);
      case "up":
        entry.autostart = true;
        if (entry.phase === "down") void this.#setup(entry);
        return {};
      case "down":
        entry.autostart = false;
        await this.#takeDown(entry);
        return {};
      case "remove":
        if (!entry.dynamic) throw new MethodRefused(Status.permissionDenied);
        await this.#takeDown(entry);
        return {};
      case "renew":
        // Pending counts: an interface whose setup failed can be renewed.
        if (entry.phase !== "up" && entry.phase !== "setup") throw new MethodRefused(Status.unknownError);
        if (this.#dump["renew-handler"] !== true) return {};
        if (entry.child === undefined) this.#spawn(entry, "renew");
        else entry.renewPending = true;
        return {};
      default:
        throw new MethodRefused(3);
    }
  }

  status(name: string): Json {
    const entry = this.#interfaces.get(name);
    if (entry === undefined) throw new MethodRefused(Status.notFound);
    const { link } = entry;
    return {
      up: entry.phase === "up",
      pending: entry.phase === "setup",
      available: entry.available,
      autostart: entry.autostart,
      dynamic: entry.dynamic,
      proto: text(entry.config["proto"]),
      ...(entry.device === "" ? {} : { l3_device: entry.device }),
      "ipv4-address": entry.addresses,
      "ipv6-address": link?.up === true ? link.addresses : [],
      "ipv6-prefix": link?.up === true ? link.prefixes : [],
      route: entry.routes,
      data: link?.up === true ? { passthru: link.passthru } : entry.data,
      ...(entry.errors.length === 0 ? {} : { errors: entry.errors }),
    };
  }

  #add(name: string, config: Json, dynamic: boolean): Interface {
    const entry: Interface = {
      name,
      config,
      dynamic,
      phase: "down",
      available: true,
      autostart: true,
      errors: [],
      device: "",
      data: {},
      addresses: [],
      routes: [],
      undo: [],
      settings: new Map(),
      tunnel: "",
      setups: 0,
    };
    this.#interfaces.set(name, entry);
    return entry;
  }

  /**
   * Runs lines of `ip` in one program: to start one costs a guest more than what it does. What only takes away may fail: the
   * device may have gone with its handler, and its addresses and routes with it. @throws Error with the first other failure
   */
  #ip(lines: readonly Line[]): void {
    if (lines.length === 0) return;
    const { stderr, error } = spawnSync("ip", ["-force", "-batch", "-"], {
      encoding: "utf8",
      input: `${lines.map(({ words }) => words.join(" ")).join("\n")}\n`,
    });
    if (error !== undefined) throw error;
    // Each failure is said in a line or more, and then `Command failed -:LINE`.
    let said: string[] = [];
    for (const text of stderr.split("\n")) {
      const failed = /^Command failed -:([0-9]+)$/.exec(text);
      if (failed === null) {
        said.push(text);
        continue;
      }
      const line = lines[Number(failed[1]) - 1];
      if (line?.mayFail !== true) throw new Error(`ip ${line?.words.join(" ")}: ${said.join(" ")}`);
      said = [];
    }
  }

  /**
   * netifd takes all addresses from a device that it meets for the first time. Of those of a link in the lab, what has a prefix
   * of 128 bits was set by a netifd before this one.
   */
  #clearDevice(device: string): void {
    const shown = execFileSync("ip", ["-6", "-o", "address", "show", "dev", device, "scope", "global"], {
      encoding: "utf8",
    });
    const left = Array.from(shown.matchAll(/ inet6 (\S+\/128) /g), ([, address = ""]) => address);
    this.#ip(left.map((address) => ({ words: ["address", "del", address, "dev", device], mayFail: true })));
  }

  async #takeDown(entry: Interface): Promise<void> {
    await this.#teardown(entry);
    if (entry.dynamic) this.#interfaces.delete(entry.name);
  }

  async #addDynamic(args: Json): Promise<Json> {
    const name = text(args["name"]);
    const proto = text(args["proto"]);
    if (name === "" || proto === "") throw new MethodRefused(Status.invalidArgument);
    const known = this.#interfaces.get(name);
    if (known !== undefined) {
      // Only declared keys count; the interface is removed, not set up again.
      const declared = new Set([
        "proto",
        "ifname",
        ...this.#dump.config.map(([option]) => option),
        "ip6addr",
      ]);
      const differs = [...declared].some(
        (key) => JSON.stringify(known.config[key]) !== JSON.stringify(args[key]),
      );
      if (differs) await this.#takeDown(known);
      return {};
    }
    const entry = this.#add(name, args, true);
    if (proto === "static") this.#setupStatic(entry);
    else void this.#setup(entry);
    return {};
  }

  #setupStatic(entry: Interface): void {
    const device = this.#interfaces.get(text(entry.config["ifname"]).replace(/^@/, ""))?.device ?? "";
    for (const address of list(entry.config["ip6addr"])) {
      const words = [`${address}/128`, "dev", device];
      this.#ip([{ words: ["address", "replace", ...words, "nodad"] }]);
      entry.undo.unshift(["address", "del", ...words]);
    }
    entry.device = device;
    entry.phase = "up";
  }

  async #setup(entry: Interface): Promise<void> {
    if (entry.phase !== "down" || this.#interfaces.get(entry.name) !== entry) return;
    if (entry.setups >= SETUP_LIMIT) {
      this.#options.log(`${entry.name}: set up ${SETUP_LIMIT} times: no more`);
      return;
    }
    entry.phase = "setup";
    entry.errors = [];
    entry.setups++;
    const child = this.#spawn(entry, "setup");
    await new Promise((resolve) => child.once("close", resolve));
    // Without an accepted update and with no-proto-task it stays pending; without, netifd would begin again at once.
    if (entry.phase === "setup" && this.#dump["no-proto-task"] !== true) {
      await this.#teardown(entry);
      await this.#setup(entry);
    }
    if (entry.phase === "setup" && !entry.available) entry.phase = "down";
  }

  #spawn(
    entry: Interface,
    action: "setup" | "teardown" | "renew",
    extra: NodeJS.ProcessEnv = {},
  ): ChildProcess {
    // Descriptors 0, 1 and 2 are one and the same pipe; exec keeps the pid that gets our signals.
    const child = spawn(
      "sh",
      [
        "-c",
        'exec "$@" 0>&1 2>&1',
        "sh",
        "./map.sh",
        "map",
        action,
        entry.name,
        JSON.stringify(entry.config),
      ],
      {
        cwd: this.#options.protoDirectory,
        env: { ...this.#options.environment, ...extra },
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    entry.child = child;
    let rest = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#options.log(`${entry.name} (${child.pid}): ${line}`);
    });
    child.once("close", (code, signal) => {
      if (code !== 0)
        this.#options.log(`${entry.name} (${child.pid}): ${action} ended with ${code ?? signal}`);
      if (entry.child !== child) return;
      delete entry.child;
      if (entry.renewPending !== true) return;
      delete entry.renewPending;
      if (entry.phase === "up" || entry.phase === "setup") this.#spawn(entry, "renew");
    });
    return child;
  }

  async #kill(child: ChildProcess): Promise<void> {
    const ended = new Promise((resolve) => child.once("close", resolve));
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), TERM_GRACE_MS);
    await ended;
    clearTimeout(timer);
  }

  async #teardown(entry: Interface, extra: NodeJS.ProcessEnv = {}): Promise<void> {
    if (entry.phase === "teardown") return;
    delete entry.renewPending;
    if (entry.child !== undefined) await this.#kill(entry.child);
    const { task } = entry;
    delete entry.task;
    if (task !== undefined) await this.#kill(task);
    if (entry.phase === "down" && entry.undo.length === 0) return;
    entry.phase = "teardown";
    if (text(entry.config["proto"]) === "map") {
      const child = this.#spawn(entry, "teardown", extra);
      const timer = setTimeout(() => child.kill("SIGKILL"), TEARDOWN_LIMIT_MS);
      await new Promise((resolve) => child.once("close", resolve));
      clearTimeout(timer);
    }
    this.#clear(entry);
    entry.phase = "down";
  }

  #clear(entry: Interface): void {
    this.#ip([...entry.settings.values(), ...entry.undo].map((words) => ({ words, mayFail: true })));
    entry.undo = [];
    entry.settings = new Map();
    entry.tunnel = "";
    entry.device = "";
    entry.data = {};
    entry.addresses = [];
    entry.routes = [];
    delete entry.dependsOn;
  }

  async #again(entry: Interface, extra: NodeJS.ProcessEnv = {}): Promise<void> {
    await this.#teardown(entry, extra);
    await this.#setup(entry);
  }

  #runTask(entry: Interface, args: Json): void {
    const [program = "", ...rest] = list(args["command"]).map(String);
    const environment = Object.fromEntries(
      list(args["env"]).map((word) => {
        const [name = "", ...value] = String(word).split("=");
        return [name, value.join("=")];
      }),
    );
    const task = spawn(program, rest, {
      env: { ...this.#options.environment, ...environment },
      stdio: "ignore",
    });
    entry.task = task;
    task.once("error", () => undefined);
    task.once("close", (code) => {
      // Taken away by a teardown: that goes on by itself.
      if (entry.task !== task) return;
      delete entry.task;
      void this.#again(entry, { ERROR: String(code ?? 0) });
    });
  }

  #notify(entry: Interface, args: Json): Json {
    const action = Number(args["action"]);
    if (entry.phase === "teardown" && [0, 1, 6, 7].includes(action))
      throw new MethodRefused(Status.permissionDenied);
    switch (action) {
      case 0:
        if (args["link-up"] === undefined) throw new MethodRefused(Status.invalidArgument);
        this.#update(entry, args);
        return {};
      case 1:
        this.#runTask(entry, args);
        return {};
      case 2:
        if (entry.task !== undefined) void this.#kill(entry.task);
        return {};
      case 3: {
        const [code = "", ...data] = list(args["error"]).map(String);
        entry.errors.push({ subsystem: "map", code, data });
        return {};
      }
      case 4:
        entry.autostart = false;
        return {};
      case 5:
        entry.available = args["available"] === true;
        return {};
      case 6: {
        const on = text(args["ifname"]);
        entry.dependsOn = on;
        const up = this.#interfaces.get(on)?.phase === "up";
        entry.available = up;
        if (!up) throw new MethodRefused(Status.notFound);
        return {};
      }
      case 7:
        // The script that says so gets SIGTERM, as a part of the teardown.
        void this.#again(entry);
        return {};
      default:
        throw new MethodRefused(Status.invalidArgument);
    }
  }

  /**
   * netifd compares with the update before: what is equal is not set again, even where the kernel has lost it. A tunnel that
   * differs is another device, and the old one's addresses and routes go with it.
   */
  #update(entry: Interface, args: Json): void {
    const device = text(args["ifname"]);
    const tunnel = args["tunnel"] as Json | undefined;
    const lines: Line[] = [];
    if (tunnel === undefined) lines.push({ words: ["link", "set", device, "up"] });
    else if (JSON.stringify(tunnel) !== entry.tunnel) {
      entry.undo = [["link", "del", device], ...entry.undo.filter(([word]) => word !== "link")];
      // As netifd does: a netifd that was killed may have left one of that name.
      lines.push({ words: ["link", "del", device], mayFail: true }, ...this.#tunnel(device, tunnel));
    }
    const before = entry.settings;
    const now = new Map<string, string[]>();
    const wanted: Line[] = [];
    const want = (words: string[], taken: string[]) => {
      const key = words.join(" ");
      if (!before.has(key)) wanted.push({ words });
      now.set(key, taken);
    };
    entry.addresses = [];
    for (const { ipaddr, mask } of list(args["ipaddr"])) {
      const words = [`${ipaddr}/${text(mask) || "32"}`, "dev", device];
      want(["address", "replace", ...words], ["address", "del", ...words]);
      entry.addresses.push({ address: ipaddr, mask: Number(text(mask) || "32") });
    }
    entry.routes = [];
    for (const name of ["routes", "routes6"]) {
      for (const { target, netmask, mtu, metric } of list(args[name])) {
        const words = [`${target}/${text(netmask)}`, "dev", device];
        const more: string[] = [];
        if (typeof mtu === "number") more.push("mtu", String(mtu));
        if (typeof metric === "number") more.push("metric", String(metric));
        want(["route", "replace", ...words, ...more], ["route", "del", ...words]);
        entry.routes.push({ target, mask: Number(text(netmask)) });
      }
    }
    for (const [key, words] of before) if (!now.has(key)) lines.push({ words, mayFail: true });
    this.#ip([...lines, ...wanted]);
    if (tunnel !== undefined) entry.tunnel = JSON.stringify(tunnel);
    entry.settings = now;
    entry.device = device;
    entry.data = (args["data"] as Json | undefined) ?? {};
    entry.phase = "up";
  }

  #tunnel(device: string, tunnel: Json): Line[] {
    const link = this.#interfaces.get(text(tunnel["link"]))?.device ?? "";
    const limit = text((tunnel["data"] as Json | undefined)?.["encaplimit"]);
    const words = ["link", "add", device, "type", "ip6tnl", "mode", "ipip6", "local", text(tunnel["local"])];
    words.push("remote", text(tunnel["remote"]), "dev", link, "ttl", String(tunnel["ttl"] ?? 64));
    words.push("encaplimit", limit === "ignore" || limit === "" ? "none" : limit);
    return [{ words }, { words: ["link", "set", device, "mtu", String(tunnel["mtu"] ?? 1280), "up"] }];
  }
}
