import { describe, expect, test } from "vitest";
import { runCalc } from "../../../src/cli/calc.ts";
import { runExplain } from "../../../src/cli/explain.ts";
import { pictureLines } from "../../../src/cli/picture.ts";
import type { Environment } from "../../../src/system/system.ts";
import { makeTerminal } from "./terminal.ts";

const screen = (columns: number, environment: Environment = {}, isTerminal = true) => ({
  columns,
  environment,
  isTerminal,
});
const shades = () => [4 as const];

describe("the picture is drawn", () => {
  test("on a terminal alone, and where it fits", () => {
    expect(pictureLines(screen(68), shades)).toEqual(["  |#|", `   0${" ".repeat(58)}65535`]);
    expect(pictureLines(screen(67), shades)).toEqual([]);
    const unasked = () => {
      throw new Error("nobody looks at it");
    };
    expect(pictureLines(screen(80, {}, false), unasked)).toEqual([]);
  });

  test.each<[Environment, string]>([
    [{}, "#"],
    [{ LANG: "en_US.UTF-8" }, "█"],
    [{ LANG: "C.utf8" }, "█"],
    [{ LANG: "ja_JP.eucJP" }, "#"],
    [{ LC_CTYPE: "C", LANG: "C.UTF-8" }, "#"],
    [{ LC_CTYPE: "C.UTF-8", LANG: "C" }, "█"],
    [{ LC_ALL: "C", LC_CTYPE: "C.UTF-8", LANG: "C.UTF-8" }, "#"],
    [{ LC_ALL: "C.UTF-8", LC_CTYPE: "C" }, "█"],
    [{ LC_ALL: "", LC_CTYPE: "", LANG: "C.UTF-8" }, "█"],
  ])("%j: by %s", (environment, glyph) => {
    expect(pictureLines(screen(80, environment), shades)[0]).toBe(`  |${glyph}|`);
  });
});

const mapE = "005e00250059000d001018c00002002820010db800005a001020010db8ffff00000000000000000001";
const scale = `   0${" ".repeat(58)}65535`;
const onTerminal = () => ({ ...makeTerminal(), ...screen(80) });

describe("explain", () => {
  const explain = (hex: string, prefix: string) => {
    const terminal = onTerminal();
    expect(runExplain([hex, "--pd", prefix], terminal)).toBe(0);
    return terminal.out().split("\n").slice(-4);
  };

  test("a shared address", () => {
    expect(explain(mapE, "2001:db8:12:3400::/56")).toEqual([
      "                   62672-62675 63696-63699 64720-64723",
      `  | ${".".repeat(63)}|`,
      scale,
      "",
    ]);
  });

  test("a whole address", () => {
    expect(explain(mapE.replace("001018", "000818"), "2001:db8:12::/48")).toEqual([
      "  ports            all",
      `  |${"#".repeat(64)}|`,
      scale,
      "",
    ]);
  });
});

describe("calc", () => {
  const calc = async (...more: string[]) => {
    const terminal = onTerminal();
    const rule = "--rule-ipv6-prefix 2001:db8::/40 --rule-ipv4-prefix 192.0.2.0/24 --ea-length 8";
    const argv = ["--end-user-ipv6-prefix", "2001:db8:12::/48", ...rule.split(" "), ...more];
    expect(await runCalc(argv, terminal)).toBe(0);
    return terminal.out().split("\n").slice(3);
  };

  test("a shared address", async () => {
    expect(await calc("--psid", "52", "--psid-length", "8", "--psid-offset", "2")).toEqual([
      "ports        192 in 3 ranges: 19712-19775 36096-36159 52480-52543",
      `  |${" ".repeat(19)}.${" ".repeat(15)}.${" ".repeat(15)}.${" ".repeat(12)}|`,
      scale,
      "",
    ]);
  });

  test("a whole address; --json draws nothing", async () => {
    expect(await calc()).toEqual(["ports        all", `  |${"#".repeat(64)}|`, scale, ""]);
    expect(await calc("--json")).toEqual([]);
  });
});
