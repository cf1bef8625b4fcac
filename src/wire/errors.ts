/**
 * Every error that we declare. Its class tells whose fault it is:
 *
 *     MapminError
 *       DecodeError   the sender's: octets from the network that are malformed
 *       InputError    the person's or the program's that configured or called us
 *       UsageError    (cli/arguments) theirs too: a command line that no program accepts
 *       SetupError    nobody's in particular: rule, prefix and link do not make a customer edge
 *       EffectError   the router's: a program, a file, a device or netifd failed
 *
 * Any other error (TypeError, RangeError, ...) is a bug in mapmin and is never reported as bad input.
 */

import { printable } from "./printable.ts";

/** Most characters of a message: what a program answers may have any length. */
const MESSAGE_LIMIT = 4_000;

/** The root of every declared error. `cause` is the error below it, where there is one. */
export class MapminError extends Error {
  override readonly name: string = "MapminError";
  /** For programs: stable, in capitals. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    // Messages quote what others wrote: they are fit to be shown from here on.
    super(printable(message, MESSAGE_LIMIT), options);
    this.code = code;
  }
}

/** Malformed octets. */
export class DecodeError extends MapminError {
  override readonly name = "DecodeError";
  /** Where in the structure, e.g. `OPTION_48879/MAP_RULE[0]/ea-len`. */
  readonly path: string;
  /** Where in the input, in octets from its start. */
  readonly offset: number;
  readonly reason: string;

  constructor(path: string, offset: number, reason: string) {
    super("MALFORMED", `${path} at octet ${offset}: ${reason}`);
    this.path = path;
    this.offset = offset;
    this.reason = printable(reason, MESSAGE_LIMIT);
  }
}

/** A typed or configured value that is not possible. */
export class InputError extends MapminError {
  override readonly name = "InputError";
  /** The option, field or variable. */
  readonly field: string;
  readonly reason: string;

  constructor(field: string, reason: string, options?: ErrorOptions) {
    super("INVALID_OPTION", `${field}: ${reason}`, options);
    this.field = field;
    this.reason = printable(reason, MESSAGE_LIMIT);
  }
}

/** A setup that cannot succeed now. netifd shows `code`; the message is for a person. */
export class SetupError extends MapminError {
  override readonly name = "SetupError";
}

/** A program, a file, a device or a call over ubus failed. */
export class EffectError extends MapminError {
  override readonly name = "EffectError";
  /** The command line, the file, or the ubus call that failed. */
  readonly subject: string;
  /** Its own error text. */
  readonly why: string;
  /** The status that ubus answered with. */
  readonly status: number | undefined;

  constructor(subject: string, why: string, options: ErrorOptions & { readonly status?: number } = {}) {
    super("SETUP_FAILED", `${subject}: ${why}`, options);
    this.subject = subject;
    this.why = printable(why, MESSAGE_LIMIT);
    this.status = options.status;
  }
}

/** For a `catch` that deals with errors of one class. @throws `error` when it is of another one */
export function throwUnless<E extends MapminError>(
  error: unknown,
  kind: abstract new (...values: never[]) => E,
): asserts error is E {
  if (!(error instanceof kind)) throw error;
}

/** The message of anything that can be thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
