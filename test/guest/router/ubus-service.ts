/**
 * Does the work of the lab's command `ubus`. A handler on QuickJS runs that command for every call, and to start Node costs a
 * guest half a second of its processor. So the command is a small program (ubus.c) that sends its arguments here.
 *
 * A connection carries the arguments, each followed by a NUL, until the command has shut down its side. The answer is a line with the
 * exit code, and then what ubus prints.
 */

import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { ubusCommand } from "../../engines/ubus-call.ts";

const SOCKET = "/run/lab/ubus.sock";

rmSync(SOCKET, { force: true });
const server = createServer({ allowHalfOpen: true }, (socket) => {
  const pieces: Buffer[] = [];
  socket.on("data", (piece) => pieces.push(piece));
  // Who is killed while it waits takes no answer.
  socket.on("error", () => socket.destroy());
  socket.once("end", async () => {
    const argv = Buffer.concat(pieces).toString().split("\0").slice(0, -1);
    try {
      const { code, stdout } = await ubusCommand(argv);
      socket.end(`${code}\n${stdout}`);
    } catch (error) {
      // The program is left without an answer, and fails.
      console.log(error);
      socket.destroy();
    }
  });
});
server.listen(SOCKET, () => console.log("ubus: ready"));
process.once("SIGTERM", () => process.exit(0));
