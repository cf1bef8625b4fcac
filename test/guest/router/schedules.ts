/**
 * The fault run: schedules of what a router does with a MAP interface, and of what goes wrong meanwhile, drawn from a seed.
 * The LAN and the router itself send all the time, and the provider's network listens.
 *
 * What must hold: nothing leaves that is not of the port set; an interface that waits has an error; once all is mended it
 * comes up and carries packets; once it is taken away nothing is left.
 */

import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { startBorderRelay } from "./border-relay.ts";
import { startCapture, type TimedPacket } from "./capture.ts";
import { attempt, PATIENCE_MS, run, sleep, start, until, within } from "./command.ts";
import { firewall } from "./firewall.ts";
import { leftSince, ownPids, type Snapshot, snapshot } from "./leftovers.ts";
import { optionsOf, setLink } from "./link.ts";
import { type Carrier, ce, edges, server } from "./plan.ts";
import { checking, demand, detail, step } from "./report.ts";
import { insertModule, installRouterFiles, type Router, startRouter } from "./router.ts";
import { buildTopology } from "./topology.ts";

const TRAFFIC = "/lab/cache/lab/traffic.mjs";
const SERVER_LOG = "/run/lab/server.log";
const IFACE = "wan_map";
const DEVICE = "map-wan_map";
const STATES = "/run/mapmin";
/** What leaves no room for a state. */
const FILLER = `${STATES}/full`;

/** Numbers by chance that a seed gives again (mulberry32). */
function chance(seed: number): { below(limit: number): number; of<T>(items: readonly T[]): T } {
  let state = seed >>> 0;
  const below = (limit: number) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  return {
    below,
    of(items) {
      const item = items[below(items.length)];
      if (item === undefined) throw new Error("nothing to choose from");
      return item;
    },
  };
}

/** A program of the router stands behind this; a file says what becomes of its next run, or of all of them. */
const programs = ["nft", "conntrack"] as const;
type Program = (typeof programs)[number];

function troubleFile(program: Program): string {
  return `/run/lab/trouble.${program}`;
}

function wrap(program: Program): void {
  const path = `/usr/sbin/${program}`;
  renameSync(path, `${path}.real`);
  writeFileSync(
    path,
    `#!/bin/sh
how=
file=${troubleFile(program)}
if [ -n "\${MAPMIN_LAB_ROUTER-}" ] && [ -e $file ]; then
	read -r how <$file || :
	[ "$how" = broken ] || rm -f $file
fi
case $how in
fail | broken) echo "$0: broken" >&2; exit 1 ;;
slow) sleep 1 ;;
late) ${path}.real "$@"; code=$?; sleep 1; exit $code ;;
esac
exec ${path}.real "$@"
`,
  );
  chmodSync(path, 0o755);
}

/** What may go wrong, by name. */
const troubles = [
  "none",
  "none",
  "handler killed",
  "handler killed",
  "handler ended",
  ...programs.flatMap((program) =>
    (["fail", "slow", "late", "broken"] as const).map((how) => `${program} ${how}` as const),
  ),
  "ubus refuse",
  "ubus slow",
  "ubus restart",
  "fw4 reload",
  "flush ruleset",
  "module removed",
  "no room for the state",
] as const;
type Trouble = (typeof troubles)[number];
/** Each costs half a minute: in long runs alone. */
const slowTroubles = ["ubus late"] as const;

const actions = [
  "renew",
  "renew",
  "other prefix",
  "other MTU",
  "ifdown and ifup",
  "ifup",
  "link lost and back",
] as const;
type Action = (typeof actions)[number];

interface Part {
  readonly action: Action;
  readonly trouble: Trouble | (typeof slowTroubles)[number];
  /** When it comes, after the action was asked for, ms. */
  readonly afterMs: number;
}

interface Schedule {
  readonly seed: number;
  readonly parts: readonly Part[];
}

const LONG = 200;

