"""Malformed control lines against the file in /proc: each is refused whole, with an errno and a log line that names the word.

Each line is made from a good one and broken in one known way, so that the word at fault and what is wrong with it are known
without reading anything. Half of them come behind good lines of the same write, which then must not hold either.
"""

import errno
import os
import random
import socket
import string
import sys

from checks import check
from module_files import control, counters, enter
from namespaces import Namespace, sh
from topology import DEFAULT, EDGE, LOCAL, RULE, finish, shown

MODULE, COUNT, SEED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
FMR = "remote." + RULE.format("remote")
STYLES = ("NONE", "MAP", "MAP0", "RFC6052")
KEYS = {
    **{f"{side}.{key}": kind for side in ("local", "remote") for key, kind in (
        ("style", "style"), ("v4", "v4"), ("v6", "v6"), ("ea-len", 48), ("psid-offset", 15))},
    "ce.v4": "v4", "ce.v6": "address6", "ce.psid-offset": 15, "ce.psid-len": 16, "ce.psid": 65535, "debug": 2147483647,
}
# Neither separators of words nor of lines, nor what makes up words that are looked for in the kernel's log at the end.
OCTETS = [chr(c) for c in range(1, 256) if chr(c) not in " \t\r\nUAOei"]
LETTERS = [c for c in string.ascii_letters if c in OCTETS]


class Log:
    """The kernel's log from here on, a line at a time."""

    def __init__(self):
        self.file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.file, 0, os.SEEK_END)

    def read(self):
        lines = []
        while True:
            try:
                record = os.read(self.file, 8192).decode()
            except BlockingIOError:
                return lines
            lines.append(record.split(";", 1)[1].split("\n")[0])


def quoted(word):
    """As the log has it: at most 40 octets, those that the kernel calls unprintable escaped (%pE), and /dev/kmsg's own escapes."""
    names = {7: "\\a", 9: "\\t", 11: "\\v", 12: "\\f", 27: "\\e"}
    text = "".join(chr(c) if 32 <= c < 127 or c >= 0xA0 else names.get(c, f"\\{c:03o}") for c in word.encode("latin-1")[:40])
    return "".join(c if " " <= c < "\x7f" and c != "\\" else f"\\x{ord(c):02x}" for c in text)


def text_of(rng, least, most, alphabet=None):
    return "".join(rng.choice(alphabet or OCTETS) for _ in range(rng.randint(least, most)))


def value(rng, kind):
    if kind == "style":
        return rng.choice(STYLES)
    if kind == "v4":
        return f"{rng.randrange(1, 224)}.{rng.randrange(256)}.{rng.randrange(256)}.0/{rng.randrange(8, 25)}"
    if kind == "v6":
        return f"2001:db8:{rng.randrange(65536):x}::/{rng.randrange(32, 49)}"
    if kind == "address6":
        return f"2001:db8::{rng.randrange(1, 65536):x}"
    return str(rng.randrange(kind + 1))


def wrong_number(rng, most):
    return rng.choice((
        str(most + 1 + rng.randrange(1 << 20)), f"-{rng.randrange(1, most + 1)}", f"0{rng.randrange(most + 1)}", f"0x{rng.randrange(16):x}",
        f"{rng.randrange(10)}{rng.choice('.,;+e_/')}{rng.randrange(10)}", f"{rng.randrange(1 << 40, 1 << 70)}",
        text_of(rng, 1, 12, LETTERS), f"+{rng.randrange(most + 1)}", f"{rng.randrange(10)}k"))


def wrong_v4(rng):
    a, b, c, d = (rng.randrange(256) for _ in range(4))
    return rng.choice((
        f"{a}.{b}.{c}.{256 + d}", f"{a}.{b}.{c}", f"{a}.{b}.{c}.{d}.1", f"{a}.{b}.{c}.{d}/{33 + rng.randrange(900)}", f"{a}.{b}.{c}.{d}/",
        f"{a}.{b}.{c}.{d}/-1", f"{a}.{b}.{c}.0{d}", f"{a}..{c}.{d}", f".{b}.{c}.{d}", f"{a}.{b}.{c}.", f"{a}.{b}.{c}.{d}/8/8",
        f"{a}.{b}.{c}.0x{d:x}", f"{a}.{b}.{c}.{d}/08", f"/{rng.randrange(33)}", f"2001:db8::{a:x}", text_of(rng, 1, 20, LETTERS)))


def wrong_v6(rng, prefix):
    part = f"{rng.randrange(65536):x}"
    words = [
        f"2001::{part}::1", f"2001:db8:{part}", f"1:2:3:4:5:6:7:8:{part}", f"2001:db8:g{part}::", f"2001:db8:1{part:0>4}::", ":", ":::",
        f"2001:db8::{part}:", "192.0.2.1", text_of(rng, 1, 30, "ghijklmnopqrstuvwxyz"), "2001:db8::" + "0" * 40, f"2001:db8::{part}%lo",
    ]
    if prefix:
        words += [f"2001:db8:{part}::/{129 + rng.randrange(900)}", f"2001:db8:{part}::/", f"2001:db8:{part}::/-1", f"2001:db8::/0{rng.randrange(1, 9)}",
                  "/64", f"2001:db8:{part}::/64/64"]
    else:
        words += [f"2001:db8::{part}/{rng.randrange(129)}"]
    return rng.choice(words)


