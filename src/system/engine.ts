/** Which engine we run on. The one place that asks. */

import { printableLines } from "../wire/printable.ts";
import type { Os, Std } from "./quickjs/engine.ts";
import type { System } from "./system.ts";

/** The same system; whatever a program says of the network's and of UCI's words is fit to be shown. */
function printing(system: System): System {
  return Object.create(system, {
    stdout: { value: (text: string) => system.stdout(printableLines(text)) },
    stderr: { value: (text: string) => system.stderr(printableLines(text)) },
  });
}

/** The system of the engine that runs this; the other's is not loaded. */
export async function openSystem(): Promise<System> {
  return printing(await openEngine());
}

async function openEngine(): Promise<System> {
  if (typeof process === "object") return (await import("./node/system.ts")).openNode();
  const { openQuickjs } = await import("./quickjs/system.ts");
  // Modules of QuickJS: Node has one of the same name that is never meant here.
  // biome-ignore lint/style/useNodejsImportProtocol: QuickJS's own.
  const os = (await import("os")) as unknown as Os;
  // @ts-expect-error: QuickJS's own, which no types describe.
  const std = (await import("std")) as Std;
  return openQuickjs(os, std);
}
