"""What benchmarks share: the guest's own clock, and what rounds of samples say.

Samples are costs; a throughput is the inverse of one. Ratios are taken within a round. The interval is that of the median, 95 % at least
(order statistics).
"""

import math
import sys
import termios


def spent():
    """Seconds of processor time of this guest's kernel."""
    print("@@cpu", flush=True)
    return int(sys.stdin.readline()) / 1e9


def silence():
    """The console would say back what it is told."""
    settings = termios.tcgetattr(0)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, settings)


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def interval(values):
    """Of the median: the ranks that enclose it with 95 % at least."""
    n, ordered = len(values), sorted(values)
    for k in range(n // 2, -1, -1):
        outside = 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n
        if outside <= 0.05:
            return ordered[k], ordered[n - 1 - k]
    return ordered[0], ordered[-1]


def ratio(whole, part):
    """The throughput of `part` in that of `whole`: low, median, high."""
    ratios = [theirs / ours for theirs, ours in zip(whole, part)]
    low, high = interval(ratios)
    return low, median(ratios), high


def judge(title, theirs, ours, bar):
    """Prints the ratio of two throughputs beside its bar; whether that is reached."""
    low, found, high = ratio(theirs, ours)
    reached = found >= bar
    print(f"  {'ok' if reached else 'FAILED'}   {title}: {found:.3f} [{low:.3f}, {high:.3f}], at least {bar:.3g}")
    return reached
