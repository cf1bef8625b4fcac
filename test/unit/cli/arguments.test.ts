import { parseArgs } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseOptions, UsageError } from "../../../src/cli/arguments.ts";

const table = {
  pd: { type: "string", multiple: true },
  name: { type: "string", short: "n", default: "d" },
  json: { type: "boolean", short: "j" },
  v: { type: "boolean", short: "v" },
} as const;

test.each([
  [[], { name: "d" }, []],
  [["--pd", "a", "--pd=b", "--pd", ""], { name: "d", pd: ["a", "b", ""] }, []],
  [["--name=", "x"], { name: "" }, ["x"]],
  [["--name=--json=1\n2"], { name: "--json=1\n2" }, []],
  [["-nvalue", "-jv"], { name: "value", json: true, v: true }, []],
  [["-jn", "value"], { name: "value", json: true }, []],
  [["-jnvalue", "-"], { name: "value", json: true }, ["-"]],
  [["--json", "--", "--json", "-x"], { name: "d", json: true }, ["--json", "-x"]],
  [["--name", "-"], { name: "-" }, []],
  [["a-b"], { name: "d" }, ["a-b"]],
])("%j", (argv, values, positionals) => {
  expect(parseOptions(argv, table, true)).toEqual({ values, positionals });
});

test.each([
  [["--pd"], 'the option "--pd" needs a value'],
  [["--pd", "--json"], 'the option "--pd" needs a value'],
  [["-n", "-j"], 'the option "-n" needs a value'],
  [["--json=1"], 'the option "--json" takes no value'],
  [["--jsn"], "--json"],
  [["--__proto__"], 'unknown option "--__proto__"'],
  [["-jx"], 'unknown option "-x"'],
  [["x"], 'the argument "x" is not expected'],
])("%j: %s", (argv, message) => {
  expect(() => parseOptions(argv, table)).toThrow(UsageError);
  expect(() => parseOptions(argv, table)).toThrow(message);
});

test("an error of usage is told from the others by its name and its code", () => {
  expect(new UsageError("words")).toMatchObject({ name: "UsageError", code: "USAGE", message: "words" });
});

test("reads what Node's own parser reads, and refuses what that refuses", () => {
  const word = fc.oneof(
    fc.constantFrom(
      "--pd",
      "--pd=a",
      "--name",
      "--json",
      "-j",
      "-v",
      "-n",
      "-jv",
      "-nx",
      "-jnx",
      "--",
      "-",
      "a",
      "",
    ),
    fc.constantFrom("--json=", "--x", "-x", "--n", "--name=-", "-vx"),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      const outcome = (read: () => { values: object; positionals: readonly string[] }) => {
        try {
          const { values, positionals } = read();
          return { values: { ...values }, positionals };
        } catch {
          return "refused";
        }
      };
      expect(outcome(() => parseOptions(argv, table, true))).toEqual(
        outcome(() => parseArgs({ args: [...argv], options: table, allowPositionals: true, strict: true })),
      );
    }),
    { numRuns: 3_000 },
  );
});
