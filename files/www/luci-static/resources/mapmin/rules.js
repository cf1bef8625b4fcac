"use strict";
"require baseclass";

/** What each option of a MAP interface accepts: the rules by which the handler reads them. Nothing here knows the page. */

const SHORTEST_MTU = 1280;
/** Lengths that the prefix of a border relay can have (RFC 6052). */
const DMR_LENGTHS = [32, 40, 48, 56, 64, 96];

/** An octet of a dotted address; a leading zero would make it octal elsewhere. */
const OCTET = "(?:0|[1-9]\\d?|1\\d\\d|2[0-4]\\d|25[0-5])";
const IPV4 = new RegExp(`^(?:${OCTET}\\.){3}${OCTET}$`);
const IPV6_CHARACTERS = /^[0-9A-Fa-f:]{2,39}(?:(?:\d{1,3}\.){3}\d{1,3})?$/;

const isWhole = (text, low, high) => /^\d{1,10}$/.test(text) && Number(text) >= low && Number(text) <= high;
const isIpv4 = (text) => IPV4.test(text);

/** The eight groups of an IPv6 address; undefined for what is none. */
function ipv6Groups(text) {
  const [, dotted] = /:([\d.]+\.[\d.]+)$/.exec(text) ?? [];
  if (!IPV6_CHARACTERS.test(text) || (dotted !== undefined && !isIpv4(dotted))) return undefined;
  let host;
  try {
    host = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  } catch {
    return undefined;
  }
  const [head, tail] = host.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const groups = [...head, ...Array(8 - head.length - (tail?.length ?? 0)).fill("0"), ...(tail ?? [])];
  return groups.map((group) => Number.parseInt(group, 16));
}

/** `address` or `address/length`. */
function isPrefix(text, isAddress, longest) {
  const [address, length, more] = text.split("/");
  return isAddress(address) && more === undefined && (length === undefined || isWhole(length, 0, longest));
}

const isIpv6 = (text) => ipv6Groups(text) !== undefined;

function isInterfaceId(text) {
  const groups = ipv6Groups(text);
  if (groups === undefined) return false;
  return groups.slice(0, 4).every((group) => group === 0) && groups.slice(4).some((group) => group !== 0);
}

function isDmr(text) {
  const [address, length, more] = text.split("/");
  return isIpv6(address) && more === undefined && DMR_LENGTHS.map(String).includes(length);
}

function isPort(text) {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535;
}

/** A port, or two with a dash between them. */
function isPortRange(word) {
  const [low, high, more] = word.split("-");
  return isPort(low) && more === undefined && (high === undefined || (isPort(high) && Number(low) <= Number(high)));
}

const FORWARD = /^(?:tcp|udp|tcpudp) (\d{1,5})(?:-(\d{1,5}))? ([\d.]+)(?::(\d{1,5}))?$/;
/** No host of a network has an address that begins so. */
const NO_HOST = /^(?:0|127|169\.254|22[4-9]|2[34]\d|25[0-5])\./;

/** `tcp 4928 192.168.1.10:80`, or a range of ports: the ports of the host follow from its first. */
function isForward(line) {
  const [, first, last = first, host, hostFirst = first] = FORWARD.exec(line.trim().replace(/\s+/g, " ")) ?? [];
  if (host === undefined || !isIpv4(host) || NO_HOST.test(host)) return false;
  const hostLast = String(Number(hostFirst) + Number(last) - Number(first));
  return [first, last, hostFirst, hostLast].every(isPort) && Number(first) <= Number(last);
}

const words = (text) => text.split(/[\s,]/).filter((word) => word !== "");

const whole = (low, high) => ({
  holds: (text) => isWhole(text, low, high),
  message: () => _("Expecting a whole number from %d to %d.").format(low, high),
});
const says = (holds, message) => ({ holds, message: () => message });

