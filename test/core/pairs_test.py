"""The module's core against packet pairs written by hand, and against the oracle with random packets.

    pairs_test.py CORE VECTORS [COUNT [SEED]]

CORE is the program that test/core/run builds, VECTORS the folder test/vectors/rfc7915. COUNT random
packets (200,000 without it) are asked of both; the seed is printed.
"""

import concurrent.futures
import os
import random
import struct
import sys
import time

from checks import Tally, chosen, chosen_all
from core_process import Core
from oracle import Oracle
from oracle_packets import (
    ICMP, ICMP6, KNOWN4, KNOWN6, LEAST, TCP, UDP, Packet4, Packet6, checksum, get16, pseudo4, pseudo6, put16, total,
    write4, write6,
)
from oracle_rules import Rules
from packet_pairs import rows, rule_sets
from random_packets import Maker

tally = Tally(quiet=True)


# --- what any packet must be ---------------------------------------------------------------------

def sound(packet):
    """Lengths and header checksum hold, and the transport checksum, where there is one: True, False, or None."""
    if packet[0] >> 4 == 4:
        if get16(packet, 2) != len(packet) or total(packet[:(packet[0] & 15) * 4]) != 0xFFFF:
            return "header"
        head, known, pseudo = Packet4(packet), KNOWN4, pseudo4
    else:
        if get16(packet, 4) != len(packet) - 40:
            return "header"
        head, known, pseudo = Packet6(packet), KNOWN6, pseudo6
    body = head.body
    if head.protocol not in known or not head.whole or len(body) < LEAST[head.protocol]:
        return None
    if head.protocol == UDP:
        if get16(body, 6) == 0:
            return None
        body = body[:get16(body, 4)]
    before = b"" if head.protocol == ICMP else pseudo(head.source, head.destination, len(body), head.protocol)
    return total(before + body) == 0xFFFF


# --- the pairs -----------------------------------------------------------------------------------

def pairs(core, folder):
    sets, oracle, seen, known = rule_sets(folder), Oracle(), set(), None
    wanted = set(chosen([row.title for row in rows(folder)]))
    for row in rows(folder):
        if row.title not in wanted:
            continue
        if row.title in seen:
            tally.note(row.title, False, "there are two rows of this name")
        seen.add(row.title)
        if row.rules != known:
            core.rules(*sets[row.rules])
            oracle.rules(*sets[row.rules])
            known = row.rules
        expected = row.tell()
        told = oracle.ask(row.ask())
        tally.note(f"{row.title}: the oracle", expected in told.accepted, f"{row.clause} oracle {told!r}, expected {expected!r}")
        found = core.ask(row.ask())
        tally.note(row.title, found == expected, f"{row.clause}\n  question {row.ask()}\n  found    {found}\n  expected {expected}")
        if row.expected:
            before, after = sound(row.packet), sound(row.expected)
            tally.note(f"{row.title}: is sound", after in (before, True, None), f"checksums {before} before, {after} after")
    print(f"{len(seen)} packet pairs", flush=True)


# --- random packets ------------------------------------------------------------------------------

