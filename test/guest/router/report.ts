/** What a guest tells the machine's side: words for a person, and checks that held or did not, as marked lines. */

export type Message =
  | { readonly kind: "step" | "detail"; readonly text: string }
  | { readonly kind: "check"; readonly name: string; readonly ok: boolean; readonly detail: string };

const MARK = "@@lab ";

export function encode(message: Message): string {
  return `${MARK}${JSON.stringify(message)}`;
}

/** The message in a line of the guest's console, or undefined for a line of somebody else. */
export function decode(line: string): Message | undefined {
  const at = line.indexOf(MARK);
  if (at < 0) return undefined;
  try {
    return JSON.parse(line.slice(at + MARK.length)) as Message;
  } catch {
    return { kind: "check", name: "console", ok: false, detail: `cut line: ${line}` };
  }
}

function send(message: Message): void {
  process.stdout.write(`${encode(message)}\n`);
}

/** A step of the main job, in plain words. */
export function step(text: string): void {
  send({ kind: "step", text });
}

/** What is worth showing below a step; may have several lines. */
export function detail(text: string): void {
  for (const line of text.trimEnd().split("\n")) send({ kind: "detail", text: line });
}

/** One row of the table. */
export function check(name: string, ok: boolean, what = ""): boolean {
  send({ kind: "check", name, ok, detail: what });
  return ok;
}

/** A row whose value is found out by something that may throw: that is then what is said. */
export async function checking(name: string, look: () => Promise<string> | string): Promise<boolean> {
  try {
    return check(name, true, await look());
  } catch (error) {
    return check(name, false, error instanceof Error ? error.message : String(error));
  }
}

/** @throws Error with `what` unless `ok`. */
export function demand(ok: boolean, what: string): void {
  if (!ok) throw new Error(what);
}
