/** `mapminctl -s | -r | -q`, the options of the original program. They print shell commands and run nothing. */

import { type DeviceName, parseDeviceName } from "../ip/names.ts";
import type { Ipv6Prefix } from "../ip/prefix.ts";
import {
  formatIpv4,
  formatIpv4Prefix,
  formatIpv6,
  formatIpv6Prefix,
  parseIpv4Prefix,
  parseIpv6Prefix,
} from "../ip/text.ts";
import { computeCe } from "../map/ce.ts";
import type { MapRule } from "../map/model.ts";
import { CONTROL_PATH, configWords, remoteWords } from "../render/control.ts";
import { renderIptables } from "../render/iptables.ts";
import { InputError } from "../wire/errors.ts";
import { FLAG, parseOptions, TEXT } from "./arguments.ts";
import { Exit, type Io } from "./io.ts";

export const legacyHelp = `usage: mapminctl -s [-i LAN] [-I WAN] [-H] [-N] [-a LANADDR/LEN] -A IPV4/LEN -P PREFIX -R RATIO
                    -z OFFSET -o PSID [-c MSS] -T|-E
       mapminctl -r [-d] [-A IPV4/LEN -R RATIO -z OFFSET] -P PREFIX -T|-E
       mapminctl -q

Prints the commands that set a CE up, as the original did; pipe them into a shell, or read them. Device: mapmint.
  -s   the CE itself
         -i LAN, -a ADDR/LEN   the device of the LAN and its address, set when -H is given
         -I WAN                the device of the WAN
         -A, -P                the CE's IPv4 address; the IPv6 prefix of all CEs that share it
         -R, -z, -o            sharing ratio (a power of two, 1 to 65536), PSID offset, PSID
         -c MSS                TCP's MSS is clamped to it
         -N                    no NAT
  -r   where packets go: -d the DMR (all else), without it a forwarding rule
  -q   takes it all away
  -T   MAP-T (kernel module mapmint); -E MAP-E (the kernel's IPv6 tunnel)
`;

const DEVICE = parseDeviceName("mapmint", "device");

const options = {
  s: FLAG,
  r: FLAG,
  q: FLAG,
  d: FLAG,
  H: FLAG,
  N: FLAG,
  T: FLAG,
  E: FLAG,
  i: TEXT,
  I: TEXT,
  a: TEXT,
  A: TEXT,
  P: TEXT,
  R: TEXT,
  z: TEXT,
  o: TEXT,
  c: TEXT,
  help: { type: "boolean", short: "h" },
} as const;

type Values = { readonly [key in "i" | "I" | "a" | "A" | "P" | "R" | "z" | "o" | "c"]?: string } & {
  readonly [key in "s" | "r" | "q" | "d" | "H" | "N" | "T" | "E" | "help"]?: boolean;
};

function integer(option: string, text: string | undefined, low: number, high: number): number {
  if (text === undefined || !/^\d{1,5}$/.test(text) || Number(text) < low || Number(text) > high) {
    throw new InputError(option, `expected ${low} to ${high}`);
  }
  return Number(text);
}

/** The user pipes what is printed into a shell, so the name must not contain anything special. */
function device(option: string, text: string | undefined): DeviceName | undefined {
  return text === undefined ? undefined : parseDeviceName(text, option);
}

function required(option: string, text: string | undefined): string {
  if (text === undefined) throw new InputError(option, "is missing");
  return text;
}

/** Bits of PSID for a sharing ratio. */
function psidLengthOf(ratio: string | undefined): number {
  const value = integer("-R", ratio, 1, 65_536);
  const length = Math.log2(value);
  if (!Number.isInteger(length)) throw new InputError("-R", "expected a power of two");
  return length;
}

/**
 * The rule of all CEs that share the address `-A`: its IPv6 prefix has the IPv4 suffix in it, so the EA bits are the
 * PSID.
 */
function sharedRule(values: Values): MapRule {
  const ipv4Prefix = parseIpv4Prefix(required("-A", values.A), "-A");
  const psidLength = psidLengthOf(values.R);
  return {
    ipv6Prefix: parseIpv6Prefix(required("-P", values.P), "-P"),
    ipv4Prefix,
    eaLength: 32 - ipv4Prefix.length + psidLength,
    forward: true,
    psidOffset: integer("-z", values.z, 0, 15),
  };
}

function control(line: string): string {
  return `echo '${line}' > ${CONTROL_PATH}`;
}

