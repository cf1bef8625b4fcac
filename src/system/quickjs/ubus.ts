import { statusNameOf, UbusStatus } from "ubus-client-ts/errors";
import { EffectError } from "../../wire/errors.ts";
import { type Execute, failureOf } from "../programs.ts";
import type { Bus } from "../system.ts";
import { encode } from "./utf8.ts";

/** Longest argument that Linux hands to a program, octets without its NUL (MAX_ARG_STRLEN). */
const ARGUMENT_LIMIT = 131_071;
/** What the command ends with when ubusd does not answer: -1. */
const NOT_CONNECTED = 255;

/** ubus by OpenWrt's command: QuickJS has no sockets. @param path of ubusd's socket, or undefined for OpenWrt's own. */
export function openBus(execute: Execute, path: string | undefined): Bus {
  return {
    async call(object, method, args, limitMs) {
      const command = `ubus call ${object} ${method}`;
      const message = JSON.stringify(args);
      const { length } = encode(message);
      if (length > ARGUMENT_LIMIT) {
        throw new EffectError(
          command,
          `its arguments have ${length} octets, and QuickJS can hand over ${ARGUMENT_LIMIT}`,
        );
      }
      const socket = path === undefined ? [] : ["-s", path];
      // Its own limit is whole seconds; ours ends it in time.
      const seconds = `${Math.ceil(limitMs / 1_000) + 1}`;
      const argv = [...socket, "-S", "-t", seconds, "call", object, method, message];
      const ended = await execute("ubus", argv, "", limitMs);
      const { ending, stdout } = ended;
      const answered = (status: number) => new EffectError(command, statusNameOf(status), { status });
      if (ending.how === "late") throw answered(UbusStatus.TIMEOUT);
      if (ending.how !== "exit") throw new EffectError(command, failureOf(ended, limitMs) ?? "");
      if (ending.code === NOT_CONNECTED) throw answered(UbusStatus.CONNECTION_FAILED);
      if (ending.code !== 0) throw answered(ending.code);
      const [first = ""] = stdout.trim().split("\n");
      if (first === "") return {};
      try {
        return JSON.parse(first);
      } catch {
        throw new EffectError(command, "its answer is not JSON");
      }
    },
    close() {},
  };
}
