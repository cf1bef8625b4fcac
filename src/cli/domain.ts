import { truncate4, truncate6 } from "../ip/prefix.ts";
import {
  formatIpv4Prefix,
  formatIpv6,
  formatIpv6Prefix,
  parseIpv4Prefix,
  parseIpv6,
  parseIpv6Prefix,
} from "../ip/text.ts";
import { psidBits } from "../map/ce.ts";
import { type DomainPlan, faultsOf, planDomain, USUAL_OFFSET } from "../map/domain-plan.ts";
import type { MapDomain } from "../map/model.ts";
import { portRanges } from "../map/port-set.ts";
import { JUDGING, judgeDomain, routerRefuses } from "../provision/judge.ts";
import { parseDmr, parseNumber } from "../provision/rule-text.ts";
import type { InputError } from "../wire/errors.ts";
import { FLAG, type OptionValues, parseOptions, TEXT, TEXTS, UsageError } from "./arguments.ts";
import { counted } from "./counted.ts";
import { Exit, type Io } from "./io.ts";
import { describeRow, type RowReport, ruleReporter } from "./rule-report.ts";

export const domainHelp = `usage: mapminctl domain --customers N --ipv4 PREFIX ... [--ipv6 PREFIX] [--ports N] [--psid-offset N]
                        [--end-user-length N] [--forward] [--dmr P | --br ADDRESS] [--json]
       mapminctl domain --check --ipv4 PREFIX --ipv6 PREFIX --ea-length N [--psid-length N] ...

For who plans a MAP domain: proposes the numbers and prefixes of its rules, with as many ports for each customer as the addresses
allow; or checks a rule (RFC 7597). Prints a table that "mapminctl encode --table" reads. Exits 1 if a rule cannot be used.
  --customers N        the domain has to have room for so many
  --ports N            a customer has to have so many
  --ipv4 PREFIX        addresses to share; several for several rules
  --ipv6 PREFIX        where end-user prefixes come from; with --check the rule's
  --end-user-length N  length of end-user prefixes, to 64; 56 without it, if there is room
  --psid-offset N      a; 6 without it, if there is room
  --ea-length N        EA bits to check, and with --psid-length what they leave for the PSID
  --forward            the rules are forwarding rules too (F flag)
  --dmr P              MAP-T: the border relay's prefix
  --br ADDRESS         MAP-E: the border relay
`;

const options = {
  check: FLAG,
  customers: TEXT,
  ports: TEXT,
  ipv4: TEXTS,
  ipv6: TEXT,
  "end-user-length": TEXT,
  "psid-offset": TEXT,
  "psid-length": TEXT,
  "ea-length": TEXT,
  forward: FLAG,
  dmr: TEXT,
  br: TEXT,
  json: FLAG,
  help: FLAG,
} as const;

type Values = OptionValues<typeof options>;

/** Most customers: there are fewer people. */
const MOST = 9_999_999_999;
/** Larger numbers than any rule has are for the check to refuse. */
const ANY = 99;
const WELL_KNOWN = 1_024;

/** The plan, or what is wrong with the one to check. @throws InputError where there is none */
function planOf(values: Values): DomainPlan | readonly InputError[] {
  const number = (name: keyof Values, low: number, high: number) => {
    const text = values[name];
    return typeof text === "string" ? parseNumber(text, name, low, high) : undefined;
  };
  const need = <Value>(name: string, value: Value | undefined): Value => {
    if (value === undefined) throw new UsageError(`the option "--${name}" is needed`);
    return value;
  };
  const given = {
    customers: number("customers", 1, MOST),
    ports: number("ports", 1, 65_535),
    ipv4: need("ipv4", values.ipv4).map((text) => truncate4(parseIpv4Prefix(text, "ipv4"))),
    ipv6: values.ipv6 === undefined ? undefined : truncate6(parseIpv6Prefix(values.ipv6, "ipv6")),
    endUserLength: number("end-user-length", 0, ANY),
    offset: number("psid-offset", 0, values.check === true ? ANY : 15),
    psidLength: number("psid-length", 0, ANY),
    eaLength: number("ea-length", 0, ANY),
    forward: values.forward === true,
  };
  if (values.check !== true) {
    const name = (["ea-length", "psid-length"] as const).find((one) => values[one] !== undefined);
    if (name !== undefined) throw new UsageError(`the option "--${name}" is only for --check`);
    return planDomain({ ...given, customers: need("customers", given.customers) });
  }
  const { ipv4: ipv4s, offset: psidOffset = USUAL_OFFSET, forward } = given;
  const [first, second] = ipv4s;
  if (second !== undefined) throw new UsageError("--check takes one --ipv4: check one rule at a time");
  const ipv4Prefix = need("ipv4", first);
  const ipv6Prefix = need("ipv6", given.ipv6);
  const eaLength = need("ea-length", given.eaLength);
  const plan = { ...given, ipv4: ipv4Prefix, ipv6: ipv6Prefix, eaLength, offset: psidOffset };
  const faults = faultsOf(plan);
  if (faults.length > 0) return faults;
  return {
    psidOffset,
    psidLength: psidBits({ ipv4Prefix, eaLength }),
    endUserLength: given.endUserLength ?? ipv6Prefix.length + eaLength,
    rules: [{ ipv6Prefix, ipv4Prefix, eaLength, forward, psidOffset }],
  };
}

