/** Decodes octets to trees of options. A bad option is reported and skipped; the options beside it are kept. */

import { type Ipv6Prefix, truncate6 } from "../ip/prefix.ts";
import { formatIpv4, formatIpv6, formatIpv6Prefix } from "../ip/text.ts";
import { DecodeError, throwUnless } from "../wire/errors.ts";
import type { Reader } from "../wire/reader.ts";
import type { Remark } from "../wire/remark.ts";
import {
  type FieldNode,
  type FieldValue,
  isPrefix,
  type OptionNode,
  type PortParams,
  type UnknownOption,
} from "./node.ts";
import {
  type Field,
  findRow,
  holdsPortParams,
  type OptionRow,
  portParamsRow,
  refuseDmrLength,
  type Space,
} from "./options.ts";

/** Code and length of an option, octets. */
const HEADER = 4;

/** What was wrong (errors), and what was accepted although it was wrong (remarks). */
export interface Findings {
  readonly errors: DecodeError[];
  readonly remarks: Remark[];
}

export type DecodedOptions = Pick<OptionNode, "options" | "unknown" | "lostPortParams">;

function readIpv6Octets(octets: Uint8Array): bigint {
  let address = 0n;
  for (const octet of octets) address = (address << 8n) | BigInt(octet);
  return address << BigInt(8 * (16 - octets.length));
}

function readPrefix(reader: Reader, field: Extract<Field, { kind: "prefix6" }>): Ipv6Prefix {
  const start = reader.position;
  const length = reader.uint(1, `${field.name}-len`);
  if (length > 128) reader.fail(`${field.name}-len`, `${length} is not 0 to 128`, start);
  const refused = field.lengths && refuseDmrLength(length);
  if (refused !== undefined) reader.fail(`${field.name}-len`, refused, start);
  const address = readIpv6Octets(reader.bytes(Math.ceil(length / 8), field.name));
  return truncate6({ address, length });
}

/** RFC 7598 s4.5: the PSID is left-aligned in 16 bits. */
function readPortParams(reader: Reader, findings: Findings): PortParams {
  const start = reader.position;
  const offset = reader.uint(1, "offset");
  if (offset > 15) reader.fail("offset", `PSID offset ${offset} is not 0 to 15`, start);
  const psidLength = reader.uint(1, "psid-len");
  if (offset + psidLength > 16) {
    reader.fail("psid-len", `PSID length ${psidLength} with offset ${offset} exceeds 16 bits`, start + 1);
  }
  const wire = reader.uint(2, "psid");
  // k = 0: the PSID is ignored, the offset kept.
  if (psidLength === 0) return { offset, psidLength, psid: 0 };
  const spare = 16 - psidLength;
  const misaligned = (wire & (2 ** spare - 1)) !== 0;
  if (!misaligned) return { offset, psidLength, psid: wire >>> spare };
  if (wire >= 2 ** psidLength) {
    reader.fail(
      "psid",
      `0x${wire.toString(16)} is not a PSID of ${psidLength} bits, neither left- nor right-aligned`,
      start + 2,
    );
  }
  findings.remarks.push({
    code: "right-aligned-psid",
    path: `${reader.path}/psid`,
    offset: start + 2,
    text: `the PSID is right-aligned, not left-aligned as RFC 7598 s4.5 says: read as ${wire}`,
  });
  return { offset, psidLength, psid: wire };
}

function readField(reader: Reader, field: Field, findings: Findings): readonly [FieldValue, string] {
  const start = reader.position;
  switch (field.kind) {
    case "uint8": {
      const value = reader.uint(1, field.name);
      if (value > field.high) reader.fail(field.name, `${value} is not 0 to ${field.high}`, start);
      return [value, String(value)];
    }
    case "flag": {
      const set = (reader.uint(1, field.name) & 1) === 1;
      return [set, set ? "set" : "clear"];
    }
    case "uint32":
    case "ipv4": {
      const value = reader.uint(4, field.name);
      return [value, field.kind === "ipv4" ? formatIpv4(value) : String(value)];
    }
    case "ipv6": {
      const address = readIpv6Octets(reader.bytes(16, field.name));
      return [address, formatIpv6(address)];
    }
    case "prefix6": {
      const prefix = readPrefix(reader, field);
      return [prefix, formatIpv6Prefix(prefix)];
    }
    case "port-params": {
      const params = readPortParams(reader, findings);
      const { offset, psidLength, psid } = params;
      return [params, `offset ${offset}, PSID length ${psidLength}, PSID ${psid} (0x${psid.toString(16)})`];
    }
    case "uint16-list": {
      const codes: number[] = [];
      while (reader.remaining > 0) codes.push(reader.uint(2, field.name));
      return [codes, codes.join(", ")];
    }
  }
}

function isZero(rest: Reader): boolean {
  while (rest.remaining > 0) {
    if (rest.uint(1, "") !== 0) return false;
  }
  return true;
}

