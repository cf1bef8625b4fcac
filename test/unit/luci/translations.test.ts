/** Translations: complete, with the same places for values, and compiled as LuCI reads them. */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { catalogues, compile, hash, messages, parsePo, programTexts } from "../../../translations.mjs";
import { readCatalogue } from "./catalogue.ts";

const key = (text: string) => hash(text).toString(16).padStart(8, "0");

describe.each(catalogues())("the catalogue %s", (language, entries) => {
  const texts = [...entries.keys()].filter((text) => text !== "");

  test("has every text of the pages, the menu and the access lists", () => {
    expect([...messages().keys()].filter((text) => !entries.get(text))).toEqual([]);
  });

  test("has no text that is not shown any more", () => {
    const shown = new Set([...messages().keys(), ...programTexts()]);
    expect(texts.filter((text) => !shown.has(text))).toEqual([]);
  });

  test("has the same places for values, in the same order", () => {
    const places = (text: string) => text.match(/%[a-z]/g) ?? [];
    for (const text of texts) expect([text, places(entries.get(text) ?? "")]).toEqual([text, places(text)]);
  });

  test("is kept as it is compiled, and gives every translation by the hash of its text", () => {
    const kept = readFileSync(
      new URL(`../../../files/usr/lib/lua/luci/i18n/mapmin.${language}.lmo`, import.meta.url),
    );
    expect(kept.equals(compile(entries))).toBe(true);
    const found = readCatalogue(kept);
    for (const text of texts) {
      const translation = entries.get(text);
      if (translation !== text) expect([text, found[key(text)]]).toEqual([text, translation]);
    }
  });
});

/** By LuCI's own function. */
const HASHES = [
  ["a", "115ea782"],
  ["ab", "516b8b44"],
  ["abc", "d2be198a"],
  ["abcd", "dad8b8db"],
  ["Looking…", "005a0e9a"],
  ["Status", "663359c9"],
  ["65,536", "096e45f1"],
  ["ポート", "de3e8484"],
  ["%d of %d", "e3ef10bb"],
] as const;
test.each(HASHES)("the hash of %j is %s", (text, expected) => {
  expect(key(text)).toBe(expected);
});

describe("a catalogue", () => {
  test("the form of plurals is under 0, and a text that stays as it is not there", () => {
    const entries = parsePo(
      'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=1; plural=0;\\n"\n\nmsgid "a"\nmsgstr "b"\n\nmsgid "c"\nmsgstr "c"\n',
    );
    expect(readCatalogue(compile(entries))).toEqual({ "00000000": "nplurals=1; plural=0;", [key("a")]: "b" });
  });

  test.each([
    ["a text twice", 'msgid "a"\nmsgstr "b"\n\nmsgid "a"\nmsgstr "c"\n', "twice"],
    ["a line without quotation marks", 'msgid "a"\nmsgstr b\n', "not understood"],
    ["a field that is not known", 'msgctxt "a"\nmsgid "a"\nmsgstr "b"\n', "not understood"],
  ])("%s is refused", (_title, content, message) => {
    expect(() => parsePo(content)).toThrow(message);
  });
});
