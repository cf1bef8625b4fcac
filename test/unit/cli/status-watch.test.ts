import { describe, expect, test } from "vitest";
import { runStatus } from "../../../src/cli/status.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { makeTerminal } from "./terminal.ts";

const state = (iface: string) => `interface=${iface}\nstate=failed\nsince=now\nerror=no DMR\n`;
const shown = (iface: string) => `${iface}: down\n  since           now\n  last error      no DMR\n`;

const interrupted = new Error("interrupted");

/** A world that is another one at each look: the state files, or what makes looking at them fail. */
type World = Readonly<Record<string, string>> | Error;

/** Watches until there is no more to see; `[clear]` stands for a cleared screen, `[1000]` for a second of sleep. */
async function watch(worlds: readonly World[], { isTerminal = false, argv = [] as readonly string[] } = {}) {
  const terminal = makeTerminal();
  let at = 0;
  const look = () => {
    const world = worlds[at] ?? {};
    if (world instanceof Error) throw world;
    return world;
  };
  const watching = runStatus(["--watch", ...argv], {
    ...terminal,
    isTerminal,
    control: (sequence: string) => terminal.stdout(sequence === "\u001b[H\u001b[J" ? "[clear]" : "?"),
    files: {
      namesIn: () => Object.keys(look()),
      readText: (path) => look()[path.replace("/var/run/mapmin/", "")],
    },
    async sleep(ms) {
      terminal.stdout(`[${ms}]`);
      at++;
      if (at === worlds.length) throw interrupted;
    },
  });
  const ended = await watching.catch((error: unknown) => error);
  return { out: terminal.out(), err: terminal.err(), ended };
}

describe("--watch", () => {
  test("prints blocks with an empty line between them where standard output is no terminal", async () => {
    const worlds = [{ "a.state": state("a") }, { "a.state": state("a"), "b.state": state("b") }, {}];
    expect(await watch(worlds)).toEqual({
      out: `${shown("a")}[1000]\n${shown("a")}${shown("b")}[1000]\nno MAP interface has been set up; see /tmp/map.log\n[1000]`,
      err: "",
      ended: interrupted,
    });
  });

  test("clears a terminal before each", async () => {
    const worlds = [{ "a.state": state("a") }, { "b.state": state("b") }];
    expect(await watch(worlds, { isTerminal: true })).toEqual({
      out: `[clear]${shown("a")}[1000][clear]${shown("b")}[1000]`,
      err: "",
      ended: interrupted,
    });
  });

  test("one interface; a look that fails says why, and the next one is made", async () => {
    const worlds = [
      { "a.state": state("a"), "b.state": state("b") },
      new EffectError("/var/run/mapmin/b.state", "Input/output error"),
      { "b.state": "[x]" },
      { "b.state": state("b") },
    ];
    expect(await watch(worlds, { argv: ["b"] })).toEqual({
      out: [
        shown("b"),
        "/var/run/mapmin/b.state: Input/output error\n",
        "warning: /var/run/mapmin/b.state: it is damaged: the interface counts as not set up\nb has not been set up as a MAP interface; see /tmp/map.log\n",
        shown("b"),
      ]
        .join("[1000]\n")
        .concat("[1000]"),
      err: "",
      ended: interrupted,
    });
  });

  test("a bug is not taken for a look that fails", async () => {
    const bug = new TypeError("bug");
    expect(await watch([bug, {}])).toEqual({ out: "", err: "", ended: bug });
  });

  test.each([
    [["--watch", "--json"], "--watch and --json do not go together: give one of them"],
    [["--json", "--watch", "wan"], "--watch and --json do not go together: give one of them"],
    [["--metrics", "--watch"], "--watch and --metrics do not go together: give one of them"],
    [["--json", "--metrics"], "--json and --metrics do not go together: give one of them"],
    [
      ["--json", "--metrics", "--watch"],
      "--watch and --json and --metrics do not go together: give one of them",
    ],
  ])("%j", async (argv, message) => {
    await expect(runStatus(argv, makeTerminal())).rejects.toThrow(message);
  });

  test("a name that is not one is refused at once", async () => {
    await expect(runStatus(["--watch", "../x"], makeTerminal())).rejects.toThrow("INTERFACE");
  });
});
