"""Runs a benchmark's guest, several times over, tells it how much processor time its kernel has had, and judges what it has measured.

Usage: cpu_clock.py BOOTS COMMAND [ARGUMENT ...]

A machine that others share is slow at times, which a clock on the wall cannot tell from slow code. The guest's kernel is one process here,
so its processor time is a clock that stands while others run. The guest asks with a line "@@cpu" on its console, and is answered with a
number of nanoseconds. Lines of figures.py are kept for the report; all others are passed on. Where code and data come to lie differs
from boot to boot, and with it what they cost by some in a hundred: that is why there are several. Ends with 1 where a bar is not reached.
"""

import json
import os
import subprocess
import sys

from rounds import Report


def spent(process):
    """Nanoseconds, of all threads of the guest's kernel."""
    total = 0
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


def boot(command, report):
    """Whether the guest came to its end."""
    guest = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ended = False
    for raw in guest.stdout:
        line = raw.decode(errors="replace").rstrip("\r\n")
        word, _, rest = line.partition(" ")
        if line == "@@cpu":
            guest.stdin.write(f"{spent(guest.pid)}\n".encode())
            guest.stdin.flush()
        elif word in ("@@test", "@@bar", "@@cost"):
            report.take(word, *json.loads(rest))
        elif word == "@@guest-exit":
            ended = rest == "0"
        else:
            print(line, flush=True)
    guest.wait()
    return ended


def main():
    boots, report = int(sys.argv[1]), Report()
    for number in range(boots):
        print(f"boot {number + 1} of {boots}", flush=True)
        if not boot(sys.argv[2:], report):
            sys.exit("cpu_clock.py: the guest did not end well")
    sys.exit(not report.tell())


main()
