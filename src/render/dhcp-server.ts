/** The configuration by which a DHCPv6 server sends an option, in the words of each server. */

import { CODE_48879 } from "../dhcpv6/options.ts";

/** An option as a server sends it. */
export interface ServedOption {
  readonly code: number;
  readonly name: string;
  /** Without code and length. */
  readonly value: Uint8Array;
}

function hex(octets: Iterable<number>, between = ""): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, "0")).join(between);
}

/** Code and length before the value, as it stands in a message. */
function whole({ code, value }: ServedOption): string {
  return hex([code >> 8, code & 0xff, value.length >> 8, value.length & 0xff, ...value]);
}

/** A name that every server takes: lower case and dashes. */
function dashed(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}

/** Kea knows the containers of RFC 7598 itself, but takes them as octets too. */
function kea({ code, name, value }: ServedOption): string {
  const definition = { name: dashed(name), code, space: "dhcp6", type: "binary" };
  const data = { code, space: "dhcp6", "csv-format": false, data: hex(value) };
  const standard = code !== CODE_48879;
  return JSON.stringify(
    { ...(standard ? {} : { "option-def": [definition] }), "option-data": [data] },
    undefined,
    2,
  );
}

/** Each form, and who reads it. */
export const serverFormats = {
  hex: whole,
  kea,
  dnsmasq: ({ code, value }) => `dhcp-option=option6:${code},${hex(value, ":")}`,
  "isc-dhcp": ({ code, name, value }) =>
    [
      `option dhcp6.${dashed(name)} code ${code} = string;`,
      `option dhcp6.${dashed(name)} ${hex(value, ":")};`,
    ].join("\n"),
  // In the section `dhcp` of the interface, in /etc/config/dhcp.
  odhcpd: (option) => `option dhcpv6_raw '${whole(option)}'`,
} as const satisfies Readonly<Record<string, (option: ServedOption) => string>>;

export type ServerFormat = keyof typeof serverFormats;
