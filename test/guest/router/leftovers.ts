/** What the CE holds, as lines of text: taken before and after, their difference is what somebody left behind. */

import { readdirSync, readFileSync } from "node:fs";
import { attempt, sleep, within } from "./command.ts";

/** Of others: dhcpcd's own reject route, and what changes by itself. */
const foreign = [/proto dhcp/, /^unreachable 2001:db8:12:3400::\/56/];

/** What is asked of the CE, by what its answers are called. */
const questions = {
  device: "ip -o link show",
  address: "ip -o address show",
  route4: "ip -4 route show table all",
  route6: "ip -6 route show table all",
  rule: "ip rule show",
  nft: "nft list tables",
  translator: "cat /proc/net/nat46/control 2>/dev/null || :",
} as const;
type Question = keyof typeof questions;
const MARK = "@@";

/** Asks all of it of one shell: in a guest, to start a program costs Node more than the program itself. */
function answers(): (question: Question) => readonly string[] {
  const asked = Object.keys(questions);
  const script = Object.values(questions).join(`\necho ${MARK}\n`);
  const texts = attempt(within("ce", ["sh", "-c", script])).stdout.split(`${MARK}\n`);
  return (question) =>
    (texts[asked.indexOf(question)] ?? "")
      .split("\n")
      // An address that is looked at while it is new is `tentative` for a moment.
      .map((line) => line.trim().replace(/ (tentative|proto kernel_ll)/g, ""))
      .filter((line) => line !== "" && !foreign.some((pattern) => pattern.test(line)));
}

/** Files below a directory; those of the lab and of others' daemons left out. */
function filesBelow(directory: string): readonly string[] {
  const skip = new Set(["/run/lab", "/run/kea", "/run/dhcpcd", "/run/netns", "/run/ubus", "/run/lock"]);
  const found: string[] = [];
  const visit = (path: string) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const full = `${path}/${entry.name}`;
      if (skip.has(full)) continue;
      if (entry.isDirectory()) visit(full);
      else found.push(`file ${full}`);
    }
  };
  visit(directory);
  return found;
}

/** A shell of map.sh that waits for the end of its handler: it goes within two seconds of it. */
const WATCHER_LIMIT_MS = 6_000;

/** Processes whose command lines have that text in them: their ids and command lines. */
function processesOf(text: string): readonly { readonly pid: number; readonly line: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim();
        return words.includes(text) ? [{ pid: Number(pid), line: words }] : [];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}

const engines = () => processesOf("/usr/lib/mapmin/");
/** Those beside a setup have its command line, as the setup itself has before it becomes the engine. */
const shells = () => processesOf("/map.sh map ");

/** The handlers that run now. */
export function handlerPids(): readonly number[] {
  return engines().map(({ pid }) => pid);
}

export type Snapshot = ReadonlySet<string>;

export function snapshot(): Snapshot {
  const said = answers();
  return new Set([
    ...said("device").map((line) => `device ${line.replace(/^\d+: /, "").split(" ")[0]}`),
    ...said("address").map((line) => `address ${line.replace(/^\d+: /, "")}`),
    ...[...said("route4"), ...said("route6")].map((line) => `route ${line}`),
    ...said("rule").map((line) => `rule ${line}`),
    ...said("nft").map((line) => `nft ${line}`),
    ...said("translator")
      .filter((line) => !line.startsWith("#"))
      .map((line) => `translator ${line}`),
    ...filesBelow("/run"),
    ...filesBelow("/tmp"),
    ...[...engines(), ...shells()].map(({ line }) => `process ${line}`),
  ]);
}

/** What is there now and was not before; the log is meant to stay. Waits for the shells that wait. */
export async function leftSince(before: Snapshot): Promise<readonly string[]> {
  const end = Date.now() + WATCHER_LIMIT_MS;
  while (shells().length > 0 && Date.now() < end) await sleep(200);
  return [...snapshot()].filter((line) => !before.has(line) && !line.startsWith("file /tmp/map.log"));
}