function draw(seed: number, count: number): Schedule {
  const { below, of } = chance(seed);
  const possible = count < LONG ? troubles : [...troubles, ...slowTroubles];
  const parts = Array.from({ length: 1 + below(3) }, () => ({
    action: of(actions),
    trouble: of(possible),
    afterMs: below(below(2) === 0 ? 150 : 900),
  }));
  return { seed, parts };
}

function tell({ seed, parts }: Schedule): string {
  const words = parts.map(({ action, trouble, afterMs }) =>
    trouble === "none" ? action : `${action} with ${trouble} (${afterMs} ms)`,
  );
  return `seed ${seed}: ${words.join(", ")}`;
}

/** A span of time in which packets may leave: the rules were taken away by somebody else. */
interface Excused {
  readonly from: number;
  readonly to: number;
}

class Run {
  readonly excused: Excused[] = [];
  private prefix = edges[0].prefix;
  private mtu = 0;

  private readonly router: Router;
  private readonly options: Readonly<Record<string, string | number>>;
  private readonly carrier: Carrier;

  constructor(router: Router, options: Readonly<Record<string, string | number>>, carrier: Carrier) {
    this.router = router;
    this.options = options;
    this.carrier = carrier;
  }

  /** Looks more often than others: a schedule waits for many handlers. */
  private async settled(): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const { running } = (await this.router.call("lab", "interface", { name: IFACE })) as {
        running: boolean;
      };
      if (!running) return;
      if (Date.now() > deadline) throw new Error("the handler does not end");
      await sleep(30);
    }
  }

  private async method(name: "up" | "down" | "renew"): Promise<void> {
    try {
      await this.router.call("network.interface", name, { interface: IFACE });
    } catch (error) {
      // netifd renews nothing that is down.
      if (name !== "renew") throw error;
    }
  }

  configure(): Promise<unknown> {
    const mtu = this.mtu === 0 ? {} : { mtu: this.mtu };
    return this.router.call("lab", "configure", { name: IFACE, config: { ...this.options, ...mtu } });
  }

  private async act(action: Action): Promise<void> {
    switch (action) {
      case "renew":
        return this.method("renew");
      case "other prefix":
        this.prefix = edges.find(({ prefix }) => prefix !== this.prefix)?.prefix ?? this.prefix;
        await setLink(this.router, { of: this.prefix });
        return this.method("renew");
      case "other MTU":
        this.mtu = this.mtu === 0 ? 1400 : 0;
        await this.configure();
        return;
      case "ifdown and ifup":
        await this.method("down");
        return this.method("up");
      case "ifup":
        return this.method("up");
      case "link lost and back":
        await setLink(this.router, { up: false });
        await this.settled();
        await setLink(this.router, { of: this.prefix });
        return;
    }
  }

  private kill(signal: "KILL" | "TERM"): void {
    for (const pid of ownPids()) {
      try {
        process.kill(pid, `SIG${signal}`);
      } catch {
        // It has ended by itself.
      }
    }
  }

  /** What lies ready for the handler to meet. */
  private async prepare(trouble: Part["trouble"]): Promise<void> {
    const [what = "", how = ""] = trouble.split(" ");
    if (what === "ubus") await this.router.call("lab", "trouble", { how });
    for (const program of programs) {
      if (what === program) writeFileSync(troubleFile(program), `${how}\n`);
    }
    if (trouble === "no room for the state") attempt(["dd", "if=/dev/zero", `of=${FILLER}`, "bs=4096"]);
  }

  private strike(trouble: Part["trouble"]): void {
    switch (trouble) {
      case "handler killed":
        this.kill("KILL");
        return;
      case "handler ended":
        this.kill("TERM");
        return;
      case "fw4 reload":
        run(
          within("ce", ["nft", "-f", "-"]),
          `table inet fw4\ndelete table inet fw4\n${firewall(DEVICE, false)}`,
        );
        return;
      case "flush ruleset":
        run(within("ce", ["nft", "flush", "ruleset"]));
        return;
      case "module removed":
        attempt(["rmmod", "mapmint"]);
        return;
      default:
        return;
    }
  }

  private async mend(trouble: Part["trouble"]): Promise<void> {
    for (const program of programs) rmSync(troubleFile(program), { force: true });
    await this.router.call("lab", "trouble", { how: "none" });
    rmSync(FILLER, { force: true });
    if (trouble === "module removed" && !existsSync("/proc/net/nat46/control")) insertModule();
    if (trouble === "flush ruleset") {
      run(within("ce", ["nft", "-f", "-"]), firewall(DEVICE, false));
      // Whoever flushes the rules of a router has a renewal follow.
      await this.method("renew");
      await this.settled();
    }
  }

  /** One part of a schedule. @throws Error when an interface waits and nobody knows for what */
  async part({ action, trouble, afterMs }: Part): Promise<void> {
    const from = Date.now();
    await this.prepare(trouble);
    const acting = this.act(action);
    await sleep(afterMs);
    this.strike(trouble);
    await acting;
    await this.settled();
    const status = await this.router.status(IFACE);
    await this.mend(trouble);
    if (trouble === "flush ruleset" && this.carrier === "nftables")
      this.excused.push({ from, to: Date.now() });
    // Nobody is left to tell of a handler that was killed.
    if (trouble.startsWith("handler")) return;
    demand(
      status?.pending !== true || (status.errors?.length ?? 0) > 0,
      `${action}: the interface waits without an error`,
    );
  }

  /** All is mended: the interface comes up, with the address that the link gives, and carries packets. */
  async heals(): Promise<void> {
    this.prefix = edges[0].prefix;
    await setLink(this.router, { of: this.prefix });
    const before = await this.router.status(IFACE);
    await this.method(before?.up === true || before?.pending === true ? "renew" : "up");
    await this.settled();
    const status = await this.router.status(IFACE);
    demand(
      status?.up === true && status["ipv4-address"][0]?.address === ce.ipv4,
      `it does not come up again: ${JSON.stringify(status)}, was ${JSON.stringify(before)}`,
    );
    const ping = within("lan", ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "5", server.address]);
    demand(attempt(ping).stdout.includes("bytes from"), "it is up and carries nothing");
  }
}

