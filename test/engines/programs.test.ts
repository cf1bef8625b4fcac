/** The programs on Node and on QuickJS: the same command lines, the same octets. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ended, environmentOf, quickjs, repositoryFile, start } from "./engines.ts";

const qjs = quickjs();
const LIMIT_MS = 120_000;

interface Case {
  readonly entry: "handler" | "tools";
  readonly argv: readonly string[];
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

interface Row {
  readonly title: string;
  readonly hex: string;
  readonly prefixes?: string;
}

const load = (name: string) => JSON.parse(readFileSync(repositoryFile(`test/vectors/${name}`), "utf8"));
const edges: readonly Readonly<Record<string, unknown>>[] = load("ce.json");
const options: Readonly<Record<"option48879" | "rejects" | "rfc7598", readonly Row[]>> = load("options.json");

const HEX = options.option48879[0]?.hex ?? "";
const PREFIX = "2001:db8:12:3400::/56";
const RULE =
  "type=map-t,ealen=16,prefix4len=24,prefix6len=40,ipv4prefix=192.0.2.0,ipv6prefix=2001:db8::,offset=4,dmr=2001:db8:ffff::/64";
const LEGACY = "-I eth1 -H -a 192.168.1.1/24 -A 192.0.2.18/32 -P 2001:db8:12::/48 -R 256 -z 4 -o 52 -c 1420";

const CALC = `calc --end-user-ipv6-prefix ${PREFIX} --rule-ipv6-prefix 2001:db8::/40 --rule-ipv4-prefix 192.0.2.0/24 --ea-length 16`;

const mapminctl = (...argv: string[]): Case => ({ entry: "tools", argv: ["mapminctl", ...argv] });
const words = (line: string) => line.split(" ");

/** Lines for `calc --ndjson`: every vector, and lines that are none. */
const lines = [
  ...edges.map(({ expect: _, ...fields }) => JSON.stringify(fields)),
  "{}",
  "[]",
  "null",
  "{",
  "[".repeat(60_000),
  `{"a":"${"x".repeat(70_000)}"}`,
  "\u00e9\u{1f600}",
  '{"legacy":"\u00e9"}',
  JSON.stringify({ ...edges[0], eaLength: 49 }),
  JSON.stringify({ ...edges[0], eaLength: "16" }),
  JSON.stringify({ ...edges[0], ruleIpv6Prefix: "2001:db8::%1/40" }),
  " ",
  JSON.stringify(edges[0]),
].join("\n");

