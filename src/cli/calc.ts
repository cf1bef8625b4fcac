import { EA_LENGTH_LIMIT } from "../dhcpv6/options.ts";
import { formatIpv4Prefix, formatIpv6, parseIpv4Prefix, parseIpv6Prefix } from "../ip/text.ts";
import { computeCe } from "../map/ce.ts";
import { EVERY_PORT, ownShades } from "../map/port-picture.ts";
import { LIMITS, type PortRange, portRanges } from "../map/port-set.ts";
import { FIELD_NAMES, judgeEdge, routerRefuses } from "../provision/judge.ts";
import { explicitPsid } from "../provision/port-parameters.ts";
import { fieldName, numberOf, textOf } from "../provision/values.ts";
import { EffectError, InputError, MapminError, messageOf } from "../wire/errors.ts";
import { type Fields, isFields } from "../wire/schema.ts";
import { FLAG, parseOptions, TEXT, UsageError } from "./arguments.ts";
import { counted } from "./counted.ts";
import { Exit, type Io } from "./io.ts";
import { pictureLines, type Screen } from "./picture.ts";
import { wrapWords } from "./wrap.ts";

export const calcHelp = `usage: mapminctl calc --end-user-ipv6-prefix P --rule-ipv6-prefix P --rule-ipv4-prefix P --ea-length N
                      [--psid-offset N] [--psid N --psid-length N] [--legacy] [--json]
       mapminctl calc --ndjson

Computes a CE's address, PSID and ports from a rule and an end-user prefix (RFC 7597 s5.2).
  --psid-offset N  a, 0 to 15; 6 without it
  --psid N         an explicit PSID, with --psid-length its number of bits
  --legacy         the interface identifier of the drafts
  --ndjson         one JSON object a line on standard input, one answer a line on standard output
The fields of such an object are endUserIpv6Prefix, ruleIpv6Prefix, ruleIpv4Prefix, eaLength, psidOffset, psid,
psidLength and legacy; each may be an option too: --eaLength is --ea-length.
`;

/** RFC 7597 s5.1. */
const DEFAULT_OFFSET = 6;
const NAMES = { length: "psidLength", psid: "psid", eaLength: "eaLength" } as const;
/** Answers are written when there are this many octets of them. */
const BATCH = 65_536;
/** Longest line that is read, characters. */
const LINE_LIMIT = 65_536;

/** The result of one calculation. */
export interface CalcAnswer {
  readonly ipv4: string;
  readonly psid: number;
  readonly psidLength: number;
  readonly mapIpv6Address: string;
  readonly ranges: readonly PortRange[];
  /** What a person should know about the answer, a sentence each; absent when there is nothing to say. */
  readonly remarks?: readonly string[];
}

function optionalNumber(fields: Fields, name: string, high: number): number | undefined {
  return fields[name] === undefined ? undefined : numberOf(fields[name], name, 0, high);
}

/** Does one calculation. The fields have the names in the help text. @throws InputError naming the field */
export function calculate(fields: Fields): CalcAnswer {
  const { legacy } = fields;
  if (legacy !== undefined && typeof legacy !== "boolean")
    throw new InputError("legacy", "is not true or false");
  const prefix = <Prefix>(name: string, parse: (text: string, name: string) => Prefix) =>
    parse(textOf(fields[name], name), name);
  const rule = {
    ipv6Prefix: prefix("ruleIpv6Prefix", parseIpv6Prefix),
    ipv4Prefix: prefix("ruleIpv4Prefix", parseIpv4Prefix),
    eaLength: numberOf(fields["eaLength"], "eaLength", 0, EA_LENGTH_LIMIT),
    forward: false,
    psidOffset: numberOf(fields["psidOffset"] ?? DEFAULT_OFFSET, "psidOffset", 0, LIMITS.offset),
  };
  const written = {
    psidlen: optionalNumber(fields, "psidLength", LIMITS.psidLength),
    psid: optionalNumber(fields, "psid", 65_535),
  };
  const { ce, remarks } = computeCe(
    { ...rule, ...explicitPsid(written, rule, NAMES) },
    prefix("endUserIpv6Prefix", parseIpv6Prefix),
    { legacyInterfaceId: legacy === true },
  );
  const notes = [
    ...remarks.map((remark) => remark.text),
    ...judgeEdge(ce, { names: FIELD_NAMES.uci, allowPrivate: false, neighbours: [] }).map(routerRefuses),
  ];
  return {
    ipv4: formatIpv4Prefix(ce.ipv4),
    psid: ce.portSet.psid,
    psidLength: ce.portSet.psidLength,
    mapIpv6Address: formatIpv6(ce.mapAddress),
    ranges: portRanges(ce.portSet),
    ...(notes.length === 0 ? {} : { remarks: notes }),
  };
}

