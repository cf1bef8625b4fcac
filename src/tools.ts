/** What people run. */

import { main } from "./main.ts";

// Programs are loaded when asked for: start-up counts on a router.
export const ended = main({
  mdpc: {
    about: "reads OPTION_48879 and PREFIXES, prints the commands that set the CE up",
    run: async (argv, system) => (await import("./cli/mdpc.ts")).runMdpc(argv, system.environment, system),
  },
  mapminctl: {
    about: "explains, calculates, plans and shows MAP customer edges",
    run: async (argv, system) => (await import("./cli/mapminctl.ts")).runMapminctl(argv, system),
  },
});
