"""The module's core with `transport encapsulate` against packet pairs written by hand, and against the oracle with random packets.

    tunnel_pairs_test.py CORE VECTORS [COUNT [SEED]]

CORE is the program that test/core/run builds, VECTORS the folder test/vectors/tunnel. COUNT random packets (100,000 without
it) are asked of both; the seed is printed.
"""

import ipaddress
import os
import random
import struct
import sys

from checks import Tally, chosen, chosen_all
from core_process import Core
from oracle_packets import DESTINATION, ICMP6, pseudo6, put16, write6
from oracle_tunnel import IPV4, Tunnel, TunnelOracle
from packet_pairs import rows, rule_sets
from random_packets import Maker

tally = Tally(quiet=True)
ROUTER = ipaddress.IPv6Address("2001:db8:f000:1::1")


def pairs(core, folder):
    sets, oracle, count = rule_sets(folder), TunnelOracle(), 0
    wanted = set(chosen([row.title for row in rows(folder)]))
    for row in rows(folder):
        if row.title not in wanted:
            continue
        core.rules(*sets[row.rules])
        oracle.rules(*sets[row.rules])
        expected, count = row.tell(), count + 1
        told, found = oracle.ask(row.ask()), core.ask(row.ask())
        tally.note(f"{row.title}: the oracle", expected in told.accepted, f"oracle {told!r}, expected {expected!r}")
        tally.note(row.title, found == expected, f"{row.clause}\n  question {row.ask()}\n  found    {found}\n  expected {expected}")
    print(f"{count} packet pairs", flush=True)


class TunnelMaker(Maker):
    """What a border relay, another customer edge, or somebody else may send into the tunnel, and the errors about what we sent."""

    def wrap(self, packet, source, destination):
        option = b""
        if self.maybe(0.15):
            option = bytes([IPV4, 0, 4, 1, self.rng.randrange(256), 1, 1, 0])
        packet = write6(self.rng.getrandbits(8), DESTINATION if option else IPV4, self.rng.choice((1, 2, 64, 255)), source, destination,
                        option + packet)
        return packet if option or self.maybe(0.9) else self.extensions(packet)

    def come_in(self):
        own, other = self.own4(), self.remote4()
        dport, sport = self.own_port(own), self.port()
        destination, domain = self.own6(own, dport)
        source = self.remote6(other, sport, domain)
        if self.maybe(0.25):
            return self.error_in_tunnel(own, other, dport, sport, source, destination)
        if self.maybe(0.03):
            # Ordinary IPv6 to the same address.
            return self.packet6(source, destination, sport, dport)
        if self.maybe(0.05):
            own = self.own4()
        packet = self.error4(other, own, sport, dport) if self.maybe(0.2) else self.packet4(other, own, sport, dport)
        if self.maybe(0.02):
            packet = packet[:self.rng.randrange(0, 60)]
        if self.maybe(0.02):
            packet = put16(packet, 2, self.rng.getrandbits(16))
        return self.wrap(packet, source, destination)

    def error_in_tunnel(self, own, other, sport, dport, end, mine):
        quote = self.wrap(self.packet4(own, other, sport, dport), mine, end)
        kind, codes = self.rng.choice(((1, 8), (2, 1), (2, 1), (3, 2), (4, 3), (100, 1)))
        rest = 0
        if kind == 2:
            rest = self.rng.choice((0, 1279, 1280, 1281, 1400, 1480, 9000, 0xFFFFFFFF))
        elif kind == 4:
            rest = self.rng.choice((44, 44, 40, 6, 0))
        if self.maybe(0.2):
            quote = quote[:self.rng.randrange(0, 120)]
        router = ROUTER if self.maybe(0.7) else end
        body = struct.pack("!BBHI", kind, self.rng.randrange(codes), 0, rest) + quote
        body = self.checked(body, 2, lambda n: pseudo6(router, mine, n, ICMP6))
        return write6(0, ICMP6, 64, router, mine, body)


def random_packets(core, folder, count, seed):
    sets, answers = rule_sets(folder), {}
    for name in sorted(sets):
        rules, oracle = Tunnel(sets[name]), TunnelOracle()
        core.rules(*sets[name])
        oracle.rules(*sets[name])
        maker = TunnelMaker(random.Random(f"{seed} {name}"), rules)
        for number in range(count // len(sets)):
            question = maker.question("x64" if number % 2 else "x46")
            found, told = core.ask(question), oracle.ask(question)
            kind = " ".join(found.split()[:2]) if found.startswith("drop") else found.split()[0]
            answers[kind] = answers.get(kind, 0) + 1
            tally.note(f"random packets, seed {seed}, rules {name}", found in told.accepted,
                       f"\n  question {question}\n  core     {found}\n  oracle   {told}")
            if tally.failed > 20:
                return
    for wanted in ("6", "4", "pass", "quiet", "drop drop_port_outside_set_in", "drop drop_port_outside_set_out", "drop drop_too_big",
                   "drop drop_source_does_not_match_rule", "drop drop_source_without_rule", "drop drop_destination_not_ours", "drop drop_ecn",
                   "drop drop_icmp_error_about_others", "drop drop_icmp_type", "drop drop_bad_header"):
        tally.note(f"random packets have an answer {wanted}", answers.get(wanted, 0) > 0, str(answers))
    listed = ", ".join(f"{n} {k}" for k, n in sorted(answers.items(), key=lambda item: -item[1]))
    print(f"{sum(answers.values())} random packets, seed {seed}: {listed}", flush=True)


def main():
    program, folder, *rest = sys.argv[1:]
    count = int(rest[0]) if rest else 100000
    seed = int(rest[1]) if len(rest) > 1 else struct.unpack("!I", os.urandom(4))[0]
    core = Core(program)
    pairs(core, folder)
    if chosen_all():
        random_packets(core, folder, count, seed)
    tally.equal("the core ends well", core.end(), 0)
    tally.end()


if __name__ == "__main__":
    main()
