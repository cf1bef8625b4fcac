/** What a schedule of the fault run consists of, and how it is drawn from a seed. */

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

/** Programs of the router that can fail. */
export const programs = ["nft", "conntrack"] as const;
export type Program = (typeof programs)[number];

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
  "netifd killed",
  "fw4 reload",
  "flush ruleset",
  "flush table",
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
export type Action = (typeof actions)[number];

export interface Part {
  readonly action: Action;
  readonly trouble: Trouble | (typeof slowTroubles)[number];
  /** When it comes, after the action was asked for, ms. */
  readonly afterMs: number;
}

export interface Schedule {
  readonly seed: number;
  readonly parts: readonly Part[];
}

/** The schedule of a seed. */
export function draw(seed: number, long: boolean): Schedule {
  const { below, of } = chance(seed);
  const possible = long ? [...troubles, ...slowTroubles] : troubles;
  const parts = Array.from({ length: 1 + below(long ? 4 : 2) }, () => ({
    action: of(actions),
    trouble: of(possible),
    afterMs: below(below(2) === 0 ? 150 : 900),
  }));
  return { seed, parts };
}

/** A schedule in words. */
export function tell({ seed, parts }: Schedule): string {
  const words = parts.map(({ action, trouble, afterMs }) =>
    trouble === "none" ? action : `${action} with ${trouble} (${afterMs} ms)`,
  );
  return `seed ${seed}: ${words.join(", ")}`;
}
