/**
 * The machine's side: boots a guest for each scenario, shows what happens in them, prints the table of what was checked.
 * Usage: host.mjs PROJECT CACHE demo|test
 *
 * Guests run side by side, as many as there are processors or GUESTS says, and are shown one after the other.
 */

import { availableParallelism } from "node:os";
import { bootOnceMoreIfFrozen } from "../boot.ts";
import { decode, type Message } from "./report.ts";

/** A guest that says nothing for so long is ended: nothing in it may take more than 240 s. */
const SILENT_SECONDS = 300;

/** A scenario by its name; any other pattern is looked for among the parts of those that have parts. */
const pattern = process.env["MAPMIN_CASE"] ?? "";
const inParts = ["faults", "capacity", "doctor"];

/** A guest of the fault run has no more schedules than these: what it has captured stays in its memory. */
const SCHEDULES_PER_GUEST = 100;

/** The guests of a fault run: `schedules` of them, shared out among transports and carriers, from the first seed on. */
function faultRuns(length: "short" | "long", schedules: number): string[] {
  const first = Number(process.env["SEED"] ?? 1);
  const count = Number(process.env["COUNT"] ?? schedules);
  const kinds = [
    "map-t:module",
    "map-e:nftables",
    "map-e:module",
    "map-t:nftables",
    "lw4o6:module",
    "lw4o6:nftables",
  ].filter((one) => one.includes(pattern));
  const guests = kinds.length * Math.ceil(count / kinds.length / SCHEDULES_PER_GUEST);
  return Array.from({ length: Math.min(guests, count) }, (_, index) => {
    const kind = kinds[index % kinds.length];
    return `schedules:${kind}:${length}:${first + index}:${guests}:${Math.ceil((count - index) / guests)}`;
  });
}

const modes: Readonly<Record<string, readonly string[]>> = {
  demo: ["map-t", "map-e"],
  test: ["map-t", "map-e", "map-e-nftables", "faults", "forwards", "upnp"],
  // One of them alone, with what its guest's console says.
  "map-t": ["map-t"],
  "map-e": ["map-e"],
  "map-e-nftables": ["map-e-nftables"],
  faults: ["faults"],
  forwards: ["forwards"],
  upnp: ["upnp"],
  capacity: ["capacity"],
  doctor: ["doctor"],
  schedules: faultRuns("short", 100),
  "schedules-long": faultRuns("long", 2000),
  // With OpenWrt's own programs, below OPENWRT_ROOT.
  openwrt: ["openwrt-map-t", "openwrt-map-e", "openwrt-map-e-nftables"],
  "openwrt-times": ["openwrt-times"],
  "openwrt-map-t": ["openwrt-map-t"],
  "openwrt-map-e": ["openwrt-map-e"],
  "openwrt-map-e-nftables": ["openwrt-map-e-nftables"],
};

type Check = Extract<Message, { kind: "check" }>;

/** Prints at once what belongs to the guest shown now, and keeps the rest. */
class Stage {
  private readonly kept = new Map<string, string[]>();
  private current: string | undefined;

  say(guest: string, line: string): void {
    this.current ??= guest;
    if (this.current === guest) console.log(line);
    else this.kept.set(guest, [...(this.kept.get(guest) ?? []), line]);
  }

  /** From now on shows `guest`: first what it has said, then as it happens. */
  show(guest: string): void {
    this.current = guest;
    for (const line of this.kept.get(guest) ?? []) console.log(line);
    this.kept.delete(guest);
  }
}

function render(message: Message): string {
  switch (message.kind) {
    case "step":
      return `\n* ${message.text}`;
    case "detail":
      return `    ${message.text}`;
    case "check":
      return `  ${message.ok ? "ok    " : "FAILED"} ${message.name}${message.detail === "" ? "" : `: ${message.detail}`}`;
  }
}

