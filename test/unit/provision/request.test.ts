import { describe, expect, test } from "vitest";
import { decodeConfig, decodePorts, decodeRequest } from "../../../src/provision/request.ts";
import { InputError } from "../../../src/wire/errors.ts";

describe("decodeConfig", () => {
  test("what a real netifd hands over, with a key twice", () => {
    const json =
      '{"proto":"map","maptype":"map-e","tunlink":"wan6","ip6prefix":"2001:db8::","ip6prefixlen":40,"ipaddr":"192.0.2.0","ip4prefixlen":24,"ealen":16,"psidlen":8,"offset":6,"peeraddr":"2001:db8:ffff::1","mtu":1460,"mtu":1460}';
    expect(decodeConfig(json)).toEqual({
      maptype: "map-e",
      tunlink: "wan6",
      ip6prefix: "2001:db8::",
      ip6prefixlen: 40,
      ipaddr: "192.0.2.0",
      ip4prefixlen: 24,
      ealen: 16,
      psidlen: 8,
      offset: 6,
      peeraddr: "2001:db8:ffff::1",
      mtu: 1460,
    });
  });

  test("lines of a list, of which there are 256 at most; one line need not be in a list", () => {
    const lines = (count: number) => Array.from({ length: count }, (_, i) => `tcp ${i + 1} 10.0.0.1`);
    expect(decodeConfig('{"forward":"tcp 80 10.0.0.1"}')).toEqual({ forward: ["tcp 80 10.0.0.1"] });
    for (const count of [0, 1, 2, 256]) {
      expect(decodeConfig(JSON.stringify({ forward: lines(count) }))).toEqual({ forward: lines(count) });
    }
    expect(() => decodeConfig(JSON.stringify({ forward: lines(257) }))).toThrow(
      new InputError("forward", "expected a list of at most 256 lines, each of text"),
    );
  });

  test("numbers and flags as text, as add_dynamic passes them", () => {
    expect(decodeConfig('{"ealen":"16","legacymap":"1","_prefsig":"x"}')).toEqual({
      ealen: 16,
      legacymap: true,
    });
  });

  test.each([
    ["", "configuration"],
    ["[]", "configuration"],
    ['{"ealen":49}', "ealen"],
    ['{"ealen":1.5}', "ealen"],
    ['{"ealen":"1e1"}', "ealen"],
    ['{"offset":16}', "offset"],
    ['{"psidlen":17}', "psidlen"],
    ['{"psid":-1}', "psid"],
    ['{"mtu":1279}', "mtu"],
    ['{"mtu":65536}', "mtu"],
    ['{"ttl":0}', "ttl"],
    ['{"zone":"wan; reboot"}', "zone"],
    ['{"tunlink":"../x"}', "tunlink"],
    ['{"encaplimit":"none"}', "encaplimit"],
    ['{"legacymap":"perhaps"}', "legacymap"],
    ['{"legacymap":"constructor"}', "legacymap"],
    ['{"ealen":true}', "ealen: expected a whole number from 0 to 48"],
    ['{"ealen":null}', "ealen"],
    ['{"rule":7}', "rule"],
    ['{"forward":7}', "forward: expected a list of at most 256 lines, each of text"],
    ['{"forward":["tcp 1 10.0.0.1",7]}', "forward: expected a list of at most 256 lines, each of text"],
    ['{"ip6ifaceid":7}', "ip6ifaceid: expected an interface identifier, such as ::1"],
    ['{"ip6ifaceid":"::1:"}', "ip6ifaceid: expected an interface identifier, such as ::1"],
  ])("%s is rejected naming %s", (json, field) => {
    expect(() => decodeConfig(json)).toThrow(field);
  });

  test.each([
    ['{"tunlink":["wan6","wan"]}', "expected the name of one interface", "tunlink"],
    ['{"tunlink":[]}', "expected the name of one interface", "tunlink"],
    ['{"ealen":[16]}', "expected a whole number from 0 to 48", "ealen"],
    ['{"legacymap":["1"]}', "expected 0 or 1", "legacymap"],
    ['{"ip6ifaceid":["::1"]}', "expected an interface identifier, such as ::1", "ip6ifaceid"],
  ])("%s: a list where one value is expected, and what to write instead", (json, expected, name) => {
    const message = `${name}: ${expected}, not a list: write \`option ${name}\`, not \`list ${name}\``;
    expect(() => decodeConfig(json)).toThrow(new InputError(name, message.slice(name.length + 2)));
  });
});

describe("decodeRequest", () => {
  test("setup with and without a device", () => {
    expect(decodeRequest(["map", "setup", "wan_map", "{}"])).toEqual({
      action: "setup",
      iface: "wan_map",
      config: {},
    });
    expect(decodeRequest(["map", "setup", "wan_map", "{}", "eth0"]).iface).toBe("wan_map");
  });

  test("teardown does not depend on the options being right", () => {
    expect(decodeRequest(["map", "teardown", "wan_map", '{"ealen":99}']).action).toBe("teardown");
  });

  test.each([
    [["464xlat", "setup", "wan", "{}"], "protocol"],
    [["map", "start", "wan", "{}"], "action"],
    [["map", "setup", "a/b", "{}"], "interface"],
    [["map", "setup", "", "{}"], "interface"],
    [["map", "setup", "wan"], "configuration"],
  ])("%j is refused naming %s", (argv, field) => {
    expect(() => decodeRequest(argv)).toThrow(field);
  });
});

describe("decodePorts", () => {
  test("ports and ranges, sorted, each once", () => {
    expect(decodePorts("5002 80,5000-5002")).toEqual([80, 5000, 5001, 5002]);
    expect(decodePorts(" ")).toEqual([]);
  });

  test.each(["0", "65536", "20-10", "a", "1-", "-1", "1-2-3", "80;81"])("%s is refused", (list) => {
    expect(() => decodePorts(list)).toThrow("reserved_ports");
  });
});
