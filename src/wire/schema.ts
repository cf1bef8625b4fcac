/**
 * The three kinds of schema that decode input from netifd and from our own files. They use zod's core: with
 * `zod/mini` the
 * bundle would contain twice as much of zod, and a router's flash is small.
 */

import { $ZodCustom, $ZodObject, $ZodOptional, type $ZodShape, type $ZodType } from "zod/v4/core";

export { type output, safeParse } from "zod/v4/core";

/** A value for which `holds` is true; for any other the message is what `error` says of it. */
export function custom<T>(
  holds: (value: unknown) => boolean,
  error: (value: unknown) => string = () => "not understood",
): $ZodType<T> {
  const schema: $ZodType = new $ZodCustom({
    type: "custom",
    check: "custom",
    fn: holds,
    error: ({ input }) => error(input),
  });
  return schema as $ZodType<T>;
}

export function optional<T extends $ZodType>(innerType: T): $ZodOptional<T> {
  return new $ZodOptional({ type: "optional", innerType }) as $ZodOptional<T>;
}

/** An object with these keys; other keys are left out of the result. */
export function object<T extends $ZodShape>(shape: T): $ZodObject<T> {
  return new $ZodObject({ type: "object", shape }) as $ZodObject<T>;
}

/** What an object of JSON holds. */
export type Fields = Readonly<Record<string, unknown>>;

/** True for an object of JSON. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Text of at most `limit` characters. */
export function text(limit: number): $ZodType<string> {
  return custom((value) => typeof value === "string" && value.length <= limit);
}
