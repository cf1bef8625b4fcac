import { farEnd, planOf } from "../doctor/after-setup.ts";
import { netifdSilent } from "../doctor/before-setup.ts";
import type { Diagnosis } from "../doctor/check.ts";
import { diagnose, expectedOf } from "../doctor/diagnose.ts";
import { type Fact, type Facts, known, told } from "../doctor/facts.ts";
import { relayPath } from "../engine/state.ts";
import { type InterfaceName, parseInterfaceName } from "../ip/names.ts";
import { formatIpv4, formatIpv6, parseIpv4 } from "../ip/text.ts";
import { NETWORK } from "../render/netifd.ts";
import type { Bus } from "../system/system.ts";
import { MapminError } from "../wire/errors.ts";
import { printable } from "../wire/printable.ts";
import { FLAG, parseOptions, TEXT, UsageError } from "./arguments.ts";
import { counted } from "./counted.ts";
import {
  type DoctorSystem,
  gather,
  LIMIT_MS,
  lookAround,
  mapInterfaces,
  pingTwice,
  probe,
} from "./doctor-facts.ts";
import { Exit } from "./io.ts";
import { type Colour, type LivelyScreen, printLine, progress } from "./lively.ts";
import { unknownWord } from "./nearest.ts";
import { wrapWords } from "./wrap.ts";

export const doctorHelp = `usage: mapminctl doctor [INTERFACE] [--json] [--offline | --probe ADDRESS] [--next-relay]

Looks for what keeps a MAP interface from working, from the engine to the border relay. Each finding says what is wrong
and what to do; what only follows from it is not looked at. Changes nothing without --next-relay. Exits 0 if nothing was
found, 1 if something was.
  --offline         sends no packets
  --probe ADDRESS   pings this IPv4 address through the interface; without it, the border relay of MAP-E and lw4o6
  --next-relay      uses the rule's next border relay that answers, where the one in use does not
  --json            for programs
`;

/** One interface, examined. */
interface Examined {
  readonly iface: string;
  readonly diagnosis: Diagnosis;
}

/** Where no interface is: there is no chain to go through. */
function without(dump: Fact<unknown>): Diagnosis {
  const finding = dump.known
    ? {
        check: "interface",
        code: "NO_INTERFACE",
        text: "no MAP interface is configured, and no lease has offered one",
        remedy:
          "set `option reqopts '48879'` on your IPv6 interface, or add an interface with `option proto 'map'` to /etc/config/network",
      }
    : { check: "netifd", ...netifdSilent(dump.why) };
  return { findings: [finding], passed: [], unknown: [], skipped: [] };
}

function show({ iface, diagnosis }: Examined, screen: LivelyScreen): void {
  const { findings, passed, unknown, skipped } = diagnosis;
  const count = findings.length === 0 ? "nothing wrong" : counted(findings.length, "finding");
  const line = (text: string, colour?: Colour) => printLine(screen, text, colour);
  const block = (label: string, text: string) => {
    line(wrapWords(label, printable(text).split(" "), label.length + 1, screen.columns));
  };
  line(`${iface === "" ? "MAP" : iface}: ${count}`, findings.length === 0 ? "green" : "red");
  for (const { code, text, remedy } of findings) {
    line(`  ${code}`, "red");
    block("    wrong:", text);
    block("    do:   ", remedy);
  }
  for (const { check, why } of unknown) block(`  not known: ${check}:`, why);
  if (skipped.length > 0) {
    block("  not looked at, because of the above:", skipped.map(({ check }) => check).join(", "));
  }
  if (passed.length > 0) block("  right:", passed.join(", "));
}

/** The shape of `--json`: documented in docs/router.md. */
function plain({ iface, diagnosis }: Examined): object {
  const { findings, passed, unknown, skipped } = diagnosis;
  return {
    interface: iface === "" ? null : iface,
    healthy: findings.length === 0,
    findings: findings.map(({ code, check, text, remedy }) => ({
      code,
      check,
      text: printable(text),
      remedy: printable(remedy),
    })),
    unknown: unknown.map(({ check, why }) => ({ check, why: printable(why) })),
    skipped,
    passed,
  };
}

