"""What a benchmark's guest tells cpu_clock.py, and asks it. Each is a line on the console."""

import json
import sys
import termios


def silence():
    """The console would say back what it is told."""
    settings = termios.tcgetattr(0)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, settings)


def spent():
    """Seconds of processor time of this guest's kernel."""
    print("@@cpu", flush=True)
    return int(sys.stdin.readline()) / 1e9


def test(name, unit, base):
    """A test, the unit of its costs, and the mode that the others are shown in proportion to."""
    print("@@test", json.dumps([name, unit, base]), flush=True)


def bar(name, ours, peer, least):
    """The throughput of one mode in that of another, at least."""
    print("@@bar", json.dumps([name, ours, peer, least]), flush=True)


def cost(name, mode, value):
    """One sample; those of a round come once for each mode."""
    print("@@cost", json.dumps([name, mode, value]), flush=True)
