/**
 * The translations of LuCI's pages, from src/luci/po: makes the template of what there is to translate, and the catalogues that LuCI
 * reads (.lmo). LuCI's own compiler comes with its feed alone, which a build may not have, so the catalogues are kept beside the
 * programs (`sh test/feed/bundle update`).
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("./", import.meta.url));
const text = (path) => readFileSync(join(root, path), "utf8");
const filesOf = (folder, ending) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ending))
    .sort()
    .map((path) => join(folder, path));

/** Texts that the pages, the menu and the access lists show: each with the files where it is. */
export function messages() {
  const found = new Map();
  const add = (message, path) => found.set(message, [...new Set([...(found.get(message) ?? []), path])]);
  for (const path of filesOf("files/www", ".js")) {
    for (const [, quoted] of text(path).matchAll(/\b_\(\s*("(?:[^"\\]|\\.)*")/g))
      add(JSON.parse(quoted), path);
  }
  const [menu] = filesOf("files/usr/share/luci/menu.d", ".json");
  for (const { title } of Object.values(JSON.parse(text(menu)))) add(title, menu);
  const [access] = filesOf("files/usr/share/rpcd/acl.d", ".json");
  for (const { description } of Object.values(JSON.parse(text(access)))) add(description, access);
  return found;
}

/**
 * Texts of the programs that the pages translate too: what fields mean, what counters count, where a rule comes from, who does
 * the NAT.
 */
export function programTexts() {
  const tables = [
    ["src/dhcpv6/meanings.ts", "export const meanings"],
    ["src/render/module-counters.ts", "export const moduleRefusals"],
    ["src/render/nft.ts", "export const natCounters"],
  ];
  const words = [
    ...text("src/provision/choose.ts").matchAll(/\bsource: ("(?:[^"\\]|\\.)*")/g),
    ...text("src/map/plan.ts").matchAll(/("(?:the kernel module|nftables|the provider)[^"]*")/g),
  ].map(([, quoted]) => JSON.parse(quoted));
  return new Set([
    ...words,
    ...tables.flatMap(([path, start]) => {
      const source = text(path);
      const from = source.indexOf(start);
      const rows = source.slice(from, source.indexOf("\n}", from));
      return [...rows.matchAll(/: ("(?:[^"\\]|\\.)*"),$/gm)].map(([, quoted]) => JSON.parse(quoted));
    }),
  ]);
}

/** The entries of a .po file, by text; that of the empty text is the header. One form of plural is all that is read. */
export function parsePo(content) {
  const entries = new Map();
  for (const block of content.split(/\n{2,}/)) {
    const lines = block.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    if (lines.length === 0) continue;
    const found = { msgid: "", msgstr: "" };
    let field;
    for (const line of lines) {
      const [, name, quoted] = /^(?:(msgid|msgstr) )?("(?:[^"\\]|\\.)*")$/.exec(line) ?? [];
      field = name ?? field;
      if (quoted === undefined || field === undefined)
        throw new Error(`this line is not understood: ${line}`);
      found[field] += JSON.parse(quoted);
    }
    if (entries.has(found.msgid)) throw new Error(`this text is there twice: ${found.msgid}`);
    entries.set(found.msgid, found.msgstr);
  }
  return entries;
}

/** Paul Hsieh's hash, by which LuCI looks texts up. Octets above 127 count as negative where one is left over. */
export function hash(message) {
  const octets = Buffer.from(message, "utf8");
  const signed = (at) => octets.readInt8(at);
  const word = (at) => octets.readUInt16LE(at);
  const rest = octets.length & 3;
  let sum = octets.length;
  let at = 0;
  for (; at < octets.length - rest; at += 4) {
    sum = (sum + word(at)) >>> 0;
    sum = ((sum << 16) ^ ((word(at + 2) << 11) ^ sum)) >>> 0;
    sum = (sum + (sum >>> 11)) >>> 0;
  }
  if (rest === 3) {
    sum = (sum + word(at)) >>> 0;
    sum = (sum ^ (sum << 16) ^ (signed(at + 2) << 18)) >>> 0;
    sum = (sum + (sum >>> 11)) >>> 0;
  } else if (rest === 2) {
    sum = (sum + word(at)) >>> 0;
    sum = (sum ^ (sum << 11)) >>> 0;
    sum = (sum + (sum >>> 17)) >>> 0;
  } else if (rest === 1) {
    sum = (sum + signed(at)) >>> 0;
    sum = (sum ^ (sum << 10)) >>> 0;
    sum = (sum + (sum >>> 1)) >>> 0;
  }
  sum = (sum ^ (sum << 3)) >>> 0;
  sum = (sum + (sum >>> 5)) >>> 0;
  sum = (sum ^ (sum << 4)) >>> 0;
  sum = (sum + (sum >>> 17)) >>> 0;
  sum = (sum ^ (sum << 25)) >>> 0;
  return (sum + (sum >>> 6)) >>> 0;
}

/** A catalogue: the translations, each filled up to four octets, then their index in the order of the hashes, and where it begins. */
export function compile(entries) {
  const texts = [];
  const index = [];
  let offset = 0;
  const add = (key, plurals, translation) => {
    const octets = Buffer.from(translation, "utf8");
    index.push([key, plurals, offset, octets.length]);
    texts.push(octets, Buffer.alloc((4 - (octets.length % 4)) % 4));
    offset += octets.length + ((4 - (octets.length % 4)) % 4);
  };
  for (const [message, translation] of entries) {
    if (message === "") {
      const plural = /^Plural-Forms: (.*)$/im.exec(translation)?.[1];
      if (plural !== undefined) add(0, 0, plural);
    } else if (translation !== "" && hash(message) !== hash(translation)) add(hash(message), 1, translation);
  }
  index.sort(([a], [b]) => a - b);
  const words = Buffer.alloc(16 * index.length + 4);
  for (const [at, word] of [...index.flat(), offset].entries()) words.writeUInt32BE(word, 4 * at);
  return Buffer.concat([...texts, words]);
}

const quote = (message) => `"${message.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

/** What translators begin with. */
export function template() {
  const blocks = [...messages()].map(
    ([message, paths]) => `#: ${paths.join(" ")}\nmsgid ${quote(message)}\nmsgstr ""\n`,
  );
  return `msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n\n${blocks.join("\n")}`;
}

/** By language: its .po file. */
export function catalogues() {
  return filesOf("src/luci/po", ".po").map((path) => [path.split("/").at(-2), parsePo(text(path))]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(join(root, "dist/luci"), { recursive: true });
  writeFileSync(join(root, "dist/luci/mapmin.pot"), template());
  for (const [language, entries] of catalogues())
    writeFileSync(join(root, `dist/luci/mapmin.${language}.lmo`), compile(entries));
}
