/** A change: another plan is put in the place of the one that is in force. What is equal is not touched. */

import { formatIpv4Prefix } from "../ip/text.ts";
import type { Plan } from "../map/plan.ts";
import type { Provisioned } from "../provision/choose.ts";
import { addressInterfaces } from "../render/netifd.ts";
import { explained } from "./failure.ts";
import type { Host } from "./host.ts";
import { inForce, printOf, printsOf, rulesOf, stateOf, summary, tablePrint } from "./record.ts";
import { formatState, type SavedState } from "./state.ts";
import { type Claim, claimFrom, claimOf, type Step, type StepKey, sessionSteps } from "./steps.ts";
import { untilUsable } from "./waits.ts";
import { attempt, closedMeanwhile, ontoNewDevice, walkOver, walkUp } from "./walk.ts";

/**
 * The claim of a plan that takes the place of another: the MAP address keeps netifd's interface where it is the same, and
 * takes the other name where it is not.
 */
function nextClaim(plan: Plan, saved: SavedState): Claim {
  const old = claimFrom(plan.iface, saved);
  const [current] = old.addressInterfaces;
  const claim = (name?: string) => {
    const next = claimOf(plan, name);
    return { ...next, forwards: next.forwards || old.forwards };
  };
  const other = addressInterfaces(plan.iface).find((name) => name !== current);
  const kept = claim(current);
  const print = printsOf(saved.steps).get("address");
  const same = sessionSteps(kept, plan).some((step) => step.do !== undefined && printOf(step) === print);
  return same ? kept : claim(other);
}

/** Whether what a step did is still what the kernel has. */
async function stillInForce(step: Step, plan: Plan, saved: SavedState, host: Host): Promise<boolean> {
  if (step.do?.kind === "nft")
    return printsOf(saved.tables).get(step.key) === `${await tablePrint(step.do.table, host)}`;
  switch (step.key) {
    case "device":
      return saved.rules !== undefined && rulesOf(plan.device, host) === saved.rules;
    case "mtu":
      return host.deviceMtu(plan.device) === plan.link.mtu;
    case "netifd":
      return host.deviceMtu(plan.device) !== undefined;
    default:
      return true;
  }
}

/** The steps that a change has to do: those that are new, and those that the kernel has lost. */
async function dueSteps(
  steps: readonly Step[],
  plan: Plan,
  saved: SavedState,
  host: Host,
): Promise<readonly Step[]> {
  const prints = printsOf(saved.steps);
  const due: Step[] = [];
  for (const step of steps) {
    if (step.do === undefined) continue;
    const done = prints.get(step.key) === printOf(step) && (await stillInForce(step, plan, saved, host));
    if (!done) due.push(step);
  }
  return due;
}

/** True where flows that began under the saved state could not go on: their address or their ports are another's now. */
function endsFlows(plan: Plan, saved: SavedState): boolean {
  const { offset, psidLength, psid } = plan.ce?.portSet ?? {};
  return (
    saved.ipv4 !== formatIpv4Prefix(plan.ipv4) ||
    saved.offset !== `${offset}` ||
    saved.psid_length !== `${psidLength}` ||
    saved.psid !== `${psid}`
  );
}

/**
 * Takes the MAP address from netifd. A renewal that was cut short may have left an interface of netifd's for each of two
 * addresses: an add_dynamic for a name that has another address would only take it away, and two interfaces with one address
 * lose it together.
 */
function removeAddresses(claim: Claim, host: Host): Promise<boolean> {
  return walkUp(
    sessionSteps(claim).flatMap(({ key, undo }) => (key === "address" ? undo : [])),
    host,
  );
}

/** Puts a plan in the place of the one that is in force. What is equal is not touched, so that flows go on. */
export async function change(provisioned: Provisioned, saved: SavedState, host: Host): Promise<void> {
  const { plan } = provisioned;
  const claim = nextClaim(plan, saved);
  const steps = sessionSteps(claim, plan);
  const due = await dueSteps(steps, plan, saved, host);
  if (due.length === 0) {
    host.log("renew", "ok", "nothing changed");
    return;
  }
  const old = claimFrom(plan.iface, saved);
  const names = old.addressInterfaces;
  const held = [...new Set([...names, ...claim.addressInterfaces])];
  // Whoever cuts us short leaves both states' things: neither counts as done.
  const changing = { ...saved, steps: "", tables: "", address_interfaces: held.join(" ") };
  host.writeState(plan.iface, formatState(changing));
  const isDue = (key: StepKey) => due.some((step) => step.key === key);
  if (names.length > 1 && isDue("address")) await removeAddresses(old, host);
  const { ipv4 } = saved;
  const ends = endsFlows(plan, saved);
  let flowsEnded = false;
  const moves = ends && isDue("netifd");
  const ordered = moves ? closedMeanwhile(plan, due) : due;
  // A tunnel that differs is another device to netifd.
  const isNew = plan.tunnel !== undefined || host.deviceMtu(plan.device) === undefined;
  const failure = await walkOver(
    plan,
    isNew ? ontoNewDevice(plan, ordered) : ordered,
    host,
    async ({ key }) => {
      if (key === "address" && plan.ce !== undefined) await untilUsable(plan.ce.mapAddress, host);
      if (key !== "nat" || ipv4 === undefined || !ends || flowsEnded) return;
      flowsEnded = true;
      await attempt("forget the flows", { kind: "flush flows", ipv4 }, host);
    },
  );
  if (failure !== undefined) {
    const { code, text } = explained(failure.error);
    const state = failure.tunnelInDoubt ? ("failed" as const) : ("up" as const);
    host.writeState(plan.iface, formatState({ ...changing, state, error: `${code}: ${text}` }));
    throw failure.error;
  }
  const gone = names.filter((name) => !claim.addressInterfaces.includes(name));
  const complete = await removeAddresses({ ...old, addressInterfaces: gone }, host);
  const kept = complete ? claim : { ...claim, addressInterfaces: held };
  const state = {
    ...stateOf(provisioned, kept, "up", host.now()),
    ...(await inForce(steps, plan.device, host)),
  };
  host.writeState(plan.iface, formatState(state));
  host.log("renew", "ok", `${summary(provisioned)}; changed: ${due.map((step) => step.key).join(", ")}`);
}
