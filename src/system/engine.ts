/** Which engine we run on. The one place that asks. */

import type { Os, Std } from "./quickjs/engine.ts";
import type { System } from "./system.ts";

/** The system of the engine that runs this; the other's is not loaded. */
export async function openSystem(): Promise<System> {
  if (typeof process === "object") return (await import("./node/system.ts")).openNode();
  const { openQuickjs } = await import("./quickjs/system.ts");
  // Modules of QuickJS: Node has one of the same name that is never meant here.
  // biome-ignore lint/style/useNodejsImportProtocol: QuickJS's own.
  const os = (await import("os")) as unknown as Os;
  // @ts-expect-error: QuickJS's own, which no types describe.
  const std = (await import("std")) as Std;
  return openQuickjs(os, std);
}
