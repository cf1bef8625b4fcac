import { parseInterfaceName } from "../ip/names.ts";
import { LOG_PATH } from "../system/log.ts";
import type { System } from "../system/system.ts";
import { parseOptions, UsageError } from "./arguments.ts";
import { Exit } from "./io.ts";
import type { Screen } from "./picture.ts";
import { metricsOf } from "./status-metrics.ts";
import { type LookSystem, look } from "./status-report.ts";
import { describe } from "./status-text.ts";

export const statusHelp = `usage: mapminctl status [INTERFACE] [--json | --metrics]

Shows each MAP interface: whether it is up, where its rule came from, its address, PSID and ports, which of them are in
use and by whom, whether its NAT is loaded, which packets were refused, and the last error. Exits 0 if all of them are up
and no NAT is missing.
  --json     the same, and more of it, for programs
  --metrics  numbers for the textfile collector of Prometheus's node exporter; exits 0 whatever they say
`;

/** What `status` needs of the system. */
export type StatusSystem = LookSystem & Screen & Pick<System, "stdout" | "stderr">;

/** Prints the state of one interface, or of all. */
export async function runStatus(argv: readonly string[], system: StatusSystem): Promise<number> {
  const { values, positionals } = parseOptions(
    argv,
    {
      json: { type: "boolean" },
      metrics: { type: "boolean" },
      help: { type: "boolean" },
    },
    true,
  );
  if (values.help === true) {
    system.stdout(statusHelp);
    return Exit.ok;
  }
  if (positionals.length > 1) {
    system.stderr(statusHelp);
    return Exit.usage;
  }
  const [wanted] = positionals;
  if (wanted !== undefined) parseInterfaceName(wanted, "INTERFACE");
  if (values.json === true && values.metrics === true)
    throw new UsageError("--json and --metrics are two forms of one answer: give one of them");
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
    system.stderr(
      `${wanted === undefined ? "no MAP interface has been set up" : `${wanted} has not been set up as a MAP interface`}; see ${LOG_PATH}\n`,
    );
    return Exit.badInput;
  }
  return reports.every((report) => report.up && report.nat?.loaded !== false) ? Exit.ok : Exit.badInput;
}
