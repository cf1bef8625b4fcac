/** Odd multipliers, one for each 32 bits of a fingerprint. */
const MULTIPLIERS = [0x01000193, 0x9e3779b1, 0x85ebca6b, 0xc2b2ae35];

/** 32 hexadecimal digits that differ, but for chance, where texts differ. Not for secrets: anyone can make two that meet. */
export function fingerprint(text: string): string {
  const lanes = MULTIPLIERS.map((multiplier) => {
    let lane = text.length;
    for (let i = 0; i < text.length; i++) {
      lane = Math.imul(lane ^ text.charCodeAt(i), multiplier);
      // A product only carries upwards; this brings the upper bits down.
      lane ^= lane >>> 15;
    }
    return lane >>> 0;
  });
  return lanes.map((lane) => lane.toString(16).padStart(8, "0")).join("");
}
