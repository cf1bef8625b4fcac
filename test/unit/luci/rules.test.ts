/** The form accepts of each option exactly what the handler accepts. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  parseIpv4,
  parseIpv4Prefix,
  parseIpv6,
  parseIpv6List,
  parseIpv6Prefix,
} from "../../../src/ip/text.ts";
import { decodeForwards } from "../../../src/provision/forward.ts";
import { decodeConfig, decodePorts, flagWords } from "../../../src/provision/request.ts";
import { parseDmr } from "../../../src/provision/rule-text.ts";
import { load } from "../../luci/load.ts";

const rules = load<{
  check(option: string, value: unknown): true | string;
  together(options: Record<string, string>): Record<string, string> | undefined;
  isYes(value: unknown): boolean;
  source(options: Record<string, string>): string;
}>("mapmin.rules");

function holds(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

const decoded = (option: string) => (text: string) => decodeConfig(JSON.stringify({ [option]: text }));

/** By option: how the handler reads it. */
const handler: Record<string, (text: string) => unknown> = {
  ...Object.fromEntries(
    ["tunlink", "zone", "rules", "rule", "ip6ifaceid", "encaplimit"].map((option) => [
      option,
      decoded(option),
    ]),
  ),
  ...Object.fromEntries(
    ["ip4prefixlen", "ip6prefixlen", "ealen", "psidlen", "psid", "offset", "upnp_ports", "mtu", "ttl"].map(
      (option) => [option, decoded(option)],
    ),
  ),
  forward: (text) => {
    const whole = { offset: 0, psidLength: 0, psid: 0 };
    for (const { text: said } of decodeForwards([text], whole, []).remarks) throw new Error(said);
  },
  reserved_ports: (text) => decodePorts(text),
  dont_snat_to: (text) => decodePorts(text),
  ipaddr: (text) => (text.includes("/") ? parseIpv4Prefix(text) : parseIpv4(text)),
  ip6prefix: (text) => (text.includes("/") ? parseIpv6Prefix(text) : parseIpv6(text)),
  peeraddr: (text) => (text.includes("/") ? parseDmr(text, "peeraddr") : parseIpv6List(text, "peeraddr")),
};

