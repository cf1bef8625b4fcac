/** UTF-8, which QuickJS has no functions for. What is malformed becomes U+FFFD, as the Encoding Standard has it. */

const REPLACEMENT = 0xfffd;
/** Code units that one call of String.fromCharCode is given: arguments lie on the stack. */
const PIECE = 4_096;

export function encode(text: string): Uint8Array {
  const octets = new Uint8Array(3 * text.length);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      octets[at++] = unit;
      continue;
    }
    if (unit < 0x800) {
      octets[at++] = 0xc0 | (unit >> 6);
    } else {
      let code = unit;
      if (unit >= 0xd800 && unit < 0xe000) {
        // codePointAt gives a surrogate that stands alone as it is.
        const whole = text.codePointAt(i) ?? REPLACEMENT;
        if (whole > 0xffff) i++;
        code = whole > 0xffff ? whole : REPLACEMENT;
      }
      if (code > 0xffff) {
        octets[at++] = 0xf0 | (code >> 18);
        octets[at++] = 0x80 | ((code >> 12) & 0x3f);
      } else octets[at++] = 0xe0 | (code >> 12);
      octets[at++] = 0x80 | ((code >> 6) & 0x3f);
      octets[at++] = 0x80 | (code & 0x3f);
      continue;
    }
    octets[at++] = 0x80 | (unit & 0x3f);
  }
  return octets.subarray(0, at);
}

export function decode(octets: Uint8Array): string {
  let text = "";
  for (let at = 0; at < octets.length; at += PIECE) {
    text += String.fromCharCode.apply(null, octets.subarray(at, at + PIECE) as unknown as number[]);
  }
  // One unit for each octet is already right where all are ASCII, which nearly all text of ours is.
  return /[\x80-\xff]/.test(text) ? decodeSlowly(octets) : text;
}

/** First octets of sequences: least and greatest, octets that follow, bounds of the second (Unicode 15, table 3-7). */
const SEQUENCES = [
  [0xc2, 0xdf, 1, 0x80, 0xbf],
  [0xe0, 0xe0, 2, 0xa0, 0xbf],
  [0xe1, 0xec, 2, 0x80, 0xbf],
  [0xed, 0xed, 2, 0x80, 0x9f],
  [0xee, 0xef, 2, 0x80, 0xbf],
  [0xf0, 0xf0, 3, 0x90, 0xbf],
  [0xf1, 0xf3, 3, 0x80, 0xbf],
  [0xf4, 0xf4, 3, 0x80, 0x8f],
] as const;

function decodeSlowly(octets: Uint8Array): string {
  const units: string[] = [];
  for (let at = 0; at < octets.length; ) {
    const first = octets[at++] ?? 0;
    if (first < 0x80) {
      units.push(String.fromCharCode(first));
      continue;
    }
    const sequence = SEQUENCES.find(([low, high]) => first >= low && first <= high);
    if (sequence === undefined) {
      units.push(String.fromCharCode(REPLACEMENT));
      continue;
    }
    let [, , count, low, high] = sequence as readonly [number, number, number, number, number];
    let code = first & (0x3f >> count);
    for (; count > 0; count--) {
      const next = octets[at] ?? 0;
      // What was read so far is one error; this octet begins something else.
      if (next < low || next > high) break;
      code = (code << 6) | (next & 0x3f);
      at++;
      [low, high] = [0x80, 0xbf];
    }
    units.push(String.fromCodePoint(count === 0 ? code : REPLACEMENT));
  }
  return units.join("");
}

/** Octets at the end that may be the beginning of a sequence that goes on: 0 to 3. */
export function unfinished(octets: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, octets.length); back++) {
    const octet = octets[octets.length - back] ?? 0;
    if (octet >= 0x80 && octet < 0xc0) continue;
    const needed = octet >= 0xf0 ? 4 : octet >= 0xe0 ? 3 : octet >= 0xc0 ? 2 : 1;
    return needed > back ? back : 0;
  }
  return 0;
}
