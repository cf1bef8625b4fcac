/**
 * OpenWrt's `ubus` command as far as our programs use it, for machines that have none: over ubus-client-ts.
 *
 *   ubus [-s SOCKET] [-t SECONDS] -S call OBJECT METHOD JSON
 *
 * As OpenWrt's: one line of JSON for each object of the answer; the exit code is ubus's status, 255 without a ubusd.
 */

import { parseArgs } from "node:util";
import { type BlobTable, UbusCaller, UbusError, UbusStatus } from "ubus-client-ts";

const NOT_CONNECTED = 255;

const { values, positionals } = parseArgs({
  options: {
    s: { type: "string", short: "s" },
    t: { type: "string", short: "t" },
    S: { type: "boolean", short: "S" },
  },
  allowPositionals: true,
});
const [command, object, method, json = "{}"] = positionals;
if (command !== "call" || object === undefined || method === undefined || values.S !== true) {
  process.stderr.write("usage: ubus [-s SOCKET] [-t SECONDS] -S call OBJECT METHOD [JSON]\n");
  process.exit(254);
}

async function call(path: string, name: string): Promise<number> {
  let args: BlobTable;
  try {
    args = JSON.parse(json);
  } catch {
    return UbusStatus.PARSE_ERROR;
  }
  let ubus: UbusCaller;
  try {
    ubus = await UbusCaller.connect(values.s === undefined ? {} : { path: values.s });
  } catch {
    return NOT_CONNECTED;
  }
  try {
    const answers = await ubus.call(path, name, args, { timeoutMs: 1_000 * Number(values.t ?? 30) });
    for (const answer of answers) process.stdout.write(`${JSON.stringify(answer)}\n`);
    return 0;
  } catch (error) {
    if (error instanceof UbusError) return error.status;
    throw error;
  } finally {
    ubus.close();
  }
}

process.exitCode = await call(object, method);
