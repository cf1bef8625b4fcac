import { parseArgs } from "node:util";
import { EA_LENGTH_LIMIT } from "../dhcpv6/options.ts";
import { formatIpv4Prefix, formatIpv6, parseIpv4Prefix, parseIpv6Prefix } from "../ip/text.ts";
import { computeCe } from "../map/ce.ts";
import type { MapRule } from "../map/model.ts";
import { type PortRange, portRanges } from "../map/port-set.ts";
import { parseNumber } from "../provision/rule-text.ts";
import { InputError, MapminError } from "../wire/errors.ts";
import { Exit, type Io } from "./io.ts";

export const calcHelp = `usage: mapminctl calc --endUserIpv6Prefix P --ruleIpv6Prefix P --ruleIpv4Prefix P --eaLength N
                      [--psidOffset N] [--psid N --psidLength N] [--legacy] [--json]
       mapminctl calc --ndjson

Computes a CE's address, PSID and ports from a rule and an end-user prefix (RFC 7597 s5.2).
  --psidOffset N  a, 0 to 15; 6 without it
  --psid N        an explicit PSID, with --psidLength its number of bits
  --legacy        the interface identifier of the drafts
  --ndjson        one object a line on standard input, with these names; one answer a line on standard output
`;

/** RFC 7597 s5.1. */
const DEFAULT_OFFSET = 6;
/** Answers written at once, octets. */
const BATCH = 65_536;
/** Longest line that is read, octets. */
const LINE_LIMIT = 65_536;

/** What one calculation answers. */
export interface CalcAnswer {
  readonly ipv4: string;
  readonly psid: number;
  readonly psidLength: number;
  readonly mapIpv6Address: string;
  readonly ranges: readonly PortRange[];
}

type Fields = { readonly [name: string]: unknown };

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string")
    throw new InputError(name, value === undefined ? "is missing" : "is not text");
  return value;
}

function number(fields: Fields, name: string, low: number, high: number, otherwise?: number): number {
  const value = fields[name] ?? otherwise;
  if (value === undefined) throw new InputError(name, "is missing");
  if (typeof value === "string") return parseNumber(value, name, low, high);
  if (typeof value !== "number" || !Number.isInteger(value) || value < low || value > high) {
    throw new InputError(name, `${JSON.stringify(value)} is not ${low} to ${high}`);
  }
  return value;
}

/** One calculation, by the names of the help text. @throws InputError naming the field */
export function calculate(fields: Fields): CalcAnswer {
  const psidLength = number(fields, "psidLength", 0, 16, 0);
  const { legacy } = fields;
  if (legacy !== undefined && typeof legacy !== "boolean")
    throw new InputError("legacy", "is not true or false");
  const rule: MapRule = {
    ipv6Prefix: parseIpv6Prefix(text(fields, "ruleIpv6Prefix")),
    ipv4Prefix: parseIpv4Prefix(text(fields, "ruleIpv4Prefix")),
    eaLength: number(fields, "eaLength", 0, EA_LENGTH_LIMIT),
    forward: false,
    psidOffset: number(fields, "psidOffset", 0, 15, DEFAULT_OFFSET),
    ...(psidLength === 0 ? {} : { explicitPsid: { psidLength, psid: number(fields, "psid", 0, 65_535, 0) } }),
  };
  const { ce } = computeCe(rule, parseIpv6Prefix(text(fields, "endUserIpv6Prefix")), {
    legacyInterfaceId: legacy === true,
  });
  return {
    ipv4: formatIpv4Prefix(ce.ipv4),
    psid: ce.portSet.psid,
    psidLength: ce.portSet.psidLength,
    mapIpv6Address: formatIpv6(ce.mapAddress),
    ranges: portRanges(ce.portSet),
  };
}

/** The answer to one line of JSON: a result or `{"error"}`. */
export function calcLine(line: string): CalcAnswer | { readonly error: string } {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new InputError("line", "is not a JSON object");
    }
    return calculate(value as Fields);
  } catch (error) {
    if (error instanceof MapminError) return { error: error.message };
    if (error instanceof SyntaxError) return { error: `line: not JSON: ${error.message}` };
    throw error;
  }
}

async function* linesOf(input: AsyncIterable<string | Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const lines = (
      rest + (typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true }))
    ).split("\n");
    rest = (lines.pop() ?? "").slice(0, LINE_LIMIT);
    yield* lines;
  }
  if (rest !== "") yield rest;
}

async function runLines(io: Io): Promise<number> {
  let batch = "";
  for await (const line of linesOf(io.stdin)) {
    if (line.trim() === "") continue;
    batch += `${JSON.stringify(calcLine(line))}\n`;
    if (batch.length < BATCH) continue;
    io.stdout(batch);
    batch = "";
  }
  io.stdout(batch);
  return Exit.ok;
}

function describe(answer: CalcAnswer): string {
  const ranges = answer.ranges.map(([low, high]) => `${low}-${high}`).join(" ");
  const count = answer.ranges.reduce((sum, [low, high]) => sum + high - low + 1, 0);
  const ports = answer.psidLength === 0 ? "all" : `${count} in ${answer.ranges.length} ranges: ${ranges}`;
  return [
    `IPv4         ${answer.ipv4}`,
    `PSID         ${answer.psid} (0x${answer.psid.toString(16)}), ${answer.psidLength} bits`,
    `MAP address  ${answer.mapIpv6Address}`,
    `ports        ${ports}`,
    "",
  ].join("\n");
}

const options = {
  endUserIpv6Prefix: { type: "string" },
  ruleIpv6Prefix: { type: "string" },
  ruleIpv4Prefix: { type: "string" },
  eaLength: { type: "string" },
  psidOffset: { type: "string" },
  psid: { type: "string" },
  psidLength: { type: "string" },
  legacy: { type: "boolean" },
  json: { type: "boolean" },
  ndjson: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/** `mapminctl calc`. */
export async function runCalc(argv: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: [...argv], options, strict: true });
  if (values.help === true) {
    io.stdout(calcHelp);
    return Exit.ok;
  }
  if (values.ndjson === true) return runLines(io);
  if (argv.length === 0) {
    io.stderr(calcHelp);
    return Exit.usage;
  }
  const answer = calculate(values);
  io.stdout(values.json === true ? `${JSON.stringify(answer)}\n` : describe(answer));
  return Exit.ok;
}
