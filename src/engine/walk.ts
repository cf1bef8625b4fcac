/**
 * The list of steps is walked: down by a setup, over what is there by a change, up by a failure and by a teardown. Each
 * effect has its line in the log. Whatever fails, and wherever, a tunnel is closed until its NAT is loaded.
 */

import type { DeviceName } from "../ip/names.ts";
import type { Plan } from "../map/plan.ts";
import { bareUpdateRequest, type errorRequest, linkDownRequest, NETWORK } from "../render/netifd.ts";
import { renderNftClosed } from "../render/nft.ts";
import { describeEffect, type Effect, isAway, isUncertain, type Performed, perform } from "./effect.ts";
import { forLog } from "./failure.ts";
import type { Host } from "./host.ts";
import type { Step, Undo } from "./steps.ts";

/** What netifd is told, as an effect. */
export function notify(args: ReturnType<typeof errorRequest>): Effect {
  return { kind: "ubus", object: NETWORK, method: "notify_proto", args };
}

/** Performs one effect and writes its record, unless there was nothing to do. */
export async function run(title: string, effect: Effect, host: Host): Promise<Performed> {
  try {
    const performed = await perform(effect, host);
    if (performed.did) host.log(title, "ok", describeEffect(effect));
    return performed;
  } catch (error) {
    host.log(title, "failed", `${describeEffect(effect)}: ${forLog(error)}`);
    throw error;
  }
}

/** Like {@link run}, but gives false in place of throwing. */
export async function attempt(title: string, effect: Effect, host: Host): Promise<boolean> {
  try {
    await run(title, effect, host);
    return true;
  } catch {
    return false;
  }
}

/** How often netifd is told again, and how long we wait before that, ms: it is back a moment after ubusd. */
const TRIES = 6;
const BACK_MS = 400;

/** Like {@link attempt}, for what netifd has to learn: where it does not answer, or is not there, it may be starting anew. */
export async function insist(title: string, effect: Effect, host: Host): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      await run(title, effect, host);
      return true;
    } catch (error) {
      if (tries === TRIES || !isAway(error)) return false;
      await host.sleep(BACK_MS);
    }
  }
}

/** What takes steps back, last first; what asks netifd comes after the kernel's part, which a silent ubusd must not keep. */
export function undosOf(steps: readonly Step[]): readonly Undo[] {
  const all = [...steps].reverse().flatMap((step) => step.undo);
  return [...all.filter((part) => part.do.kind !== "ubus"), ...all.filter((part) => part.do.kind === "ubus")];
}

/**
 * Undoes steps; each part is tried even if another failed. Only netifd, where it does not answer, is not asked for a second MAP address:
 * a teardown has 5 s, and each question may take 3. Gives true when all of them are undone.
 */
export async function walkUp(undos: readonly Undo[], host: Host): Promise<boolean> {
  let complete = true;
  let silent = false;
  for (const { title, do: effect, optional } of undos) {
    const asks = effect.kind === "ubus" && effect.ifPresent === true;
    if (asks && silent) {
      complete = false;
      continue;
    }
    try {
      await run(title, effect, host);
    } catch (error) {
      silent ||= asks && isUncertain(error);
      complete &&= optional === true;
    }
  }
  return complete;
}

/**
 * What takes back a setup that has failed. netifd may still do what it was asked for and did not answer: then its tunnel
 * comes up later, and must find a table that only drops.
 */
function undosOfFailure(plan: Plan, begun: readonly Step[], error: unknown): readonly Undo[] {
  const undos = undosOf(begun);
  if (plan.tunnel === undefined || !begun.some((step) => step.key === "netifd")) return undos;
  const down: Undo = { title: "take the tunnel down", do: notify(linkDownRequest(plan.iface)) };
  if (!isUncertain(error)) return [...undos, down];
  return [...undos.map((part) => (part.do.kind === "remove table" ? closing(part.do) : part)), down];
}

interface Closable {
  readonly table: string;
  readonly device: DeviceName;
}

/** True for an effect whose table a device is closed by. */
function isClosable(effect: Effect | undefined): effect is Effect & Closable {
  return effect?.kind === "nft" && effect.device !== undefined;
}

/** A table that only drops, in the place of the NAT. */
export function closing({ table, device }: Closable): Undo {
  return {
    title: "close the port set",
    do: { kind: "nft", table, device, script: renderNftClosed(table, device) },
  };
}

/**
 * The steps in an order in which a tunnel of netifd's that is there already sends nothing while it is another's: it is closed
 * first, and the NAT of the new one comes last. The module's device needs none of this: its rules change at once.
 */
export function closedMeanwhile(plan: Plan, steps: readonly Step[]): readonly Step[] {
  // The address comes first of all: until the neighbours have been asked for it, a tunnel cannot begin there.
  const address = steps.filter((step) => step.key === "address");
  const nat = steps.find((step) => step.key === "nat");
  if (plan.tunnel === undefined || nat === undefined || !isClosable(nat.do)) return steps;
  const others = steps.filter((step) => step !== nat && !address.includes(step));
  return [...address, { ...nat, ...closing(nat.do) }, ...others, nat];
}

/**
 * The steps with one more before netifd is told: for a device that is new, in the place of one that netifd was told of.
 * netifd sets only what differs from what it was told before, and addresses and routes that stay the same would be
 * missing. So they are all taken back first.
 */
export function ontoNewDevice(plan: Plan, steps: readonly Step[]): readonly Step[] {
  return steps.flatMap((step) =>
    step.key === "netifd"
      ? [{ ...step, title: "have the device without addresses", do: notify(bareUpdateRequest(plan)) }, step]
      : [step],
  );
}

/** Performs steps, first to last. When one fails, it and those before it are undone. */
export async function walkDown(plan: Plan, steps: readonly Step[], host: Host): Promise<void> {
  // The step that fails is undone too: an answer that came too late may hide that it was done.
  const begun: Step[] = [];
  try {
    for (const step of steps) {
      if (step.do === undefined) continue;
      begun.push(step);
      await run(step.title, step.do, host);
    }
  } catch (error) {
    await walkUp(undosOfFailure(plan, begun, error), host);
    throw error;
  }
}

/**
 * Performs the steps of a change, each in the place of what an earlier session left. When one fails, those before it are
 * taken back: the last good state goes on. Gives what failed, and whether netifd may have the old tunnel or the new one.
 */
export async function walkOver(
  plan: Plan,
  steps: readonly Step[],
  host: Host,
  between: (done: Step) => Promise<void>,
): Promise<{ readonly error: unknown; readonly tunnelInDoubt: boolean } | undefined> {
  const restore: Undo[] = [];
  let asked = false;
  let answered = false;
  try {
    for (const step of steps) {
      if (step.do === undefined) continue;
      asked = step.key === "netifd";
      if (step.key === "address") restore.unshift(...step.undo);
      const performed = await run(step.title, step.do, host);
      if (performed.restore !== undefined) {
        restore.unshift({ title: `take back: ${step.title}`, do: performed.restore });
      }
      answered ||= asked;
      await between(step);
    }
    return undefined;
  } catch (error) {
    // No table is right for the old tunnel and for the new one.
    const tunnelInDoubt = plan.tunnel !== undefined && (answered || (asked && isUncertain(error)));
    await walkUp(
      restore.map((part) => (tunnelInDoubt && isClosable(part.do) ? closing(part.do) : part)),
      host,
    );
    return { error, tunnelInDoubt };
  }
}
