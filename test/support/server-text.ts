/** The octets of an option out of a server's configuration, as the server would read them. */

import type { ServerFormat } from "../../src/render/dhcp-server.ts";

/** Code, length and value, as hex. */
export function optionIn(format: ServerFormat, text: string): string {
  const option = (code: string, hex: string) => {
    const number = (value: number) => value.toString(16).padStart(4, "0");
    return number(Number(code)) + number(hex.length / 2) + hex;
  };
  const found = (pattern: RegExp) => {
    const [, code = "", value = ""] = pattern.exec(text) ?? [];
    return option(code, value.replaceAll(":", ""));
  };
  if (format === "hex") return text;
  if (format === "dnsmasq") return found(/^dhcp-option=option6:(\d+),([0-9a-f]{2}(?::[0-9a-f]{2})*)$/);
  if (format === "odhcpd") return /^option dhcpv6_raw '([0-9a-f]+)'$/.exec(text)?.[1] ?? "";
  if (format === "isc-dhcp") {
    return found(/^option dhcp6\.[a-z0-9-]+ code (\d+) = string;\noption dhcp6\.[a-z0-9-]+ ([0-9a-f:]+);$/);
  }
  const [data] = JSON.parse(text)["option-data"];
  return option(data.code, data.data);
}
