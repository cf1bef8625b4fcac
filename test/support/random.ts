/** A number from 0 to below `below`. */
export type Random = (below: number) => number;

/** A generator whose seed repeats a run (xorshift32). */
export function random(seed: number): Random {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}
