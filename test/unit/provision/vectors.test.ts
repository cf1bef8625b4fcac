import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { calculate } from "../../../src/cli/calc.ts";
import { explain } from "../../../src/cli/explain.ts";
import { decodeChain, type Findings } from "../../../src/dhcpv6/decode.ts";
import { encodeChain } from "../../../src/dhcpv6/encode.ts";
import { formatIpv6Prefix, parseIpv6Prefix } from "../../../src/ip/text.ts";
import { findCustomerEdge } from "../../../src/map/ce.ts";
import { fromOption48879, fromPassthru } from "../../../src/provision/option.ts";
import { formatHex, parseHex, Reader } from "../../../src/wire/reader.ts";

interface Vector {
  readonly title: string;
  readonly hex: string;
  readonly prefixes: string;
  readonly why: string;
  readonly expect: Readonly<Record<string, unknown>>;
}

const load = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), "utf8"));
const edges = load("ce.json");
const options = load("options.json");

/** 48879 as code, length, value. */
const wrap = (hex: string) => `beef${(hex.length / 2).toString(16).padStart(4, "0")}${hex}`;

function roundTrip(hex: string): string {
  const findings: Findings = { errors: [], remarks: [] };
  const { options: decoded, unknown } = decodeChain(new Reader(parseHex(hex), ""), "dhcpv6", findings);
  expect(findings.errors).toEqual([]);
  return formatHex(encodeChain(decoded, unknown));
}

describe("customer edges", () => {
  test.each(edges as Vector[])("$title", (vector) => {
    const { expect: expected, title: _, ...fields } = vector;
    const answer = calculate(fields);
    const { ipv4, psid, psidLength, mapIpv6Address, rangeCount, firstRanges, lastRange, portCount } =
      expected;
    expect(answer).toMatchObject({ ipv4, psid, psidLength, mapIpv6Address });
    expect(answer.ranges).toHaveLength(rangeCount as number);
    expect(answer.ranges.slice(0, 2)).toEqual(firstRanges);
    expect(answer.ranges.at(-1) ?? null).toEqual(lastRange);
    expect(answer.ranges.reduce((sum, [low, high]) => sum + high - low + 1, 0)).toBe(portCount);
  });
});

describe("option 48879", () => {
  test.each(options.option48879 as Vector[])("$title", (vector) => {
    const { hex, prefixes, expect: expected } = vector;
    const { domain } = fromOption48879(hex);
    expect(domain.transport).toBe(expected["transport"]);
    if (domain.dmr !== undefined) expect(formatIpv6Prefix(domain.dmr)).toBe(expected["dmr"]);
    const { ce } = findCustomerEdge(domain, [parseIpv6Prefix(prefixes.split(",")[0] ?? "")]);
    expect(ce.portSet).toEqual({
      offset: expected["psidOffset"],
      psid: expected["psid"],
      psidLength: expected["psidLength"],
    });
    expect(roundTrip(wrap(hex))).toBe(wrap(hex));
  });

  test.each(options.rejects as Vector[])("rejects: $title", (vector) => {
    const { hex, why } = vector;
    expect(() => fromOption48879(hex)).toThrow(why);
  });
});

describe("RFC 7598", () => {
  const pd = [parseIpv6Prefix("2001:db8:12:3400::/56")];

  test.each(options.rfc7598.slice(0, 3) as Vector[])("$title, both ways", (vector) => {
    const { hex } = vector;
    expect(roundTrip(hex)).toBe(hex);
    const { domain } = fromPassthru(hex)[0] ?? expect.fail("no domain");
    const { ce } = findCustomerEdge(domain, pd);
    // Examples 1 and 5 of RFC 7597 and the MAP-T form of the first are one CE.
    expect(ce.portSet).toEqual({ offset: 6, psid: 0x34, psidLength: 8 });
  });

  test("a padded prefix is read, reported, and written as it should have been", () => {
    const { hex } = options.rfc7598[3];
    const explanation = explain(hex, [parseIpv6Prefix("2001:db8:0:20::/60")]);
    expect(explanation.errors).toEqual([]);
    expect(explanation.remarks).toEqual([
      expect.objectContaining({
        code: "padded-prefix",
        path: "S46_CONT_MAPT[0]/S46_RULE[0]/ipv6-prefix",
        offset: 22,
      }),
    ]);
    expect(explanation.edges).toEqual([
      expect.objectContaining({ psidLength: 3, psid: 2, psidOffset: 0, ranges: [[16384, 24575]] }),
    ]);
    expect(roundTrip(hex)).toHaveLength(hex.length - 4);
  });
});
