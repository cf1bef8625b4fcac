/**
 * The bundle of `mapminctl doctor` alone. QuickJS compiles a whole bundle before it runs a word of it: beside the other
 * commands, the doctor would make each of them start 5 ms later.
 */

import { runCommand } from "./cli/command.ts";
import { runDoctor } from "./cli/doctor.ts";
import { main } from "./main.ts";

void main({
  mapminctl: {
    about: "doctor: looks for what keeps an interface from working",
    run: async ([, ...argv], system) => runCommand("doctor", async () => runDoctor, argv, system),
  },
});
