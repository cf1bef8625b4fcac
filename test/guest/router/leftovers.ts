/** What the CE holds, as lines of text: taken before and after, their difference is what somebody left behind. */

import { readdirSync, readFileSync } from "node:fs";
import { attempt, within } from "./command.ts";

/** Of others: dhcpcd's own reject route, and what changes by itself. */
const foreign = [/proto dhcp/, /^unreachable 2001:db8:12:3400::\/56/];

function commandLines(argv: readonly string[]): readonly string[] {
  const { stdout } = attempt(within("ce", argv));
  return (
    stdout
      .split("\n")
      // An address that is looked at while it is new is `tentative` for a moment.
      .map((line) => line.trim().replace(/ (tentative|proto kernel_ll)/g, ""))
      .filter((line) => line !== "" && !foreign.some((pattern) => pattern.test(line)))
  );
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

/** Processes that run the bundle. */
export function ownProcesses(): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim();
        return words.includes("/usr/lib/mapmin/") || words.includes("proto/map.sh")
          ? [`process ${words}`]
          : [];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}

export type Snapshot = ReadonlySet<string>;

export function snapshot(): Snapshot {
  return new Set([
    ...commandLines(["ip", "-o", "link", "show"]).map(
      (line) => `device ${line.replace(/^\d+: /, "").split(" ")[0]}`,
    ),
    ...commandLines(["ip", "-o", "address", "show"]).map((line) => `address ${line.replace(/^\d+: /, "")}`),
    ...commandLines(["ip", "-4", "route", "show", "table", "all"]).map((line) => `route ${line}`),
    ...commandLines(["ip", "-6", "route", "show", "table", "all"]).map((line) => `route ${line}`),
    ...commandLines(["ip", "rule", "show"]).map((line) => `rule ${line}`),
    ...commandLines(["nft", "list", "tables"]).map((line) => `nft ${line}`),
    ...commandLines(["sh", "-c", "cat /proc/net/nat46/control 2>/dev/null || :"])
      .filter((line) => !line.startsWith("#"))
      .map((line) => `translator ${line}`),
    ...filesBelow("/run"),
    ...filesBelow("/tmp"),
    ...ownProcesses(),
  ]);
}

/** What is there now and was not before; the log is meant to stay. */
export function leftSince(before: Snapshot): readonly string[] {
  return [...snapshot()].filter((line) => !before.has(line) && !line.startsWith("file /tmp/map.log"));
}
