/**
 * The bundle of commands that are run seldom. QuickJS compiles a whole bundle before it runs a word of it: beside the other
 * commands, these would make each of them start 6 ms later.
 */

import { type Command, notHere, runCommand } from "./cli/command.ts";
import { runDoctor } from "./cli/doctor.ts";
import { runEncode } from "./cli/encode.ts";
import { main } from "./main.ts";

const commands: Readonly<Record<string, Command>> = { doctor: runDoctor, encode: runEncode };

void main({
  mapminctl: {
    about: "doctor: looks for what keeps an interface from working; encode: the option for a DHCPv6 server",
    run: async ([name = "", ...argv], system) => {
      const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
      if (command === undefined) return notHere(name, system);
      return runCommand(name, async () => command, argv, system);
    },
  },
});
