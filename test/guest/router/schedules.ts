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
import { attempt, PATIENCE_MS, run, sleep, start, within } from "./command.ts";
import { firewall } from "./firewall.ts";
import { startServer, trafficIn } from "./lan-host.ts";
import { handlerPids, leftSince, type Snapshot, snapshot } from "./leftovers.ts";
import { configurationOf, type Options, type optionsOf, setLink } from "./link.ts";
import { type Carrier, ce, edges, server } from "./plan.ts";
import { checking, demand, detail, step } from "./report.ts";
import {
  type InterfaceStatus,
  insertModule,
  installRouterFiles,
  type Router,
  startRouter,
} from "./router.ts";
import { type Action, draw, type Part, type Program, programs, type Schedule, tell } from "./schedule.ts";
import { buildTopology } from "./topology.ts";

const IFACE = "wan_map";
const DEVICE = "map-wan_map";
const TABLE = "mapmin_wan__map";
const STATES = "/run/mapmin";
/** How often we look whether a handler has ended, ms. To look costs a guest 5 ms, and takes them from the handler. */
const LOOK_MS = 100;
/** What leaves no room for a state. */
const FILLER = `${STATES}/full`;

function troubleFile(program: Program): string {
  return `/run/lab/trouble.${program}`;
}

/** Puts a script in a program's place: a file says what becomes of its next run, or of all of them. */
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
  private readonly options: Options;
  private readonly carrier: Carrier;

  constructor(router: Router, options: Options, carrier: Carrier) {
    this.router = router;
    this.options = options;
    this.carrier = carrier;
  }

  /** Waits until no handler runs. `until` looks less and less often; here most handlers end soon, and there are many. */
  private async settled(): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const { running } = (await this.router.call("lab", "interface", { name: IFACE })) as {
        running: boolean;
      };
      // The handler of a netifd that was killed still runs, and no netifd knows of it.
      if (!running && handlerPids().length === 0) return;
      if (Date.now() > deadline) throw new Error("the handler does not end");
      await sleep(LOOK_MS);
    }
  }

  /** The interface's status, once it does not wait or says for what: netifd may be about to start a handler. */
  private async answered(): Promise<InterfaceStatus | undefined> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const status = await this.router.status(IFACE);
      const waits = status?.pending === true && (status.errors?.length ?? 0) === 0;
      if (!waits || Date.now() > deadline) return status;
      await sleep(LOOK_MS);
      await this.settled();
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

  remove(): Promise<unknown> {
    return this.router.call("lab", "unconfigure", { name: IFACE });
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
    for (const pid of handlerPids()) {
      try {
        process.kill(pid, `SIG${signal}`);
      } catch {
        // It has ended by itself.
      }
    }
  }

  /** Its handler lives on, and the next netifd sets up what is configured. */
  private async killNetifd(): Promise<void> {
    await this.router.restart();
    await this.configure();
    await setLink(this.router, { of: this.prefix });
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

  private async strike(trouble: Part["trouble"]): Promise<void> {
    switch (trouble) {
      case "netifd killed":
        return this.killNetifd();
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
      case "flush table":
        // Its chains stay, without rules. There is none where the module does the NAT.
        attempt(within("ce", ["nft", "flush", "table", "ip", TABLE]));
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
    if (trouble === "flush ruleset") run(within("ce", ["nft", "-f", "-"]), firewall(DEVICE, false));
    if (trouble.startsWith("flush")) {
      // Whoever flushes the rules of a router has a renewal follow.
      await this.method("renew");
      await this.settled();
    }
  }

  /** Whether a table is what closes the tunnel: where the module was removed, nftables have taken its place. */
  private carriedByTable(): boolean {
    if (this.carrier === "nftables") return true;
    const file = `${STATES}/${IFACE}.state`;
    return existsSync(file) && readFileSync(file, "utf8").includes("carrier=tunnel\n");
  }

  /** One part of a schedule. @throws Error when an interface waits and nobody knows for what */
  async part({ action, trouble, afterMs }: Part): Promise<void> {
    const from = Date.now();
    const byTable = this.carriedByTable();
    await this.prepare(trouble);
    const acting = this.act(action).catch((error: unknown) => {
      // netifd is gone with what it was asked for, and the next one knows no interface before `configure`.
      if (trouble !== "netifd killed") throw error;
    });
    await sleep(afterMs);
    await this.strike(trouble);
    await acting;
    await this.settled();
    const status = await this.answered();
    await this.mend(trouble);
    if (trouble.startsWith("flush") && byTable) this.excused.push({ from, to: Date.now() });
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

/** What is wrong with a schedule, if anything is, and what is left once its interface has been taken away. */
interface Outcome {
  readonly fault: string | undefined;
  readonly left: readonly string[];
}

async function runSchedule(of: Run, { parts }: Schedule, before: Snapshot): Promise<Outcome> {
  let fault: string | undefined;
  try {
    await of.configure();
    for (const part of parts) await of.part(part);
    await of.heals();
  } catch (error) {
    fault = error instanceof Error ? error.message : String(error);
  }
  await of.remove();
  return { fault, left: await leftSince(before) };
}

/** What the handler and netifd have logged since then; the handler's times are whole seconds. */
function logSince(router: Router, ms: number): string {
  const from = new Date(Math.floor(ms / 1_000) * 1_000).toISOString().slice(0, 19);
  return `${readFileSync("/tmp/map.log", "utf8")}\n${router.netifdLog()}`
    .split("\n")
    .filter((line) => line >= from && line.startsWith("2"))
    .sort((one, other) => one.slice(0, 19).localeCompare(other.slice(0, 19)))
    .join("\n");
}

/** The fault run of one transport and carrier: a schedule for each seed. */
export async function schedules(
  maptype: keyof typeof optionsOf,
  carrier: Carrier,
  seeds: readonly number[],
  long: boolean,
): Promise<void> {
  const count = seeds.length;
  const title = `${maptype} by ${carrier === "module" ? "the module" : carrier}, from seed ${seeds[0]}`;
  const name = (text: string) => `${title}: ${text}`;
  step(`${title} to ${seeds.at(-1)}: ${count} ${long ? "long " : ""}schedules`);
  await buildTopology();
  for (const { prefix } of edges) {
    run(["ip", "-n", "pn", "-6", "route", "replace", `${prefix}/56`, "via", "fe80::2", "dev", "ce0"]);
  }
  installRouterFiles();
  for (const program of programs) wrap(program);
  insertModule();
  const relay = await startBorderRelay(maptype === "map-t" ? "map-t" : "map-e");
  const serving = await startServer();
  // Before netifd is started: a program in a network namespace has mounts of its own, and sees none that are made later.
  run(["mkdir", "-p", STATES]);
  run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", STATES]);
  const router = await startRouter({ MAPMIN_LAB_ROUTER: "1" });
  await setLink(router, {});
  run(within("ce", ["nft", "-f", "-"]), firewall(DEVICE, false));
  // Each datagram of the storm is a flow: the set has to have ports left for others.
  for (const name of ["udp_timeout", "udp_timeout_stream"])
    run(within("ce", ["sh", "-c", `echo 2 >/proc/sys/net/netfilter/nf_conntrack_${name}`]));
  const capture = await startCapture();
  const storms = (["lan", "ce"] as const).map((namespace) =>
    start(trafficIn(namespace, "storm", 40), `/run/lab/storm-${namespace}.log`),
  );
  const options = configurationOf(maptype, carrier);
  const excused: Excused[] = [];
  const began: { readonly ms: number; readonly schedule: Schedule }[] = [];
  const wrong: string[] = [];
  const leftovers: string[] = [];
  const before = snapshot();
  for (const [index, seed] of seeds.entries()) {
    const schedule = draw(seed, long);
    const ms = Date.now();
    began.push({ ms, schedule });
    const of = new Run(router, options, carrier);
    const { fault, left } = await runSchedule(of, schedule, before);
    excused.push(...of.excused);
    if (left.length > 0) leftovers.push(`${tell(schedule)}: ${left.join("; ")}`);
    if (fault !== undefined) wrong.push(`${tell(schedule)}: ${fault}`);
    if (fault !== undefined || left.length > 0) detail(logSince(router, ms));
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
  if (firstLeft !== undefined) detail(logSince(router, firstLeft.ms - 5_000));
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
    demand(leftovers.length === 0, leftovers.join("\n"));
    return `${count} schedules`;
  });
  await relay.stop();
  await serving.stop();
  await router.stop();
}
