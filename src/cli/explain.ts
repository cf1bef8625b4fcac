import { decodeChain, decodeValue, type Findings } from "../dhcpv6/decode.ts";
import { summarizeErrors, summarizeRemarks } from "../dhcpv6/findings.ts";
import { meanings } from "../dhcpv6/meanings.ts";
import type { OptionNode } from "../dhcpv6/node.ts";
import { CODE_48879, findRow, type OptionRow, type Space, tableRow } from "../dhcpv6/options.ts";
import type { Ipv6Prefix } from "../ip/prefix.ts";
import { parseIpv6Prefix } from "../ip/text.ts";
import { findCustomerEdge } from "../map/ce.ts";
import type { CustomerEdge } from "../map/model.ts";
import { JUDGING, judgeDomain, routerRefuses } from "../provision/judge.ts";
import { domainOf, holdsDomain } from "../provision/option.ts";
import { DecodeError, MapminError, throwUnless } from "../wire/errors.ts";
import { parseHex, Reader } from "../wire/reader.ts";
import { FLAG, parseOptions, TEXTS } from "./arguments.ts";
import { describeEdge, type ExplainedCe, explainEdge } from "./edge.ts";
import { Exit, type Io } from "./io.ts";
import type { Screen } from "./picture.ts";

export const explainHelp = `usage: mapminctl explain HEX [--pd PREFIX ...] [--json]

Takes apart what a provider sent: the value of one DHCPv6 option 48879, or a series of options as code, length, value
(48879, 17, 94, 95, 96, 111). With the delegated prefix it also tells the CE's address and ports. Exits 1 if anything was
wrong.
`;

interface Note {
  readonly path: string;
  readonly offset?: number;
  readonly text: string;
}

/** The result of taking one input apart. */
export interface Explanation {
  readonly form: "value of option 48879" | "series of options" | "options out of a container";
  readonly options: readonly OptionNode[];
  readonly remarks: readonly Note[];
  readonly errors: readonly Note[];
  readonly edges: readonly ExplainedCe[];
  /** True when a CE would follow if the delegated prefix were given. */
  readonly prefixWanted: boolean;
}

/** Code and length of an option, octets. */
const OPTION_HEADER = 4;
/** The spaces that a series may come from. */
const SERIES: readonly Space[] = ["dhcpv6", "s46-container", "s46-rule"];
/** Most options that are not known, of one option, that are listed one by one. */
const UNKNOWN_SHOWN = 8;

interface Decoded {
  readonly form: Explanation["form"];
  readonly options: readonly OptionNode[];
  readonly findings: Findings;
  readonly lostPortParams?: DecodeError | undefined;
}

function asValue(octets: Uint8Array): Decoded {
  const findings: Findings = { errors: [], remarks: [] };
  const row = tableRow("dhcpv6", CODE_48879);
  const node = decodeValue(new Reader(octets, row.name), row, findings);
  return { form: "value of option 48879", options: [node], findings };
}

function asSeries(octets: Uint8Array, row: OptionRow, space: Space): Decoded {
  const findings: Findings = { errors: [], remarks: [] };
  if (octets.length < OPTION_HEADER) {
    const reason = `this looks like option ${row.code}, cut short: an option begins with its code and its length, two octets each`;
    findings.errors.push(new DecodeError(row.name, octets.length, reason));
    return { form: "series of options", options: [], findings };
  }
  const { options, unknown, lostPortParams } = decodeChain(new Reader(octets, ""), space, findings);
  // Port parameters in front of a container are in the wrong place, and not what this is about.
  if (unknown.some(({ code }) => findRow("dhcpv6", code) !== undefined))
    return asSeries(octets, row, "dhcpv6");
  if (space === "dhcpv6") return { form: "series of options", options, findings, lostPortParams };
  const parents = space === "s46-rule" ? "option 89 or 92" : "a container (option 94, 95 or 96)";
  const text = `option ${row.code} is only valid inside ${parents}, so no CE follows from it alone`;
  findings.remarks.push({ code: "no-container", path: row.name, text });
  return { form: "options out of a container", options, findings };
}

/**
 * The first two octets say what the input is. A series of options begins with the code of an option; the value of
 * option
 * 48879 begins with its flags and the code of a rule or a DMR.
 */
function decode(octets: Uint8Array): Decoded {
  const code = ((octets[0] ?? 0) << 8) | (octets[1] ?? 0);
  for (const space of SERIES) {
    const row = findRow(space, code);
    if (row !== undefined) return asSeries(octets, row, space);
  }
  return asValue(octets);
}

function note(error: MapminError): Note {
  if (!(error instanceof DecodeError)) return { path: "", text: error.message };
  return { path: error.path, offset: error.offset, text: error.reason };
}