const cases: Case[] = [
  ...Object.values(options)
    .flat()
    .flatMap(({ hex, prefixes = PREFIX }) => {
      const pd = ["--pd", prefixes.split(",")[0] ?? ""];
      return [
        mapminctl("explain", hex, ...pd),
        mapminctl("explain", hex, ...pd, "--json"),
        {
          entry: "tools" as const,
          argv: ["mdpc", "-v", "-w", "wan0", "-m", "1234"],
          environment: { OPTION_48879: hex, PREFIXES: prefixes },
        },
        mapminctl("plan", "--option", hex, ...pd, "--json"),
      ];
    }),
  { ...mapminctl("calc", "--ndjson"), input: lines },
  ...[
    CALC,
    `${CALC} --json`,
    `plan --rule ${RULE} --pd ${PREFIX}`,
    `plan --rule ${RULE} --pd ${PREFIX} --nft --link-mtu 1400`,
    `plan --rule ${RULE.replace("map-t", "map-e").replace("dmr=2001:db8:ffff::/64", "br=2001:db8:ffff::1")} --pd ${PREFIX} --shell`,
    `plan --config {"rule":"${RULE}","reserved_ports":"1024-1100"} --pd ${PREFIX} --nft`,
    "plan --config { --pd ::/0",
    "plan --config {} --pd zz",
    'plan --config {"mtu":"x"}',
    "plan",
    "plan --foo",
    "plan --pd",
    "explain",
    "explain zz",
    "explain 0",
    "explain 005f",
    `explain ${HEX} --pd`,
    `explain ${HEX} --pd 10.0.0.0/8`,
    "explain --help",
    "calc --help",
    "calc --jsn",
    "plan --help",
    "status --help",
    "status --json",
    "status --metrics",
    "status --metrics wan",
    "status --metrics --json",
    "status --watch --json",
    "status --watch ../x",
    "status ../x",
    "status a b",
    `-s ${LEGACY} -T`,
    `-s ${LEGACY} -N -E`,
    "-r -d -P 2001:db8:ffff::/64 -T",
    "-q",
    "-s -R 3",
    "-Z",
    "--help",
    "--version",
    "expalin",
    "\u00e9\u{1f600}",
  ].map((line) => mapminctl(...words(line))),
  ...["table.json", "table.csv", "bad.csv", "none", ""].flatMap((name) =>
    ["2001:db8:12:3400::/56", "2001:db8:200::/48", "2001:db9::/48"].map((prefix) => {
      const config = JSON.stringify({ rules: repositoryFile(`test/vectors/rules/${name}`) });
      return mapminctl("plan", "--config", config, "--pd", prefix);
    }),
  ),
  ...["table.json", "table.csv", "bad.csv", "none", ""].flatMap((name) => {
    const file = repositoryFile(`test/vectors/rules/${name}`);
    return [[], ["--json"], ["--pd", PREFIX], ["--pd", "2001:db9::/48", "--json"]].map((argv) =>
      mapminctl("rules", "check", file, ...argv),
    );
  }),
  ...["", "--help", "check", "chck x", "check a b", "check /dev/null", "check x --pd y"].map((line) =>
    mapminctl("rules", ...words(line)),
  ),
  ...["help", "help encode", "help -s", "help --man", "help x", "completion bash", "completion ash"].map(
    (line) => mapminctl(...words(line)),
  ),
  { entry: "tools", argv: ["mdpc"] },
  { entry: "tools", argv: ["mdpc", "--help"] },
  { entry: "tools", argv: ["mdpc", "-w"] },
  { entry: "tools", argv: ["mdpc", "-m", "12"] },
  { entry: "tools", argv: [] },
  { entry: "tools", argv: ["proto"] },
  ...["--help", "a b", "../x", "--probe x", "--ofline"].map((line) => mapminctl("doctor", ...words(line))),
  ...[
    "--transport map-t --dmr 2001:db8:ffff::/64 --rule-ipv6-prefix 2001:db8::/40 --rule-ipv4-prefix 192.0.2.0/24 --ea-length 16 --format kea",
    "--transport lw4o6 --br ::1 --rule-ipv6-prefix ::/56 --rule-ipv4-prefix 192.0.2.1/32 --json",
    "--transport x",
    "--help",
  ].map((line) => mapminctl("encode", ...words(line))),
  mapminctl("encode"),
  ...[
    "--customers 10000 --ipv4 192.0.2.0/24 --ipv6 2001:db8::/32 --br 2001:db8:ffff::1",
    "--customers 3000000000 --ipv4 192.0.0.0/9 --ipv4 10.0.0.0/8 --psid-offset 0",
    "--customers 9999999999 --ipv4 0.0.0.0/0 --dmr 2001:db8:ffff::/64 --json",
    "--customers 300 --ipv4 192.0.2.0/32 --ports 500",
    "--check --ipv4 192.0.2.0/24 --ipv6 2001:db8::/40 --ea-length 16 --forward",
    "--check --ipv4 192.0.2.0/24 --ipv6 2001:db8::/50 --ea-length 49 --psid-offset 16 --json",
    "--help",
  ].map((line) => mapminctl("domain", ...words(line))),
  mapminctl("domain"),
  ...[
    "table.csv",
    "table.csv --row 7 --format dnsmasq",
    "table.csv --option 48879 --format kea",
    "table.json",
    "table.json --transport map-e",
    "table.json --transport map-t --json",
    `table.json --pd ${PREFIX} --format odhcpd`,
    "table.json --row 9",
    "bad.csv",
    "none",
    "",
  ].map((line) => mapminctl("encode", "--table", ...words(repositoryFile(`test/vectors/rules/${line}`)))),
  { entry: "handler", argv: [] },
  { entry: "handler", argv: ["--help"] },
  { entry: "handler", argv: ["--version"] },
  { entry: "handler", argv: ["proto", "--help"] },
  { entry: "handler", argv: ["proto", "map"] },
  { entry: "handler", argv: ["hook"] },
  { entry: "handler", argv: ["hook", "--help"] },
  { entry: "handler", argv: ["hook", "$(x)", "bound"], environment: { OPTION_48879: HEX } },
  { entry: "handler", argv: ["hook", "wan6", "bound"], environment: { OPTION_48879: "zz" } },
];

