import type { Host } from "../../../src/engine/host.ts";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { formatIpv6 } from "../../../src/ip/text.ts";
import { EffectError } from "../../../src/wire/errors.ts";

/** A world that records what was done to it, in order, and fails where a test says so. */
export interface World extends Host {
  readonly done: string[];
  /** What ubus was asked without changing anything: `object method ARGS`. */
  readonly asked: string[];
  readonly states: Map<string, string>;
  /** Tables of rules, by path. */
  readonly files: Map<string, string>;
  readonly scripts: string[];
  /** Tables that are loaded: name and script. */
  readonly tables: Map<string, string>;
  /** Devices and their MTUs. */
  readonly devices: Map<string, number>;
  /** Those of them that are tunnels of netifd's. */
  readonly tunnels: Set<string>;
  control: string | undefined;
  /** What netifd says of the link, and of any interface whose status is asked for. */
  status: unknown;
}

export interface WorldOptions {
  /** What netifd says of the link, and of any interface whose status is asked for. */
  readonly status?: unknown;
  /** netifd's name of the link. */
  readonly link?: string;
  /** Interfaces that netifd removes: what it says of each look until it knows it no more. */
  readonly going?: Readonly<Record<string, unknown[]>>;
  /** The interfaces beside the link in `network.interface dump`. */
  readonly dump?: { readonly interface: readonly unknown[] };
  /**
   * Steps that fail: a ubus `object method`, `notify ACTION`, `nft`, `delete` (of a table), `close`, `list`, `control`,
   * `read control`, `mtu`, `shut`, `delete tunnel`, `flush`, and of state files `state`, `read state`, `remove state`.
   */
  readonly failing?: ReadonlyMap<string, Error>;
  /** Addresses that the kernel does not use yet: an entry for each look at which it does not. */
  readonly tentative?: Readonly<Record<string, unknown[]>>;
  readonly withoutModule?: boolean;
}

export class Refusal extends EffectError {
  constructor(status: number) {
    super("ubus", `status ${status}`, { status });
  }
}

/** RFC 7597 example 1's delegated prefix, and option 48879 with a rule for it (a = 4 by default). */
export const option48879 = "004202000d18c000020010002820010db8004203000940261000d01208cafe";
export const passthru = `beef${(option48879.length / 2).toString(16).padStart(4, "0")}${option48879}`;
export const linkStatus = {
  up: true,
  l3_device: "eth1",
  "ipv6-address": [{ address: "2001:db8:ffff::5", mask: 64 }],
  "ipv6-prefix": [{ address: "2001:db8:12:3400::", mask: 56 }],
  data: { passthru },
};

/** A link whose end-user prefix is not delegated: it is the link's own. */
export const onLinkStatus = {
  ...linkStatus,
  "ipv6-prefix": [],
  "ipv6-address": [{ address: "2001:db8:12:3400::5", mask: 64 }],
};

