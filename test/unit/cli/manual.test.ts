import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../../src/cli/arguments.ts";
import { type Command, runCommand } from "../../../src/cli/command.ts";
import {
  completionCommand,
  helpCommand,
  type Manual,
  OPTION_WORDS,
  optionsIn,
} from "../../../src/cli/manual.ts";
import { runMapminctl } from "../../../src/cli/mapminctl.ts";
import { EffectError, InputError } from "../../../src/wire/errors.ts";
import { makeTerminal } from "./terminal.ts";

async function run(...argv: readonly string[]) {
  const terminal = makeTerminal();
  const code = await runMapminctl(argv, terminal);
  return { code, out: terminal.out(), err: terminal.err() };
}

const COMMANDS = [
  "explain",
  "calc",
  "plan",
  "status",
  "doctor",
  "encode",
  "domain",
  "rules",
  "-s",
  "help",
  "completion",
];

describe("help", () => {
  test("of a topic is what --help prints, of none that of mapminctl", async () => {
    for (const topic of COMMANDS) {
      const { code, out, err } = await run("help", topic);
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toMatch(/^usage: mapminctl /);
      expect(out).toBe((await run(topic, "--help")).out);
    }
    expect(await run("help")).toEqual(await run("--help"));
    expect((await run("help", "encode", "--help")).out).toMatch(/^usage: mapminctl help /);
  });

  test.each([
    ["help encod", 'unknown topic "encod"; did you mean "encode"?'],
    ["help __proto__", 'unknown topic "__proto__"'],
    ["help encode domain", "give one topic, or --man"],
    ["help encode --man", "give one topic, or --man"],
    ["help -s x", 'unknown option "-s"'],
    ["completion", "name the shell: bash"],
    ["completion bash zsh", "name the shell: bash"],
  ])("%s", async (line, message) => {
    const [name] = line.split(" ");
    const err = `${message}\n(mapminctl ${name} --help tells what it takes)\n`;
    expect(await run(...line.split(" "))).toEqual({ code: 2, out: "", err });
  });

  test("every option that a help text tells is one that the command takes", async () => {
    for (const command of COMMANDS.filter((name) => name !== "-s")) {
      const told = optionsIn((await run("help", command)).out);
      for (const option of told.filter((name) => name !== "--help")) {
        const { code, err } = await run(command, option, "--no-such-option");
        expect(`${code} ${err}`).toMatch(
          new RegExp(`^2 (the option "${option}" needs a value|unknown option "--no-such-option")`),
        );
      }
      if (command !== "completion") expect(told.length).toBeGreaterThan(0);
    }
    expect(optionsIn('--a-b 1, "mapminctl x --no", (--c)|--a-b, --d"-e"')).toEqual(["--a-b", "--c", "--d"]);
  });
});

/** Two commands, whose help texts have what is special to the man page. */
const small: Manual = {
  help: "usage: m COMMAND\n\n  one  \\'1'-\n\nEnd.\n",
  commands: {
    one:
      async () =>
      (_argv, { stdout }) => {
        stdout("usage: m one [--a]\n         kept\n       m one        b\n        kept as well\n\n");
        stdout(".A usage: text.  And\nmore\n  --a  does  this\n  -b   that\n   indented\n.\n\n   Last  \n");
        return 0;
      },
    "t-w":
      async () =>
      (_argv, { stdout }) => {
        stdout("of usage: no\n\nEnd.\n");
        return 0;
      },
  },
};

async function made(command: Command, ...argv: readonly string[]) {
  const terminal = makeTerminal();
  expect(await command(argv, terminal)).toBe(0);
  return terminal.out();
}

