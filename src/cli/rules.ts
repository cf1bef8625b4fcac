import type { Ipv6Prefix } from "../ip/prefix.ts";
import { formatIpv4Prefix, formatIpv6Prefix, parseIpv4, parseIpv6, parseIpv6Prefix } from "../ip/text.ts";
import { findCustomerEdge } from "../map/ce.ts";
import type { CustomerEdge, MapDomain, MapRule } from "../map/model.ts";
import { type JudgeOptions, judgeDomain, routerRefuses } from "../provision/judge.ts";
import { chooseRow, parseTable, type RuleTable, ruleOf } from "../provision/table.ts";
import { placeOf, type TableRow } from "../provision/table-text.ts";
import type { System } from "../system/system.ts";
import { InputError } from "../wire/errors.ts";
import { FLAG, parseOptions, TEXTS, UsageError } from "./arguments.ts";
import { counted } from "./counted.ts";
import { describeEdge, type ExplainedCe, explainEdge } from "./edge.ts";
import { Exit } from "./io.ts";
import { type LivelyScreen, printLine, progress } from "./lively.ts";
import { describeRow, type RowReport, ruleReporter } from "./rule-report.ts";
import { type FileSystem, tableText } from "./table-file.ts";

export const rulesHelp = `usage: mapminctl rules check FILE [--pd PREFIX ...] [--json]

Says what is wrong with a table of rules (option rules), JSON or CSV, row by row, and what each row gives: its first and last
customer, how many there are, and how many ports each has. Exits 1 if anything is wrong.
  --pd PREFIX      also which row a router with this delegated prefix takes, and its address and ports
The fields are ruleIpv6Prefix, ruleIpv4Prefix, eaLength, psidOffset, psidLength, psid, transport, br, dmr, legacy, mtu, fmr and
comment; docs/router.md tells what they mean.
`;

/** How many rows are read between two words of how far we are: a third of a second, on a router. */
const TOLD_EVERY = 500;

const options = {
  pd: TEXTS,
  json: FLAG,
  help: FLAG,
} as const;

/** What is wrong, as a sentence that says where. */
type Fault = string;

interface Match {
  readonly where: string;
  readonly edge: ExplainedCe;
  readonly notes: readonly string[];
}

interface Report {
  readonly rows: readonly RowReport[];
  readonly faults: readonly Fault[];
  readonly match?: Match;
}

/** A prefix with bits behind its length is read as if they were 0; whoever wrote them may have meant another length. */
function strayBits({ fields, where }: TableRow, { ipv6Prefix, ipv4Prefix }: MapRule): readonly string[] {
  const address = (field: string) => String(fields[field]).split("/")[0] ?? "";
  const notes: string[] = [];
  if (parseIpv6(address("ruleIpv6Prefix")) !== ipv6Prefix.address) {
    notes.push(`${placeOf(where, "ruleIpv6Prefix")}: is read as ${formatIpv6Prefix(ipv6Prefix)}`);
  }
  if (parseIpv4(address("ruleIpv4Prefix")) !== ipv4Prefix.address) {
    notes.push(`${placeOf(where, "ruleIpv4Prefix")}: is read as ${formatIpv4Prefix(ipv4Prefix)}`);
  }
  return notes;
}

function judging(where: string): JudgeOptions {
  const name = (field: string) => placeOf(where, field);
  const names = {
    ipv4: name("ruleIpv4Prefix"),
    ipv6: name("ruleIpv6Prefix"),
    dmr: name("dmr"),
    borderRelay: name("br"),
  };
  return { names, allowPrivate: false, neighbours: [] };
}

function refusals(where: string, domain: MapDomain, ce: CustomerEdge): readonly string[] {
  return judgeDomain(domain, ce, judging(where)).map(routerRefuses);
}

function checkRows({ rows, defaults }: RuleTable, screen: LivelyScreen): Report {
  const reports: RowReport[] = [];
  const faults: Fault[] = [];
  const seen = new Map<string, string>();
  const reportOf = ruleReporter();
  for (const [i, row] of rows.entries()) {
    const { where } = row;
    if (i % TOLD_EVERY === TOLD_EVERY - 1) progress(screen, `row ${i + 1} of ${rows.length}`);
    try {
      const { rule, domain } = ruleOf(row, defaults);
      if (domain === undefined) throw rule.unusable;
      const { report, first } = reportOf(where, rule, domain, placeOf(where, "eaLength"));
      const key = `${domain.transport} ${report.ruleIpv6Prefix}`;
      const earlier = seen.get(key);
      if (earlier === undefined) seen.set(key, where);
      else faults.push(`${where}: is for the same prefix as ${earlier}, which is used`);
      reports.push({
        ...report,
        notes: [
          ...strayBits(row, rule),
          ...first.remarks.map(({ text }) => `${where}: ${text}`),
          ...refusals(where, domain, first.ce),
        ],
      });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      faults.push(error.message);
    }
  }
  return { rows: reports, faults };
}

/** The row that a router takes. @throws InputError where there is none, or it is bad */
function matchOf(table: RuleTable, prefixes: readonly Ipv6Prefix[]): Match {
  const { where, domain } = chooseRow(table, prefixes);
  const { ce, remarks } = findCustomerEdge(domain, prefixes);
  const notes = [...remarks.map(({ text }) => text), ...refusals(where, domain, ce)];
  return { where, edge: explainEdge(domain.transport, ce), notes };
}

function check(text: string, prefixes: readonly Ipv6Prefix[], screen: LivelyScreen): Report {
  let report: Report = { rows: [], faults: [] };
  try {
    const table = parseTable(text);
    report = checkRows(table, screen);
    return prefixes.length === 0 ? report : { ...report, match: matchOf(table, prefixes) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // The row that matches may be a bad one, which has been told.
    const { message } = error;
    return report.faults.includes(message) ? report : { ...report, faults: [...report.faults, message] };
  }
}

function show({ rows, faults, match }: Report, screen: LivelyScreen): void {
  const lines = rows.flatMap(describeRow);
  if (match !== undefined) {
    lines.push("", `${match.where} is the row that matches`, ...describeEdge(match.edge, screen));
    lines.push(...match.notes.map((note) => `note: ${note}`));
  }
  screen.stdout([...lines, "", ""].join("\n"));
  const counts = `${counted(rows.length, "good row")}, ${counted(faults.length, "fault")}`;
  printLine(screen, counts, faults.length === 0 ? "green" : "red");
}

/** `mapminctl rules`. @throws EffectError for a file that cannot be read */
export function runRules(
  argv: readonly string[],
  system: LivelyScreen & Pick<System, "stderr"> & FileSystem,
): number {
  const { values, positionals } = parseOptions(argv, options, true);
  if (values.help === true) {
    system.stdout(rulesHelp);
    return Exit.ok;
  }
  const [verb, file, ...more] = positionals;
  if (verb !== undefined && verb !== "check") throw new UsageError(`unknown word "${verb}"; there is check`);
  if (file === undefined || more.length > 0) {
    system.stderr(rulesHelp);
    return Exit.usage;
  }
  const prefixes = (values.pd ?? []).map((text) => parseIpv6Prefix(text, "pd"));
  const report = check(tableText(file, system.files), prefixes, system);
  progress(system);
  if (values.json === true) system.stdout(`${JSON.stringify(report, null, 2)}\n`);
  else {
    show(report, system);
    system.stderr(report.faults.map((fault) => `error: ${fault}\n`).join(""));
  }
  return report.faults.length === 0 ? Exit.ok : Exit.badInput;
}
