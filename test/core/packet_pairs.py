"""Reads the packet pairs of test/vectors/rfc7915: text files, in which

    # the clause in our words
    rules NAME                 which set of rules.txt, until the next such line
    row NAME
    x46 [key=value ...]        the question: an IPv4 packet that goes out (x64: an IPv6 packet that comes in)
        HEX HEX ...  ; words   its octets; 5a*1200 is an octet so many times
    6                          the answer, with the octets of the packet, or `4`, `pass`, `drop COUNTER [icmp TYPE CODE REST]`
        HEX HEX ...  ; words
"""

import os


class Row:
    def __init__(self, file, name, rules):
        self.file, self.name, self.rules = file, name, rules
        self.clause = ""
        self.question, self.keys, self.packet = None, [], b""
        self.answer, self.expected = None, b""

    @property
    def title(self):
        return f"{self.file}: {self.name}"

    def ask(self):
        return " ".join([self.question, self.packet.hex(), *self.keys])

    def tell(self):
        return f"{self.answer} {self.expected.hex()}" if self.answer in ("4", "6") else self.answer


def octets(line):
    data = b""
    for word in line.split(";")[0].split():
        value, star, times = word.partition("*")
        data += bytes.fromhex(value) * (int(times) if star else 1)
    return data


def rule_sets(folder):
    sets, name = {}, None
    with open(os.path.join(folder, "rules.txt")) as file:
        for line in file:
            line = line.rstrip("\n")
            if line.startswith("set "):
                name = line[4:]
                sets[name] = []
            elif line and not line.startswith("#"):
                sets[name].append(line)
    return sets


def rows(folder):
    for file in sorted(os.listdir(folder)):
        if file.endswith(".txt") and file != "rules.txt":
            yield from rows_of(folder, file)


def rows_of(folder, file):
    rules, row, clause = None, None, []
    for number, line in enumerate(open(os.path.join(folder, file)), 1):
        line = line.rstrip("\n")
        if line.startswith(" "):
            if row.answer is None:
                row.packet += octets(line)
            else:
                row.expected += octets(line)
        elif line.startswith("#"):
            clause.append(line[1:].strip())
        elif not line:
            if row:
                if row.answer is None:
                    raise ValueError(f"{file}:{number}: {row.name} has no answer")
                yield row
            row, clause = None, []
        elif line.startswith("rules "):
            rules, clause = line[6:], []
        elif line.startswith("row "):
            row = Row(file, line[4:], rules)
            row.clause = " ".join(clause)
        elif row and row.question is None:
            row.question, *row.keys = line.split()
        elif row and row.answer is None:
            row.answer = line
        else:
            raise ValueError(f"{file}:{number}: {line!r}")
    if row:
        yield row
