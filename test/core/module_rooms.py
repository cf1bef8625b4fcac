"""How the module's sources depend on one another: downward only, and the core on nothing of the kernel's packets.

    module_rooms.py SOURCES BUILD KERNEL_TREE

BUILD is where SOURCES have been built: its objects tell which file calls which.
"""

import os
import re
import subprocess
import sys

from checks import Tally

# What compat.h brings, or renames, on some kernels: who uses it includes compat.h itself, and does not rely on a neighbour.
FROM_COMPAT = r"\b(skb_gso_\w+|k[mz]alloc_obj|hex2bin|mm_set_(lltx|netns_immutable)|MM_NEWLINK_ARGUMENTS)\b"
# A C file has no more lines than this.
MOST_LINES = 400
# A room knows those before it, and itself. `.` is src/kmod.
ROOMS = ["core", "net", "nat", "kunit", "."]
# Pairs that know each other: a device has a NAT, and a NAT has a device.
NEIGHBOURS = {("net", "nat")}


def sources(root):
    found = []
    for folder, _, names in os.walk(root):
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names if re.search(r"(?<!\.mod)\.[ch]$", name)]
    return sorted(found)


def circle(edges):
    """Files that lead back to the first of them, or None. @edges: {file: {files}}."""
    done, path = set(), []

    def visit(file):
        if file in path:
            return path[path.index(file):] + [file]
        if file in done:
            return None
        path.append(file)
        for other in sorted(edges.get(file, ())):
            found = visit(other)
            if found:
                return found
        path.pop()
        done.add(file)
        return None

    for file in sorted(edges):
        found = visit(file)
        if found:
            return found
    return None


def includes(root, files):
    return {file: {name for name in re.findall(r'^#include "(.*)"', text(root, file), re.M)} for file in files}


def text(root, file):
    with open(os.path.join(root, file)) as source:
        return source.read()


def calls(build, files):
    """Which file calls a function of which. A table of operations that names a function is no call."""
    defined, wanted = {}, {}
    for file in files:
        if not file.endswith(".c"):
            continue
        listing = subprocess.run(["nm", os.path.join(build, file[:-2] + ".o")], check=True, capture_output=True, text=True).stdout
        for kind, name in re.findall(r"^[0-9a-f ]+ ([A-Za-z]) (\w+)$", listing, re.M):
            if kind == "T":
                defined[name] = file
            elif kind == "U":
                wanted.setdefault(file, set()).add(name)
    return {file: {defined[name] for name in names if name in defined} - {file} for file, names in wanted.items()}


def room(file):
    return os.path.dirname(file) or "."


def main():
    root, build, tree = sys.argv[1:]
    tally, files = Tally(quiet=True), sources(root)
    tally.note("there are sources", len(files) > 30, files)
    for file in files:
        lines = text(root, file).count("\n")
        tally.note(f"{file}: length", lines <= MOST_LINES, f"{lines} lines, {MOST_LINES} are allowed")
        if room(file) == "core":
            tally.note(f"{file}: no socket buffer", not re.search(r"sk_buff|skbuff\.h", text(root, file)), "in the core")
        if file != "compat.h" and re.search(FROM_COMPAT, text(root, file)):
            tally.note(f"{file}: compat.h", '#include "compat.h"' in text(root, file), "newer kernels have it in another header")
        if file.endswith(".h"):
            # The compiler would take the kernel's file for ours.
            tally.note(f"{file}: name", not os.path.exists(os.path.join(tree, "include", file)), "the kernel has a header of this name")
    included = includes(root, files)
    for file, names in included.items():
        for name in names:
            tally.note(f"{file}: {name}", name in files, "there is no such header")
            allowed = ROOMS.index(room(name)) <= ROOMS.index(room(file)) or (room(file), room(name)) in NEIGHBOURS
            tally.note(f"{file}: {name}: downward", allowed or name == "compat.h", "a room below knows one above")
    tally.note("no circle of includes", circle(included) is None, circle(included))
    called = calls(build, [file for file in files if room(file) != "kunit"])
    tally.note("files call one another", sum(map(len, called.values())) > 40, called)
    tally.note("no circle of calls", circle(called) is None, circle(called))
    tally.end()


main()