function startCommands(values: Values): readonly string[] {
  const rule = sharedRule(values);
  if (rule.ipv4Prefix.length !== 32) throw new InputError("-A", "expected one address, with /32");
  const psid = integer("-o", values.o, 0, 2 ** rule.eaLength - 1);
  const host = 128 - rule.ipv6Prefix.length - rule.eaLength;
  if (host < 0) throw new InputError("-P", `is too long for the ${rule.eaLength} bits of the PSID`);
  const endUserPrefix: Ipv6Prefix = {
    address: rule.ipv6Prefix.address | (BigInt(psid) << BigInt(host)),
    length: rule.ipv6Prefix.length + rule.eaLength,
  };
  const { ce } = computeCe(rule, endUserPrefix, { legacyInterfaceId: false });
  const lan = device("-i", values.i);
  const wan = device("-I", values.I);
  const mss = values.c === undefined ? undefined : integer("-c", values.c, 536, 65_495);
  const lines: string[] = [];
  if (values.T === true) {
    lines.push(control(`add ${DEVICE}`), control(`config ${DEVICE} ${configWords(ce, false)}`));
    lines.push(
      `ip link set ${DEVICE} up`,
      `ip -6 route replace ${formatIpv6(ce.mapAddress)}/128 dev ${DEVICE}`,
    );
  } else {
    lines.push(
      `ip -6 addr replace ${formatIpv6(ce.mapAddress)}/128 dev ${wan ?? "lo"}`,
      `ip -6 tunnel add ${DEVICE} mode ipip6 local ${formatIpv6(ce.mapAddress)} remote :: encaplimit none${wan === undefined ? "" : ` dev ${wan}`}`,
      `ip link set ${DEVICE} up`,
    );
  }
  lines.push("sysctl -w net.ipv4.ip_forward=1", "sysctl -w net.ipv6.conf.all.forwarding=1");
  if (values.H === true && lan !== undefined && values.a !== undefined) {
    // This is the router's address with its prefix length, so the host bits are kept.
    const { length } = parseIpv4Prefix(values.a, "-a");
    const address = parseIpv4Prefix(`${values.a.slice(0, values.a.indexOf("/"))}/32`).address;
    lines.push(`ip addr replace ${formatIpv4(address)}/${length} dev ${lan}`);
  }
  lines.push(
    `ip addr replace ${formatIpv4Prefix(ce.ipv4)} dev ${DEVICE}`,
    `ip route replace default dev ${DEVICE}`,
  );
  if (values.N !== true) {
    const nat = {
      table: DEVICE,
      device: DEVICE,
      ipv4: ce.ipv4,
      portSet: ce.portSet,
      reservedPorts: [],
      mtu: 1500,
    };
    lines.push(...renderIptables(nat));
  }
  if (mss !== undefined) {
    for (const direction of ["-o", "-i"]) {
      lines.push(
        `iptables -t mangle -A FORWARD ${direction} ${DEVICE} -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss ${mss}`,
      );
    }
  }
  return lines;
}

function routeCommands(values: Values): readonly string[] {
  if (values.d === true) {
    const prefix = parseIpv6Prefix(required("-P", values.P), "-P");
    if (values.T === true) {
      return [control(`config ${DEVICE} ${remoteWords(prefix)}`)];
    }
    if (prefix.length !== 128) throw new InputError("-P", "expected the border relay's address, with /128");
    return [`ip -6 tunnel change ${DEVICE} remote ${formatIpv6(prefix.address)}`];
  }
  if (values.E === true)
    throw new InputError("-E", "the kernel's tunnel has no forwarding rules, so only -r -d is possible");
  const rule = sharedRule(values);
  return [
    control(
      `insert ${DEVICE} remote.style MAP remote.v4 ${formatIpv4Prefix(rule.ipv4Prefix)} remote.v6 ${formatIpv6Prefix(rule.ipv6Prefix)} remote.ea-len ${rule.eaLength} remote.psid-offset ${rule.psidOffset}`,
    ),
  ];
}

/** -q is given no rule, so it looks up what is loaded for the device and deletes that. */
const stopCommands: readonly string[] = [
  `iptables -t nat -S POSTROUTING | sed -n 's/^-A \\(.* -o ${DEVICE} .*\\)$/iptables -t nat -D \\1/p' | sh`,
  `iptables -t mangle -S FORWARD | sed -n 's/^-A \\(.* -[io] ${DEVICE} .*\\)$/iptables -t mangle -D \\1/p' | sh`,
  `if [ -e ${CONTROL_PATH} ] && grep -q '^add ${DEVICE}$' ${CONTROL_PATH}; then echo 'del ${DEVICE}' > ${CONTROL_PATH}; else ip link del ${DEVICE}; fi`,
];

/** The commands, one a line. @throws InputError that names the option */
export function runLegacy(argv: readonly string[], io: Io): number {
  const { values }: { values: Values } = parseOptions(argv, options);
  if (values.help === true) {
    io.stdout(legacyHelp);
    return Exit.ok;
  }
  const actions = [values.s, values.r, values.q].filter((given) => given === true).length;
  if (actions !== 1 || (values.q !== true && (values.T === true) === (values.E === true))) {
    io.stderr(`${actions === 1 ? "give one of -T and -E" : "give one of -s, -r and -q"}\n\n${legacyHelp}`);
    return Exit.usage;
  }
  const lines =
    values.s === true ? startCommands(values) : values.r === true ? routeCommands(values) : stopCommands;
  io.stdout(`${lines.join("\n")}\n`);
  return Exit.ok;
}
