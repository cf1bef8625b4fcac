"""Random packets with a structure: what a LAN host may send out, what may come in from the provider's network, and the
errors about both. Most of them are good, and most of the others have one fault."""

import ipaddress
import struct

from oracle_packets import (
    DESTINATION, FRAGMENT, HOP, ICMP, ICMP6, ROUTING, TCP, UDP, checksum, pseudo4, pseudo6, put16, write4, write6,
)
from oracle_rules import Mismatch, NoMatch, Outside, Unknown

OTHER_PROTOCOLS = (47, 50, 51, 132, 33, 136, 59, 253, 1, 58)
SIZES = (0, 1, 2, 3, 7, 8, 9, 20, 63, 64, 100, 519, 520, 521, 1191, 1192, 1193, 1231, 1232, 1233, 1251, 1252, 1253, 1451, 1452, 1453, 1460, 2000)


class Maker:
    """Packets for one rule set."""

    def __init__(self, rng, rules):
        self.rng, self.rules = rng, rules
        self.own = [n for n in (p.own4 or p.local.prefix4 for p in rules.pairs if p.local.words)]
        self.mesh = [p.remote.prefix4 for p in rules.pairs if p.remote.words and p.remote.prefix4.prefixlen > 0]

    def maybe(self, chance):
        return self.rng.random() < chance

    def of(self, network):
        return network[self.rng.randrange(network.num_addresses)]

    def own4(self):
        return self.of(self.rng.choice(self.own)) if self.maybe(0.96) else ipaddress.IPv4Address(self.rng.getrandbits(32))

    def remote4(self):
        if self.mesh and self.maybe(0.4):
            return self.of(self.rng.choice(self.mesh))
        return ipaddress.IPv4Address(self.rng.getrandbits(32)) if self.maybe(0.3) else ipaddress.IPv4Address("203.0.113.10")

    def port(self):
        return self.rng.choice((0, 1, 53, 80, 443, 1023, 1024, 4095, 4096, 65535)) if self.maybe(0.3) else self.rng.getrandbits(16)

    def own_port(self, address):
        """Of the set, mostly."""
        if self.maybe(0.06):
            return self.port()
        for _ in range(20):
            port = self.port()
            if self.maybe(0.5):
                # Ranges of the sets in use: PSID 0x34 or 0 at offset 4 or 0.
                port = self.rng.choice((self.rng.randrange(1, 16) << 12 | 0x340 | port & 15, 0x3400 | port & 255, port & 255))
            try:
                self.rules.own4to6(address, port)
                return port
            except (Unknown, Outside):
                continue
        return self.port()

    def own6(self, address, port):
        try:
            return self.rules.own4to6(address, port)
        except (Unknown, Outside):
            pass
        pairs = [p for p in self.rules.pairs if p.local.words]
        pair = self.rng.choice(pairs)
        if pair.own4 is not None:
            return pair.own6(pair.own4.network_address), pair.local.words
        return ipaddress.IPv6Address(int(pair.local.prefix6.network_address) | self.rng.getrandbits(64)), pair.local.words

    def remote6(self, address, port, domain):
        if self.maybe(0.04):
            return ipaddress.IPv6Address(int(ipaddress.IPv6Address("2001:db8:dead::")) | self.rng.getrandbits(64))
        try:
            found = self.rules.remote4to6(address, port, domain)
        except NoMatch:
            return ipaddress.IPv6Address("2001:db8:dead::1")
        if self.mesh and self.maybe(0.05):
            # A bit of it turned over, where a forwarding rule says what all of them are.
            found = ipaddress.IPv6Address(int(found) ^ 1 << self.rng.choice((*range(0, 64), *range(72, 88))))
            try:
                self.rules.remote6to4(found, domain)
            except (NoMatch, Mismatch):
                return found
            return self.rules.remote4to6(address, port, domain)
        return found

    def data(self):
        size = self.rng.choice(SIZES) if self.maybe(0.5) else self.rng.randrange(60)
        return self.rng.randbytes(size) if self.maybe(0.5) else bytes(size)

    # -- transport: a function from the pseudo-header, as addresses come later

    def transport(self, protocol, sport, dport, pseudo, echo):
        data = self.data()
        if protocol == TCP:
            body = struct.pack("!HHIIBBHHH", sport, dport, self.rng.getrandbits(32), 7, 0x50, self.rng.getrandbits(6), 512, 0, 0)
            body = self.checked(body + data, 16, pseudo)
        elif protocol == UDP:
            length = 8 + len(data)
            body = self.checked(struct.pack("!HHHH", sport, dport, length, 0) + data, 6, pseudo) if not self.maybe(0.04) else (
                self.trailed(sport, dport, data, pseudo))
            if self.maybe(0.08):
                body = put16(body, 6, 0)
        elif protocol in (ICMP, ICMP6):
            body = struct.pack("!BBHHH", self.rng.choice(echo), 0 if self.maybe(0.95) else 3, 0, sport, self.rng.getrandbits(16))
            body = self.checked(body + data, 2, pseudo if protocol == ICMP6 else None)
        else:
            body = data or b"\1"
        return body

    def trailed(self, sport, dport, data, pseudo):
        body = self.checked(struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data, 6, pseudo)
        return body + self.rng.randbytes(self.rng.randrange(1, 9))

    def checked(self, body, at, pseudo):
        value = checksum((pseudo(len(body)) if pseudo else b"") + body)
        if at == 6:
            value = value or 0xFFFF
        if self.maybe(0.03):
            value = self.rng.randrange(1, 0xFFFF)
        return put16(body, at, value)

    def protocol(self, icmp):
        return self.rng.choice((TCP, TCP, UDP, UDP, UDP, icmp, icmp, self.rng.choice(OTHER_PROTOCOLS)))

    def options(self):
        if not self.maybe(0.1):
            return b""
        options = b""
        while len(options) < 24 and self.maybe(0.8):
            options += self.rng.choice((b"\1", b"\x94\4\0\0", bytes([7, 7, 4, 0, 0, 0, 0]), bytes([68, 8, 5, 0, 0, 0, 0, 0]),
                                        bytes([131, 7, self.rng.choice((4, 8)), 10, 0, 0, 1]),
                                        bytes([137, 11, self.rng.choice((4, 8, 12)), *self.rng.randbytes(8)]),
                                        b"\0", self.rng.randbytes(3)))
        return options[:40].ljust(-(-min(len(options), 40) // 4) * 4, b"\0")

    def ipv4(self, source, destination, protocol, body, fragment=(0, 0), df=None):
        more, offset = fragment
        packet = write4(self.rng.getrandbits(8), self.rng.getrandbits(16), int(self.maybe(0.3)) if df is None else df, more, offset,
                        self.rng.choice((1, 2, 64, 255)), protocol, source, destination, body)
        options = self.options()
        if options:
            packet = bytes([0x45 + len(options) // 4]) + packet[1:20] + options + body
            packet = put16(put16(packet, 2, len(packet)), 10, 0)
            packet = put16(packet, 10, checksum(packet[:20 + len(options)]))
        return packet

    # -- out

    def packet4(self, source, destination, sport, dport):
        protocol = self.protocol(ICMP)
        body = self.transport(protocol, sport, dport, lambda n: pseudo4(source, destination, n, protocol), (8, 0))
        fragment = (0, 0)
        if self.maybe(0.06):
            # A first fragment has whole eights, and its checksum field.
            fragment = self.rng.choice(((1, 0), (1, self.rng.randrange(1, 100)), (0, self.rng.randrange(1, 100))))
            if fragment == (1, 0):
                body = body[:max(24, len(body) // 16 * 8)]
        elif self.maybe(0.02):
            body = body[:self.rng.randrange(0, 8)] or b"\1"
        return self.ipv4(source, destination, protocol, body, fragment)

    def out(self):
        source, destination = self.own4(), self.remote4()
        sport, dport = self.own_port(source), self.port()
        if self.maybe(0.25):
            return self.error4(source, destination, sport, dport)
        if self.maybe(0.02):
            body = self.checked(bytes([self.rng.choice((1, 2, 4, 5, 6, 7, 9, 10, 13, 14, 15, 16, 17, 18, 42, 128, 129, 255)), 0, 0, 0])
                                + struct.pack("!HH", sport, 1) + bytes(12), 2, None)
            return self.ipv4(source, destination, ICMP, body)
        return self.packet4(source, destination, sport, dport)

    def error4(self, source, destination, sport, dport):
        """About a packet that came in: from the remote end to us."""
        kind, codes = self.rng.choice(((3, 17), (3, 17), (11, 2), (12, 4)))
        code = 4 if kind == 3 and self.maybe(0.2) else self.rng.randrange(codes)
        other = source if self.maybe(0.95) else self.own4()
        quote = self.packet4(destination, other, dport, sport)
        if self.maybe(0.3):
            quote = quote[:self.rng.choice((20, 24, 28, 32, 40, 60, 68, 100, 128, 200, 548))]
        quote, units, extension = self.extended(quote, 4)
        rest = self.rng.choice((0, 0, 0, 576, 1260, 1280, 1380, 1400, 1480, 1500, 65535)) if (kind, code) == (3, 4) else 0
        pointer = self.rng.randrange(0, 24) if kind == 12 else 0
        body = struct.pack("!BBHBBH", kind, code, 0, pointer, units, rest) + quote + extension
        return self.ipv4(source, destination, ICMP, self.checked(body, 2, None), df=0)

    def extended(self, quote, unit):
        """RFC 4884: at least 128 octets in whole units, and what is behind them."""
        if not self.maybe(0.25):
            return quote, 0, b""
        size = max(128, -(-len(quote) // unit) * unit)
        size = min(size, 255 * unit)
        quote = quote[:size].ljust(size, b"\0")
        extension = b"\x20\0" + self.rng.randbytes(2) + b"".join(b"\0\x08\1\1" + self.rng.randbytes(4) for _ in range(self.rng.randrange(1, 4)))
        return quote, size // unit, extension

    # -- in

    def packet6(self, source, destination, sport, dport, cut=False):
        protocol = self.protocol(ICMP6)
        body = self.transport(protocol, sport, dport, lambda n: pseudo6(source, destination, n, protocol), (128, 129))
        fragment = None
        if self.maybe(0.06):
            fragment = self.rng.choice(((0, 0), (0, 0), (0, 1), (self.rng.randrange(1, 100), 0), (self.rng.randrange(1, 100), 1)))
            fragment = (*fragment, self.rng.getrandbits(32))
            if fragment[:2] == (0, 1):
                body = body[:max(24, len(body) // 16 * 8)]
        elif self.maybe(0.02):
            body = body[:self.rng.randrange(0, 8)]
        packet = write6(self.rng.getrandbits(8), protocol, self.rng.choice((1, 2, 64, 255)), source, destination, body, fragment=fragment)
        packet = packet[:1] + bytes([packet[1] & 0xF0 | self.rng.getrandbits(4)]) + self.rng.randbytes(2) + packet[4:]
        return self.extensions(packet) if self.maybe(0.1) else packet

    def extensions(self, packet):
        """Extension headers before all that is there."""
        for _ in range(self.rng.randrange(1, 4)):
            kind = self.rng.choice((DESTINATION, DESTINATION, ROUTING))
            words = self.rng.randrange(0, 3)
            if kind == ROUTING:
                header = struct.pack("!BBBBI", packet[6], words * 2, self.rng.choice((0, 2, 4)), 0, 0) + self.rng.randbytes(16 * words)
                if self.maybe(0.2):
                    header = header[:3] + bytes([self.rng.randrange(1, 256)]) + header[4:]
            else:
                header = struct.pack("!BBBB", packet[6], words, 1, 4 + 8 * words) + bytes(4 + 8 * words)
            packet = packet[:6] + bytes([kind]) + packet[7:40] + header + packet[40:]
        if self.maybe(0.3):
            packet = packet[:6] + bytes([HOP]) + packet[7:40] + struct.pack("!BBBBI", packet[6], 0, 1, 4, 0) + packet[40:]
        if self.maybe(0.04):
            # One behind a Fragment Header.
            packet = packet[:6] + bytes([FRAGMENT]) + packet[7:40] + struct.pack("!BBHI", packet[6], 0, 0, 9) + packet[40:]
        return put16(packet, 4, len(packet) - 40)

    def come_in(self):
        own, other = self.own4(), self.remote4()
        dport = self.own_port(own)
        destination, domain = self.own6(own, dport)
        # The remote end's port: one that its own rule knows, mostly.
        sport = self.port()
        source = self.remote6(other, sport, domain)
        if self.maybe(0.05):
            sport = self.port()
        if self.maybe(0.25):
            return self.error6(source, destination, sport, dport)
        if self.maybe(0.02):
            body = struct.pack("!BBHHH", self.rng.choice((130, 131, 132, 133, 135, 136, 137, 143, 160, 255)), 0, 0, dport, 1) + bytes(16)
            body = self.checked(body, 2, lambda n: pseudo6(source, destination, n, ICMP6))
            return write6(0, ICMP6, 255, source, destination, body)
        return self.packet6(source, destination, sport, dport)

    def error6(self, source, destination, sport, dport):
        """About a packet that we sent: from us to the remote end."""
        kind, codes = self.rng.choice(((1, 8), (1, 8), (2, 1), (3, 2), (4, 4), (100, 1)))
        quote = self.packet6(destination, source, dport, sport)
        if self.maybe(0.3):
            quote = quote[:self.rng.choice((40, 44, 48, 56, 60, 88, 100, 128, 200, 1232))]
        quote, units, extension = self.extended(quote, 8) if kind in (1, 3) else (quote, 0, b"")
        rest = units << 24
        if kind == 2:
            rest = self.rng.choice((0, 576, 1279, 1280, 1281, 1400, 1500, 9000, 65535, 65556, 0xFFFFFFFF))
        elif kind == 4:
            rest = self.rng.randrange(0, 48) if self.maybe(0.95) else self.rng.getrandbits(32)
        router = ipaddress.IPv6Address("2001:db8:f000:1::1") if self.maybe(0.6) else source
        body = struct.pack("!BBHI", kind, self.rng.randrange(codes), 0, rest) + quote + extension
        body = self.checked(body, 2, lambda n: pseudo6(router, destination, n, ICMP6))
        return write6(self.rng.getrandbits(8), ICMP6, self.rng.choice((1, 64, 255)), router, destination, body)

    # -- keys of a question

    def keys(self, word):
        keys = []
        if self.maybe(0.3):
            keys.append(f"limit6={self.rng.choice((1280, 1281, 1400, 1480, 1500, 9000))}")
        if self.maybe(0.2):
            keys.append(f"mtu4={self.rng.choice((1280, 1400, 1480, 1500))}")
        if word == "x64" and self.maybe(0.1):
            keys.append("cut=1")
        return keys

    def question(self, word):
        packet = self.out() if word == "x46" else self.come_in()
        return " ".join([word, packet.hex(), *self.keys(word)])
