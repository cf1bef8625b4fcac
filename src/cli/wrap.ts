/** Long lists, broken to the width of the terminal. */

/**
 * `label` and the words behind it, in lines of at most `columns` characters; the lines after the first begin with `indent`
 * blanks. A word is never broken: one that is longer than a line has a line of its own.
 */
export function wrapWords(label: string, words: readonly string[], indent: number, columns: number): string {
  const lines: string[] = [];
  let line = label;
  for (const word of words) {
    if (line.length + 1 + word.length > columns) {
      lines.push(line);
      line = " ".repeat(indent) + word;
    } else line += ` ${word}`;
  }
  lines.push(line);
  return lines.join("\n");
}
