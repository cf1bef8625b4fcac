/** Something wrong in the input that we accepted, or something that a person should know. */
export interface Remark {
  /** Stable code, e.g. "padded-prefix", "right-aligned-psid", "psid-conflict", "nonzero-subnet-bits". */
  readonly code: string;
  /** Path into the input, e.g. "S46_CONT_MAPT/S46_RULE[0]/psid". */
  readonly path: string;
  /** Octet offset in the input, when there is one. */
  readonly offset?: number;
  /** One sentence for a person. */
  readonly text: string;
}