describe("the man page", () => {
  test("usage as it is, rows as tagged paragraphs, and what roff would take for its own is escaped", async () => {
    expect(await made(helpCommand(small), "--man")).toMatchInlineSnapshot(`
      ".TH MAPMINCTL 8
      .SH NAME
      mapminctl \\- customer edges of MAP\\-T, MAP\\-E and lw4o6
      .SH SYNOPSIS
      .nf
      m COMMAND
      .fi
      .TP
      \\fBone\\fR
      \\e\\(aq1\\(aq\\-
      .PP
      End.
      .SH COMMANDS
      .SS one
      .nf
      m one [\\-\\-a]
               kept
      m one        b
              kept as well
      .fi
      .PP
      \\&.A usage: text.  And
      more
      .TP
      \\fB\\-\\-a\\fR
      does  this
      .TP
      \\fB\\-b\\fR
      that
      .PP
      indented
      \\&.
      .PP
      Last
      .SS t\\-w
      .nf
      of usage: no
      .fi
      .PP
      End.
      "
    `);
  });

  test("is made of known requests, and has every command and option", async () => {
    const { code, out, err } = await run("help", "--man");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const line of out.trimEnd().split("\n")) {
      expect(line).toMatch(/^(\.(TH|SH|SS|TP|PP|nf|fi)\b.*|[^.'].*|\\&\..*|)$/);
    }
    for (const command of COMMANDS) {
      expect(out).toContain(`\n.SS ${command.replace("-", "\\-")}\n`);
      for (const option of optionsIn((await run("help", command)).out)) {
        expect(out).toContain(option.replaceAll("-", "\\-"));
      }
    }
  });

  test.runIf(existsSync("/usr/bin/groff"))("groff has nothing to say against it", async () => {
    const { out } = await run("help", "--man");
    const shown = spawnSync("groff", ["-man", "-ww", "-Tascii", "-P-cbou"], { input: out, encoding: "utf8" });
    expect({ status: shown.status, stderr: shown.stderr }).toEqual({ status: 0, stderr: "" });
    expect(shown.stdout).toMatch(/\n {7}--end-user-length N\n {14}length +of +end-user +prefixes/);
    const bad = spawnSync("groff", ["-man", "-ww", "-z"], { input: `${out}.XX\n`, encoding: "utf8" });
    expect(bad.stderr).not.toBe("");
  });
});

describe("completion", () => {
  /** What bash offers for the last word. */
  async function offered(...words: readonly string[]): Promise<readonly string[]> {
    const { out } = await run("completion", "bash");
    const script = `${out}\nCOMP_WORDS=("$@") COMP_CWORD=$(($# - 1))\n_mapminctl\nprintf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["-c", script, "bash", "mapminctl", ...words], { encoding: "utf8" })
      .split("\n")
      .filter((word) => word !== "");
  }

  test.each<[string, readonly string[]]>([
    ["e", ["explain", "encode"]],
    ["--", ["--help", "--version"]],
    ["rules ", ["check", "--pd", "--json", "--help"]],
    ["explain ", ["--pd", "--json", "--help"]],
    ["help d", ["doctor", "domain"]],
    ["rules check ", []],
    ["encode --rule", ["--rule-ipv6-prefix", "--rule-ipv4-prefix"]],
    ["encode --table x --ro", ["--row"]],
    ["completion b", ["bash"]],
    ["nonsense ", []],
    // File names, which bash finds by itself.
    ["encode --table ", []],
    ["encode --table /e", []],
  ])("%s", async (line, expected) => {
    expect(await offered(...line.split(" "))).toEqual(expected);
  });

  test("a line for each option with words, and for each command", async () => {
    expect(await made(completionCommand(small), "bash")).toMatchInlineSnapshot(`
      "# What bash completes of mapminctl's words; made by: mapminctl completion bash
      _mapminctl() {
        local words="" word=\${COMP_WORDS[COMP_CWORD]}
        case \${COMP_WORDS[COMP_CWORD-1]} in
          --transport) words="map-t map-e lw4o6" ;;
          --format) words="hex kea dnsmasq isc-dhcp odhcpd" ;;
          --table|check) ;;
          *) case $COMP_CWORD:\${COMP_WORDS[1]} in
          1:*) words="one t-w --help --version" ;;
          *:one) words="--a --help" ;;
          *:t-w) words="--help" ;;
          esac ;;
        esac
        COMPREPLY=($(compgen -W "$words" -- "$word"))
      }
      complete -o default -F _mapminctl mapminctl
      "
    `);
  });

  test("words of options are those that the command takes", async () => {
    for (const [option, words] of Object.entries(OPTION_WORDS)) {
      expect(await offered("encode", option, "")).toEqual(words);
      const { err } = await run("encode", "--transport", "map-t", option, "zz");
      expect(err.split("; there are ")[1]?.split("\n")[0]?.split(", ").sort()).toEqual([...words].sort());
    }
  });

  test.each([
    ["ash", "BusyBox's ash completes names of files alone"],
    ["fish", "is not a shell that can be told"],
  ])("%s cannot be told", async (shell, why) => {
    expect(await run("completion", shell)).toEqual({
      code: 1,
      out: "",
      err: `${shell}: ${why}; install bash, and run \`mapminctl completion bash\` there\n(mapminctl completion --help tells what it takes)\n`,
    });
  });
});

describe("an error says what to do next", () => {
  const failing = (error: Error) => () => Promise.reject(error);
  test.each([
    [
      "explain",
      new InputError("HEX", "is empty"),
      1,
      "HEX: is empty\n(mapminctl explain --help tells what it takes)\n",
    ],
    ["rules", new UsageError("no"), 2, "no\n(mapminctl rules --help tells what it takes)\n"],
    [
      "status",
      new EffectError("ubus", "is away"),
      1,
      "ubus: is away\n(mapminctl doctor looks for what is wrong with the router)\n",
    ],
    [
      "rules",
      new EffectError("/t", "is not a regular file"),
      1,
      "/t: is not a regular file\n(mapminctl rules --help tells what it takes)\n",
    ],
    [
      "doctor",
      new EffectError("ubus", "is away"),
      1,
      "ubus: is away\n(mapminctl doctor --help tells what it takes)\n",
    ],
  ])("%s", async (name, error, code, err) => {
    const terminal = makeTerminal();
    expect(await runCommand(name, failing(error), [], terminal)).toBe(code);
    expect(terminal.err()).toBe(err);
  });

  test("a bug is not one of them", async () => {
    await expect(runCommand("explain", failing(new TypeError("x")), [], makeTerminal())).rejects.toThrow("x");
  });
});
