/** What tests use of translations.mjs. */

export function messages(): ReadonlyMap<string, readonly string[]>;
export function programTexts(): ReadonlySet<string>;
export function parsePo(content: string): ReadonlyMap<string, string>;
export function hash(message: string): number;
export function compile(entries: Iterable<readonly [string, string]>): Buffer;
export function template(): string;
export function catalogues(): readonly (readonly [string, ReadonlyMap<string, string>])[];
