"""Checks of a test program: a line for each, their sum at the end, and the cases that `test/run -k PATTERN` asks for."""

import os
import sys


class Tally:
    """Counts checks. A quiet one prints those that failed alone."""

    def __init__(self, quiet=False):
        self.quiet = quiet
        self.passed = self.failed = 0

    def note(self, title, good, detail=""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
        if not good:
            print(f"FAILED   {title}" + (f": {detail}" if detail != "" else ""), flush=True)
        elif not self.quiet:
            print(f"ok   {title}", flush=True)
        return bool(good)

    def equal(self, title, found, expected):
        return self.note(title, found == expected, f"found {found!r}, expected {expected!r}")

    def end(self):
        """Prints the sum, and ends the program: with 1 where a check failed, or where there was none."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(self.failed != 0 or self.passed == 0)


# Of programs that print every check.
tally = Tally()
check = tally.note


def name_of(case):
    return case if isinstance(case, str) else case.__name__


def chosen(cases):
    """Those of the cases (functions, or names) whose name has the pattern in it; all without one. A pattern that fits none ends
    the program."""
    pattern = os.environ.get("MAPMIN_CASE") or os.environ.get("guest_case") or ""
    plain = pattern.lower().replace(" ", "_").replace("-", "_")
    found = [case for case in cases if plain in name_of(case).lower().replace(" ", "_").replace("-", "_")]
    if not found:
        sys.exit(f"-k {pattern}: no case has this in its name; there are {', '.join(name_of(case) for case in cases)}")
    return found


def chosen_all():
    """Whether all cases are asked for."""
    return not (os.environ.get("MAPMIN_CASE") or os.environ.get("guest_case"))


def attempt(case, *arguments, prefix=""):
    """Calls a case. One that breaks off must not hide the others: it is a failed check."""
    try:
        case(*arguments)
    except Exception as error:
        check(f"{prefix}{name_of(case)} runs to its end", False, repr(error))


def run_each(cases, *arguments):
    """Calls those cases that are asked for."""
    for case in chosen(cases):
        attempt(case, *arguments)
