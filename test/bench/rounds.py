"""What rounds of samples say.

Samples are costs; a throughput is the inverse of one. Ratios are taken within a round. The interval is that of the median, 95 % at least
(order statistics).
"""

import math


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
    ratios = [theirs / ours for theirs, ours in zip(whole, part, strict=True)]
    low, high = interval(ratios)
    return low, median(ratios), high


class Report:
    """Figures of all boots."""

    def __init__(self):
        self.tests, self.bars = {}, []

    def take(self, word, name, *rest):
        if word == "@@test":
            self.tests.setdefault(name, (*rest, {}))
        elif word == "@@cost":
            mode, value = rest
            self.tests[name][-1].setdefault(mode, []).append(value)
        elif (name, *rest) not in self.bars:
            self.bars.append((name, *rest))

    def tell(self):
        """Prints all; whether every bar was reached."""
        good = True
        for name, (unit, base, by_mode) in self.tests.items():
            print(f"\n{name}: cost, and throughput as a ratio, {len(by_mode[base])} rounds")
            for mode, values in by_mode.items():
                low, found, high = ratio(by_mode[base], values)
                print(f"  {mode:12} {median(values):9.2f} {unit}, of {base} {found:.3f} [{low:.3f}, {high:.3f}]")
            for test, ours, peer, least in self.bars:
                if test == name:
                    low, found, high = ratio(by_mode[peer], by_mode[ours])
                    reached = found >= least
                    good = good and reached
                    print(f"  {'ok' if reached else 'FAILED'}   {ours} of {peer}: {found:.3f} [{low:.3f}, {high:.3f}], at least {least:.3g}")
        return good
