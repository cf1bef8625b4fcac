/** What netifd and odhcp6c's script run. */

import { main } from "./main.ts";

// Programs are loaded when asked for: start-up counts on a router.
export const ended = main({
  proto: {
    about: 'the handler of the netifd protocol "map"',
    run: async (argv, system) => (await import("./cli/proto.ts")).runProto(argv, system),
  },
  hook: {
    about: "what odhcp6c's script runs when a lease changes",
    run: async (argv, system) => (await import("./cli/hook.ts")).runHook(argv, system),
  },
});
