/**
 * A LAN host that sends a datagram every 20 ms, each with a number of its own, and notes which ones the server answered:
 * by that is told for how long IPv4 was away.
 */

import { readFileSync } from "node:fs";
import { start, until } from "./command.ts";
import { trafficIn } from "./lan-host.ts";

const LOG = "/run/lab/steady.jsonl";

export interface SteadyTraffic {
  /** Waits until datagrams that are sent from now on are answered. */
  answered(): Promise<void>;
  /** Gaps are counted from here. */
  mark(): void;
  /** The longest time between two answers since `mark`, ms. */
  longestGap(): number;
  stop(): Promise<void>;
}

/** Times of answers, ms. */
function times(): readonly number[] {
  return readFileSync(LOG, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => Number(line));
}

export async function startSteadyTraffic(): Promise<SteadyTraffic> {
  const daemon = start(trafficIn("lan", "steady"), LOG);
  let marked = Date.now();
  return {
    async answered() {
      const from = Date.now();
      await until("answers to new datagrams", 30_000, () =>
        times().filter((time) => time > from).length >= 5 ? true : undefined,
      );
    },
    mark() {
      marked = Date.now();
    },
    longestGap() {
      let last = marked;
      let longest = 0;
      for (const time of [...times().filter((one) => one > marked), Date.now()]) {
        longest = Math.max(longest, time - last);
        last = time;
      }
      return longest;
    },
    stop: () => daemon.stop(),
  };
}