/** The first command line of each command, and what reads its standard input, have processes of their own as well. */
const kinds = new Set<string>();
const alone = cases.map(({ entry, argv, input }) => {
  const kind = [entry, ...argv.slice(0, 2)].join(" ");
  return input !== undefined || (!kinds.has(kind) && kinds.add(kind) !== undefined);
});

describe("the same command line", () => {
  const shown = (argv: readonly string[]) => argv.join(" ").slice(0, 100);
  const bundled = (entry: string) => repositoryFile(`files/usr/lib/mapmin/${entry}.cjs`);
  const at = mkdtempSync(join(tmpdir(), "mapmin-programs-"));
  afterAll(() => rmSync(at, { recursive: true, force: true }));

  /** What each case says, of those that read no input, in one process of an engine. */
  let together: (readonly Ended[])[];
  const rows = cases.filter(({ input }) => input === undefined);
  beforeAll(async () => {
    const script = join(at, "together.js");
    await build({
      entryPoints: [repositoryFile("test/engines/together.ts")],
      bundle: true,
      format: "iife",
      platform: "node",
      external: ["os", "std"],
      outfile: script,
    });
    const list = join(at, "lines.json");
    const lines = rows.map(({ entry, argv, environment }) => {
      return { entry: bundled(entry), argv, environment: environmentOf(environment) };
    });
    writeFileSync(list, JSON.stringify(lines));
    together = await Promise.all(
      [process.execPath, qjs].map(async (engine) => {
        const { stdout, stderr, code } = await start(engine, [script, list]);
        expect([stderr, code]).toEqual(["", 0]);
        return JSON.parse(stdout);
      }),
    );
  }, LIMIT_MS);

  test.each(rows.map((row, index) => [row.entry, shown(row.argv), index] as const))(
    "%s %s",
    (_entry, _argv, index) => {
      const [node, quick] = together.map((results) => results[index]);
      expect(quick).toEqual(node);
      // It said something: an engine that does nothing is equal to itself.
      expect((node?.stdout ?? "") + (node?.stderr ?? "")).not.toBe("");
    },
  );

  test.concurrent.each(
    cases.filter((_, index) => alone[index]).map((row) => [row.entry, shown(row.argv), row] as const),
  )(
    "a process of its own: %s %s",
    async (_entry, _argv, row) => {
      const { entry, argv, ...options } = row;
      const [node, quick] = await Promise.all(
        [process.execPath, qjs].map((engine) => start(engine, [bundled(entry), ...argv], options)),
      );
      expect(quick).toEqual(node);
      expect((node?.stdout ?? "") + (node?.stderr ?? "")).not.toBe("");
      if (options.input === undefined) expect(node).toEqual(together[0]?.[rows.indexOf(row)]);
    },
    LIMIT_MS,
  );

  test(
    "a reader that goes away is no error",
    async () => {
      for (const engine of [process.execPath, qjs]) {
        const script = `yes '{}' | head -n 50000 | "$@" calc --ndjson | head -n 1; echo over`;
        const program = [engine, repositoryFile("files/usr/lib/mapmin/tools.cjs"), "mapminctl"];
        const { stdout, stderr } = await start("sh", ["-c", script, "sh", ...program]);
        expect({ stdout, stderr }).toEqual({
          stdout: '{"error":"ruleIpv6Prefix: is missing"}\nover\n',
          stderr: "",
        });
      }
    },
    LIMIT_MS,
  );

  test.each<[string, string, string]>([
    ["C.UTF-8", "░", "of UTF-8"],
    ["C", ".", "of another character set"],
  ])(
    "a terminal (%s): the ports are drawn by %s",
    async (locale, glyph) => {
      for (const engine of [process.execPath, qjs]) {
        const program = [engine, repositoryFile("files/usr/lib/mapmin/tools.cjs"), "mapminctl"];
        const command = [...program, CALC].join(" ");
        // `script` gives it a terminal, of which nobody has said how wide it is.
        const { stdout } = await start("script", ["-qec", command, "/dev/null"], {
          environment: { LC_ALL: locale },
        });
        expect(stdout.split("\r\n").slice(-3)).toEqual([
          `  | ${glyph.repeat(63)}|`,
          `   0${" ".repeat(58)}65535`,
          "",
        ]);
      }
    },
    LIMIT_MS,
  );

  test.each<[string, Readonly<Record<string, string>>, string]>([
    ["a terminal", {}, "\u001b[32m4 good rows, 0 faults\u001b[m\r\n"],
    ["one of somebody who wants no colours", { NO_COLOR: "1" }, "\n4 good rows, 0 faults\r\n"],
  ])(
    "colours on %s",
    async (_title, environment, expected) => {
      for (const engine of [process.execPath, qjs]) {
        const table = repositoryFile("test/vectors/rules/table.json");
        const program = [engine, repositoryFile("files/usr/lib/mapmin/tools.cjs"), "mapminctl"];
        const command = [...program, "rules", "check", table].join(" ");
        const { stdout } = await start("script", ["-qec", command, "/dev/null"], { environment });
        expect(stdout.slice(-expected.length)).toBe(expected);
      }
    },
    LIMIT_MS,
  );

  // They wait for seconds to pass.
  describe.concurrent("status --watch", () => {
    const program = [repositoryFile("files/usr/lib/mapmin/tools.cjs"), "mapminctl", "status", "--watch"];
    const block = "no MAP interface has been set up; see /tmp/map.log\n";

    test.each(
      [process.execPath, qjs].flatMap((engine) => [
        [engine, "SIGINT"] as const,
        [engine, "SIGTERM"] as const,
      ]),
    )(
      "%s: looks again each second, and ends by %s",
      async (engine, signal) => {
        const ended = await start(engine, program, {
          async meanwhile(pid, said) {
            while (said().length < 2 * block.length) await new Promise((resolve) => setTimeout(resolve, 20));
            process.kill(pid, signal);
          },
        });
        expect(ended).toEqual({ stdout: `${block}\n${block}`, stderr: "", code: signal });
      },
      LIMIT_MS,
    );

    test.each([process.execPath, qjs])(
      "%s: a reader that goes away ends it",
      async (engine) => {
        const script = `{ "$@"; echo "code $?" >&2; } | head -n 3`;
        const { stdout, stderr } = await start("sh", ["-c", script, "sh", engine, ...program]);
        expect({ stdout, stderr }).toEqual({ stdout: `${block}\n${block}`, stderr: "code 0\n" });
      },
      LIMIT_MS,
    );
  });

  test.each([process.execPath, qjs])("%s: an input that cannot be read is said", async (engine) => {
    const program = [engine, repositoryFile("files/usr/lib/mapmin/tools.cjs"), "mapminctl"];
    expect(await start("sh", ["-c", '"$@" calc --ndjson </', "sh", ...program])).toEqual({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("standard input: Is a directory"),
    });
  });

  test.each(["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])(
    "standard streams closed (%s): as with both",
    async (closing) => {
      const results = [];
      for (const engine of [process.execPath, qjs]) {
        const program = [
          engine,
          repositoryFile("files/usr/lib/mapmin/tools.cjs"),
          "mapminctl",
          "explain",
          "0",
        ];
        results.push(await start("sh", ["-c", `"$@" ${closing}`, "sh", ...program]));
      }
      expect(results[1]).toEqual(results[0]);
    },
    LIMIT_MS,
  );
});

test(
  "the renderers' golden files come out of QuickJS as they are",
  async () => {
    const script = join(tmpdir(), `mapmin-golden-${process.pid}.js`);
    await build({
      stdin: {
        contents: `
          import { cases } from "./test/support/nat-plans.ts";
          import { renderIptables } from "./src/render/iptables.ts";
          import { renderNft } from "./src/render/nft.ts";
          print(JSON.stringify(cases.map(([name, plan]) => [
            name,
            renderNft(plan),
            name.includes("reserved") ? "" : renderIptables(plan).join("\\n") + "\\n",
          ])));`,
        resolveDir: repositoryFile("."),
      },
      bundle: true,
      format: "iife",
      outfile: script,
    });
    const { stdout, stderr } = await start(qjs, [script]);
    expect(stderr).toBe("");
    const golden = (file: string) => readFileSync(repositoryFile(`test/unit/render/golden/${file}`), "utf8");
    const rows: readonly (readonly [string, string, string])[] = JSON.parse(stdout);
    const files = rows.flatMap(([name, nft, iptables]) => {
      expect(nft).toBe(golden(`nft/${name}.nft`));
      if (iptables === "") return [`${name}.nft`];
      expect(iptables).toBe(golden(`iptables/${name}.txt`));
      return [`${name}.nft`, `${name}.txt`];
    });
    const all = ["nft", "iptables"].flatMap((directory) =>
      readdirSync(repositoryFile(`test/unit/render/golden/${directory}`)),
    );
    expect(files.sort()).toEqual(all.sort());
  },
  LIMIT_MS,
);