const PORTS = says(
  (text) => words(text).every(isPortRange),
  _("Expecting ports and ranges of ports, such as: 80 5000-5003"),
);

const rules = {
  tunlink: says(
    (text) => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/.test(text),
    _("Expecting the name of one interface."),
  ),
  zone: says((text) => /^[A-Za-z0-9_-]{1,32}$/.test(text), _("Expecting the name of a firewall zone.")),
  rules: says(
    (text) => /^\/[ -~]{1,1023}$/.test(text),
    _("Expecting the whole path of a file, such as: /etc/mapmin/rules.json"),
  ),
  rule: says((text) => text.length <= 4096, _("Expecting at most 4,096 characters.")),
  ipaddr: says((text) => isPrefix(text, isIpv4, 32), _("Expecting an IPv4 address.")),
  ip6prefix: says((text) => isPrefix(text, isIpv6, 128), _("Expecting an IPv6 prefix.")),
  peeraddr: says((text) => text.trim().split(/\s+/).every(isIpv6) || isDmr(text), _("Expecting an IPv6 address; for MAP-T a prefix, such as: 2001:db8:ffff::/64")),
  ip6ifaceid: says(isInterfaceId, _("Expecting an interface identifier, such as: ::1")),
  encaplimit: says((text) => text === "ignore" || (isWhole(text, 0, 255) && !/^0./.test(text)), _("Expecting ignore, or a whole number from 0 to 255.")),
  forward: says(isForward, _("Expecting protocol, ports and host, such as: tcp 4928 192.168.1.10:80")),
  reserved_ports: PORTS,
  dont_snat_to: PORTS,
  ip4prefixlen: whole(0, 32),
  ip6prefixlen: whole(0, 128),
  ealen: whole(0, 48),
  psidlen: whole(0, 16),
  psid: whole(0, 65535),
  offset: whole(0, 15),
  upnp_ports: whole(0, 1024),
  mtu: whole(SHORTEST_MTU, 65535),
  ttl: whole(1, 255),
};

/** Options that are yes or no, as they may be written. */
const YES = ["1", "true", "yes", "on"];

/**
 * What is wrong with options that go together, by the name of the option where it is to be said; undefined where nothing
 * is. The values are text, empty where they are not set.
 */
function together({ maptype, peeraddr, ip6prefix, ip6prefixlen, psidlen, psid, offset }) {
  if (peeraddr !== "" && (maptype === "map-t") !== peeraddr.includes("/"))
    return maptype === "map-t"
      ? { peeraddr: _("For MAP-T, this is a prefix with its length, such as: 2001:db8:ffff::/64") }
      : { peeraddr: _("For MAP-E and lw4o6, this is an address without a length.") };
  if (ip6prefix !== "" && !ip6prefix.includes("/") && ip6prefixlen === "")
    return { ip6prefixlen: _("The length of the prefix is needed.") };
  if (psid !== "" && psidlen === "") return { psidlen: _("The length of the PSID is needed, too.") };
  if (psid !== "" && Number(psid) >= 2 ** Number(psidlen))
    return { psid: _("The PSID has more bits than its length says.") };
  if (Number(offset === "" ? 0 : offset) + Number(psidlen) > 16)
    return { offset: _("PSID offset and PSID length are more than 16 bits together.") };
  return undefined;
}

return baseclass.extend({
  /** True where a value is accepted, otherwise what is expected. An empty value is an option that is not set. */
  check(option, value) {
    const text = String(value ?? "");
    return text === "" || rules[option].holds(text) ? true : rules[option].message();
  },

  together,
  isIpv4,

  isYes: (value) => YES.includes(String(value)),

  /** Where the rule of an interface comes from. */
  source(options) {
    if (options.rules !== undefined) return "table";
    if (options.rule !== undefined) return "text";
    return ["ipaddr", "ip6prefix", "peeraddr"].some((name) => options[name] !== undefined) ? "typed" : "dhcpv6";
  },
});
