/** A row of the table of suites. */
export interface Suite {
  readonly name: string;
  readonly part: string;
  readonly shows: string;
  readonly needs: readonly string[];
  readonly seconds: number;
  readonly processors?: 1;
  readonly command: readonly string[];
  readonly cases?: "guest" | "vitest";
  readonly variables?: readonly string[];
}

export const suites: readonly Suite[];
export const parts: readonly string[];
