import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../../src/cli/arguments.ts";
import { calcLine, runCalc } from "../../../src/cli/calc.ts";
import { makeTerminal } from "./terminal.ts";

interface Vector {
  readonly title: string;
  readonly expect: {
    readonly ipv4?: string;
    readonly psid?: number;
    readonly psidLength?: number;
    readonly mapIpv6Address?: string;
    readonly rangeCount?: number;
    readonly firstRanges?: readonly (readonly number[])[];
  };
  readonly [field: string]: unknown;
}

const vectors: readonly Vector[] = JSON.parse(
  readFileSync(new URL("../../vectors/ce.json", import.meta.url), "utf8"),
);
const good = vectors.filter((vector) => vector.expect.ipv4 !== undefined);
const question = JSON.stringify(vectors[0]);

/** RFC 7597 example 1: 252 ports in 63 ranges. */
const kebab = ["--end-user-ipv6-prefix", "2001:db8:12:3400::/56", "--rule-ipv6-prefix", "2001:db8::/40"];
kebab.push("--rule-ipv4-prefix", "192.0.2.0/24", "--ea-length", "16");

async function run(argv: readonly string[], input = "") {
  const terminal = makeTerminal(input);
  const code = await runCalc(argv, terminal);
  return { code, out: terminal.out(), err: terminal.err() };
}

describe("calc", () => {
  test.each(good.map((vector) => [vector.title, vector] as const))("--ndjson: %s", async (_title, vector) => {
    const { out } = await run(["--ndjson"], `${JSON.stringify(vector)}\n`);
    const answer = JSON.parse(out);
    const { ipv4, psid, psidLength, mapIpv6Address, rangeCount, firstRanges } = vector.expect;
    expect(answer).toMatchObject({ ipv4, psid, psidLength, mapIpv6Address });
    if (psidLength !== 0) {
      expect(answer.ranges).toHaveLength(rangeCount ?? -1);
      expect(answer.ranges.slice(0, firstRanges?.length)).toEqual(firstRanges);
    }
  });

  test("a bad line costs its own answer only", async () => {
    const { code, out } = await run(
      ["--ndjson"],
      `${question}\nnonsense\n[]\n{"eaLength":99}\n\n${question}`,
    );
    expect(code).toBe(0);
    const answers = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(answers.map((answer) => ("error" in answer ? "error" : answer.ipv4))).toEqual([
      "192.0.2.18/32",
      "error",
      "error",
      "error",
      "192.0.2.18/32",
    ]);
  });

  test("options by name, and --json", async () => {
    const argv = ["--endUserIpv6Prefix", "2001:db8:12:3400::/56", "--ruleIpv6Prefix", "2001:db8::/40"];
    argv.push("--ruleIpv4Prefix", "192.0.2.0/24", "--eaLength", "16");
    const { code, out } = await run([...argv, "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ psid: 52, mapIpv6Address: "2001:db8:12:3400:0:c000:212:34" });
    expect((await run(argv)).out).toContain("252 in 63 ranges: 1232-1235 2256-2259");
  });

  test.each([
    [
      "ruleIpv4Prefix",
      "192.0.2.0/33",
      'ruleIpv4Prefix: "192.0.2.0/33" has no length of 0 to 32 after a slash',
    ],
    ["ruleIpv4Prefix", undefined, "ruleIpv4Prefix: is missing"],
    [
      "ruleIpv6Prefix",
      "2001:db8::/129",
      'ruleIpv6Prefix: "2001:db8::/129" has no length of 0 to 128 after a slash',
    ],
    ["ruleIpv6Prefix", false, "ruleIpv6Prefix: is not text"],
    [
      "endUserIpv6Prefix",
      "2001:dead::/56",
      "end-user prefix: 2001:dead::/56 is not within the rule's 2001:db8::/40",
    ],
    ["endUserIpv6Prefix", 7, "endUserIpv6Prefix: is not text"],
    ["eaLength", 49, "eaLength: 49 is not 0 to 48"],
    ["eaLength", 1.5, "eaLength: 1.5 is not 0 to 48"],
    ["eaLength", "16x", 'eaLength: "16x" is not 0 to 48'],
    ["psidOffset", 16, "psidOffset: 16 is not 0 to 15"],
    ["psidLength", 17, "psidLength: 17 is not 0 to 16"],
    ["legacy", "yes", "legacy: is not true or false"],
  ])("%s %j is an error that says so", (field, value, error) => {
    expect(calcLine(JSON.stringify({ ...vectors[0], [field]: value }))).toEqual({ error });
  });

  test.each([80, 132, 20])(
    "the ranges are broken to %i columns, and each is printed once",
    async (columns) => {
      const terminal = makeTerminal("", columns);
      expect(await runCalc(kebab, terminal)).toBe(0);
      const lines = terminal.out().trimEnd().split("\n").slice(3);
      const [first = "", ...rest] = lines;
      expect(first).toMatch(/^ports {8}252 in 63 ranges:/);
      for (const line of rest) expect(line).toMatch(/^ {13}\d/);
      const words = lines
        .join(" ")
        .replace(/^.*ranges:/, "")
        .trim()
        .split(/ +/);
      expect(words).toHaveLength(63);
      expect([words[0], words[1], words[62]]).toEqual(["1232-1235", "2256-2259", "64720-64723"]);
      // As long as they can be, and no longer; one range a line where not even one fits.
      const longest = Math.max(...rest.map((line) => line.length));
      if (columns === 20) expect(rest).toHaveLength(63);
      else expect([longest <= columns, longest > columns - "64720-64723 ".length]).toEqual([true, true]);
    },
  );

  test("names with dashes and without", async () => {
    const camel = kebab.map((word) =>
      word.startsWith("--")
        ? `--${word.slice(2).replaceAll(/-./g, (part) => part.slice(1).toUpperCase())}`
        : word,
    );
    expect(camel).toContain("--endUserIpv6Prefix");
    expect((await run(camel)).out).toBe((await run(kebab)).out);
    const more = ["--psid-offset", "4", "--psid", "3", "--psid-length", "8", "--json"];
    expect(JSON.parse((await run([...kebab, ...more])).out)).toMatchObject({
      psid: 3,
      psidLength: 8,
      ranges: expect.arrayContaining([[4144, 4159]]),
    });
    await expect(run([...kebab, "--eaLength", "16"])).rejects.toThrow(
      new UsageError("--eaLength and another spelling of it are both given"),
    );
  });

  test("remarks are shown: as notes, and in JSON only when there are any", async () => {
    const argv = kebab.map((word) => (word === "16" ? "8" : word));
    const remark = "the 8 bits behind the EA bits are not zero; the border relay may want zeros";
    expect((await run(argv)).out.split("\n").at(-2)).toBe(`note: ${remark}`);
    expect(JSON.parse((await run([...argv, "--json"])).out).remarks).toEqual([remark]);
    expect(JSON.parse((await run([...kebab, "--json"])).out)).not.toHaveProperty("remarks");
  });

  test("without arguments: exit 2", async () => {
    expect((await run([])).code).toBe(2);
  });
});
