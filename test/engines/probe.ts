/** A script for either engine that does with the system what its first argument says, and prints what came of it. */

import { openSystem } from "../../src/system/engine.ts";
import { openHost } from "../../src/system/host.ts";
import { openLog } from "../../src/system/log.ts";
import type { System } from "../../src/system/system.ts";

const said = (error: unknown) => {
  const { message, status } = error as { message: string; status?: number };
  return status === undefined ? `threw: ${message}` : `threw: ${message} (status ${status})`;
};

function attempt(action: () => unknown): unknown {
  try {
    return action() ?? null;
  } catch (error) {
    return said(error);
  }
}

const commands: Readonly<Record<string, (system: System, args: readonly string[]) => Promise<unknown>>> = {
  /** Runs JSON `[file, argv, {input, limitMs}]`, several side by side; an input that is a number is so many letters. */
  run: (system, programs) =>
    Promise.all(
      programs.map(async (program) => {
        const [file, argv, { input = "", ...options } = {}] = JSON.parse(program);
        try {
          const given = typeof input === "number" ? "x".repeat(input) : input;
          const text = await system.run(file, argv, { ...options, input: given });
          return text.length > 100 ? `${text.length} characters` : text;
        } catch (error) {
          return said(error);
        }
      }),
    ),

  /** Runs JSON `[file, argv, input]` so many times, one after the other; tells the descriptors open before and after. */
  async again(system, [times = "0", program = ""]) {
    const open = () => system.files.namesIn("/proc/self/fd").length;
    const [file, argv, input] = JSON.parse(program);
    // What the first one opens and keeps, an engine may.
    await system.run(file, argv, { input });
    const before = open();
    let done = 0;
    for (let i = 0; i < Number(times); i++) {
      if ((await system.run(file, argv, { input })) === input) done++;
    }
    return { done, more: open() - before };
  },

  /** Does JSON `[method, ...arguments]` of the files, one after the other. */
  async files({ files }, calls) {
    return calls.map((call) => {
      const [method, ...rest] = JSON.parse(call);
      return attempt(() => (files[method as "readText"] as (...rest: unknown[]) => unknown)(...rest));
    });
  },

  /** Writes 300 records that name `who`. */
  async log({ files }, [path = "", lock = "", who = ""]) {
    for (let i = 0; i < 300; i++) files.appendBounded(path, `${who} ${i}\n`, { limit: 2_000, lock });
    return "written";
  },

  async "log-once"(system, [path = ""]) {
    openLog(system, "wan6_4", path)("step", "ok", "detail");
    return "gone on";
  },

  async echo(system) {
    let text = "";
    for await (const piece of system.stdin) text += piece;
    const { args, environment } = system;
    return {
      args: args.slice(1),
      variable: environment["VARIABLE"] ?? null,
      text,
      columns: system.columns,
      terminal: system.isTerminal,
    };
  },

  /** Sleeps so long, beside a timer of a quarter of it; tells which of them ended first. */
  async sleep(system, [ms = "0"]) {
    const ended: string[] = [];
    const sleeping = async (share: number) => {
      await system.sleep(Number(ms) * share);
      ended.push(`${share}`);
    };
    const before = system.now().getTime();
    await Promise.all([sleeping(1), sleeping(0.25)]);
    return { ended, long: system.now().getTime() - before >= Number(ms) - 1 };
  },

  async clear(system) {
    system.control("\u001b[H\u001b[J");
    return "cleared";
  },

  /** Makes JSON `[object, method, arguments]` calls, one after the other. */
  async call(system, calls) {
    const host = openHost(system, "wan6_4");
    const answers = [];
    for (const call of calls) {
      const [object, method, args] = JSON.parse(call);
      answers.push(await host.call(object, method, args).catch(said));
    }
    host.close();
    return answers;
  },

  async "call-late"(system) {
    const bus = system.openBus();
    const answer = await bus.call("test", "silent", {}, 300).catch(said);
    bus.close();
    return answer;
  },

  async "call-long"(system, [length = "0"]) {
    const bus = system.openBus();
    const answer = await bus.call("test", "echo", { text: "x".repeat(Number(length)) }, 5_000).catch(said);
    bus.close();
    return typeof answer === "string" ? answer : "answered";
  },
};

async function main(): Promise<void> {
  const system = await openSystem();
  const [command = "", ...rest] = system.args;
  const outcome = await commands[command]?.(system, rest);
  system.stdout(`${JSON.stringify(outcome)}\n`);
  system.exit(0);
}

void main();
