/**
 * The DHCPv6 side: a lease with option 48879 offers the interface `<iface>_4`, as OpenWrt names it, unless the
 * configuration has a MAP interface for that link.
 */

import { type InterfaceName, parseInterfaceName } from "../ip/names.ts";
import { InputError } from "../wire/errors.ts";
import { isNotFound } from "./effect.ts";
import type { Host } from "./host.ts";
import { presenceOf } from "./presence.ts";

/** A hexadecimal option value: at most what one DHCPv6 message carries. */
const OPTION_HEX = /^(?:[0-9a-fA-F]{2}){1,65535}$/;

/** A lease, as odhcp6c's script is told of it. */
export interface Lease {
  /** netifd's interface of the link. */
  readonly link: InterfaceName;
  /** The value of option 48879 as hexadecimal digits; absent when the lease does not have the option. */
  readonly option?: string;
  /** Its variable PREFIXES as given. When the prefixes change, the CE changes. */
  readonly prefixes: string;
  /** The interface to offer: IFACE_MAP, or the link's name and `_4`. */
  readonly iface: InterfaceName;
}

/** @throws InputError naming the variable. */
export function decodeLease(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Lease {
  const link = parseInterfaceName(given ?? "", "INTERFACE");
  const option = environment["OPTION_48879"] ?? "";
  if (option !== "" && !OPTION_HEX.test(option)) {
    throw new InputError("OPTION_48879", "expected whole octets in hexadecimal");
  }
  const iface = parseInterfaceName(environment["IFACE_MAP"] || `${link}_4`, "IFACE_MAP");
  return {
    link,
    iface,
    prefixes: environment["PREFIXES"] ?? "",
    ...(option === "" ? {} : { option: option.toLowerCase() }),
  };
}

/** Names and links of `proto 'map'` sections in the output of `uci -q show network`. */
export function configuredMapInterfaces(uciShow: string): readonly { name: string; tunlink?: string }[] {
  const sections = new Map<string, Map<string, string>>();
  for (const line of uciShow.split("\n")) {
    const match = /^network\.([A-Za-z0-9_@[\]-]+)\.([a-z0-9_]+)='([^']*)'$/.exec(line);
    if (match === null) continue;
    const [, section = "", option = "", value = ""] = match;
    const options = sections.get(section) ?? new Map<string, string>();
    options.set(option, value);
    sections.set(section, options);
  }
  return [...sections].flatMap(([name, options]) => {
    if (options.get("proto") !== "map") return [];
    const tunlink = options.get("tunlink");
    return [{ name, ...(tunlink === undefined ? {} : { tunlink }) }];
  });
}

async function remove(host: Host, iface: string): Promise<void> {
  try {
    await host.call("network.interface", "remove", { interface: iface });
    host.log("withdraw the interface", "ok", iface);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Offers, renews or withdraws the interface of a lease. `uciShow` is the configuration as `uci show network` prints it. */
export async function applyLease(
  lease: Lease,
  uciShow: string,
  zone: string | undefined,
  host: Host,
): Promise<void> {
  const { iface } = lease;
  const configured = configuredMapInterfaces(uciShow).find(
    // Without tunlink the handler takes wan6, as stock does.
    ({ name, tunlink }) => name === iface || (tunlink ?? "wan6") === lease.link,
  );
  if (configured !== undefined) {
    host.log("lease", "note", `${configured.name} is configured for ${lease.link}: nothing offered`);
    // What was offered before somebody configured one would use the same ports.
    const ours =
      configured.name !== iface && !uciShow.split("\n").some((line) => line === `network.${iface}=interface`);
    if (ours && (await presenceOf(iface, host)) !== "absent") await remove(host, iface);
    return;
  }
  if (lease.option === undefined) {
    await remove(host, iface);
    return;
  }
  // An interface that is removed and offered again would be lost: netifd removes it only later, and takes the new one with
  // it. So the one that is there is asked to renew, and the handler reads the new lease.
  const state = await presenceOf(iface, host);
  if (state !== "absent") {
    // netifd does not renew an interface that is down.
    const method = state === "running" ? "renew" : "up";
    await host.call("network.interface", method, { interface: iface });
    host.log(`${method} the interface`, "ok", iface);
    return;
  }
  const offer = {
    name: iface,
    ifname: `@${lease.link}`,
    proto: "map",
    tunlink: lease.link,
    ...(zone === undefined ? {} : { zone }),
  };
  await host.call("network", "add_dynamic", offer);
  host.log("offer the interface", "ok", `ubus call network add_dynamic ${JSON.stringify(offer)}`);
}
