import { describe, expect, test } from "vitest";
import {
  decodeConfig,
  decodePorts,
  decodeRequest,
  decodeReservedPorts,
} from "../../../src/provision/request.ts";
import { refusal } from "../../support/refusal.ts";

describe("each option has its range", () => {
  test.each([
    ["ip4prefixlen", 0, 32],
    ["ip6prefixlen", 0, 128],
    ["ealen", 0, 48],
    ["psidlen", 0, 16],
    ["psid", 0, 65_535],
    ["offset", 0, 15],
    ["mtu", 1280, 65_535],
    ["ttl", 1, 255],
  ])("%s: %i to %i", (name, low, high) => {
    const said = (value: unknown) => refusal(() => decodeConfig(JSON.stringify({ [name]: value })));
    const wrong = `${name}: expected a whole number from ${low} to ${high}`;
    for (const value of [low, high, `${low}`, `${high}`]) {
      expect(said(value)).toBe("accepted");
      expect(decodeConfig(JSON.stringify({ [name]: value }))).toEqual({ [name]: Number(value) });
    }
    for (const value of [
      low - 1,
      high + 1,
      `${high + 1}`,
      "",
      " 1",
      "0x1",
      "12345678901",
      true,
      {},
      low + 0.5,
    ]) {
      expect(said(value)).toBe(wrong);
    }
  });

  test.each(["maptype", "type", "rule", "ipaddr", "ip6prefix", "peeraddr", "reserved_ports", "dont_snat_to"])(
    "%s: text of any kind, up to 4,096 characters",
    (name) => {
      const said = (value: unknown) => refusal(() => decodeConfig(JSON.stringify({ [name]: value })));
      expect(said("")).toBe("accepted");
      expect(said("a\nb".padEnd(4096, "x"))).toBe("accepted");
      expect(said("x".repeat(4097))).toBe(`${name}: expected text of at most 4,096 characters`);
      expect(said(`${"x".repeat(4096)}\n`)).toBe(`${name}: expected text of at most 4,096 characters`);
      expect(said(7)).toBe(`${name}: expected text of at most 4,096 characters`);
    },
  );

  test.each([
    [
      "zone",
      "the name of a firewall zone",
      ["wan", "a_b-9", "x".repeat(32)],
      ["", "x".repeat(33), "a b", "a\nb"],
    ],
    [
      "encaplimit",
      "`ignore` or 0 to 255",
      ["ignore", ...Array.from({ length: 256 }, (_, i) => String(i))],
      ["none", "256", "260", "300", "999", "1234", "00", "07", "010", "-1", "xignore", "ignorex", "1x", ""],
    ],
    [
      "nat",
      "auto, module or nftables",
      ["auto", "module", "nftables"],
      ["nft", "xauto", "autox", "xnftables"],
    ],
    [
      "rules",
      "the absolute path of a file, in printable ASCII",
      ["/a", "/etc/mapmin/my rules~.json", "/".padEnd(1024, "x")],
      ["", "/", "rules.json", "/\n", "/a\u001b", "/a\u0000", "/\u202e", "/\u00e9", "/".padEnd(1025, "x"), 7],
    ],
    [
      "ip6ifaceid",
      "an interface identifier, such as ::1",
      ["::1", "::ffff:ffff:ffff:ffff", "0:0:0:0:1::", "::192.0.2.1"],
      ["", "::", "1::", "0:0:0:1::", "eui64", "random", "1", 1, "::1/64", "\u001b"],
    ],
    ["tunlink", "the name of one interface", ["wan6", "a.b"], ["", "../x", 7, "a b"]],
  ])("%s: %s", (name, what, right, wrong) => {
    const said = (value: unknown) => refusal(() => decodeConfig(JSON.stringify({ [name]: value })));
    for (const value of right) expect(said(value)).toBe("accepted");
    for (const value of wrong) expect(said(value)).toBe(`${name}: expected ${what}`);
  });

  test.each(["legacymap", "allow_private", "snat_fix"])("%s: yes or no", (name) => {
    const read = (value: unknown) => decodeConfig(JSON.stringify({ [name]: value }));
    for (const value of ["1", 1, true, "true", "yes", "on"]) expect(read(value)).toEqual({ [name]: true });
    for (const value of ["0", 0, false, "false", "no", "off"]) expect(read(value)).toEqual({ [name]: false });
    for (const value of ["", "2", null, "toString"]) {
      expect(refusal(() => read(value))).toBe(`${name}: expected 0 or 1`);
    }
  });

  test("other keys, and options that are not set, are left out", () => {
    expect(decodeConfig('{"proto":"map","constructor":1,"mtu":1400}')).toEqual({ mtu: 1400 });
    expect(Object.keys(decodeConfig("{}"))).toEqual([]);
  });

  test.each(["", "{", "[]", "7", "null", '"x"'])("%s is not a configuration", (json) => {
    expect(refusal(() => decodeConfig(json))).toMatch(/^configuration: ./);
  });
  test("what is not JSON is called that", () => {
    expect(refusal(() => decodeConfig("{"))).toBe("configuration: is not JSON");
  });
});

describe("ports and ranges", () => {
  test.each([
    ["", []],
    [" , ", []],
    ["80", [80]],
    ["443 80,80", [80, 443]],
    ["443,, \t80", [80, 443]],
    ["1 65535", [1, 65_535]],
    ["5003-5005 100", [100, 5003, 5004, 5005]],
    ["9-9", [9]],
  ])("'%s'", (list, ports) => {
    expect(decodePorts(list)).toEqual(ports);
  });

  test.each(["0", "65536", "5-4", "0-3", "1-65536", "x", "1-", "-1", "123456", "1-2-3", "x80", "80x"])(
    "%s",
    (word) => {
      expect(refusal(() => decodePorts(`80 ${word}`))).toBe(
        `reserved_ports: "${word}" is not a port or a range of ports from 1 to 65535`,
      );
    },
  );

  test("a wrong word is quoted up to 60 characters", () => {
    expect(refusal(() => decodePorts("x".repeat(100), "forward"))).toBe(
      `forward: "${"x".repeat(60)}" is not a port or a range of ports from 1 to 65535`,
    );
  });

  test("by either name, in ascending order", () => {
    expect(decodeReservedPorts({ reserved_ports: "700 80", dont_snat_to: "9 80" })).toEqual([9, 80, 700]);
    expect(decodeReservedPorts({})).toEqual([]);
    expect(refusal(() => decodeReservedPorts({ reserved_ports: "x" }))).toMatch(/^reserved_ports: /);
    expect(refusal(() => decodeReservedPorts({ dont_snat_to: "x" }))).toMatch(/^dont_snat_to: /);
  });
});

test.each([
  [[], 'protocol: expected "map", found ""'],
  [["dslite"], 'protocol: expected "map", found "dslite"'],
  [["map"], 'action: expected setup, teardown, renew, found ""'],
  [["map", "dump"], 'action: expected setup, teardown, renew, found "dump"'],
  [["map", "renew", "wan", "{}"], "accepted"],
  [["map", "setup", "wan"], "configuration: is not JSON"],
])("netifd's words %j: %s", (argv, message) => {
  expect(refusal(() => decodeRequest(argv))).toBe(message);
});

test.each([[["map", "setup"]], [["map", "setup", "a b", "{}"]]])("%j: the name of the interface", (argv) => {
  expect(refusal(() => decodeRequest(argv))).toMatch(/^interface: /);
});
