/** Finds the command or option that a mistyped word probably stands for. */

/** How many letters have to be put in, taken out or replaced to make `b` of `a` (Levenshtein). */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    above = current;
  }
  return above[b.length] ?? 0;
}

/** Upper case and dashes are ignored: `--ealength` is near to `--ea-length`. */
function bare(word: string): string {
  return word.replaceAll("-", "").toLowerCase();
}

/**
 * The word of `known` that is nearest to `word`, or that `word` is the beginning of; undefined when more than a third
 * of
 * the letters would have to change.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const wanted = bare(word.slice(0, 64));
  let best: string | undefined;
  let least = Math.ceil(wanted.length / 3);
  for (const candidate of known) {
    const plain = bare(candidate);
    const begins = wanted.length > 1 && plain !== wanted && plain.startsWith(wanted);
    const changes = begins ? 1 : distance(wanted, plain);
    if (changes > least || (best !== undefined && changes === least)) continue;
    best = candidate;
    least = changes;
  }
  return best;
}

/** `unknown command "exlpain"; did you mean "explain"?` */
export function unknownWord(kind: string, word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return `unknown ${kind} "${word}"${near === undefined ? "" : `; did you mean "${near}"?`}`;
}
