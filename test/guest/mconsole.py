"""Asks a guest's kernel (User Mode Linux) something from outside, by its management console.

Usage: mconsole.py SOCKET COMMAND     for example: mconsole.py DIR/mconsole "sysrq w", the tasks that are blocked
Ends with 1 where there is no answer within seconds: the kernel takes no interrupts any more.
"""

import os
import socket
import struct
import sys
import tempfile

# arch/um/drivers/mconsole.h: magic, version, length, text; and in an answer error, more, length, text.
MAGIC, VERSION, ROOM = 0xCAFEBABE, 2, 512
HEAD = struct.Struct("=III")
SECONDS = 10


def main():
    path, command = sys.argv[1], sys.argv[2].encode()
    with tempfile.TemporaryDirectory() as own, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(os.path.join(own, "answers"))
        line.settimeout(SECONDS)
        try:
            line.sendto(HEAD.pack(MAGIC, VERSION, len(command)) + command.ljust(ROOM, b"\0"), path)
            more = True
            while more:
                answer = line.recv(HEAD.size + ROOM)
                _, more, length = HEAD.unpack_from(answer)
                sys.stdout.write(answer[HEAD.size : HEAD.size + length].decode(errors="replace"))
        except (OSError, struct.error) as error:
            sys.exit(f"no answer: {error}")


main()
