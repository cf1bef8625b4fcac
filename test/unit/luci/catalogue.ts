/** Reads a catalogue (.lmo) as LuCI does, by its index. */

/** The translations, by the hash of the text as eight hexadecimal digits. */
export function readCatalogue(octets: Buffer): Readonly<Record<string, string>> {
  const start = octets.readUInt32BE(octets.length - 4);
  const found: Record<string, string> = {};
  for (let at = start; at < octets.length - 4; at += 16) {
    const offset = octets.readUInt32BE(at + 8);
    const key = octets.readUInt32BE(at).toString(16).padStart(8, "0");
    found[key] = octets.toString("utf8", offset, offset + octets.readUInt32BE(at + 12));
  }
  return found;
}
