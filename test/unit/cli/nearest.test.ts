/** What the programs answer to a command or an option that they do not have. */
import { describe, expect, test } from "vitest";
import { runMapminctl } from "../../../src/cli/mapminctl.ts";
import { runMdpc } from "../../../src/cli/mdpc.ts";
import { nearest } from "../../../src/cli/nearest.ts";
import { makeTerminal } from "./terminal.ts";

describe("nearest", () => {
  test.each([
    ["exlpain", "explain"],
    ["explian", "explain"],
    ["Explain", "explain"],
    ["expl", "explain"],
    ["clac", "calc"],
    ["calcs", "calc"],
    ["stat", "status"],
    ["--plan", "plan"],
    // Two letters of the beginning are enough, one is not.
    ["ex", "explain"],
    ["e", undefined],
    ["", undefined],
    ["frobnicate", undefined],
    ["constructor", undefined],
    ["x".repeat(100_000), undefined],
  ])("%j: %s", (word, expected) => {
    expect(nearest(word, ["explain", "calc", "plan", "status"])).toBe(expected);
  });

  test("of two that are equally near it is the first; of others the nearest", () => {
    expect(nearest("aac", ["aaa", "aab"])).toBe("aaa");
    expect(nearest("calck", ["calcxx", "calc"])).toBe("calc");
  });

  test("what differs by dashes alone is nearer than what begins so, or what has another letter", () => {
    expect(nearest("mapt", ["map-e", "map-t"])).toBe("map-t");
    expect(nearest("mapt", ["map-te", "map-t"])).toBe("map-t");
  });

  test("dashes do not count, nor does what stands behind 64 characters", () => {
    expect(nearest("ruleip", ["rule-ipv6-prefix"])).toBe("rule-ipv6-prefix");
    expect(nearest(`${"a".repeat(64)}${"b".repeat(64)}`, ["a".repeat(64)])).toBe("a".repeat(64));
  });
});

describe("mapminctl", () => {
  test.each([
    ["exlpain 00", 'unknown command "exlpain"; did you mean "explain"?'],
    ["--explain 00", 'unknown command "--explain"; did you mean "explain"?'],
    ["--versoin", 'unknown command "--versoin"; did you mean "--version"?'],
    ["--hlep", 'unknown command "--hlep"; did you mean "--help"?'],
    ["docter wan", 'unknown command "docter"; did you mean "doctor"?'],
    ["doctor --ofline", 'unknown option "--ofline"; did you mean "--offline"?'],
    ["frobnicate", 'unknown command "frobnicate"'],
    ["calc --ealength 3", 'unknown option "--ealength"; did you mean "--ea-length"?'],
    ["calc --rule-ipv6=::/0", 'unknown option "--rule-ipv6"; did you mean "--rule-ipv6-prefix"?'],
    ["status --jason", 'unknown option "--jason"; did you mean "--json"?'],
    ["plan --opt 00", 'unknown option "--opt"; did you mean "--option"?'],
    ["explain --frobnicate", 'unknown option "--frobnicate"'],
    ["explain -p", 'unknown option "-p"'],
    ["-s -x", 'unknown option "-x"'],
    // The letters of the original's options are no words.
    ["-s --ss", 'unknown option "--ss"'],
  ])("%s", async (line, message) => {
    const terminal = makeTerminal();
    expect(await runMapminctl(line.split(" "), terminal)).toBe(2);
    expect([terminal.out(), terminal.err().split("\n")[0]]).toEqual(["", message]);
  });

  test.each([
    [
      "explain --frobnicate",
      'unknown option "--frobnicate"\n(mapminctl explain --help tells what it takes)\n',
    ],
    ["-r -x", 'unknown option "-x"\n(mapminctl -s --help tells what it takes)\n'],
  ])("%s: where more is told", async (line, err) => {
    const terminal = makeTerminal();
    expect(await runMapminctl(line.split(" "), terminal)).toBe(2);
    expect(terminal.err()).toBe(err);
  });

  test.each(["--help", "-h"])("%s: the commands", async (word) => {
    const terminal = makeTerminal();
    expect(await runMapminctl([word], terminal)).toBe(0);
    expect(terminal.out()).toMatch(/^usage: mapminctl COMMAND \[ARGUMENT \.\.\.\]\n/);
  });

  test("an option without its value is another fault", async () => {
    const terminal = makeTerminal();
    expect(await runMapminctl(["explain", "--pd"], terminal)).toBe(2);
    expect(terminal.err()).toContain('the option "--pd" needs a value');
  });
});

test("mdpc", () => {
  const terminal = makeTerminal();
  expect(runMdpc(["--hlep"], {}, terminal)).toBe(2);
  expect(terminal.err().split("\n")[0]).toBe('unknown option "--hlep"; did you mean "--help"?');
});
