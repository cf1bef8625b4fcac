/** Chooses the forwarding mapping rules of a domain (FMRs, RFC 7597 s5). One that cannot be used costs only itself. */

import { summarizeRemarks } from "../dhcpv6/findings.ts";
import { formatIpv4Prefix } from "../ip/text.ts";
import { neededLength, psidBits } from "../map/ce.ts";
import type { MapDomain, MapRule, Remark } from "../map/model.ts";
import { LIMITS } from "../map/port-set.ts";
import { type JudgeOptions, judgeRule } from "./judge.ts";

/** Most FMRs: the module has room for 4,096 rules, and one of them is the CE's own. */
const FMR_LIMIT = 4_095;

/**
 * Why the module cannot have a rule as an FMR; undefined where it can. It refuses all rules because of one, and then there
 * would be no IPv4 at all.
 *
 * @param taken IPv4 prefixes of the FMRs before it, as text
 */
function refuseFmr(rule: MapRule, taken: ReadonlySet<string>): string | undefined {
  const { ipv4Prefix, ipv6Prefix, eaLength, psidOffset, explicitPsid } = rule;
  const psidLength = psidBits(rule);
  if (taken.size === FMR_LIMIT) return `there are ${FMR_LIMIT} rules before it`;
  if (taken.has(formatIpv4Prefix(ipv4Prefix))) return "a rule before it has the same prefix";
  if (neededLength(rule) > 128) return `${eaLength} EA bits do not fit behind /${ipv6Prefix.length}`;
  if (psidOffset + psidLength > LIMITS.sum)
    return `PSID offset ${psidOffset} and length ${psidLength} exceed 16 bits together`;
  // The module takes the PSID of each destination from the EA bits, so it cannot be told another one. With a PSID that is not
  // in the EA bits, packets for every port would go to PSID 0. A CE with an IPv4 prefix has no PSID (s5.2).
  if (explicitPsid && ipv4Prefix.length + eaLength >= 32 && explicitPsid.psidLength !== psidLength)
    return `a PSID of ${explicitPsid.psidLength} bits is given, and the EA bits have ${psidLength}`;
  return undefined;
}

/**
 * The domain with no other rules than its FMRs, and a remark for each kind of reason why rules are left out. What an FMR would
 * have carried goes to the border relay or by the DMR, where everything may go. Of two rules for one IPv4 prefix the BMR
 * stays, or else the first.
 */
export function withUsableFmrs(
  domain: MapDomain,
  bmr: MapRule | undefined,
  judging: JudgeOptions,
): { readonly domain: MapDomain; readonly remarks: readonly Remark[] } {
  const taken = new Set<string>();
  const remarks: Remark[] = [];
  // Why the port parameters of a rule are unusable has been said.
  const fmrs = domain.rules.filter((rule) => rule.forward && rule.unusable === undefined);
  const rules = fmrs
    .sort((a, b) => Number(b === bmr) - Number(a === bmr))
    .filter((rule) => {
      const prefix = formatIpv4Prefix(rule.ipv4Prefix);
      const refused = refuseFmr(rule, taken);
      const [objection] = judgeRule(rule, judging);
      const text = objection?.text ?? (refused && `${prefix}: ${refused}`);
      if (text === undefined) taken.add(prefix);
      else {
        const path = objection?.field ?? judging.names.ipv4;
        remarks.push({ code: "refused-rule", path, text: `a rule is not forwarded by: ${text}` });
      }
      return text === undefined;
    });
  return { domain: { ...domain, rules }, remarks: summarizeRemarks(remarks) };
}
