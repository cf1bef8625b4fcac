import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
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
    ["ruleIpv4Prefix", "192.0.2.0/33"],
    ["ruleIpv6Prefix", "2001:db8::/129"],
    ["endUserIpv6Prefix", "2001:dead::/56"],
    ["endUserIpv6Prefix", 7],
    ["eaLength", 49],
    ["eaLength", 1.5],
    ["eaLength", "16x"],
    ["psidOffset", 16],
    ["psidLength", 17],
    ["legacy", "yes"],
  ])("%s %j is an error that says so", (field, value) => {
    const answer = calcLine(JSON.stringify({ ...vectors[0], [field]: value }));
    expect(answer).toHaveProperty("error");
    expect((answer as { error: string }).error.length).toBeGreaterThan(8);
  });

  test("without arguments: exit 2", async () => {
    expect((await run([])).code).toBe(2);
  });
});