/** The row of the next option of a series, if that is port parameters, whether or not they belong there. */
function nextPortParams(reader: Reader): OptionRow | undefined {
  return reader.remaining < 2 ? undefined : portParamsRow(reader.copy().uint(2, ""));
}

/** True when a chain of options ends exactly where its container does. Four zero octets are an option, of code 0. */
function chainFits(reader: Reader): boolean {
  const probe = reader.copy();
  while (probe.remaining > 0) {
    if (probe.remaining < HEADER) return false;
    probe.uint(2, "");
    const length = probe.uint(2, "");
    if (length > probe.remaining) return false;
    probe.bytes(length, "");
  }
  return true;
}

/**
 * Some providers send zero octets after a prefix, up to the 16 octets of an address. They are skipped up to the first place
 * from which the options that follow end exactly where their container ends, or up to the end where no options follow.
 */
function skipPadding(reader: Reader, row: OptionRow, fields: readonly FieldNode[], findings: Findings): void {
  const prefix = fields.at(-1);
  const fits = (rest: Reader) => (row.encapsulates === undefined ? rest.remaining === 0 : chainFits(rest));
  if (prefix === undefined || !isPrefix(prefix.value) || fits(reader)) return;
  const most = Math.min(16 - (prefix.length - 1), reader.remaining);
  const probe = reader.copy();
  for (let skipped = 1; skipped <= most; skipped++) {
    if (probe.uint(1, "") !== 0) return;
    if (!fits(probe)) continue;
    findings.remarks.push({
      code: "padded-prefix",
      path: `${reader.path}/${prefix.name}`,
      offset: reader.position,
      text: `the prefix is followed by ${skipped} zero octet${skipped === 1 ? "" : "s"} that should not be there: skipped`,
    });
    reader.bytes(skipped, "padding");
    return;
  }
}

/** Decodes the value of one option. @throws DecodeError when the octets do not fit its row */
export function decodeValue(reader: Reader, row: OptionRow, findings: Findings): OptionNode {
  const offset = reader.position;
  const length = reader.remaining;
  const fields: FieldNode[] = [];
  for (const field of row.fields) {
    const start = reader.position;
    const [value, text] = readField(reader, field, findings);
    fields.push({
      name: field.name,
      value,
      text,
      offset: start,
      length: reader.position - start,
    });
  }
  const node = { row, path: reader.path, offset, length, fields };
  skipPadding(reader, row, fields, findings);
  // No option belongs in a border relay, but port parameters must be noticed there too.
  const space = row.encapsulates ?? (nextPortParams(reader) && "far-end");
  if (space !== undefined) return { ...node, ...decodeChain(reader, space, findings) };
  if (reader.remaining > 0) reader.fail("", `${reader.remaining} octets are left over`);
  return { ...node, options: [], unknown: [] };
}

/**
 * A series of `code length value`, to the end of the reader. What cannot be decoded goes to `findings.errors`, and the next one
 * is tried; a length that reaches beyond the end ends the series.
 */
export function decodeChain(reader: Reader, space: Space, findings: Findings): DecodedOptions {
  const options: OptionNode[] = [];
  const unknown: UnknownOption[] = [];
  const seen = new Map<string, number>();
  let lostPortParams: DecodeError | undefined;
  const report = (error: unknown, portParams: boolean): void => {
    throwUnless(error, DecodeError);
    findings.errors.push(error);
    if (portParams) lostPortParams ??= error;
  };
  let rest = reader;
  try {
    while (reader.remaining > 0) {
      rest = reader.copy();
      const start = reader.position;
      const code = reader.uint(2, "option-code");
      const length = reader.uint(2, "option-len");
      const row = findRow(space, code);
      const portParams = portParamsRow(code);
      const name = (row ?? portParams)?.name ?? `option ${code}`;
      const count = seen.get(name) ?? 0;
      seen.set(name, count + 1);
      const path = `${reader.path === "" ? "" : `${reader.path}/`}${name}[${count}]`;
      const value = reader.slice(length, path, `${name}[${count}]/option-len`);
      try {
        if (row !== undefined) {
          const option = decodeValue(value, row, findings);
          options.push(option);
          // Those in a rule are the rule's, and those in a container the container's.
          if (!row.encapsulates || row.encapsulates === "far-end") lostPortParams ??= option.lostPortParams;
        } else if (portParams !== undefined) {
          value.fail("", `port parameters do not belong here: see ${portParams.clause}`);
        } else unknown.push({ code, offset: start, octets: value.bytes(length, "") });
      } catch (error) {
        report(error, portParams !== undefined);
      }
    }
  } catch (error) {
    // One to three zero octets at the end are padding: too few for an option, and no code that we know begins so.
    report(error, nextPortParams(rest) !== undefined || (holdsPortParams(space) && !isZero(rest)));
  }
  return { options, unknown, lostPortParams };
}
