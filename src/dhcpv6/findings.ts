/** Shortens the list of what decoding found: 15,000 faults of one kind are reported as one. */

import type { DecodeError } from "../wire/errors.ts";
import type { Remark } from "../wire/remark.ts";

/** The place without the numbers of options (`[0]`, and `23` in `option 23`), so that there are only as many as the option table has. */
function kindOf(path: string): string {
  return path.replace(/\[\d+\]| \d+/g, "");
}

/** The first item of each kind, with how many there were of it. */
function firstOfEach<T>(items: readonly T[], kind: (item: T) => string): readonly (readonly [T, number])[] {
  const groups = new Map<string, [T, number]>();
  for (const item of items) {
    const group = groups.get(kind(item));
    if (group === undefined) groups.set(kind(item), [item, 1]);
    else group[1]++;
  }
  return [...groups.values()];
}

/** What is added to the text of the first of `count`. */
function alike(count: number): string {
  return count === 1 ? "" : ` (and ${count - 1} more like it)`;
}

/** Errors as remarks, one for each kind of place; `say` makes the text of one. */
export function summarizeErrors(
  errors: readonly DecodeError[],
  say: (error: DecodeError) => string = ({ reason }) => reason,
): readonly Remark[] {
  return firstOfEach(errors, (error) => kindOf(error.path)).map(([error, count]) => ({
    code: "skipped",
    path: error.path,
    offset: error.offset,
    text: `${say(error)}${alike(count)}`,
  }));
}

/** Remarks, one for each kind of place and each text, apart from the numbers and addresses in it. */
export function summarizeRemarks(remarks: readonly Remark[]): readonly Remark[] {
  const kind = ({ path, text }: Remark) => kindOf(path) + text.replace(/\S*\d\S*/g, "");
  return firstOfEach(remarks, kind).map(([remark, count]) => ({
    ...remark,
    text: `${remark.text}${alike(count)}`,
  }));
}
