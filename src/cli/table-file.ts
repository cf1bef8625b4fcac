/** A table of rules that a person names. */

import { TABLE_LIMIT } from "../provision/table-text.ts";
import type { System } from "../system/system.ts";
import { InputError } from "../wire/errors.ts";

export interface FileSystem {
  readonly files: Pick<System["files"], "readText">;
}

/** The text of the table. @throws InputError where there is none, EffectError where it cannot be read */
export function tableText(file: string, files: FileSystem["files"]): string {
  const text = file === "" ? undefined : files.readText(file, TABLE_LIMIT);
  if (text !== undefined) return text;
  throw new InputError(
    file || "FILE",
    file === "" ? "is empty: name a table of rules" : "there is no such file",
  );
}
