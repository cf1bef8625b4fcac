/** The delegated prefixes that odhcp6c puts into the environment of its script. */

import type { Ipv6Prefix } from "../ip/prefix.ts";
import { parseIpv6Prefix } from "../ip/text.ts";
import { InputError } from "../wire/errors.ts";

/** Most prefixes that are read. */
const PREFIX_LIMIT = 64;

/**
 * The prefixes in `PREFIXES`: `PREFIX/LEN,<preferred s>,<valid s>[,class=N][,excluded=P/L]`, separated by blanks.
 *
 * @throws InputError for a word that is not a prefix
 */
export function parsePrefixes(text: string): readonly Ipv6Prefix[] {
  const words = text.split(/\s/).filter((word) => word !== "");
  if (words.length > PREFIX_LIMIT) throw new InputError("PREFIXES", `more than ${PREFIX_LIMIT} prefixes`);
  return words.map((word) => {
    try {
      return parseIpv6Prefix(word.replace(/,.*/, ""));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError("PREFIXES", error.reason);
    }
  });
}
