"""Encapsulation, slow and plain, to compare the module's core with: RFC 2473, RFC 7597 s8, RFC 6040.

Written from the RFCs, not from the module. It answers what oracle.py answers, for rule sets with `transport encapsulate`.
"""

import ipaddress
import struct

from oracle import DUMMY, ERROR4, Answer, Drop, dropped
from oracle_packets import ICMP, ICMP6, TCP, UDP, Malformed, Packet4, Packet6, checksum, get16, pseudo6, put16, total, write4
from oracle_rules import Mismatch, NoMatch, Outside, Rules, Side, Unknown, bits4

IPV4, DESTINATION = 4, 60
ECHOES, ERRORS = (8, 0), (3, 11, 12)


class End(Side):
    """One side of a rule pair whose addresses are those of tunnel ends."""

    @property
    def known(self):
        """Bits of the IPv4 address that name the end; behind them the interface identifier has zeros (RFC 7597 s6)."""
        return min(32, self.prefix4.prefixlen + self.ea)

    def address(self, v4, psid):
        return super().address(ipaddress.IPv4Address(int(bits4(v4)[:self.known].ljust(32, "0"), 2)), psid)

    def to6(self, v4, port):
        if self.style != "NONE":
            return super().to6(v4, port)
        if self.prefix6.prefixlen != 128:
            raise NoMatch
        return self.prefix6.network_address

    def is_end(self, v6, v4, port, any_port=False):
        """None: of another IPv4 address. False: of another port, or its own bits are wrong."""
        if v4 not in self.prefix4:
            return None
        if self.style == "NONE":
            return self.prefix6.prefixlen == 128 or None
        try:
            found, psid = self.to4(v6)
        except Mismatch:
            return False
        if not any_port and not self.owns(psid, port):
            return False
        return True if bits4(found)[:self.known] == bits4(v4)[:self.known] else None


class Tunnel(Rules):
    def __init__(self, lines):
        self.hop_limit, self.limit, self.tclass = 64, None, None
        kept = []
        for line in lines:
            verb, device, *words = line.split()
            rest = []
            for key, value in zip(words[::2], words[1::2]):
                number = int(value) if value.isdigit() else None
                if key == "tunnel.hop-limit":
                    self.hop_limit = number
                elif key == "tunnel.encap-limit":
                    self.limit = number
                elif key == "tunnel.traffic-class":
                    self.tclass = number
                elif key != "transport":
                    rest += [key, value]
            if rest:
                kept.append(" ".join([verb, device, *rest]))
        super().__init__(kept)
        for pair in self.pairs:
            for name in ("local", "remote"):
                end = End()
                end.words = getattr(pair, name).words
                setattr(pair, name, end)
            pair.own6 = lambda v4, pair=pair: ipaddress.IPv6Address(pair.edge["v6"])

    @property
    def size(self):
        return 40 if self.limit is None else 48

    def own_end(self, v6):
        for pair in self.pairs:
            if not pair.local.words:
                continue
            if "v6" in pair.edge:
                if pair.own6(None) == v6:
                    return pair
            elif pair.local.style == "NONE":
                if pair.local.prefix6.prefixlen == 128 and v6 in pair.local.prefix6:
                    return pair
            elif pair.local.prefix6.prefixlen and v6 in pair.local.prefix6:
                try:
                    pair.local.to4(v6)
                except (Mismatch, NoMatch):
                    continue
                return pair
        return None

    def may_send(self, v6, v4, port, any_port, domain):
        """RFC 7597 s8.1: None where no rule knows the end."""
        found = [p.remote for p in self.remotes(domain) if v6 in p.remote.prefix6]
        if not found:
            return None
        longest = max(side.prefix6.prefixlen for side in found)
        return any(side.is_end(v6, v4, port, any_port) for side in found if side.prefix6.prefixlen == longest)

    @staticmethod
    def has(pair, v6, v4, port, any_port):
        """Whether address and port are ours: None where the address is not."""
        if "v6" not in pair.edge:
            return pair.local.is_end(v6, v4, port, any_port)
        if v4 not in pair.own4:
            return None
        return any_port or pair.in_set(port)


class Inner(Packet4):
    """The IPv4 packet inside, with the ports of both ends."""

    def __init__(self, data, quoted=False):
        super().__init__(data)
        if self.length < self.header or (not quoted and self.length > len(data)):
            raise Malformed
        self.sport = self.dport = None
        self.error = False
        if self.offset:
            return
        least = {TCP: 4, UDP: 4, ICMP: 8}.get(self.protocol, 0)
        if len(self.body) < least:
            raise Malformed
        if self.protocol in (TCP, UDP):
            self.sport, self.dport = get16(self.body, 0), get16(self.body, 2)
        elif self.protocol == ICMP:
            kind = self.body[0]
            if kind in ECHOES:
                self.sport = self.dport = get16(self.body, 4)
            self.error = kind in ERRORS
            if self.error and not self.fragment and not quoted:
                self.of_error(self.body[8:])

    def of_error(self, data):
        """The ports of the packet that went the other way."""
        try:
            quote = Inner(data, quoted=True)
        except Malformed:
            return
        if quote.error:
            return
        if quote.destination == self.source:
            self.sport = quote.dport
        if quote.source == self.destination:
            self.dport = quote.sport


