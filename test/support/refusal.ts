import { InputError } from "../../src/wire/errors.ts";

/** The message with which `act` refuses its input; `accepted` where it does not. @throws whatever is not a refusal */
export function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return "accepted";
}
