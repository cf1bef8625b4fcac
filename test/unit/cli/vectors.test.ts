/** The vectors of option 48879 through the programs, as a person runs them. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runExplain } from "../../../src/cli/explain.ts";
import { runMdpc } from "../../../src/cli/mdpc.ts";
import { makeTerminal } from "./terminal.ts";

interface Row {
  readonly title: string;
  readonly hex: string;
  readonly prefixes: string;
  readonly expect: {
    readonly transport: string;
    readonly ipv4: string;
    readonly psid: number;
    readonly psidLength: number;
    readonly psidOffset: number;
    readonly stdout?: readonly string[];
  };
}

const vectors: { readonly option48879: readonly Row[]; readonly rejects: readonly Row[] } = JSON.parse(
  readFileSync(new URL("../../vectors/options.json", import.meta.url), "utf8"),
);
const mapT = vectors.option48879.filter((row) => row.expect.transport === "map-t");
const rejects = vectors.rejects.map((row) => [row.title, row.hex] as const);

function mdpc(hex: string, prefixes: string) {
  const terminal = makeTerminal();
  const argv = ["-w", "wan0", "-m", "1234"];
  const code = runMdpc(argv, { OPTION_48879: hex, PREFIXES: prefixes }, terminal);
  return { code, out: terminal.out(), err: terminal.err() };
}

describe("mdpc", () => {
  test.each(mapT.map((row) => [row.title, row] as const))("%s", (_title, row) => {
    const { code, out } = mdpc(row.hex, row.prefixes);
    const { ipv4, psid, psidLength, psidOffset, stdout } = row.expect;
    expect(code).toBe(0);
    if (stdout !== undefined) expect(out.trimEnd().split("\n")).toEqual(stdout);
    expect(out).toContain(` -A ${ipv4} `);
    expect(out).toContain(` -R ${2 ** psidLength} -z ${psidOffset} -o ${psid} -c 1234 -T\n`);
  });

  test.each(rejects)("refuses: %s", (_title, hex) => {
    const { code, out, err } = mdpc(hex, "2001:6f8:147e:1e00::/56,1,2");
    expect([code, out]).toEqual([1, ""]);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  });
});

describe("explain", () => {
  test.each(mapT.map((row) => [row.title, row] as const))("%s", (_title, row) => {
    const terminal = makeTerminal();
    const pd = row.prefixes.split(",")[0] ?? "";
    expect(runExplain([row.hex, "--pd", pd, "--json"], terminal)).toBe(0);
    const { transport, ipv4, psid, psidLength, psidOffset } = row.expect;
    expect(JSON.parse(terminal.out()).edges).toMatchObject([
      { transport, ipv4, psid, psidLength, psidOffset },
    ]);
  });
});
