/** What nft says of a table of ours (`nft -j list table ip X`, `nft -j list counters table ip X`). */

import type { NatPlan } from "../map/plan.ts";
import { virtualBlock } from "../map/virtual-block.ts";
import { InputError } from "../wire/errors.ts";
import { isFields } from "../wire/schema.ts";
import { type NatCounter, natCounters } from "./nft.ts";

/** Packets and octets of one counter. */
export interface CounterValue {
  readonly packets: number;
  readonly bytes: number;
}

/** A table as it was loaded. */
export interface LoadedTable {
  /** Elements of each map, by name. */
  readonly maps: ReadonlyMap<string, number>;
  /** Rules of each chain, by name. */
  readonly chains: ReadonlyMap<string, number>;
  /** Of the names in {@link natCounters}; others belong to somebody else. */
  readonly counters: ReadonlyMap<NatCounter, CounterValue>;
}

const FIELD = "nft";

function count(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || Number(value) < 0) {
    throw new InputError(FIELD, `${what} is not a whole number`);
  }
  return value as number;
}

function isNatCounter(name: string): name is NatCounter {
  return Object.hasOwn(natCounters, name);
}

/**
 * Reads what nft printed about `table`; objects of other tables and kinds are passed over.
 *
 * @throws InputError when it is not JSON, is not what nft prints, or holds an object of ours that is malformed
 */
export function parseTable(text: string, table: string): LoadedTable {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(FIELD, "what it printed is not JSON");
  }
  if (!isFields(value) || !Array.isArray(value["nftables"])) {
    throw new InputError(FIELD, "what it printed has no list `nftables`");
  }
  const maps = new Map<string, number>();
  const chains = new Map<string, number>();
  const counters = new Map<NatCounter, CounterValue>();
  for (const entry of value["nftables"] as readonly unknown[]) {
    if (!isFields(entry)) throw new InputError(FIELD, "an entry of its list is not an object");
    for (const kind of ["map", "chain", "rule", "counter"] as const) {
      const object = entry[kind];
      if (!isFields(object) || object["table"] !== table || object["family"] !== "ip") continue;
      const name = object[kind === "rule" ? "chain" : "name"];
      if (typeof name !== "string") throw new InputError(FIELD, `a ${kind} has no name`);
      if (kind === "chain" || kind === "rule")
        chains.set(name, (chains.get(name) ?? 0) + (kind === "rule" ? 1 : 0));
      else if (kind === "map") maps.set(name, Array.isArray(object["elem"]) ? object["elem"].length : 0);
      else if (isNatCounter(name)) {
        counters.set(name, {
          packets: count(object["packets"], `packets of ${name}`),
          bytes: count(object["bytes"], `bytes of ${name}`),
        });
      }
    }
  }
  return { maps, chains, counters };
}

/** What is wrong with a loaded table, as sentences; none when it is what {@link renderNft} wrote for the plan. */
export function checkLoaded(plan: NatPlan, loaded: LoadedTable): readonly string[] {
  const faults: string[] = [];
  for (const chain of ["translate", "incoming", "guard"]) {
    // nft lists a chain before its rules.
    const rules = loaded.chains.get(chain);
    if (!rules) faults.push(`chain ${chain} ${rules === 0 ? "has no rules" : "is missing"}`);
  }
  const block = virtualBlock(plan);
  const expected = block?.rewritten === true ? block.ports.length : 0;
  for (const map of ["port_out", "id_out", "port_in", "id_in"]) {
    const size = loaded.maps.get(map) ?? 0;
    if (size !== expected) faults.push(`map ${map} holds ${size} of ${expected} ports`);
  }
  return faults;
}