def wrong_value(rng, kind):
    if kind == "style":
        while (word := rng.choice((text_of(rng, 1, 50), rng.choice(STYLES).lower(), rng.choice(STYLES) + "0", "RFC7597"))) in STYLES:
            pass
        return word
    if kind == "v4":
        return wrong_v4(rng)
    if kind in ("v6", "address6"):
        return wrong_v6(rng, kind == "v6")
    return wrong_number(rng, kind)


def pairs(rng, least, most):
    return [(key, value(rng, KEYS[key])) for key in rng.sample(sorted(KEYS), rng.randint(least, most))]


def words_of(given):
    return " ".join(f"{key} {text}" for key, text in given)


def fresh(rng):
    return f"n{rng.randrange(100000)}"


# Each gives (line, errno, word, what is wrong with it).

def command(rng):
    while (word := rng.choice((text_of(rng, 1, 60), rng.choice(("Add", "ADD", "adds", "delete", "insrt", "configure"))))) in (
            "add", "del", "config", "insert", "remove") or word.startswith("#"):
        pass
    return f"{word} {fresh(rng)} {words_of(pairs(rng, 0, 3))}", errno.EINVAL, word, "is not a command"


def name(rng):
    word = rng.choice((".", "..", "a/b", f"{fresh(rng)}/", f"{fresh(rng)}:1", text_of(rng, 16, 60, LETTERS)))
    verb = rng.choice(("add", "del", "config", "insert", "remove"))
    return f"{verb} {word}", errno.EINVAL, word, "is not a valid device name"


def missing_name(rng):
    verb = rng.choice(("add", "del", "config", "insert", "remove"))
    return verb + rng.choice(("", " ", "\t", " \r")), errno.EINVAL, "", "is not a valid device name"


def too_many(rng):
    word = rng.choice((text_of(rng, 1, 60), rng.choice(sorted(KEYS)), "map0"))
    return f"{rng.choice(('add', 'del'))} {fresh(rng)} {word}", errno.EINVAL, word, "is one word too many"


def there(rng):
    word = rng.choice(("map0", "lo"))
    return f"add {word}", errno.EEXIST, word, "is there already"


def not_there(rng):
    word = rng.choice((fresh(rng), "lo"))
    return rng.choice((f"del {word}", f"config {word} {words_of(pairs(rng, 1, 3))}", f"insert {word} local.style MAP")), errno.ENODEV, word, \
        "is no device of this kind"


def key(rng):
    while (word := rng.choice((text_of(rng, 1, 60), rng.choice(sorted(KEYS)) + rng.choice(("s", ".", "-", "\x01")),
                               rng.choice(sorted(KEYS)[:-1]).capitalize(), "local.", "ce.mtu", "v4"))) in KEYS:
        pass
    before = words_of(pairs(rng, 0, 4))
    return f"{rng.choice(('config', 'insert', 'remove'))} map0 {before} {word} {rng.randrange(9)}", errno.EINVAL, word, "is not a key"


def no_value(rng):
    given = pairs(rng, 1, 5)
    return f"config map0 {words_of(given)}"[:-len(given[-1][1]) - 1], errno.EINVAL, given[-1][0], "has no value"


def no_keys(rng):
    return f"{rng.choice(('config', 'insert', 'remove'))} map0{rng.choice(('', ' ', '  '))}", errno.EINVAL, "map0", "is given no keys"


def bad_value(rng):
    given = pairs(rng, 1, 6)
    at = rng.randrange(len(given))
    word = wrong_value(rng, KEYS[given[at][0]])
    given[at] = (given[at][0], word)
    return f"{rng.choice(('config', 'insert', 'remove'))} map0 {words_of(given)}", errno.EINVAL, word, "is not a valid value for its key"


def twice(rng):
    given = pairs(rng, 1, 6)
    again = rng.choice(given)[0]
    return f"config map0 {words_of(given)} {again} {value(rng, KEYS[again])}", errno.EINVAL, again, "is given twice"


