/** The program `ubus`: see ubus-call.ts. */

import { ubusCommand } from "./ubus-call.ts";

const { code, stdout } = await ubusCommand(process.argv.slice(2));
process.stdout.write(stdout);
process.exitCode = code;
