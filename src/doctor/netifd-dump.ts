/** The interfaces in netifd's `network.interface dump`, and sections in the output of `uci -q show`. */

import { custom, object, optional, safeParse, text } from "../wire/schema.ts";
import type { ShownInterface } from "./facts.ts";

/** Longest word that is taken, characters. */
const word = text(200);
const flag = custom<boolean>((value) => typeof value === "boolean");
const list = custom<readonly unknown[]>((value) => Array.isArray(value));
const dumpSchema = object({ interface: list });
const shownSchema = object({
  interface: word,
  proto: optional(word),
  up: optional(flag),
  autostart: optional(flag),
  dynamic: optional(flag),
  l3_device: optional(word),
  errors: optional(list),
});
const errorSchema = object({ code: text(200), data: optional(list) });

/** Those that can be decoded; none of an answer that is something else. */
export function decodeDump(dump: unknown): readonly ShownInterface[] {
  const parsed = safeParse(dumpSchema, dump);
  if (!parsed.success) return [];
  return parsed.data.interface.flatMap((item) => {
    const found = safeParse(shownSchema, item);
    if (!found.success) return [];
    const {
      interface: name,
      proto = "",
      up,
      autostart,
      dynamic,
      l3_device: device = "",
      errors,
    } = found.data;
    const error = safeParse(errorSchema, errors?.[0]);
    return [
      {
        name,
        proto,
        up: up === true,
        autostart: autostart !== false,
        dynamic: dynamic === true,
        device,
        ...(error.success
          ? { error: { code: error.data.code, text: (error.data.data ?? []).map(String).join(" ") } }
          : {}),
      },
    ];
  });
}

/** Options of a section: a list has several values. */
export type Section = Readonly<Record<string, string | readonly string[]>>;

/** The sections of `uci -q show CONFIG` by name, `.type` among their options. Lines that are something else are left out. */
export function parseUci(shown: string): ReadonlyMap<string, Section> {
  const sections = new Map<string, Record<string, string | readonly string[]>>();
  for (const line of shown.split("\n")) {
    const match = /^[a-z0-9_-]+\.([A-Za-z0-9_@[\]-]+)(?:\.([A-Za-z0-9_]+))?=(.*)/s.exec(line);
    if (match === null) continue;
    const [, section = "", option = ".type", written = ""] = match;
    // uci puts each value in quotes, as a shell would take it: a quote within one is '\''.
    const values = [...written.matchAll(/'((?:[^']|'\\'')*)'/g)].map(([, value = ""]) =>
      value.replaceAll("'\\''", "'"),
    );
    const options = sections.get(section) ?? Object.create(null);
    options[option] = values.length > 1 ? values : (values[0] ?? written);
    sections.set(section, options);
  }
  return sections;
}

/** One value of a section; a list's values, separated by blanks. */
export function optionOf(section: Section | undefined, option: string): string | undefined {
  const value = section?.[option];
  return typeof value === "object" ? value.join(" ") : value;
}
