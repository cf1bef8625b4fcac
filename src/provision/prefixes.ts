/** The delegated prefixes that odhcp6c puts into the environment of its script. */

import type { Ipv6Prefix } from "../ip/prefix.ts";
import { parseIpv6Prefix } from "../ip/text.ts";
import { InputError, throwUnless } from "../wire/errors.ts";

/** Most prefixes that are read. */
const PREFIX_LIMIT = 64;

/**
 * The prefixes in `PREFIXES`: `PREFIX/LEN,<preferred s>,<valid s>[,class=N][,excluded=P/L]`, separated by blanks. Those that
 * are deprecated come last, and those that are no longer valid are left out, as in link.ts.
 *
 * @throws InputError for a word that is not a prefix
 */
export function parsePrefixes(text: string): readonly Ipv6Prefix[] {
  const words = text.split(/\s/).filter((word) => word !== "");
  if (words.length > PREFIX_LIMIT) throw new InputError("PREFIXES", `more than ${PREFIX_LIMIT} prefixes`);
  const found = words.map((word) => {
    const [prefix = "", preferred, valid] = word.split(",");
    try {
      return { ...parseIpv6Prefix(prefix), preferred: Number(preferred), valid: Number(valid) };
    } catch (error) {
      throwUnless(error, InputError);
      throw new InputError("PREFIXES", error.reason);
    }
  });
  // What is no number has no end.
  const deprecated = (one: { readonly preferred: number }) => Number(one.preferred <= 0);
  return found
    .filter(({ valid }) => !(valid <= 0))
    .sort((a, b) => deprecated(a) - deprecated(b))
    .map(({ address, length }) => ({ address, length }));
}