def out(rules, data, limit6=1500, mtu4=1500):
    try:
        packet = Inner(data)
    except Malformed:
        raise Drop("drop_bad_header") from None
    try:
        source, domain = rules.own4to6(packet.source, packet.sport)
    except Unknown:
        raise Drop("drop_source_not_ours") from None
    except Outside:
        raise Drop(refused(packet, packet.sport, "out")) from None
    try:
        destination = rules.remote4to6(packet.destination, packet.dport, domain)
    except NoMatch:
        raise Drop("drop_destination_without_rule") from None
    limit = min(limit6 - rules.size, mtu4)
    if packet.df and len(data) > limit:
        raise Drop(f"drop_too_big icmp 3 4 {limit}")
    # RFC 6040 s4.1: the ECN field is the packet's own.
    tclass = packet.tos if rules.tclass is None else rules.tclass & 0xFC | packet.tos & 3
    protocol, option = IPV4, b""
    if rules.limit is not None:
        protocol, option = DESTINATION, bytes([IPV4, 0, 4, 1, rules.limit, 1, 1, 0])
    head = struct.pack("!IHBB", 6 << 28 | tclass << 20, len(option) + len(data), protocol, rules.hop_limit or packet.ttl)
    return head + source.packed + destination.packed + option + data


def refused(packet, port, way):
    if packet.offset and way == "out":
        return "drop_fragment"
    if packet.error:
        return "drop_icmp_error_about_others"
    if port is not None:
        return f"drop_port_outside_set_{way}"
    return "drop_icmp_type" if packet.protocol == ICMP else "drop_protocol_without_ports"


def come_in(rules, data, limit6=1500, mtu4=1500, cut=0):
    """None: not MAP traffic."""
    try:
        outer = Packet6(data)
    except Malformed:
        return None
    local = rules.own_end(outer.destination)
    if local is None or outer.segments or not outer.whole:
        return None
    if outer.protocol == ICMP6 and len(outer.body) >= 8 and outer.body[0] < 128:
        return in_error(rules, outer, limit6, mtu4)
    if outer.protocol != IPV4:
        return None
    try:
        packet = Inner(outer.body)
    except Malformed:
        raise Drop("drop_bad_header") from None
    later = bool(packet.offset)
    found = rules.may_send(outer.source, packet.source, packet.sport, later, rules.domain(local))
    if found is None:
        raise Drop("drop_source_without_rule")
    if not found:
        raise Drop("drop_source_does_not_match_rule icmp 1 5 0")
    found = rules.has(local, outer.destination, packet.destination, packet.dport, later)
    if found is None:
        raise Drop("drop_destination_not_ours")
    if not found:
        raise Drop(refused(packet, packet.dport, "in"))
    # RFC 6040 s4.2, figure 4: rows are the inner field, columns the outer one; 0 not, 1 ECT(1), 2 ECT(0), 3 CE.
    ecn = {0: (0, 0, 0, None), 1: (1, 1, 1, 3), 2: (2, 1, 2, 3), 3: (3, 3, 3, 3)}[packet.tos & 3][outer.tclass & 3]
    if ecn is None:
        raise Drop("drop_ecn")
    body = outer.body
    if ecn != packet.tos & 3:
        body = put16(body[:1] + bytes([packet.tos & 0xFC | ecn]) + body[2:], 10, 0)
        body = put16(body, 10, checksum(body[:packet.header]))
    return body


def in_error(rules, outer, limit6, mtu4):
    """RFC 2473 s8: an error about a packet that we sent. Empty: nobody is told."""
    kind, code, word = outer.body[0], outer.body[1], struct.unpack_from("!I", outer.body, 4)[0]
    quote = outer.body[8:]
    if len(quote) < 40 or quote[0] >> 4 != 6:
        return None
    limit_at, inside = None, quote[40:]
    if quote[6] == DESTINATION and len(quote) >= 48 and quote[40] == IPV4 and quote[41] == 0:
        limit_at, inside = 44, quote[48:]
    elif quote[6] != IPV4:
        return None
    if total(pseudo6(outer.source, outer.destination, len(outer.body), ICMP6) + outer.body) != 0xFFFF:
        raise Drop("drop_bad_header")
    try:
        packet = Inner(inside, quoted=True)
    except Malformed:
        raise Drop("drop_icmp_error_about_others") from None
    if packet.offset:
        raise Drop("drop_fragment")
    try:
        source, domain = rules.own4to6(packet.source, packet.sport)
        destination = rules.remote4to6(packet.destination, packet.dport, domain)
    except (Unknown, Outside, NoMatch):
        raise Drop("drop_icmp_error_about_others") from None
    if source.packed + destination.packed != quote[8:40]:
        raise Drop("drop_icmp_error_about_others")
    if kind not in (1, 2, 3) and not (kind == 4 and code == 0 and limit_at is not None and word == limit_at):
        raise Drop("drop_icmp_type")
    rest, code = 0, 1
    if kind == 2:
        told = max(word, 1280)
        if packet.length + rules.size <= told:
            raise Drop("drop_icmp_error_about_others")
        if not packet.df:
            return b""
        rest, code = min(told - rules.size, limit6 - rules.size, mtu4), 4
    inside = inside[:packet.length][:ERROR4 - 28]
    message = struct.pack("!BBHI", 3, code, 0, rest) + inside
    message = put16(message, 2, checksum(message))
    return write4(0, 0, 0, 0, 0, 64, ICMP, DUMMY, packet.source, message)


class TunnelOracle:
    """Asked as the core program is."""

    def rules(self, *lines):
        self.compiled = Tunnel(lines)

    def ask(self, question):
        word, *arguments = question.split()
        keys = {key: int(value) for key, value in (argument.split("=") for argument in arguments[1:])}
        try:
            found = (out if word == "x46" else come_in)(self.compiled, bytes.fromhex(arguments[0]), **keys)
        except Drop as drop:
            return dropped(drop.answers)
        if found is None:
            return Answer("pass")
        if not found:
            return Answer("quiet")
        return Answer(f"{'6' if word == 'x46' else '4'} {found.hex()}")
