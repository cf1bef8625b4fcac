"""Whatever docs/rfc-conformance.md names is there: files, the functions of a file, the rows of a test.

    conformance_test.py DOCUMENT

A table row's last two cells are lists, parted by `;`, of

    `file` `name` `name` ...      a file of ours, and words that occur in it
    `file` (row, row)             a test, and rows of it; of a file of packet pairs, its rows, with * for any letters
    name (row, row)               the same, of a test that the document's head gives a name: *name* = `file`
"""

import os
import re
import subprocess
import sys

from checks import Tally
from packet_pairs import rows

PAIRS = ("test/vectors/rfc7915/", "test/vectors/tunnel/")


class Project:
    def __init__(self, root):
        self.root = root
        listed = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"],
                                check=True, capture_output=True, text=True).stdout
        self.files = [file for file in listed.split() if os.path.isfile(os.path.join(root, file))]

    def find(self, name):
        """The files that a name means: a path, a folder, or the end of a path."""
        return [file for file in self.files if file == name or file.endswith("/" + name) or file.startswith(name.rstrip("/") + "/")]

    def text(self, files):
        return "\n".join(open(os.path.join(self.root, file), errors="replace").read() for file in files)


def items(cell):
    """Parted at each ; that is not within ( )."""
    return [item.strip() for item in re.split(r";(?![^(]*\))", cell) if item.strip()]


def rows_of(project, file):
    folder = os.path.join(project.root, os.path.dirname(file))
    return [row.name for row in rows(folder) if row.file == os.path.basename(file)]


def check_names(tally, project, where, files, names):
    pairs = [file for file in files if file.startswith(PAIRS) and file.endswith(".txt")]
    known = rows_of(project, pairs[0]) if pairs else None
    text = project.text(files)
    for name in names:
        if known is None:
            tally.note(f"{where}: {name}", name in text, f"not in {files[0]}")
        else:
            pattern = re.compile(re.escape(name).replace(r"\*", ".*") + "$")
            tally.note(f"{where}: {name}", any(pattern.match(row) for row in known), f"no such row of {files[0]}")


def check_item(tally, project, aliases, where, item):
    listed = re.search(r"\(([^()]*)\)$", item)
    names = [name.strip() for name in listed[1].split(",")] if listed else []
    words = re.findall(r"`([^`]+)`", item[:listed.start()] if listed else item)
    if not words:
        alias = item.split("(")[0].strip()
        if alias not in aliases:
            return
        words = [aliases[alias]]
    files = project.find(words[0])
    tally.note(f"{where}: {words[0]}", bool(files), "there is no such file")
    if files:
        check_names(tally, project, where, files, names)
        text = project.text(files)
        for word in words[1:]:
            tally.note(f"{where}: {words[0]} {word}", word in text, "not in this file")


def main():
    path = os.path.abspath(sys.argv[1])
    project, tally = Project(os.path.dirname(os.path.dirname(path))), Tally(quiet=True)
    document = open(path).read()
    aliases = dict(re.findall(r"\*([\w ]+)\* = `([^`]+)`", document.replace("\n", " ")))
    tested = 0
    for number, line in enumerate(document.split("\n"), 1):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("| ") else []
        if len(cells) != 4 or cells[0] in ("clause", "---"):
            tally.note(f"line {number}", not cells or cells[0] == "---" or len(cells) == 4, "a row has four cells")
            continue
        tested += 1
        tally.note(f"line {number}", cells[3] != "", "the row names no test, and gives no reason for that")
        for item in items(cells[2]) + items(cells[3]):
            check_item(tally, project, aliases, f"{os.path.basename(path)}:{number}", item)
    tally.note("the document has rows", tested > 150, tested)
    print(f"{tested} clauses")
    tally.end()


main()
