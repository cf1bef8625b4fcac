/** The shape of an nftables script: objects, sets and chains as text, each rule with a comment saying whose it is. */

/** One rule, and its comment: why it is there, at most 100 octets, no quotes. */
export type Rule = readonly [text: string, why: string];

export interface NftSet {
  readonly kind: "set" | "map";
  readonly name: string;
  readonly type: string;
  readonly flags: string;
  readonly elements: readonly string[];
}

export interface NftChain {
  readonly name: string;
  /** Absent for a chain that rules jump to. */
  readonly hook?: string;
  readonly rules: readonly Rule[];
}

/** How long connection tracking keeps a TCP flow in some of its states, seconds. */
export interface NftTimeout {
  readonly name: string;
  readonly policy: string;
}

export interface NftTable {
  /** Name and what it counts. */
  readonly counters: { readonly [name: string]: string };
  readonly timeouts?: readonly NftTimeout[];
  readonly sets: readonly NftSet[];
  readonly chains: readonly NftChain[];
}

const ELEMENTS_A_LINE = 8;

function renderSet(set: NftSet): string[] {
  const lines: string[] = [];
  for (let i = 0; i < set.elements.length; i += ELEMENTS_A_LINE) {
    lines.push(`\t\t\t${set.elements.slice(i, i + ELEMENTS_A_LINE).join(", ")},`);
  }
  const body = lines.length === 0 ? [] : ["\t\telements = {", ...lines, "\t\t}"];
  return [`\t${set.kind} ${set.name} {`, `\t\t${set.type}`, `\t\tflags ${set.flags}`, ...body, "\t}", ""];
}

function renderChain(chain: NftChain, device: string): string[] {
  const hook = chain.hook === undefined ? [] : [`\t\t${chain.hook}; policy accept;`];
  const rules = chain.rules.map(([text, why]) => `\t\t${text} comment "mapmin ${device}: ${why}"`);
  return [`\tchain ${chain.name} {`, ...hook, ...rules, "\t}", ""];
}

function renderTimeout({ name, policy }: NftTimeout): string[] {
  return [
    `\tct timeout ${name} {`,
    "\t\tprotocol tcp",
    "\t\tl3proto ip",
    `\t\tpolicy = { ${policy} }`,
    "\t}",
    "",
  ];
}

/** What a script has of timeouts: each of the objects, and the rules that name one. */
const TIMEOUTS = /^\tct timeout [^}]*\}\s*\}\n\n|^.* ct timeout set .*\n/gm;

/**
 * The script without timeouts of connection tracking, for kernels without CONFIG_NF_CONNTRACK_TIMEOUT (OpenWrt's for
 * routers with little flash); undefined where it has none.
 */
export function withoutTimeouts(script: string): string | undefined {
  const plain = script.replace(TIMEOUTS, "");
  return plain === script ? undefined : plain;
}

/** A script that replaces the table whole, in one transaction: `add` first, since deleting what is not there fails. */
export function nftScript(
  of: { readonly table: string; readonly device: string },
  table: NftTable,
  what = "NAT into the port set",
): string {
  const counters = Object.entries(table.counters).flatMap(([name, what]) => [
    `\tcounter ${name} {`,
    `\t\tcomment "${what}"`,
    "\t}",
    "",
  ]);
  return [
    `add table ip ${of.table}`,
    `delete table ip ${of.table}`,
    `table ip ${of.table} {`,
    `\tcomment "mapmin: ${what} of ${of.device}"`,
    "",
    ...counters,
    ...(table.timeouts ?? []).flatMap(renderTimeout),
    ...table.sets.flatMap(renderSet),
    ...table.chains.flatMap((chain) => renderChain(chain, of.device)),
    "}",
    "",
  ].join("\n");
}
