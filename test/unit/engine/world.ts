import type { Host } from "../../../src/engine/host.ts";
import { EffectError } from "../../../src/wire/errors.ts";

/** A world that records what was done to it, in order, and fails where a test says so. */
export interface World extends Host {
  readonly done: string[];
  readonly states: Map<string, string>;
  readonly scripts: string[];
  control: string | undefined;
}

export interface WorldOptions {
  /** Answer of `network.interface status`. */
  readonly status?: unknown;
  /** Steps that fail: a ubus `object method`, `notify ACTION`, `nft`, `control`, `mtu`. */
  readonly failing?: ReadonlyMap<string, Error>;
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

export function makeWorld({
  status = linkStatus,
  failing = new Map(),
  withoutModule = false,
}: WorldOptions = {}): World {
  const done: string[] = [];
  const states = new Map<string, string>();
  const scripts: string[] = [];
  const fail = (step: string): void => {
    const error = failing.get(step);
    if (error !== undefined) throw error;
  };
  const world: World = {
    done,
    states,
    scripts,
    control: withoutModule ? undefined : "",
    async call(object, method, args) {
      const action = (args as { action?: number }).action;
      const step = method === "notify_proto" ? `notify ${action}` : `${object} ${method}`;
      if (method !== "status") done.push(`${step} ${JSON.stringify(args)}`);
      fail(step);
      return method === "status" ? status : {};
    },
    log: (what, outcome, detail) => {
      done.push(`log ${outcome} ${what} ${detail ?? ""}`.trim());
    },
    async loadFirewall(script) {
      scripts.push(script);
      const kind = /^table ip \S+ \{\n[\s\S]*chain/m.test(script) ? "load" : "delete";
      done.push(`nft ${kind}`);
      if (kind === "load") fail("nft");
    },
    async flushFlows(ipv4) {
      done.push(`flush ${ipv4}`);
    },
    readControl: () => world.control,
    writeControl(lines) {
      done.push(`control ${lines[0]?.split(" ").slice(0, 2).join(" ")}`);
      fail("control");
      const [verb, device] = (lines[0] ?? "").split(" ");
      world.control = verb === "add" ? `add ${device}\n` : "";
    },
    deviceMtu: () => 1500,
    setDeviceMtu(device, mtu) {
      done.push(`mtu ${device} ${mtu}`);
      fail("mtu");
    },
    readState: (iface) => states.get(iface),
    writeState: (iface, text) => {
      states.set(iface, text);
    },
    removeState: (iface) => {
      states.delete(iface);
    },
    now: () => new Date("2026-01-02T03:04:05Z"),
  };
  return world;
}

/** What was done, without the log. */
export function effects(world: World): readonly string[] {
  return world.done.filter((line) => !line.startsWith("log "));
}
