import { BlobError, UbusCaller, UbusError, UbusFrameError, UbusStatus } from "ubus-client-ts";
import { EffectError } from "../../wire/errors.ts";
import type { Bus } from "../system.ts";

/** An error of ubus as one of ours; one that is not declared stays what it is. */
function asEffectError(error: unknown, subject: string): unknown {
  if (error instanceof UbusError) {
    return new EffectError(subject, error.statusName, { cause: error, status: error.status });
  }
  return error instanceof UbusFrameError || error instanceof BlobError
    ? new EffectError(subject, error.message, { cause: error })
    : error;
}

/** ubus by its socket. @param path of ubusd's socket, or undefined for OpenWrt's own. */
export function openBus(path: string | undefined): Bus {
  let connection: Promise<UbusCaller> | undefined;
  return {
    async call(object, method, args, limitMs) {
      connection ??= UbusCaller.connect({ ...(path === undefined ? {} : { path }), timeoutMs: limitMs });
      try {
        const caller = await connection;
        return await caller.callFirst(object, method, args as Record<string, never>, { timeoutMs: limitMs });
      } catch (error) {
        if (error instanceof UbusError && error.status === UbusStatus.CONNECTION_FAILED)
          connection = undefined;
        throw asEffectError(error, `ubus call ${object} ${method}`);
      }
    },
    close() {
      connection?.then(
        (caller) => caller.close(),
        () => {},
      );
    },
  };
}