def misfit(rng):
    why = "does not fit the other values"
    side = rng.choice(("local", "remote"))
    length = rng.choice([n for n in range(129) if n not in (32, 40, 48, 56, 64, 96)])
    return rng.choice((
        (f"insert map0 {side}.style RFC6052 {side}.v4 10.0.0.0/8 {side}.v6 2001:db8::/{length}", errno.EINVAL, "v6", why),
        (f"insert map0 {side}.style MAP {side}.v4 10.0.0.0/8 {side}.v6 2001:db8::/{rng.randrange(96, 129)} {side}.ea-len {rng.randrange(33, 41)}",
         errno.EINVAL, "ea-len", why),
        (f"insert map0 {side}.style MAP {side}.v4 10.0.0.0/24 {side}.v6 2001:db8::/40 {side}.ea-len {rng.randrange(16, 25)}"
         f" {side}.psid-offset {rng.randrange(9, 16)}", errno.EINVAL, "psid-offset", why),
        (f"insert map0 local.style MAP ce.v4 192.0.2.{rng.randrange(256)}", errno.EINVAL, "ce.v6", why),
        (f"insert map0 local.style MAP ce.v6 2001:db8::{rng.randrange(1, 9999)}", errno.EINVAL, "ce.v4", why),
        (f"insert map0 remote.style MAP ce.v4 192.0.2.1 ce.v6 2001:db8::{rng.randrange(1, 9999)}", errno.EINVAL, "local.style", why),
        (f"insert map0 local.style MAP ce.psid-offset {rng.randrange(8, 16)} ce.psid-len {rng.randrange(9, 17)}", errno.EINVAL, "ce.psid-offset", why),
        (f"insert map0 local.style MAP ce.psid-len {rng.randrange(1, 8)} ce.psid {rng.randrange(256, 65536)}", errno.EINVAL, "ce.psid-len", why),
    ))


def double(rng):
    return rng.choice(((f"insert map0 {LOCAL} {DEFAULT}", errno.EEXIST, "remote.v4", "is there already"),
                       (f"insert map0 {FMR}\ninsert map0 {FMR}", errno.EEXIST, "remote.v4", "is there already")))


def nothing(rng):
    return (f"remove map0 local.v4 10.{rng.randrange(256)}.0.0/16 {rng.choice(('', 'local.style MAP0'))}", errno.ENOENT, "map0", "has no such rule")


BREAKS = (command, name, missing_name, too_many, there, not_there, key, no_value, no_keys, bad_value, bad_value, bad_value, twice, misfit,
          misfit, double, nothing)
GOOD = ("add good{}", "config map0 debug {}", "# a comment {}", "insert map0 remote.style MAP remote.v4 10.{}.0.0/16 remote.v6 2001:db8:ff::/48",
        "", "del map1", "add first{0}\nconfig first{0} " + LOCAL)


WHYS = (
    "is not a command", "is not a valid device name", "is one word too many", "is there already", "is no device of this kind", "is not a key", "has no value",
    "is given no keys", "is not a valid value for its key", "is given twice", "does not fit the other values", "has no such rule",
)


def main():
    sh("ip link set lo up")
    sh(f"insmod {MODULE}")
    space = Namespace("lines")
    check("a device with rules", control(space, "add map0", f"config map0 {LOCAL} {DEFAULT} {EDGE}", "add map1") == 0)
    space.run("ip link set map0 up")
    enter(space)
    before = (shown(space), socket.if_nameindex())
    log = Log()
    rng = random.Random(SEED)
    print(f"lines: seed {SEED}", flush=True)
    kinds = {}
    wrong = 0
    for number in range(COUNT):
        broken = rng.choice(BREAKS)
        line, code, word, why = broken(rng)
        lines = [rng.choice(GOOD).format(rng.randrange(100)) for _ in range(rng.choice((0, 0, 0, 1, 2, 5)))]
        # A good line that takes away what the broken one needs would be the one at fault.
        lines = [text for text in dict.fromkeys(lines) if not (text.startswith("insert") and broken is double)]
        write = "\n".join(lines + [line]) + "\n"
        file = os.open("/proc/thread-self/net/nat46/control", os.O_WRONLY)
        try:
            os.write(file, write.encode("latin-1"))
            found = 0
        except OSError as error:
            found = error.errno
        os.close(file)
        told = log.read()
        after = (shown(space), socket.if_nameindex())
        at = write.rstrip("\n").count("\n") + 1 if line.strip() else None
        expected = f'mapmint: control: line {at}: "{quoted(word)}" {why} (-{code})'
        good = found == code and told == [expected] and after == before
        kinds[why] = kinds.get(why, 0) + 1
        if not good:
            wrong += 1
            before = after
            if wrong <= 10:
                check(f"line {number} of seed {SEED}: {write!r}", False, (found, told, expected, after == before))
        if (number + 1) % 2000 == 0:
            print(f"lines: {number + 1 - wrong} of {number + 1} refused as they have to be", flush=True)
    for why, count in sorted(kinds.items()):
        print(f"lines: {count} where a word {why}", flush=True)
    check(f"{COUNT} malformed lines: each refused whole, with its errno and its word in the log", wrong == 0, wrong)
    check("each kind of fault among them", len(kinds) == len(WHYS), set(WHYS) - set(kinds))
    check("and the device is as it was", (shown(space), socket.if_nameindex()) == before and counters(space) != {})
    # Nothing above can pass because everything is refused.
    check("a good line is taken still", control(space, "config map0 debug 1", f"insert map0 {FMR}") == 0 and FMR.split()[1] in shown(space))
    check("nothing was printed about it", log.read() == [])
    sh("rmmod mapmint")
    finish()


main()