/** Where everything else goes, in a table's words and as a domain has it; MAP-E where nobody says. */
function farEndOf({ dmr, br }: Values): readonly [line: string, end: Omit<MapDomain, "rules">] {
  if (dmr !== undefined && br !== undefined)
    throw new UsageError("--dmr and --br do not go together: the one is for MAP-T, the other for MAP-E");
  const domain = { borderRelays: [], legacyInterfaceId: false };
  if (dmr !== undefined) {
    const prefix = parseDmr(dmr, "dmr");
    return [`# dmr = ${formatIpv6Prefix(prefix)}`, { ...domain, transport: "map-t", dmr: prefix }];
  }
  if (br === undefined)
    return ["# add --br or --dmr for the border relay", { ...domain, transport: "map-e" }];
  const relay = parseIpv6(br, "br");
  return [`# br = ${formatIpv6(relay)}`, { ...domain, transport: "map-e", borderRelays: [relay] }];
}

/** The table that `option rules` and `encode --table` read, below what it gives. */
function describe(plan: DomainPlan, answer: Answer, end: string): string {
  const { psidOffset, psidLength, endUserLength, rules } = plan;
  const { rows, notes } = answer;
  const room = rows.reduce((sum, { customers }) => sum + customers, 0);
  const [range] = portRanges({ offset: psidOffset, psidLength, psid: 0 });
  const comments = [
    `room for ${counted(room, "customer")} with end-user prefixes of /${endUserLength}`,
    `PSID offset ${psidOffset}, PSID length ${psidLength}${range === undefined ? "" : `; PSID 0 begins with the ports ${range.join("-")}`}`,
    ...rows.flatMap(describeRow),
    ...notes.map((note) => `note: ${note}`),
  ];
  return [
    ...comments.map((line) => `# ${line}`),
    `# transport = ${rows[0]?.transport}`,
    end,
    `# psidOffset = ${psidOffset}`,
    "ruleIpv6Prefix,ruleIpv4Prefix,eaLength,fmr",
    ...rules.map(({ ipv6Prefix, ipv4Prefix, eaLength, forward }) =>
      [formatIpv6Prefix(ipv6Prefix), formatIpv4Prefix(ipv4Prefix), eaLength, forward].join(","),
    ),
    "",
  ].join("\n");
}

interface Answer {
  readonly rows: readonly RowReport[];
  readonly notes: readonly string[];
}

function answerOf({ rules, psidOffset, psidLength }: DomainPlan, far: Omit<MapDomain, "rules">): Answer {
  const domain = { ...far, rules };
  const reportOf = ruleReporter();
  const rows = rules.map((rule, i) => {
    const { report, first } = reportOf(`rule ${i + 1}`, rule, domain, "ea-length");
    return { ...report, notes: judgeDomain(domain, first.ce, JUDGING).map(routerRefuses) };
  });
  const leftOut = psidOffset === 0 ? 0 : 2 ** (16 - psidOffset);
  const low = `ports below ${WELL_KNOWN} are given to customers; a PSID offset of 1 to ${USUAL_OFFSET} leaves them out`;
  return { rows, notes: psidLength > 0 && leftOut < WELL_KNOWN ? [low] : [] };
}

/** `mapminctl domain`. @throws InputError naming the option that makes a plan impossible */
export function runDomain(argv: readonly string[], io: Io): number {
  const { values } = parseOptions(argv, options);
  if (values.help === true) {
    io.stdout(domainHelp);
    return Exit.ok;
  }
  if (argv.length === 0) {
    io.stderr(domainHelp);
    return Exit.usage;
  }
  const [line, far] = farEndOf(values);
  const plan = planOf(values);
  if (!("rules" in plan)) {
    const faults = plan.map(({ message }) => message);
    io.stderr(faults.map((fault) => `error: ${fault}\n`).join(""));
    if (values.json === true) io.stdout(`${JSON.stringify({ faults }, null, 2)}\n`);
    return Exit.badInput;
  }
  const answer = answerOf(plan, far);
  const example = values.ipv6 === undefined ? ["the IPv6 prefixes are examples; give yours with --ipv6"] : [];
  const told = { ...answer, notes: [...example, ...answer.notes] };
  const { rules, ...numbers } = plan;
  const rows = told.rows.map((row, i) => ({ ...row, eaLength: rules[i]?.eaLength }));
  io.stdout(
    values.json === true
      ? `${JSON.stringify({ ...numbers, rules: rows, notes: told.notes }, null, 2)}\n`
      : describe(plan, told, line),
  );
  return Exit.ok;
}
