/**
 * What dhcpcd calls at each change of its lease: tells netifd of the link, as odhcp6c's script does, and then sources the
 * hooks of /etc/odhcp6c.user.d with a lease in odhcp6c's form.
 *
 *   dhcpcd   new_dhcp6_map=0042..., new_dhcp6_ia_pd1_prefix1=2001:db8:12:3400::, ..._length=56, ..._pltime, ..._vltime
 *   odhcp6c  OPTION_48879=0042...,  PREFIXES="2001:db8:12:3400::/56,3600,7200", INTERFACE=wan6, $1 = device, $2 = state
 */

import { spawnSync } from "node:child_process";
import { UbusClient } from "ubus-client-ts";

const LINK = "wan6";
const OPTION = 48_879;

/** dhcpcd's reasons as odhcp6c's states. */
const states: Readonly<Record<string, string>> = {
  BOUND6: "bound",
  REBOOT6: "bound",
  RENEW6: "updated",
  REBIND6: "rebound",
  EXPIRE6: "unbound",
  STOP6: "unbound",
  RELEASE6: "unbound",
};

const environment = process.env;
const state = states[environment["reason"] ?? ""];
if (state === undefined) process.exit(0);
const device = environment["interface"] ?? "";
const bound = state !== "unbound";

function prefixes(): readonly string[] {
  const found: string[] = [];
  for (let number = 1; bound; number += 1) {
    const key = `new_dhcp6_ia_pd1_prefix${number}`;
    const prefix = environment[key];
    if (prefix === undefined) break;
    const part = (name: string) => environment[`${key}_${name}`] ?? "";
    found.push(`${prefix}/${part("length")},${part("pltime")},${part("vltime")}`);
  }
  return found;
}

const option = bound ? (environment["new_dhcp6_map"] ?? "") : "";
const passthru =
  option === ""
    ? ""
    : Buffer.from([OPTION >> 8, OPTION & 255, 0, option.length / 2]).toString("hex") + option;

const ubus = await UbusClient.connect();
try {
  await ubus.call("network.interface", "notify_proto", {
    interface: LINK,
    action: 0,
    ifname: device,
    "link-up": bound,
    ip6addr: [],
    ip6prefix: [...prefixes()],
    data: { passthru },
  });
} finally {
  ubus.close();
}

const hooks = spawnSync(
  "sh",
  ["-c", 'for hook in /etc/odhcp6c.user.d/*; do [ ! -f "$hook" ] || . "$hook"; done', "dhcpv6.script"].concat(
    device,
    state,
  ),
  {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      PATH: environment["PATH"],
      INTERFACE: LINK,
      PREFIXES: prefixes().join(" "),
      ...(option === "" ? {} : { [`OPTION_${OPTION}`]: option.toLowerCase() }),
    },
  },
);
process.exitCode = hooks.status ?? 1;
