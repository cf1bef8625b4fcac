/**
 * What miniupnpd's configuration on OpenWrt (`/etc/config/upnpd`) is told, as commands for `uci batch`: it hands out the ports that
 * `option upnp_ports` keeps, and no others, whoever asks by UPnP or PCP. Its rules are taken in their order, so ours come first.
 */

import type { InterfaceName } from "../ip/names.ts";
import { formatRange, type PortRange } from "../map/port-set.ts";
import { InputError } from "../wire/errors.ts";

/** The ports that miniupnpd may hand out. */
export interface Grant {
  readonly iface: InterfaceName;
  /** The shared IPv4 address. */
  readonly address: string;
  readonly ports: readonly PortRange[];
}

/** Sections of ours: `mapmin_0`, `mapmin_1`, ... */
const OURS = /^upnpd\.(mapmin_\d+)=/;
const SERVICE = /^upnpd\.([A-Za-z0-9_]+)=upnpd$/;
/** The newest releases have rules for each network of the LAN, which come before ours unless one says otherwise. */
const NETWORK = /^upnpd\.(@internal_network\[\d+\]|[A-Za-z0-9_]+)=internal_network$/;

function rule(section: string, action: "allow" | "deny", external: string, internal: string): string[] {
  const options = {
    action,
    ext_ports: external,
    int_addr: "0.0.0.0/0",
    int_ports: internal,
    comment: "mapmin",
  };
  return [
    `upnpd.${section}=perm_rule`,
    ...Object.entries(options).map(([name, value]) => `upnpd.${section}.${name}='${value}'`),
  ];
}

/**
 * The commands that bring the configuration about; none where it is as it should be.
 *
 * @param shown what `uci -q show upnpd` prints
 * @param grant absent where no interface has ports for miniupnpd: what an earlier grant left is taken away
 * @throws InputError when miniupnpd's configuration has no section for the service
 */
export function upnpdCommands(shown: string, grant: Grant | undefined): readonly string[] {
  const lines = shown.split("\n");
  const named = (pattern: RegExp) => lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
  const [service] = named(SERVICE);
  const old = named(OURS);
  const networks = named(NETWORK);
  const remove = old.map((section) => `delete upnpd.${section}`);
  if (grant === undefined) {
    if (old.length === 0) return [];
    const options = [
      ...(service === undefined ? [] : [`${service}.external_iface`, `${service}.external_ip`]),
      ...networks.map((network) => `${network}.acl_custom_first`),
    ].filter((option) => lines.some((line) => line.startsWith(`upnpd.${option}=`)));
    return [...remove, ...options.map((option) => `delete upnpd.${option}`), "commit upnpd"];
  }
  if (service === undefined) throw new InputError("/etc/config/upnpd", "has no section of the type upnpd");
  // Ports below 1024 of a host are its own services: OpenWrt's own rules leave them out as well.
  const rules = [
    ...grant.ports.map((range, i) => rule(`mapmin_${i}`, "allow", formatRange(range), "1024-65535")),
    rule(`mapmin_${grant.ports.length}`, "deny", "0-65535", "0-65535"),
  ];
  const wanted = [
    ...rules.flat(),
    `upnpd.${service}.external_iface='${grant.iface}'`,
    `upnpd.${service}.external_ip='${grant.address}'`,
    ...networks.map((network) => `upnpd.${network}.acl_custom_first='1'`),
  ];
  if (old.length === rules.length && wanted.every((line) => lines.includes(line))) return [];
  const first = rules.map((_, i) => `reorder upnpd.mapmin_${i}=0`).reverse();
  return [...remove, ...wanted.map((line) => `set ${line}`), ...first, "commit upnpd"];
}
