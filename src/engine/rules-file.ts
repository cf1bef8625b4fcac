/** The file that `option rules` names. */

import type { InterfaceConfig } from "../provision/request.ts";
import { EffectError, SetupError } from "../wire/errors.ts";

/**
 * The text of the table; undefined where none is configured, or there is no such file.
 *
 * @param read gives the text of a file. @throws SetupError INVALID_OPTION for what cannot be read, such as a directory
 */
export function rulesText(
  { rules }: Pick<InterfaceConfig, "rules">,
  read: (path: string) => string | undefined,
): string | undefined {
  if (rules === undefined) return undefined;
  try {
    return read(rules);
  } catch (error) {
    if (!(error instanceof EffectError)) throw error;
    throw new SetupError("INVALID_OPTION", `rules: ${error.message}`, { cause: error });
  }
}