function table(checks: readonly Check[]): void {
  const width = Math.max(0, ...checks.map(({ name }) => name.length));
  console.log(`\nWhat was checked, our programs on ${engine}`);
  console.log(`  ${"-".repeat(width + 9)}`);
  for (const { name, ok } of checks) console.log(`  ${name.padEnd(width)}  ${ok ? "held" : "FAILED"}`);
  console.log(`  ${"-".repeat(width + 9)}`);
}

/** What runs our programs in the guests; the lab's own run on Node. */
const ENGINES = ["node", "qjs"];

const [project, cache, mode = "", engine = "node"] = process.argv.slice(2);
const all = modes[mode];
const named = all?.filter((scenario) => scenario.includes(pattern)) ?? [];
const scenarios =
  named.length > 0 || all === undefined ? named : all.filter((scenario) => inParts.includes(scenario));
if (project === undefined || cache === undefined || all === undefined || !ENGINES.includes(engine)) {
  console.error(`usage: host.mjs PROJECT CACHE ${Object.keys(modes).join("|")} [${ENGINES.join("|")}]`);
  process.exit(2);
}

const checks: Check[] = [];
const stage = new Stage();
const verbose = scenarios.length === 1 || process.env["MAPMIN_VERBOSE"] !== undefined;

/** Boots a guest for a scenario, shows what it says, and collects what was checked. */
async function runScenario(scenario: string, processor: number): Promise<void> {
  const show = (message: Message) => {
    if (message.kind === "check") found.push(message);
    stage.say(scenario, render(message));
  };
  const fail = (detail: string) =>
    show({ kind: "check", name: `${scenario}: the guest ends well`, ok: false, detail });
  const guest = {
    kernel: `${cache}/linux-${process.env["KERNEL"] || "current"}/linux`,
    project: project ?? "",
    cache: cache ?? "",
    root: "/",
    memory: "1536M",
    argv: [
      process.execPath,
      "/lab/cache/lab/scenario.mjs",
      scenario,
      engine,
      process.env["OPENWRT_ROOT"] ?? "",
    ],
    layer: true,
    silentSeconds: SILENT_SECONDS,
    // Where one guest is all, whoever runs us may have a processor for it.
    ...(scenarios.length === 1 ? {} : { processor }),
    onLine(line: string) {
      const message = decode(line);
      if (message !== undefined) show(message);
      else other.push(line);
      if (message === undefined && verbose) stage.say(scenario, `  | ${line}`);
    },
  };
  let other: string[] = [];
  let found: Check[] = [];
  try {
    const code = await bootOnceMoreIfFrozen(guest, (why) => {
      stage.say(scenario, `\n  FROZEN ${scenario}: ${why}\n\n  It is booted once more.`);
      // What the first one checked does not count.
      other = [];
      found = [];
    });
    const oops = other.find((line) => /BUG:|WARNING:|Oops|Kernel panic|leaked/.test(line));
    if (oops !== undefined) fail(`the kernel said: ${oops}`);
    else if (code !== 0) fail(`exit ${code}:\n${other.slice(-20).join("\n")}`);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
  checks.push(...found);
}

// Guests are groups of their own: without this, one that is interrupted would leave them running.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

// One more guest than processors makes all of them wait for what each has only a moment to do.
const places = Number(process.env["GUESTS"] ?? availableParallelism());
const ends = new Map<string, () => void>();
const done = scenarios.map((scenario) => new Promise<void>((resolve) => ends.set(scenario, resolve)));
const waiting = [...scenarios];
for (let place = 0; place < places; place++) {
  void (async () => {
    for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) {
      await runScenario(scenario, place);
      ends.get(scenario)?.();
    }
  })();
}
for (const [index, scenario] of scenarios.entries()) {
  stage.show(scenario);
  await done[index];
}
table(checks);
const failed = checks.filter(({ ok }) => !ok).length;
console.log(`\n${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && checks.length > 0 ? 0 : 1;
