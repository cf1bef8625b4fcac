/** The errors that input can cause. Everything else that is thrown is a fault of ours. */

/** Base of every declared error. */
export class MapminError extends Error {
  override readonly name: string = "MapminError";
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
    super(`${path} at octet ${offset}: ${reason}`);
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

  constructor(field: string, reason: string) {
    super(`${field}: ${reason}`);
    this.field = field;
    this.reason = reason;
  }
}