export function makeWorld({
  status = linkStatus,
  link = "wan6",
  dump = { interface: [] },
  failing = new Map(),
  going = {},
  tentative = {},
  withoutModule = false,
}: WorldOptions = {}): World {
  const done: string[] = [];
  const asked: string[] = [];
  const states = new Map<string, string>();
  const scripts: string[] = [];
  const fail = (step: string): void => {
    const error = failing.get(step);
    if (error !== undefined) throw error;
  };
  const tables = new Map<string, string>();
  const devices = new Map([["eth1", 1500]]);
  const tunnels = new Set<string>();
  const world: World = {
    done,
    asked,
    states,
    files: new Map(),
    scripts,
    tables,
    devices,
    tunnels,
    status,
    control: withoutModule ? undefined : "",
    async call(object, method, args) {
      const action = (args as { action?: number }).action;
      const step = method === "notify_proto" ? `notify ${action}` : `${object} ${method}`;
      (method === "status" || method === "dump" ? asked : done).push(`${step} ${JSON.stringify(args)}`);
      fail(step);
      const looks = going[String(args["interface"])];
      if (method === "status" && looks !== undefined) {
        const look = looks.shift();
        if (look === undefined) throw new Refusal(4);
        return look;
      }
      const tunnel = (args as { tunnel?: { mtu: number } }).tunnel;
      if (tunnel !== undefined) devices.set(String(args["ifname"]), tunnel.mtu);
      if (method === "dump")
        return { interface: [{ interface: link, ...(world.status as object) }, ...dump.interface] };
      return method === "status" ? world.status : {};
    },
    log: (what, outcome, detail) => {
      done.push(`log ${outcome} ${what} ${detail ?? ""}`.trim());
    },
    async loadFirewall(script) {
      scripts.push(script);
      const kind = script.includes("chain closed_out")
        ? "close"
        : /^table ip/m.test(script)
          ? "load"
          : "delete";
      done.push(`nft ${kind}`);
      fail(kind === "load" ? "nft" : kind);
      const [, table = ""] = /^delete table ip (\S+)$/m.exec(script) ?? [];
      if (kind === "delete") tables.delete(table);
      else tables.set(table, script.slice(script.indexOf("\ntable ip") + 1));
    },
    async listTable(table, form) {
      fail("list");
      const script = tables.get(table);
      return form === "text" ? script : script && asJson(script);
    },
    async flushFlows(ipv4) {
      done.push(`flush ${ipv4}`);
      fail("flush");
    },
    readText(path) {
      fail(path.endsWith(".relay") ? "read the relay" : "read rules");
      return world.files.get(path);
    },
    readControl() {
      fail("read control");
      return world.control;
    },
    writeControl(lines) {
      done.push(`control ${lines[0]?.split(" ").slice(0, 2).join(" ")}`);
      fail("control");
      let held = (world.control ?? "").split("\n").filter((line) => line !== "");
      for (const line of lines) {
        const [verb, device = "", ...words] = line.split(" ");
        const own = (other: string) => other.split(" ")[1] === device;
        if (verb === "add" && held.includes(line)) throw new EffectError("control", `EEXIST ${device}`);
        if (verb === "add" && tunnels.has(device)) throw new EffectError("control", "File exists");
        if (verb === "add") devices.set(device, 1500);
        if (verb === "del") {
          held = held.filter((other) => !own(other));
          devices.delete(device);
        } else if (verb === "remove") {
          const at = held.findIndex((other) => own(other) && other.includes(words.join(" ")));
          if (at < 0) throw new EffectError("control", `ENOENT ${line}`);
          held.splice(at, 1);
        } else {
          // What sets the device is there once.
          const key = words[0]?.split(".")[0] ?? "";
          if (key !== "local" && key !== "remote")
            held = held.filter((other) => !(own(other) && other.split(" ")[2]?.startsWith(key)));
          held.push(line);
        }
      }
      world.control = held.length === 0 ? "" : `${held.join("\n")}\n`;
    },
    deviceMtu: (device) => devices.get(device),
    setDeviceMtu(device, mtu) {
      done.push(`mtu ${device} ${mtu}`);
      fail("mtu");
      devices.set(device, mtu);
    },
    async deleteTunnel(device) {
      if (!tunnels.has(device)) return false;
      done.push(`delete ${device}`);
      fail("delete tunnel");
      tunnels.delete(device);
      return devices.delete(device);
    },
    usesAddress(address) {
      return (tentative[formatIpv6(address)] ?? []).shift() === undefined;
    },
    shutDevice(device) {
      done.push(`shut ${device}`);
      fail("shut");
    },
    stateNames: () => [...states.keys()].map((name) => parseInterfaceName(name, "state")),
    readState: (iface) => {
      fail("read state");
      return states.get(iface);
    },
    writeState: (iface, text) => {
      fail("state");
      states.set(iface, text);
    },
    removeState: (iface) => {
      fail("remove state");
      states.delete(iface);
    },
    now: () => new Date("2026-01-02T03:04:05Z"),
    sleep: async (ms) => void asked.push(`sleep ${ms}`),
  };
  return world;
}

/** Like `nft -j list table`: the elements of each map and all else, line by line. */
function asJson(script: string): string {
  const elem = [...script.matchAll(/elements = \{([^}]*)\}/g)].map(([, list = ""]) => list.split(","));
  const lines = script.replaceAll(/elements = \{[^}]*\}/g, "").split("\n");
  return JSON.stringify({ nftables: [...elem.map((list) => ({ map: { elem: list } })), { lines }] });
}

/** What was done, without the log. */
export function effects(world: World): readonly string[] {
  return world.done.filter((line) => !line.startsWith("log "));
}

/** A table whose chains have lost their rules: `nft flush table`. */
export function withoutRules(table = ""): string {
  let chain = false;
  const kept = table.split("\n").filter((line) => {
    if (/^\t\S/.test(line)) chain = line.startsWith("\tchain ");
    return !chain || !line.startsWith("\t\t") || line.startsWith("\t\ttype ");
  });
  return kept.join("\n");
}
