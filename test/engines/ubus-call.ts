/**
 * OpenWrt's `ubus` command as far as our programs use it, for machines that have none: over ubus-client-ts.
 *
 *   ubus [-s SOCKET] [-t SECONDS] -S call OBJECT METHOD JSON
 *
 * As OpenWrt's: one line of JSON for each object of the answer; the exit code is ubus's status, 255 without a ubusd.
 */

import { parseArgs } from "node:util";
import { type BlobTable, UbusCaller, UbusError, UbusStatus } from "ubus-client-ts";

const WRONG_USAGE = 254;
const NOT_CONNECTED = 255;

export interface UbusOutcome {
  readonly code: number;
  readonly stdout: string;
}

/** Runs the command with these arguments. */
export async function ubusCommand(argv: readonly string[]): Promise<UbusOutcome> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    options: {
      s: { type: "string", short: "s" },
      t: { type: "string", short: "t" },
      S: { type: "boolean", short: "S" },
    },
    allowPositionals: true,
  });
  const [command, object, method, json = "{}"] = positionals;
  const failed = (code: number) => ({ code, stdout: "" });
  if (command !== "call" || object === undefined || method === undefined || values.S !== true)
    return failed(WRONG_USAGE);
  let args: BlobTable;
  try {
    args = JSON.parse(json);
  } catch {
    return failed(UbusStatus.PARSE_ERROR);
  }
  let ubus: UbusCaller;
  try {
    ubus = await UbusCaller.connect(values.s === undefined ? {} : { path: values.s });
  } catch {
    return failed(NOT_CONNECTED);
  }
  try {
    const answers = await ubus.call(object, method, args, { timeoutMs: 1_000 * Number(values.t ?? 30) });
    return { code: 0, stdout: answers.map((answer) => `${JSON.stringify(answer)}\n`).join("") };
  } catch (error) {
    if (error instanceof UbusError) return failed(error.status);
    throw error;
  } finally {
    ubus.close();
  }
}