/** Sends probes where nothing speaks against their arriving; gives the facts with what they told. */
async function withProbes(facts: Facts, named: string | undefined, system: DoctorSystem): Promise<Facts> {
  const plan = planOf({ facts, expected: expectedOf(facts) });
  if (plan === undefined) return facts;
  const { far } = farEnd(plan) ?? {};
  // The prefix of a DMR has nobody who answers.
  const relay = far === undefined || plan.transport === "map-t" ? undefined : formatIpv6(far);
  const probes = await probe(
    {
      relay,
      named,
      device: plan.device,
      ipv4: formatIpv4(plan.ipv4.address),
      mtu: plan.mtu,
    },
    system,
  );
  return { ...facts, probes };
}

/** Most border relays that are tried after the one in use. */
const NEXT_RELAYS = 4;

/** Has the interface use the next of its border relays that answers, where the one that it uses does not. */
async function takeNextRelay(facts: Facts, system: DoctorSystem, bus: Bus): Promise<void> {
  const { relay } = facts.probes;
  const expected = told(expectedOf(facts));
  if (relay?.known !== true || relay.value.answered || expected instanceof MapminError) return;
  const relays = expected?.relays.map(formatIpv6) ?? [];
  const at = relays.indexOf(relay.value.address);
  // An option of a provider's has room for thousands.
  for (const next of [...relays.slice(at + 1), ...relays.slice(0, at)].slice(0, NEXT_RELAYS)) {
    // One that setup would refuse would take the interface down.
    if (planOf({ facts, expected: expectedOf({ ...facts, relay: known(next) }) }) === undefined) continue;
    const ping = await pingTwice(system, next, ["-6"]);
    if (!ping.known || !ping.value.answered) continue;
    system.files.replaceFile(relayPath(facts.iface), next);
    await bus.call(NETWORK, "renew", { interface: facts.iface }, LIMIT_MS);
    system.stderr(`${facts.iface}: ${next} is used now\n`);
    return;
  }
  system.stderr(`${facts.iface}: no other border relay answers\n`);
}

const options = {
  json: FLAG,
  offline: FLAG,
  "next-relay": FLAG,
  probe: TEXT,
  help: FLAG,
} as const;

/** The address that was named, in its usual form. @throws InputError */
function namedAddress(text: string | undefined): string | undefined {
  return text === undefined ? undefined : formatIpv4(parseIpv4(text, "probe"));
}

/** `mapminctl doctor`. */
export async function runDoctor(
  argv: readonly string[],
  system: DoctorSystem & LivelyScreen,
): Promise<number> {
  const { values, positionals } = parseOptions(argv, options, true);
  if (values.help === true) {
    system.stdout(doctorHelp);
    return Exit.ok;
  }
  const sends = values.probe !== undefined || values["next-relay"] === true;
  if (positionals.length > 1 || (values.offline === true && sends)) {
    system.stderr(doctorHelp);
    return Exit.usage;
  }
  const named = namedAddress(values.probe);
  for (const name of positionals) parseInterfaceName(name, "INTERFACE");
  const [wanted] = positionals;
  const bus = system.openBus();
  try {
    progress(system, "looking at the router");
    const around = await lookAround(system, bus);
    const all = mapInterfaces(around);
    if (wanted !== undefined && around.dump.known && !all.some((name) => name === wanted)) {
      throw new UsageError(unknownWord("MAP interface", wanted, all));
    }
    const chosen: readonly InterfaceName[] = all.filter((name) => wanted === undefined || name === wanted);
    const examined: Examined[] = chosen.length === 0 ? [{ iface: "", diagnosis: without(around.dump) }] : [];
    for (const iface of chosen) {
      progress(system, `looking at ${iface}`);
      const facts = await gather(iface, around, system);
      const offline = diagnose(facts);
      const send = values.offline !== true && offline.findings.length === 0;
      if (send) progress(system, `sending probes through ${iface}, which takes some seconds`);
      const probed = send ? await withProbes(facts, named, system) : facts;
      examined.push({ iface, diagnosis: send ? diagnose(probed) : offline });
      if (values["next-relay"] === true) await takeNextRelay(probed, system, bus);
    }
    progress(system);
    if (values.json === true) system.stdout(`${JSON.stringify(examined.map(plain), null, 2)}\n`);
    else for (const entry of examined) show(entry, system);
    return examined.every(({ diagnosis }) => diagnosis.findings.length === 0) ? Exit.ok : Exit.badInput;
  } finally {
    progress(system);
    bus.close();
  }
}
