import { parseDeviceName } from "../ip/names.ts";
import { formatIpv4Prefix, formatIpv6Prefix } from "../ip/text.ts";
import { chooseBmr, computeCe, whyNoBmr } from "../map/ce.ts";
import type { CustomerEdge, MapDomain } from "../map/model.ts";
import { JUDGING, judgeDomain, routerRefuses } from "../provision/judge.ts";
import { fromOption48879 } from "../provision/option.ts";
import { parsePrefixes } from "../provision/prefixes.ts";
import type { Environment } from "../system/system.ts";
import { InputError, MapminError } from "../wire/errors.ts";
import { FLAG, parseOptions, TEXT, UsageError } from "./arguments.ts";
import { counted } from "./counted.ts";
import { Exit, type Io } from "./io.ts";

export const mdpcHelp = `usage: mdpc [-w WAN] [-m MSS] [-o ENVNAME] [-v]

Reads DHCPv6 option 48879 from the environment variable OPTION_48879 (or ENVNAME) and the delegated prefixes from
PREFIXES, as odhcp6c sets them, and prints the mapminctl commands for each rule that matches and for the DMR. Exits 0
only if a rule matched.
  -w WAN      the device of the WAN; wan0 without it
  -m MSS      the MSS that TCP is clamped to; 1440 without it
  -v          tells on standard error what was read
`;

/** A packet of 1500 octets without the IPv6 header (40) and the TCP header (20). */
const DEFAULT_MSS = 1440;
const DEFAULT_WAN = "wan0";
const VARIABLE = "OPTION_48879";

const options = {
  w: TEXT,
  m: TEXT,
  o: TEXT,
  v: FLAG,
  help: FLAG,
} as const;

/** The line that the original mdpc printed for one CE, with `mapminctl` in place of `ivictl`. */
function ruleLine(ce: CustomerEdge, domain: MapDomain, wan: string, mss: number): string {
  const { bmr, portSet } = ce;
  // The rule's prefix and the IPv4 suffix: the prefix of all CEs that share this CE's address.
  const suffixBits = 32 - bmr.ipv4Prefix.length;
  const shared = {
    address: ce.endUserPrefix.address,
    length: bmr.ipv6Prefix.length + Math.min(suffixBits, bmr.eaLength),
  };
  const host = BigInt(128 - shared.length);
  const prefix = formatIpv6Prefix({ address: (shared.address >> host) << host, length: shared.length });
  const flag = domain.transport === "map-t" ? "-T" : "-E";
  return `mapminctl -s -i br-lan -I ${wan} -H -a 192.168.1.1/24 -A ${formatIpv4Prefix(ce.ipv4)} -P ${prefix} -R ${2 ** portSet.psidLength} -z ${portSet.offset} -o ${portSet.psid} -c ${mss} ${flag}\n`;
}

function dmrLine(domain: MapDomain): string {
  if (domain.dmr !== undefined) return `mapminctl -r -d -P ${formatIpv6Prefix(domain.dmr)} -T\n`;
  const relay = domain.borderRelays[0] ?? 0n;
  return `mapminctl -r -d -P ${formatIpv6Prefix({ address: relay, length: 128 })} -E\n`;
}

function checkedOptions(values: { w?: string; m?: string; o?: string }) {
  // The user pipes what is printed into a shell.
  const wan = parseDeviceName(values.w ?? DEFAULT_WAN, "-w");
  const mss = Number(values.m ?? DEFAULT_MSS);
  if (!Number.isInteger(mss) || mss < 536 || mss > 65_495)
    throw new InputError("-m", "expected 536 to 65495 octets");
  const variable = values.o ?? VARIABLE;
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(variable))
    throw new InputError("-o", "expected the name of a variable");
  return { wan, mss, variable };
}

/** `mdpc`. */
export function runMdpc(argv: readonly string[], environment: Environment, io: Io): number {
  let values: { w?: string; m?: string; o?: string; v?: boolean; help?: boolean };
  try {
    values = parseOptions(argv, options).values;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr(`${error.message}\n\n${mdpcHelp}`);
    return Exit.usage;
  }
  if (values.help === true) {
    io.stdout(mdpcHelp);
    return Exit.ok;
  }
  try {
    const { wan, mss, variable } = checkedOptions(values);
    const hex = environment[variable];
    if (hex === undefined || hex === "")
      throw new InputError(variable, "is not set: the lease has no such option");
    const { domain, remarks } = fromOption48879(hex);
    const prefixes = parsePrefixes(environment["PREFIXES"] ?? "");
    const say = (text: string) => {
      if (values.v === true) io.stderr(`${text}\n`);
    };
    for (const remark of remarks) io.stderr(`note: ${remark.path}: ${remark.text}\n`);
    say(
      `${domain.transport}, ${counted(domain.rules.length, "rule")}, ${counted(prefixes.length, "prefix", "prefixes")}`,
    );
    let matched = false;
    let unusable: MapminError | undefined;
    for (const rule of domain.rules) {
      const match = chooseBmr([rule], prefixes);
      if (match === undefined) {
        say(whyNoBmr([rule], prefixes));
        continue;
      }
      if (rule.unusable !== undefined) {
        unusable ??= rule.unusable;
        continue;
      }
      const { ce, remarks: notes } = computeCe(rule, match.endUserPrefix, domain);
      for (const note of notes) io.stderr(`note: ${note.text}\n`);
      for (const objection of judgeDomain(domain, ce, JUDGING)) {
        io.stderr(`note: ${routerRefuses(objection)}\n`);
      }
      io.stdout(ruleLine(ce, domain, wan, mss));
      matched = true;
    }
    if (!matched) throw unusable ?? new InputError("PREFIXES", whyNoBmr(domain.rules, prefixes));
    io.stdout(dmrLine(domain));
    return Exit.ok;
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    io.stderr(`${error.message}\n`);
    return Exit.badInput;
  }
}