def shorter(question):
    """Questions a step simpler than this one."""
    word, text, *keys = question.split()
    data = bytes.fromhex(text)
    for i in range(len(keys)):
        yield " ".join([word, text, *keys[:i], *keys[i + 1:]])
    head = (data[0] & 15) * 4 if word == "x46" else 40
    step = len(data) // 2
    while step:
        for end in range(len(data) - step, head - 1, -max(step, len(data) // 16)):
            cut = data[:end] + data[end + step:]
            cut = put16(cut, 2, len(cut)) if word == "x46" else put16(cut, 4, len(cut) - 40)
            if word == "x46":
                cut = put16(cut, 10, 0)
                cut = put16(cut, 10, checksum(cut[:head]))
            yield " ".join([word, cut.hex(), *keys])
        step //= 2
    for i in range(head, len(data)):
        if data[i]:
            yield " ".join([word, (data[:i] + b"\0" + data[i + 1:]).hex(), *keys])


def kind(answer):
    return " ".join(answer.split()[:2]) if answer.startswith("drop") else answer[:1]


def minimal(core, oracle, question):
    """The same disagreement, about as little as can be."""
    found, told = core.ask(question), oracle.ask(question)
    wanted = kind(found), kind(told)
    tries, going = 0, True
    while going and tries < 4000:
        going = False
        for simpler in shorter(question):
            tries += 1
            found, told = core.ask(simpler), oracle.ask(simpler)
            if found not in told.accepted and (kind(found), kind(told)) == wanted:
                question, going = simpler, True
                break
    return question


def ask_batch(job):
    """The packets of one rule set and direction, asked of a core of its own: what was answered, and the first mismatch."""
    program, folder, name, word, count, seed = job
    lines, core, oracle = rule_sets(folder)[name], Core(program), Oracle()
    core.rules(*lines)
    oracle.rules(*lines)
    # Each batch has a seed of its own, so that it can be made again alone.
    maker = Maker(random.Random(f"{seed} {name} {word}"), Rules(lines))
    answers, wrong, first = {}, 0, None
    for _ in range(count):
        question = maker.question(word)
        found = core.ask(question)
        answers[kind(found)] = answers.get(kind(found), 0) + 1
        if found not in oracle.ask(question).accepted:
            wrong += 1
            first = first or question
    shown = ""
    if first:
        question = minimal(core, oracle, first)
        shown = (f"{wrong} of {count}, the first as small as can be:\n  rules    {name}\n  question {question}\n"
                 f"  core     {core.ask(question)}\n  oracle   {' or '.join(sorted(oracle.ask(question).accepted))}")
    core.end()
    return name, answers, wrong, shown


def random_packets(program, folder, count, seed):
    names, answers, began = sorted(rule_sets(folder)), {}, time.monotonic()
    each = -(-count // (2 * len(names)))
    jobs = [(program, folder, name, word, each, seed) for name in names for word in ("x46", "x64")]
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for name, batch, wrong, shown in pool.map(ask_batch, jobs):
            for answer, times in batch.items():
                answers[answer] = answers.get(answer, 0) + times
            tally.passed += each - wrong
            tally.failed += wrong
            if shown:
                print(f"FAILED   random packets, seed {seed}: {shown}", flush=True)
    for wanted in ("6", "4", "p", "drop drop_port_outside_set_in", "drop drop_port_outside_set_out", "drop drop_fragment",
                   "drop drop_too_big", "drop drop_source_route", "drop drop_source_does_not_match_rule"):
        tally.note(f"random packets have an answer {wanted}", answers.get(wanted, 0) > 0, str(answers))
    listed = ", ".join(f"{n} {k}" for k, n in sorted(answers.items(), key=lambda item: -item[1]))
    print(f"{sum(answers.values())} random packets, seed {seed}, {time.monotonic() - began:.0f} s: {listed}", flush=True)


# --- there and back ------------------------------------------------------------------------------

def answer_to(body, protocol):
    """What the other end sends back: ports swapped (which no checksum sees), an echo replied to."""
    if protocol in (TCP, UDP):
        return body[2:4] + body[:2] + body[4:]
    return bytes([{8: 0, 0: 8, 128: 129, 129: 128}[body[0]]]) + body[1:]


def there_and_back(core, folder, count, seed):
    """A packet goes out, and its answer comes in as what a host on the IPv4 side would have sent."""
    sets, done = rule_sets(folder), 0
    for name in sorted(sets):
        rules = Rules(sets[name])
        core.rules(*sets[name])
        maker = Maker(random.Random(f"{seed} {name}"), rules)
        for _ in range(count // len(sets)):
            data = maker.out()
            found = core.ask(f"x46 {data.hex()} limit6=9000 mtu4=9000")
            if not found.startswith("6 "):
                continue
            before, after = Packet4(data), Packet6(bytes.fromhex(found[2:]))
            if before.fragment or before.protocol not in KNOWN4 or before.protocol == ICMP and before.body[0] not in (0, 8):
                continue
            if sound(data) is not True:
                continue
            back = answer_to(after.body, after.protocol)
            if after.protocol == ICMP6:
                back = put16(back, 2, 0)
                back = put16(back, 2, checksum(pseudo6(after.destination, after.source, len(back), ICMP6) + back))
            question = f"x64 {write6(before.tos, after.protocol, before.ttl, after.destination, after.source, back).hex()}"
            body = answer_to(before.body, before.protocol)
            if before.protocol == ICMP:
                body = put16(body, 2, 0)
                body = put16(body, 2, checksum(body))
            df = int(20 + len(body) > 1260)
            expected = write4(before.tos, 0 if df else 0x4D4D, df, 0, 0, before.ttl, before.protocol, before.destination, before.source, body)
            tally.equal(f"there and back, rules {name}: {data.hex()}: {question}", core.ask(question), f"4 {expected.hex()}")
            done += 1
    tally.note("there and back", done > count // 4, f"{done} only")
    print(f"{done} packets there and back", flush=True)


def main():
    program, folder, *rest = sys.argv[1:]
    count = int(rest[0]) if rest else 200000
    seed = int(rest[1]) if len(rest) > 1 else struct.unpack("!I", os.urandom(4))[0]
    core = Core(program)
    pairs(core, folder)
    if chosen_all():
        random_packets(program, folder, count, seed)
        there_and_back(core, folder, count // 10, seed)
    tally.equal("the core ends well", core.end(), 0)
    tally.end()


if __name__ == "__main__":
    main()