/** What is wrong with one schedule; undefined where nothing is. */
async function runSchedule(
  router: Router,
  schedule: Schedule,
  options: Readonly<Record<string, string | number>>,
  carrier: Carrier,
  excused: Excused[],
  before: Snapshot,
): Promise<string | undefined> {
  const of = new Run(router, options, carrier);
  try {
    await of.configure();
    for (const part of schedule.parts) await of.part(part);
    await of.heals();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await router.call("lab", "unconfigure", { name: IFACE });
    excused.push(...of.excused);
    const left = leftSince(before);
    if (left.length > 0) leftovers.set(schedule.seed, left.join("; "));
    for (const line of left) detail(`seed ${schedule.seed}: left behind: ${line}`);
  }
}

/** What the handler has logged since then, whose times are whole seconds. */
function logSince(ms: number): string {
  const from = new Date(Math.floor(ms / 1_000) * 1_000).toISOString().slice(0, 19);
  return readFileSync("/tmp/map.log", "utf8")
    .split("\n")
    .filter((line) => line >= from)
    .join("\n");
}

const leftovers = new Map<number, string>();

/** The fault run of one transport and carrier: a schedule for each seed. */
export async function schedules(
  maptype: keyof typeof optionsOf,
  carrier: Carrier,
  seeds: readonly number[],
): Promise<void> {
  const count = seeds.length;
  const title = `${maptype} by ${carrier === "module" ? "the module" : carrier}`;
  const name = (text: string) => `${title}: ${text}`;
  step(`${title}: ${count} schedules, seeds ${seeds[0]} to ${seeds.at(-1)}`);
  await buildTopology();
  for (const { prefix } of edges) {
    run(["ip", "-n", "pn", "-6", "route", "replace", `${prefix}/56`, "via", "fe80::2", "dev", "ce0"]);
  }
  installRouterFiles();
  for (const program of programs) wrap(program);
  insertModule();
  const relay = await startBorderRelay(maptype === "map-t" ? "map-t" : "map-e");
  const serving = start(within("server", [process.execPath, TRAFFIC, "serve"]), SERVER_LOG);
  await until("the server", PATIENCE_MS, () =>
    readFileSync(SERVER_LOG, "utf8").includes("ready") ? true : undefined,
  );
  const router = await startRouter({ MAPMIN_LAB_ROUTER: "1" });
  await setLink(router, {});
  run(["mkdir", "-p", STATES]);
  run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", STATES]);
  run(within("ce", ["nft", "-f", "-"]), firewall(DEVICE, false));
  // Each datagram of the storm is a flow: the set has to have ports left for others.
  for (const name of ["udp_timeout", "udp_timeout_stream"])
    run(within("ce", ["sh", "-c", `echo 2 >/proc/sys/net/netfilter/nf_conntrack_${name}`]));
  const capture = await startCapture();
  const storms = (["lan", "ce"] as const).map((namespace) =>
    start(
      within(namespace, [process.execPath, TRAFFIC, "storm", server.address, "40"]),
      `/run/lab/storm-${namespace}.log`,
    ),
  );
  const options = { ...optionsOf[maptype], ...(carrier === "module" ? {} : { nat: "nftables" }) };
  const excused: Excused[] = [];
  const began: { readonly ms: number; readonly schedule: Schedule }[] = [];
  const wrong: string[] = [];
  const before = snapshot();
  for (const [index, seed] of seeds.entries()) {
    const schedule = draw(seed, count);
    began.push({ ms: Date.now(), schedule });
    const fault = await runSchedule(router, schedule, options, carrier, excused, before);
    if (fault !== undefined) {
      wrong.push(`${tell(schedule)}: ${fault}`);
      detail(`${tell(schedule)}: ${fault}`);
      detail(logSince(began.at(-1)?.ms ?? 0));
    }
    detail(`${title}: ${index + 1} of ${count}`);
  }
  for (const storm of storms) await storm.stop();
  const { outside, fromCe, lost } = await capture.stopAndList();
  const left = outside.filter(({ ms }) => !excused.some(({ from, to }) => ms >= from && ms <= to));
  const scheduleOf = ({ ms }: TimedPacket) => began.findLast((one) => one.ms <= ms)?.schedule;
  for (const packet of left.slice(0, 10)) {
    const schedule = scheduleOf(packet);
    const when = new Date(packet.ms).toISOString();
    detail(`${when} ${packet.what}: ${schedule === undefined ? "before the first" : tell(schedule)}`);
  }
  const [firstLeft] = left;
  if (firstLeft !== undefined) detail(logSince(firstLeft.ms - 5_000));
  await checking(name("nothing left from outside the port set"), () => {
    const seeds = new Set(left.map((packet) => scheduleOf(packet)?.seed));
    const text = `${left.length} of ${fromCe} packets, ${lost} not seen`;
    demand(left.length === 0 && lost === 0 && fromCe > count, `${text}; seeds ${[...seeds].join(", ")}`);
    return text;
  });
  await checking(name("each comes up again, and never waits without an error"), () => {
    demand(wrong.length === 0, wrong.join("\n"));
    return `${count} schedules`;
  });
  await checking(name("each is taken away whole"), () => {
    demand(leftovers.size === 0, [...leftovers].map(([seed, what]) => `seed ${seed}: ${what}`).join("\n"));
    return `${count} schedules`;
  });
  await relay.stop();
  await serving.stop();
  await router.stop();
}
