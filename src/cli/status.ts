import { parseInterfaceName } from "../ip/names.ts";
import { LOG_PATH } from "../system/log.ts";
import type { System } from "../system/system.ts";
import { MapminError } from "../wire/errors.ts";
import { FLAG, parseOptions, UsageError } from "./arguments.ts";
import { Exit } from "./io.ts";
import type { Screen } from "./picture.ts";
import { metricsOf } from "./status-metrics.ts";
import { type LookSystem, look } from "./status-report.ts";
import { describe } from "./status-text.ts";

export const statusHelp = `usage: mapminctl status [INTERFACE] [--watch | --json | --metrics]

Shows each MAP interface: whether it is up, where its rule came from, its address, PSID and ports, which of them are in
use and by whom, whether its NAT is loaded, which packets were refused, and the last error. Exits 0 if all of them are up
and no NAT is missing.
  --watch    looks again each second, until Ctrl-C
  --json     the same, and more of it, for programs
  --metrics  numbers for the textfile collector of Prometheus's node exporter; exits 0 whatever they say
`;

/** Between two looks, ms. */
const INTERVAL_MS = 1_000;

/** What `status` needs of the system. */
export type StatusSystem = LookSystem & Screen & Pick<System, "stdout" | "stderr" | "sleep" | "control">;

const options = {
  watch: FLAG,
  json: FLAG,
  metrics: FLAG,
  help: FLAG,
} as const;

/** What is said where nothing has been set up. */
function nothing(wanted: string | undefined): string {
  const what =
    wanted === undefined
      ? "no MAP interface has been set up"
      : `${wanted} has not been set up as a MAP interface`;
  return `${what}; see ${LOG_PATH}\n`;
}

/** One look as text. What makes it fail is its text: the next one may do better. */
async function lookedAt(wanted: string | undefined, system: StatusSystem): Promise<string> {
  try {
    const { seen, warnings } = await look(wanted, system);
    return [
      ...warnings.map((warning) => `warning: ${warning}\n`),
      ...(seen.length === 0 ? [nothing(wanted)] : seen.map(({ report }) => describe(report, system))),
    ].join("");
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    return `${error.message}\n`;
  }
}

/** Looks again and again. A signal ends it, or a reader that goes away. */
async function watch(wanted: string | undefined, system: StatusSystem): Promise<never> {
  for (let looks = 0; ; looks++) {
    const text = await lookedAt(wanted, system);
    if (system.isTerminal) system.control("\u001b[H\u001b[J");
    else if (looks > 0) system.stdout("\n");
    system.stdout(text);
    await system.sleep(INTERVAL_MS);
  }
}

/** Prints the state of one interface, or of all. */
export async function runStatus(argv: readonly string[], system: StatusSystem): Promise<number> {
  const { values, positionals } = parseOptions(argv, options, true);
  if (values.help === true) {
    system.stdout(statusHelp);
    return Exit.ok;
  }
  if (positionals.length > 1) {
    system.stderr(statusHelp);
    return Exit.usage;
  }
  const forms = (["watch", "json", "metrics"] as const).filter((name) => values[name] === true);
  if (forms.length > 1)
    throw new UsageError(
      `${forms.map((name) => `--${name}`).join(" and ")} do not go together: give one of them`,
    );
  const [wanted] = positionals;
  if (wanted !== undefined) parseInterfaceName(wanted, "INTERFACE");
  if (values.watch === true) return watch(wanted, system);
  const { seen, warnings } = await look(wanted, system);
  for (const warning of warnings) system.stderr(`warning: ${warning}\n`);
  if (values.metrics === true) {
    system.stdout(metricsOf(seen, wanted));
    return Exit.ok;
  }
  const reports = seen.map(({ report }) => report);
  if (values.json === true) system.stdout(`${JSON.stringify(reports, null, 2)}\n`);
  else for (const report of reports) system.stdout(describe(report, system));
  if (reports.length === 0) {
    system.stderr(nothing(wanted));
    return Exit.badInput;
  }
  return reports.every((report) => report.up && report.nat?.loaded !== false) ? Exit.ok : Exit.badInput;
}
