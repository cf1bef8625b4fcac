/**
 * Every error that we declare. Its class tells whose fault it is:
 *
 *     MapminError
 *       DecodeError   the peer's: octets from the network that are not what they should be
 *       InputError    the person's or the program's that configured or called us
 *       UsageError    (cli/arguments) theirs, too: a command line that fits no program
 *       SetupError    nobody's alone: what is given does not lead to a customer edge
 *       EffectError   the world's: a program, a file, a device or netifd did not do what it was asked to
 *
 * Whatever else is thrown (TypeError, RangeError ...) is a bug of ours and is never reported as bad input.
 */

/** The root of every declared error. `cause` is the error below it, where there is one. */
export class MapminError extends Error {
  override readonly name: string = "MapminError";
  /** For programs: stable, in capitals. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Octets that are not what they should be. */
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
    this.reason = reason;
  }
}

/** A value that somebody typed or configured and that cannot be. */
export class InputError extends MapminError {
  override readonly name = "InputError";
  /** The option, field or variable. */
  readonly field: string;
  readonly reason: string;

  constructor(field: string, reason: string, options?: ErrorOptions) {
    super("INVALID_OPTION", `${field}: ${reason}`, options);
    this.field = field;
    this.reason = reason;
  }
}

/** A setup that cannot succeed as things are: `code` is what netifd shows, the message is for a person. */
export class SetupError extends MapminError {
  override readonly name = "SetupError";
}

/** A program, file, device or ubus object did not do what it was asked to. */
export class EffectError extends MapminError {
  override readonly name = "EffectError";
  /** The command line, the file, or the ubus call that failed. */
  readonly subject: string;
  /** Why, in its own words. */
  readonly why: string;
  /** The status that ubus answered with. */
  readonly status: number | undefined;

  constructor(subject: string, why: string, options: ErrorOptions & { readonly status?: number } = {}) {
    super("SETUP_FAILED", `${subject}: ${why}`, options);
    this.subject = subject;
    this.why = why;
    this.status = options.status;
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