/** @throws InputError when `hex` is not hexadecimal text */
export function explain(hex: string, prefixes: readonly Ipv6Prefix[]): Explanation {
  const octets = parseHex(hex.replace(/^0x/, ""));
  let decoded: Decoded;
  try {
    decoded = decode(octets);
  } catch (error) {
    throwUnless(error, MapminError);
    return {
      form: "value of option 48879",
      options: [],
      remarks: [],
      errors: [note(error)],
      edges: [],
      prefixWanted: false,
    };
  }
  const { form, options, findings, lostPortParams } = decoded;
  const errors: Note[] = [...summarizeErrors(findings.errors)];
  const remarks: Note[] = [...summarizeRemarks(findings.remarks)];
  const edges: ExplainedCe[] = [];
  let prefixWanted = false;
  for (const option of form === "options out of a container" ? [] : options.filter(holdsDomain)) {
    try {
      const domain = domainOf(option, lostPortParams);
      const judge = (ce?: CustomerEdge) => {
        for (const objection of judgeDomain(domain, ce, JUDGING)) {
          remarks.push({ path: option.path, text: routerRefuses(objection) });
        }
      };
      if (domain.rules.length === 0 || prefixes.length === 0) {
        prefixWanted ||= domain.rules.length > 0;
        judge();
        continue;
      }
      const { ce, remarks: edgeRemarks } = findCustomerEdge(domain, prefixes);
      remarks.push(...edgeRemarks);
      judge(ce);
      edges.push(explainEdge(domain.transport, ce));
    } catch (error) {
      throwUnless(error, MapminError);
      // Why a rule is unusable was already reported when it was decoded.
      if (!findings.errors.some((known) => known === error)) errors.push(note(error));
    }
  }
  return { form, options, remarks, errors, edges, prefixWanted };
}

function describeOption(option: OptionNode, depth: number): readonly string[] {
  const indent = "  ".repeat(depth);
  const { row } = option;
  const lines = [
    `${indent}${row.name} (${row.code}), ${option.length} octets at ${option.offset}; ${row.clause}`,
  ];
  for (const field of option.fields) {
    lines.push(`${indent}  ${field.name.padEnd(16)} ${field.text.padEnd(24)} ${meanings[field.name]}`);
  }
  for (const child of option.options) lines.push(...describeOption(child, depth + 1));
  for (const { code, offset, octets } of option.unknown.slice(0, UNKNOWN_SHOWN)) {
    lines.push(`${indent}  option ${code} at ${offset}, ${octets.length} octets: not known, skipped`);
  }
  const more = option.unknown.length - UNKNOWN_SHOWN;
  if (more > 0) lines.push(`${indent}  and ${more} more options that are not known, skipped`);
  return lines;
}

function describeNote(kind: string, { path, offset, text }: Note): string {
  const where = [path, offset === undefined ? "" : `octet ${offset}`]
    .filter((part) => part !== "")
    .join(", ");
  return `${kind}: ${where === "" ? "" : `${where}: `}${text}`;
}

function describe(explanation: Explanation, screen: Screen): string {
  const lines = [`read as: ${explanation.form}`];
  for (const option of explanation.options) lines.push("", ...describeOption(option, 0));
  for (const edge of explanation.edges) lines.push("", ...describeEdge(edge, screen));
  if (explanation.prefixWanted) {
    lines.push(
      "",
      "With --pd PREFIX, the IPv6 prefix delegated to the CE, explain tells address and ports too.",
    );
  }
  if (explanation.remarks.length + explanation.errors.length > 0) lines.push("");
  for (const remark of explanation.remarks) lines.push(describeNote("note", remark));
  return `${lines.join("\n")}\n`;
}

/** An option as JSON: names and values, without the table's row. */
function plain(option: OptionNode): object {
  return {
    code: option.row.code,
    name: option.row.name,
    path: option.path,
    offset: option.offset,
    length: option.length,
    fields: option.fields.map(({ name, text, offset, length }) => ({
      name,
      text,
      meaning: meanings[name],
      offset,
      length,
    })),
    options: option.options.map(plain),
    unknown: option.unknown.map(({ code, offset, octets }) => ({ code, offset, length: octets.length })),
  };
}

const options = {
  pd: TEXTS,
  json: FLAG,
  help: FLAG,
} as const;

/** `mapminctl explain`. */
export function runExplain(argv: readonly string[], io: Io & Screen): number {
  const { values, positionals } = parseOptions(argv, options, true);
  if (values.help === true) {
    io.stdout(explainHelp);
    return Exit.ok;
  }
  const [hex] = positionals;
  if (hex === undefined || positionals.length > 1) {
    io.stderr(explainHelp);
    return Exit.usage;
  }
  const explanation = explain(
    hex,
    (values.pd ?? []).map((text) => parseIpv6Prefix(text, "pd")),
  );
  if (values.json === true) {
    const { form, options, remarks, errors, edges } = explanation;
    io.stdout(`${JSON.stringify({ form, options: options.map(plain), remarks, errors, edges }, null, 2)}\n`);
  } else {
    io.stdout(describe(explanation, io));
    for (const error of explanation.errors) io.stderr(`${describeNote("error", error)}\n`);
  }
  return explanation.errors.length === 0 ? Exit.ok : Exit.badInput;
}
