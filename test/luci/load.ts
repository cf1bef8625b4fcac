/** Loads a module of LuCI's form that knows no page, as LuCI does: its text is the body of a function. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../files/www/luci-static/resources/", import.meta.url));

/** What a module names at its top, as [name of the module, name in the text]. */
export function required(source: string): readonly (readonly [string, string])[] {
  return [...source.matchAll(/^"require (\S+?)(?: as (\w+))?";$/gm)].map(([, name = "", as]) => [
    name,
    as ?? name.replaceAll(/\W/g, "_"),
  ]);
}

export const sourceOf = (name: string) => readFileSync(`${folder}${name.replaceAll(".", "/")}.js`, "utf8");

/** LuCI's own, which it adds to every text. */
Object.defineProperty(String.prototype, "format", {
  value(this: string, ...values: unknown[]) {
    return this.replace(/%[ds]/g, () => String(values.shift()));
  },
  configurable: true,
});

const baseclass = { extend: (properties: object) => properties };

/** @param given modules by the name in the text, and globals; `_` leaves a text as it is unless it is given */
export function load<Module>(name: string, given: Readonly<Record<string, unknown>> = {}): Module {
  const source = sourceOf(name);
  const values: Record<string, unknown> = { _: (text: string) => text, ...given, baseclass };
  for (const [needed, as] of required(source)) values[as] ??= load(needed, given);
  return new Function(...Object.keys(values), source)(...Object.values(values)) as Module;
}