/** The answer to one line of JSON: a result or `{"error"}`. */
export function calcLine(line: string): CalcAnswer | { readonly error: string } {
  try {
    if (line.length > LINE_LIMIT) throw new InputError("line", `is longer than ${LINE_LIMIT} characters`);
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      // The engines have words of their own for where it is not JSON.
    }
    if (!isFields(value)) throw new InputError("line", "is not a JSON object");
    return calculate(value);
  } catch (error) {
    if (error instanceof MapminError) return { error: error.message };
    throw error;
  }
}

/** @throws EffectError for an input that cannot be read, such as a directory */
async function* linesOf(input: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  try {
    for await (const chunk of input) {
      const lines = (rest + chunk).split("\n");
      rest = (lines.pop() ?? "").slice(0, LINE_LIMIT + 1);
      yield* lines;
    }
  } catch (error) {
    throw new EffectError("standard input", messageOf(error), { cause: error });
  }
  yield rest;
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

function describe(answer: CalcAnswer, screen: Screen): string {
  const count = answer.ranges.reduce((sum, [low, high]) => sum + high - low + 1, 0);
  const ports =
    answer.psidLength === 0
      ? "ports        all"
      : wrapWords(
          `ports        ${count} in ${counted(answer.ranges.length, "range")}:`,
          answer.ranges.map(([low, high]) => `${low}-${high}`),
          "ports        ".length,
          screen.columns,
        );
  return [
    `IPv4         ${answer.ipv4}`,
    `PSID         ${answer.psid} (0x${answer.psid.toString(16)}), ${answer.psidLength} bits`,
    `MAP address  ${answer.mapIpv6Address}`,
    ports,
    ...pictureLines(screen, () => ownShades(answer.psidLength === 0 ? EVERY_PORT : answer.ranges)),
    ...(answer.remarks ?? []).map((remark) => `note: ${remark}`),
    "",
  ].join("\n");
}

const options = {
  "end-user-ipv6-prefix": TEXT,
  "rule-ipv6-prefix": TEXT,
  "rule-ipv4-prefix": TEXT,
  "ea-length": TEXT,
  "psid-offset": TEXT,
  psid: TEXT,
  "psid-length": TEXT,
  legacy: FLAG,
  endUserIpv6Prefix: TEXT,
  ruleIpv6Prefix: TEXT,
  ruleIpv4Prefix: TEXT,
  eaLength: TEXT,
  psidOffset: TEXT,
  psidLength: TEXT,
  json: FLAG,
  ndjson: FLAG,
  help: FLAG,
} as const;

/** The options by the names of the JSON fields. @throws UsageError for a field that is given under both of its names */
function fieldsOf(values: Fields): Fields {
  const fields: Record<string, unknown> = {};
  for (const [option, value] of Object.entries(values)) {
    const name = fieldName(option);
    if (Object.hasOwn(fields, name)) {
      throw new UsageError(`--${option} and another spelling of it are both given`);
    }
    fields[name] = value;
  }
  return fields;
}

/** `mapminctl calc`. */
export async function runCalc(argv: readonly string[], io: Io & Screen): Promise<number> {
  const { values } = parseOptions(argv, options);
  if (values.help === true) {
    io.stdout(calcHelp);
    return Exit.ok;
  }
  if (values.ndjson === true) return runLines(io);
  if (argv.length === 0) {
    io.stderr(calcHelp);
    return Exit.usage;
  }
  const answer = calculate(fieldsOf(values));
  io.stdout(values.json === true ? `${JSON.stringify(answer)}\n` : describe(answer, io));
  return Exit.ok;
}
