"""The core's KUnit tests: loads a module that has them linked in, and reads their results from the kernel's log.

What is to be there comes from the sources: a suite, case or row of a table without a result is a failure.
"""

import glob
import re
import sys

from checks import check
from namespaces import sh
from topology import dmesg, finish

MODULE, SOURCES = sys.argv[1], sys.argv[2]


def expected():
    """{suite: {case: rows of its table, or None}}, as the sources have them."""
    suites = {}
    for path in sorted(glob.glob(f"{SOURCES}/kunit/*.c")):
        with open(path) as file:
            text = file.read()
        rows = {}
        for name, table in re.findall(r"KUNIT_ARRAY_PARAM\((\w+), (\w+),", text):
            body = re.search(table + r"\[\] = \{\n(.*?)\n\};", text, re.S).group(1)
            # A row begins with its name, at the depth of the table.
            rows[f"{name}_gen_params"] = len(re.findall(r"^\t\{ \"", body, re.M))
        cases = {}
        for case, generator in re.findall(r"KUNIT_CASE(?:_PARAM)?\((\w+)(?:, (\w+))?\)", text):
            cases[case] = rows[generator] if generator else None
        for suite in re.findall(r"\.name = \"(\w+)\"", text):
            suites[suite] = cases
    return suites


def main():
    sh(f"insmod {MODULE}")
    log = [re.sub(r"^\[ *[0-9.]+\] ", "", line) for line in dmesg().splitlines()]
    suites = expected()
    check("the sources have suites", len(suites) >= 2, suites)
    for suite, cases in suites.items():
        check(f"{suite}: there are cases", len(cases) > 0)
        verdict = [line for line in log if re.fullmatch(rf"(not )?ok \d+ -? ?{suite}", line.strip())]
        check(f"{suite}: passed", len(verdict) == 1 and verdict[0].strip().startswith("ok"), verdict)
        for case, rows in cases.items():
            verdict = [line.strip() for line in log if re.search(rf"\bok \d+ -? ?{case}$", line)]
            check(f"{suite}: {case}: passed", len(verdict) == 1 and verdict[0].startswith("ok"), verdict)
            if rows is None:
                continue
            # The sum that KUnit prints for a table.
            sums = [line.strip() for line in log if line.strip().startswith(f"# {case}: pass:")]
            check(f"{suite}: {case}: {rows} rows, each passed",
                  rows > 0 and sums == [f"# {case}: pass:{rows} fail:0 skip:0 total:{rows}"], sums)
    for line in log:
        if re.search(r"# mm_test\w+: (EXPECTATION|ASSERTION)|^ +(Expected|not ok)", line):
            print(line)
    sh("rmmod mapmint")
    finish()


main()
