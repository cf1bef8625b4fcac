/**
 * What does the work of the router's `ubus` (ubus.c) in the lab. A guest needs half a second of its processor to start Node, and
 * a handler on QuickJS starts `ubus` for every call: so a small program hands its arguments over, and this one calls.
 *
 * On a connection come the arguments, each with a NUL behind it, until its writer's end; back go the exit code, a line of its
 * own, and what ubus prints.
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
