/** What a check is, and how the chain of checks is gone through. */

import type { SavedState } from "../engine/state.ts";
import type { Provisioned } from "../provision/choose.ts";
import { MapminError } from "../wire/errors.ts";
import type { Fact, Facts } from "./facts.ts";

/** What a fault says, and the one thing to do about it. */
export interface Fault {
  /** For programs: stable, in capitals. */
  readonly code: string;
  readonly text: string;
  readonly remedy: string;
}

/** What a check found: nothing, a fault, that a fact is not to be had, or that there is nothing to look at. */
export type Verdict = "fine" | "not used" | { readonly fault: Fault } | { readonly unknown: string };

/** The facts, and what follows from them. */
export interface Patient {
  readonly facts: Facts;
  /** What setup would make of the configuration and the link now, or why it would refuse. */
  readonly expected: Fact<Provisioned | MapminError>;
}

export interface Check {
  /** What is looked at, in words. */
  readonly about: string;
  /** Checks without whose success this one says nothing: what they found is the cause. */
  readonly after: readonly string[];
  look(patient: Patient): Verdict;
}

export function fault(code: string, text: string, remedy: string): Verdict {
  return { fault: { code, text, remedy } };
}

/** Judges a fact that has to be known. */
export function given<T>(fact: Fact<T>, judge: (value: T) => Verdict): Verdict {
  return fact.known ? judge(fact.value) : { unknown: fact.why };
}

/** Judges by what setup has kept. */
export function givenState({ facts }: Patient, judge: (state: SavedState) => Verdict): Verdict {
  return given(facts.state, (state) => (state === undefined ? "not used" : judge(state)));
}

export interface Diagnosis {
  readonly findings: readonly (Fault & { readonly check: string })[];
  /** Checks that found nothing wrong. */
  readonly passed: readonly string[];
  readonly unknown: readonly { readonly check: string; readonly why: string }[];
  /** Checks that would only guess, and the check that failed before them. */
  readonly skipped: readonly { readonly check: string; readonly because: string }[];
}

/** What cannot be read, such as an address in a state file that somebody has written to, is not known. */
function verdictOf(look: Check["look"], patient: Patient): Verdict {
  try {
    return look(patient);
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    return { unknown: error.message };
  }
}

/** Goes through the checks in order. One whose condition has failed is not looked at. */
export function examine(checks: readonly Check[], patient: Patient): Diagnosis {
  /** By the name of a check that has failed or was not looked at: the check that failed first. */
  const causes = new Map<string, string>();
  const findings: (Fault & { check: string })[] = [];
  const passed: string[] = [];
  const unknown: { check: string; why: string }[] = [];
  const skipped: { check: string; because: string }[] = [];
  for (const { about, after, look } of checks) {
    const [because] = after.flatMap((name) => causes.get(name) ?? []);
    if (because !== undefined) {
      causes.set(about, because);
      skipped.push({ check: about, because });
      continue;
    }
    const verdict = verdictOf(look, patient);
    if (verdict === "fine") passed.push(about);
    else if (verdict === "not used") continue;
    else if ("unknown" in verdict) unknown.push({ check: about, why: verdict.unknown });
    else {
      causes.set(about, about);
      findings.push({ check: about, ...verdict.fault });
    }
  }
  return { findings, passed, unknown, skipped };
}
