import { describe, expect, test } from "vitest";
import { decodeConfig, decodeReservedPorts } from "../../../src/provision/request.ts";
import { lastPorts, remarkReservedPorts } from "../../../src/provision/reserved-ports.ts";

describe("reserved ports outside the set are remarked with the nearest of the set", () => {
  // a = 4, k = 8, PSID 100: 15 ranges of 16 ports, 5696-5711, 9792-9807 ... 63040-63055.
  const set = { offset: 4, psidLength: 8, psid: 100 };
  const text = (ports: readonly number[]) =>
    remarkReservedPorts(ports, set, "reserved_ports").map((remark) => remark.text);

  test.each([
    ["inside", [5696, 9800, 63_055], undefined],
    ["none", [], undefined],
    ["below the set", [80], "80 (nearest of the set: 5696)"],
    ["between ranges", [5712], "5712 (nearest of the set: 5711 and 9792)"],
    ["above the set", [64_000], "64000 (nearest of the set: 63055)"],
    ["a range across the edge", [5710, 5711, 5712, 5713], ": 5712-5713 (nearest of the set: 5711 and 9792)"],
    [
      "many",
      [1, 3, 5, 7, 9, 11],
      "1 (nearest of the set: 5696), 3 (nearest of the set: 5696), 5 (nearest of the set: 5696), 7 (nearest of the set: 5696) and 2 more",
    ],
  ] as const)("%s", (_title, ports, expected) => {
    expect(text(ports)).toEqual(
      expected === undefined ? [] : [expect.stringMatching(`${literally(expected)}$`)],
    );
  });

  test("with a whole address every port is the CE's", () => {
    expect(remarkReservedPorts([1, 80, 65_535], { offset: 6, psidLength: 0, psid: 0 }, "")).toEqual([]);
  });

  test("a set of no port has none near", () => {
    const empty = { offset: 0, psidLength: 16, psid: 0 };
    expect(remarkReservedPorts([80], empty, "x")[0]?.text).toContain("80 (nearest of the set: none)");
  });

  function literally(literal: string): string {
    return literal.replace(/[()]/g, "\\$&");
  }
});

describe("options", () => {
  test("dont_snat_to is reserved_ports by LuCI's name; both count", () => {
    expect(decodeReservedPorts({ dont_snat_to: "8080 22" })).toEqual([22, 8080]);
    expect(decodeReservedPorts({ reserved_ports: "22,80-82", dont_snat_to: "80 443" })).toEqual([
      22, 80, 81, 82, 443,
    ]);
    expect(decodeReservedPorts({})).toEqual([]);
  });

  test.each(["dont_snat_to", "reserved_ports"] as const)("%s names itself in errors", (name) => {
    for (const bad of ["0", "65536", "9-8", "x", "1-", "-1"]) {
      expect(() => decodeReservedPorts({ [name]: bad })).toThrow(`${name}: "${bad}" is not`);
    }
    expect(() => decodeReservedPorts({ [name]: "x".repeat(4000) })).toThrow(/^.{1,150}$/);
  });

  test("snat_fix and allow_private are accepted as UCI writes flags", () => {
    for (const [word, value] of [
      ["1", true],
      ["on", true],
      [true, true],
      ["0", false],
      [false, false],
    ] as const) {
      expect(decodeConfig(JSON.stringify({ snat_fix: word, allow_private: word, legacymap: word }))).toEqual({
        snat_fix: value,
        allow_private: value,
        legacymap: value,
      });
    }
    expect(() => decodeConfig('{"allow_private":"maybe"}')).toThrow("allow_private: expected 0 or 1");
  });
});

describe("ports for miniupnpd", () => {
  // a = 4, k = 8, PSID 100: 15 ranges of 16 ports, 5696-5711 ... 58944-58959, 63040-63055.
  const set = { offset: 4, psidLength: 8, psid: 100 };

  test("are the last ones that are free, without system ports", () => {
    expect(lastPorts(set, 3, [])).toEqual([63_053, 63_054, 63_055]);
    expect(lastPorts(set, 3, [63_055, 63_053])).toEqual([63_051, 63_052, 63_054]);
    expect(lastPorts(set, 17, [])[0]).toBe(58_959);
    expect(lastPorts(set, 0, [])).toEqual([]);
    expect(lastPorts({ offset: 0, psidLength: 6, psid: 0 }, 1024, [])).toEqual([]);
    expect(lastPorts({ offset: 6, psidLength: 0, psid: 0 }, 2, [])).toEqual([65_534, 65_535]);
  });

  test("are half of what is free at most", () => {
    expect(lastPorts(set, 1_024, [])).toHaveLength(120);
    expect(lastPorts(set, 120, [63_055])).toHaveLength(119);
    // Port 1024 is the first that is no system port.
    expect(lastPorts({ offset: 0, psidLength: 6, psid: 1 }, 1_024, [])).toHaveLength(512);
  });
});
