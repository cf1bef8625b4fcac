"""Runs a guest and tells it, when it asks, how much processor time its kernel has had.

Usage: clocked.py COMMAND [ARGUMENT ...]

A machine that others share is slow at times, which a clock on the wall cannot tell from slow code. The guest's kernel is one process here,
so its processor time is a clock that stands while others run. The guest asks with a line "@@cpu" on its console, and is answered with a
number of nanoseconds. All other lines are passed on.
"""

import os
import subprocess
import sys


def spent(process):
    """Nanoseconds, of all threads of the guest's kernel."""
    total = 0
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


def main():
    guest = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for raw in guest.stdout:
        line = raw.decode(errors="replace").rstrip("\r\n")
        if line == "@@cpu":
            guest.stdin.write(f"{spent(guest.pid)}\n".encode())
            guest.stdin.flush()
        else:
            print(line, flush=True)
    sys.exit(guest.wait() != 0)


main()