const SAMPLES = [
  ..."0 1 15 16 17 32 33 48 49 64 128 129 255 256 1279 1280 65535 65536 -1 1.5 0x10 07 1e3".split(" "),
  ..."wan6 wan_map wan.1 -a .a a-b ä wan;reboot ignore".split(" "),
  ...[
    "a b",
    " ",
    "80 443",
    "80,443",
    "5000-5003",
    "5003-5000",
    "0-5",
    "1-2-3",
    "80 x",
    "80-",
    "-80",
    "  80  ",
  ],
  ...[
    "/etc/mapmin/rules.json",
    "rules.json",
    "/",
    "/a b",
    "/ä",
    `/${"a".repeat(1023)}`,
    `/${"a".repeat(1024)}`,
  ],
  ...["192.0.2.0", "192.0.2.256", "192.0.2", "192.0.02.1", "192.0.2.0/24"],
  ...[
    "2001:db8::",
    "2001:db8::/40",
    "2001:db8::/64",
    "2001:db8::/129",
    "2001:db8::/x",
    "2001:db8",
    "::",
    "::1",
    ":::",
  ],
  ...[
    "::a:1",
    "::1:0:0:0:0",
    "0:0:0:0:1:0:0:0",
    "2001:db8::1",
    "fe80::1%eth0",
    "::ffff:192.0.2.1",
    "::192.0.2.01",
  ],
  ...["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "[::1]", "::1 ", "1::2::3"],
  ...["tcp 4928 192.168.1.10:80", "udp 5056-5059 192.168.1.20", "tcpudp 9024 192.168.1.30:3074"],
  ...[
    "  tcp   1  10.0.0.1 ",
    "icmp 1 10.0.0.1",
    "tcp 0 10.0.0.1",
    "tcp 5-4 10.0.0.1",
    "tcp 1 10.0.0.256",
    "tcp 1",
  ],
  ...[
    "tcp 1-9 10.0.0.1:65530",
    "tcp 1-6 10.0.0.1:65530",
    "tcp 1 10.0.0.1:0",
    "tcp 1 10.0.0.1:70000",
    "TCP 1 10.0.0.1",
  ],
  ...[
    "tcp 1 127.0.0.1",
    "tcp 1 0.1.2.3",
    "tcp 1 169.254.1.1",
    "tcp 1 224.0.0.1",
    "tcp 1 239.9.9.9",
    "tcp 1 255.255.255.255",
  ],
  ...[
    "tcp 1 240.0.0.1",
    "tcp 1 223.255.255.1",
    "tcp 1 100.64.0.1",
    "tcp 1-2-3 10.0.0.1",
    "tcp 1 10.0.0.1:1-2",
  ],
  "x".repeat(4096),
  "x".repeat(4097),
];

describe.each(Object.entries(handler))("%s", (option, read) => {
  test.each(SAMPLES.map((text) => [text.length > 40 ? `${text.length} characters` : text, text]))(
    "%s",
    (_title, text) => {
      const answer = rules.check(option, text);
      expect(answer === true || /^Expecting /.test(answer)).toBe(true);
      expect(answer === true).toBe(holds(() => read(text)));
    },
  );

  test("an empty value is an option that is not set", () => {
    expect(rules.check(option, "")).toBe(true);
    expect(rules.check(option, null)).toBe(true);
  });
});

test("interface identifiers and addresses, at random", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV6(), fc.ipV4(), fc.stringMatching(/^[0-9a-f:./]{1,20}$/)), (text) => {
      for (const option of ["ip6ifaceid", "ip6prefix", "peeraddr", "ipaddr"])
        expect([option, rules.check(option, text) === true]).toEqual([
          option,
          holds(() => handler[option]?.(text)),
        ]);
    }),
    { numRuns: 500 },
  );
});

test("yes and no, as the handler takes them", () => {
  for (const [word, yes] of Object.entries(flagWords)) expect([word, rules.isYes(word)]).toEqual([word, yes]);
  expect(rules.isYes(undefined)).toBe(false);
});

describe("options that go together", () => {
  const none = {
    maptype: "",
    peeraddr: "",
    ip6prefix: "",
    ip6prefixlen: "",
    psidlen: "",
    psid: "",
    offset: "",
  };
  test.each([
    [{}, undefined],
    [{ maptype: "map-t", peeraddr: "2001:db8:ffff::/64" }, undefined],
    [{ maptype: "map-t", peeraddr: "2001:db8:ffff::1" }, "peeraddr"],
    [{ maptype: "map-e", peeraddr: "2001:db8:ffff::/64" }, "peeraddr"],
    [{ peeraddr: "2001:db8:ffff::1" }, undefined],
    [{ ip6prefix: "2001:db8::" }, "ip6prefixlen"],
    [{ ip6prefix: "2001:db8::/40" }, undefined],
    [{ ip6prefix: "2001:db8::", ip6prefixlen: "40" }, undefined],
    [{ psid: "3" }, "psidlen"],
    [{ psid: "4", psidlen: "2" }, "psid"],
    [{ psid: "3", psidlen: "2" }, undefined],
    [{ psidlen: "12", offset: "6" }, "offset"],
    [{ psidlen: "10", offset: "6" }, undefined],
  ])("%j", (options, where) => {
    expect(Object.keys(rules.together({ ...none, ...options }) ?? {})).toEqual(
      where === undefined ? [] : [where],
    );
  });
});

test("where a rule comes from", () => {
  expect(rules.source({})).toBe("dhcpv6");
  expect(rules.source({ tunlink: "wan6", nat: "auto", offset: "4" })).toBe("dhcpv6");
  expect(rules.source({ peeraddr: "::1" })).toBe("typed");
  expect(rules.source({ rule: "x" })).toBe("text");
  expect(rules.source({ rules: "/x", ipaddr: "y" })).toBe("table");
});
