/**
 * What OpenWrt has around miniupnpd, as far as this lab needs it: `uci` for /etc/config/upnpd, and the service's init script,
 * which makes miniupnpd's own configuration of it.
 *
 *   upnpd.mjs uci [-q] show upnpd | get upnpd.SECTION | batch
 *   upnpd.mjs init enabled | restart
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { attempt, run } from "./command.ts";

const CONFIG = "/etc/config/upnpd";
const CONF = "/run/lab/miniupnpd.conf";
const PID = "/run/lab/miniupnpd.pid";

interface Section {
  readonly name: string;
  readonly type: string;
  readonly options: Map<string, string>;
}

function load(): Section[] {
  const sections: Section[] = [];
  for (const line of existsSync(CONFIG) ? readFileSync(CONFIG, "utf8").split("\n") : []) {
    const [, kind, first = "", second = ""] = /^\s*(config|option)\s+(\S+)\s*(?:'([^']*)')?/.exec(line) ?? [];
    if (kind === "config") sections.push({ name: second, type: first, options: new Map() });
    else if (kind === "option") sections.at(-1)?.options.set(first, second);
  }
  return sections;
}

function save(sections: readonly Section[]): void {
  const text = sections.map(({ name, type, options }) =>
    [
      `config ${type}${name === "" ? "" : ` '${name}'`}`,
      ...[...options].map(([option, value]) => `\toption ${option} '${value}'`),
      "",
    ].join("\n"),
  );
  writeFileSync(CONFIG, text.join("\n"));
}

/** A section's name, or where it is among those of its type. */
function nameOf(section: Section, sections: readonly Section[]): string {
  if (section.name !== "") return section.name;
  return `@${section.type}[${sections.filter(({ type }) => type === section.type).indexOf(section)}]`;
}

function show(sections: readonly Section[]): string {
  return sections
    .flatMap((section) => {
      const name = `upnpd.${nameOf(section, sections)}`;
      const options = [...section.options].map(([option, value]) => `${name}.${option}='${value}'\n`);
      return [`${name}=${section.type}\n`, ...options];
    })
    .join("");
}

/** One command of a batch. @throws Error for what uci would not take */
function change(sections: Section[], command: string): void {
  const [, verb, name = "", option, value = ""] =
    /^(set|delete|reorder) upnpd\.([^.=]+)(?:\.([^=]+))?(?:='?([^']*)'?)?$/.exec(command) ?? [];
  const found = sections.findIndex((section) => nameOf(section, sections) === name);
  const [section] = sections.slice(found);
  if (verb === "set" && option === undefined && found === -1) {
    sections.push({ name, type: value, options: new Map() });
  } else if (section === undefined || found === -1) throw new Error(`uci: ${command}: no such section`);
  else if (verb === "set" && option !== undefined) section.options.set(option, value);
  else if (verb === "delete" && option === undefined) sections.splice(found, 1);
  else if (verb === "delete" && option !== undefined) section.options.delete(option);
  else if (verb === "reorder") sections.splice(Number(value), 0, ...sections.splice(found, 1));
  else throw new Error(`uci: ${command}: not understood`);
}

function uci([verb, what = ""]: readonly string[]): string {
  const sections = load();
  if (verb === "show") return show(sections);
  if (verb === "get") {
    const found = show(sections)
      .split("\n")
      .find((line) => line.startsWith(`${what}=`));
    if (found === undefined) process.exit(1);
    return `${found.slice(what.length + 1).replaceAll("'", "")}\n`;
  }
  for (const command of readFileSync(0, "utf8").split("\n")) {
    if (command === "commit upnpd") save(sections);
    else if (command !== "") change(sections, command);
  }
  return "";
}

/** miniupnpd's own configuration, in the words of OpenWrt's init script. */
function configuration(): string {
  const sections = load();
  const service = sections.find(({ type }) => type === "upnpd")?.options;
  const iface = service?.get("external_iface") ?? "";
  const rules = sections
    .filter(({ type }) => type === "perm_rule")
    .map(({ options }) =>
      ["action", "ext_ports", "int_addr", "int_ports"].map((name) => options.get(name)).join(" "),
    );
  return [
    `ext_ifname=map-${iface}`,
    `ext_ip=${service?.get("external_ip")}`,
    "listening_ip=br-lan",
    "enable_natpmp=yes",
    "enable_upnp=yes",
    "secure_mode=yes",
    "http_port=5000",
    "uuid=00000000-0000-0000-0000-000000000001",
    "lease_file=/run/lab/upnp.leases",
    "upnp_table_name=fw4",
    "upnp_nat_table_name=fw4",
    "upnp_forward_chain=upnp_forward",
    "upnp_nat_chain=upnp_prerouting",
    "upnp_nat_postrouting_chain=upnp_postrouting",
    ...rules,
    "",
  ].join("\n");
}

function init(verb: string | undefined): void {
  if (verb === "enabled") return;
  if (existsSync(PID)) attempt(["kill", readFileSync(PID, "utf8").trim()]);
  for (const chain of ["upnp_forward", "upnp_prerouting", "upnp_postrouting"]) {
    attempt(["nft", "flush", "chain", "inet", "fw4", chain]);
  }
  // OpenWrt would look for another network that leads outside: there is none here.
  if (!load().some(({ options }) => options.has("external_iface"))) return;
  writeFileSync(CONF, configuration());
  run(["miniupnpd", "-f", CONF, "-P", PID]);
}

const [program, ...rest] = process.argv.slice(2).filter((word) => word !== "-q");
if (program === "uci") process.stdout.write(uci(rest));
else init(rest[0]);
