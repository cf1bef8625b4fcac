/** A program, file or device did not do what it was asked to: neither our input's fault nor ours. */
export class EffectError extends Error {
  override readonly name = "EffectError";
  /** The command line, or the file, that failed. */
  readonly subject: string;
  /** Its own words. */
  readonly why: string;

  constructor(subject: string, why: string) {
    super(`${subject}: ${why}`);
    this.subject = subject;
    this.why = why;
  }
}
