"""A second translator, slow and plain, to compare the module's core with: RFC 7915, RFC 7597 s8, RFC 7599 s8 and RFC 4884.

Written from the RFCs, not from the module. Every translated checksum that can be is computed anew over all it covers.

It answers what test/core/answers.c answers (`reset`, `line config ...`, `x46 HEX`, `x64 HEX`), so

    python3 oracle.py <questions

writes down what a new row of test/vectors/rfc7915 should say. A packet with several faults may be dropped for any of
them, save where RFC 7599 s8.2 has an order: the answer names the first, and others() the rest.
"""

import ipaddress
import struct
import sys

from oracle_packets import (
    CHECKSUM_AT, ICMP, ICMP6, IGMP, KNOWN4, KNOWN6, LEAST, LITE, PARTIAL, TCP, UDP, Malformed, Packet4, Packet6, carried, checksum,
    get16, pseudo4, pseudo6,
    put16, total, write4, write6,
)
from oracle_rules import Mismatch, NoMatch, Outside, Rules, Unknown

# RFC 7600 s4.7: the source of an error whose sender has no IPv4 address.
DUMMY = ipaddress.IPv4Address("192.0.0.8")
# RFC 1191 s7.
PLATEAUS = (65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)
# RFC 1812 s4.3.2.3, RFC 4443 s2.4 (c): the longest an error may be.
ERROR4, ERROR6 = 576, 1280
IDENT = 0x4D4D

# RFC 7915 s4.2 and s5.2. A type and code, or none. Pointers are figures 3 and 6.
UNREACHABLE_4TO6 = {0: (1, 0), 1: (1, 0), 2: (4, 1), 3: (1, 4), 4: (2, 0), 5: (1, 0), 6: (1, 0), 7: (1, 0), 8: (1, 0),
                    9: (1, 1), 10: (1, 1), 11: (1, 0), 12: (1, 0), 13: (1, 1), 15: (1, 1)}
UNREACHABLE_6TO4 = {0: (3, 1), 1: (3, 10), 2: (3, 1), 3: (3, 1), 4: (3, 3)}
POINTER_4TO6 = {0: 0, 1: 1, 2: 4, 3: 4, 8: 7, 9: 6, **dict.fromkeys(range(12, 16), 8), **dict.fromkeys(range(16, 20), 24)}
POINTER_6TO4 = {0: 0, 1: 1, 4: 2, 5: 2, 6: 9, 7: 8, **dict.fromkeys(range(8, 24), 12), **dict.fromkeys(range(24, 40), 16)}


class Drop(Exception):
    """In the order of the checks: the answers that would do, the first before all others."""

    def __init__(self, *answers):
        super().__init__(*answers)
        self.answers = answers


class Answer(str):
    """The answer, and what would be as right."""

    def __new__(cls, text, others=()):
        answer = super().__new__(cls, text)
        answer.accepted = {str(text), *others}
        return answer


def dropped(answers):
    answers = [f"drop {answer}" for answer in answers]
    return Answer(answers[0], answers[1:])


# --- what both directions have -------------------------------------------------------------------

def ports(protocol, body, echo):
    """Source and destination port, or an echo's id for both; None if the packet has no port. `echo`: the types that have one."""
    if protocol in (TCP, UDP):
        if len(body) < 4:
            raise Malformed
        return get16(body, 0), get16(body, 2)
    if protocol == (ICMP if 8 in echo else ICMP6) and body[:1] and body[0] in echo:
        if len(body) < 8:
            raise Malformed
        return get16(body, 4), get16(body, 4)
    return None, None


def covered(protocol, body):
    """What a transport checksum covers: UDP says itself where it ends (RFC 768)."""
    return body[:get16(body, 4)] if protocol == UDP and 8 <= get16(body, 4) <= len(body) else body


def retransport(protocol, new_protocol, body, whole, pseudo, new_pseudo, new_type=None):
    """A transport header between other addresses. `pseudo`, `new_pseudo`: functions from length and protocol; None is no
    pseudo-header, as ICMP's own. A checksum that was wrong stays wrong: only what changed is brought in."""
    at = CHECKSUM_AT[protocol]
    if len(body) < at + 2:
        return body
    check = get16(body, at)
    if protocol == UDP and check == 0:
        return body
    new = bytes([new_type]) + body[1:] if new_type is not None else body
    part = covered(protocol, body)
    before = pseudo(whole, protocol) if pseudo else b""
    after = new_pseudo(whole, new_protocol) if new_pseudo else b""
    if protocol not in PARTIAL and len(part) == whole and total(before + part) == 0xFFFF:
        value = checksum(after + put16(covered(protocol, new), at, 0))
    else:
        value = carried(check, before + body[:2], after + new[:2])
    if protocol in (UDP, LITE) and value == 0:
        value = 0xFFFF
    return put16(new, at, value)


def whole_length(packet):
    """The upper-layer length of RFC 8200 s8.1."""
    if packet.protocol == UDP and len(packet.body) >= 8 and 8 <= get16(packet.body, 4) <= packet.body_length:
        return get16(packet.body, 4)
    return packet.body_length


def split_extension(area, units, unit):
    """RFC 4884 s5: the quoted packet, and the extensions that the length field says are behind it."""
    length = units * unit
    if length < 128 or length >= len(area):
        return area, b""
    return area[:length], area[length:]


def join_extension(quote, extension, room, unit):
    """The other way: padded with zeros to whole units and to 128 octets, cut to whole units. Gives the area and units."""
    if not extension:
        return quote[:room], 0
    size = max(128, -(-len(quote) // unit) * unit)
    if size + len(extension) > room:
        size = (room - len(extension)) // unit * unit
    if size < 128:
        return quote[:room], 0
    return quote[:size].ljust(size, b"\0") + extension, size // unit


# --- IPv4 to IPv6 (RFC 7915 s4) ------------------------------------------------------------------

def out(rules, data, limit6=1500, mtu4=1500):
    try:
        packet = Packet4(data)
    except Malformed:
        raise Drop("drop_bad_header") from None
    if packet.protocol == ICMP and not packet.offset and packet.body[:1] and packet.body[0] in (3, 11, 12):
        return out_error(rules, packet, limit6, mtu4)
    faults = []
    if packet.unexpired_source_route():
        faults.append("drop_source_route icmp 3 5 0")
    source = destination = None
    if not packet.offset:
        if packet.protocol in KNOWN4 and len(packet.body) < LEAST[packet.protocol]:
            # A header that goes on in the next fragment; of ICMP, any fragment.
            raise Drop(*faults, "drop_fragment" if packet.fragment else "drop_bad_header")
        source, destination = ports(packet.protocol, packet.body, (0, 8))
    if packet.protocol == ICMP:
        if packet.fragment:
            faults.append("drop_fragment")
        elif packet.body[0] not in (0, 8):
            faults.append("drop_icmp_type")
    elif packet.protocol in (IGMP, ICMP6):
        # s4.2: of one hop; and what is none of IPv4's.
        faults += ["drop_icmp_type", "drop_protocol_without_ports"]
    elif packet.fragment and not packet.offset and packet.protocol in KNOWN4:
        at = CHECKSUM_AT[packet.protocol]
        # s4.5: it cannot be computed from a part.
        if packet.protocol == UDP and get16(packet.body, at) == 0:
            faults.append("drop_fragment")
    elif packet.protocol == UDP and not packet.fragment and get16(packet.body, 6) == 0:
        # Nor over a length that cannot be.
        if not 8 <= get16(packet.body, 4) <= len(packet.body):
            faults.append("drop_bad_header")
    domain, source6, destination6 = None, None, None
    try:
        source6, domain = rules.own4to6(packet.source, source)
    except Unknown:
        faults.append("drop_source_not_ours")
    except Outside:
        faults.append("drop_fragment" if packet.offset else
                      "drop_port_outside_set_out" if source is not None else "drop_protocol_without_ports")
    try:
        destination6 = rules.remote4to6(packet.destination, destination, domain)
    except NoMatch:
        faults.append("drop_destination_without_rule")
    limit = min(mtu4, limit6 - (28 if packet.fragment else 20))
    # Options do not travel.
    if packet.df and (20 + len(packet.body) > limit or len(data) > mtu4):
        faults.append(f"drop_too_big icmp 3 4 {limit}")
    if faults:
        raise Drop(*faults)
    protocol = ICMP6 if packet.protocol == ICMP else packet.protocol
    body = packet.body
    if packet.protocol in KNOWN4 and not packet.offset:
        kind = {8: 128, 0: 129}[body[0]] if packet.protocol == ICMP else None
        if protocol == UDP and get16(body, 6) == 0:
            # s4.5, option 2: an IPv6 checksum is computed.
            part = covered(UDP, body)
            body = put16(body, 6, checksum(pseudo6(source6, destination6, len(part), UDP) + part) or 0xFFFF)
        else:
            body = retransport(
                packet.protocol, protocol, body, whole_length(packet),
                None if packet.protocol == ICMP else lambda n, p: pseudo4(packet.source, packet.destination, n, p),
                lambda n, p: pseudo6(source6, destination6, n, p), kind)
    fragment = (packet.offset, packet.more, packet.id) if packet.fragment else None
    return write6(packet.tos, protocol, packet.ttl, source6, destination6, body, fragment=fragment)


def mtu_4to6(told, quoted_length, limit6, mtu4):
    if told == 0:
        told = next((plateau for plateau in PLATEAUS if plateau < quoted_length), 0)
    return max(1280, min(told + 20, limit6, mtu4 + 20))


def out_error(rules, packet, limit6, mtu4):
    """An error that we send about a packet that came in (s4.2, s4.3)."""
    faults = []
    if packet.unexpired_source_route():
        # The answer is the stack's to leave out: nobody is sent an error about an error (RFC 1122 s3.2.2).
        faults += ["drop_source_route", "drop_source_route icmp 3 5 0"]
    if packet.fragment:
        raise Drop(*faults, "drop_fragment")
    if len(packet.body) < 8 or total(packet.body) != 0xFFFF:
        raise Drop(*faults, "drop_bad_header")
    kind, code = packet.body[:2]
    pointer, units, told = packet.body[4], packet.body[5], get16(packet.body, 6)
    found = UNREACHABLE_4TO6.get(code) if kind == 3 else (3, code) if kind == 11 else (
        (4, 0) if code in (0, 2) and pointer in POINTER_4TO6 else None)
    if found is None:
        faults.append("drop_icmp_type")
    quote, extension = split_extension(packet.body[8:], units, 4)
    try:
        inner, inner4, sport, dport = out_quoted(rules, quote)
    except (Malformed, Unknown, Outside, NoMatch):
        raise Drop(*faults, "drop_icmp_error_about_others") from None
    try:
        source6, domain = rules.own4to6(packet.source, dport)
        destination6 = rules.remote4to6(packet.destination, sport, domain)
    except (Unknown, Outside, NoMatch):
        raise Drop(*faults, "drop_icmp_error_about_others", "drop_source_not_ours", "drop_destination_without_rule") from None
    if faults:
        raise Drop(*faults)
    rest = 0
    if found[0] == 2:
        rest = mtu_4to6(told, inner4.length, limit6, mtu4)
    elif found == (4, 1):
        rest = 6
    elif found == (4, 0):
        rest = POINTER_4TO6[pointer]
    area, units = join_extension(inner, extension if found[0] in (1, 3) else b"", ERROR6 - 48, 8)
    body = struct.pack("!BBHI", *found, 0, rest | units << 24) + area
    body = put16(body, 2, checksum(pseudo6(source6, destination6, len(body), ICMP6) + body))
    return write6(packet.tos, ICMP6, packet.ttl, source6, destination6, body)


def out_quoted(rules, quote):
    """The packet in error came in: its destination is ours."""
    inner = Packet4(quote)
    sport, dport = quoted_ports(inner, inner.offset, (0, 8))
    destination6, domain = rules.own4to6(inner.destination, dport)
    source6 = rules.remote4to6(inner.source, sport, domain)
    protocol = ICMP6 if inner.protocol == ICMP else inner.protocol
    body = inner.body
    if inner.protocol in KNOWN4 and not inner.offset:
        kind = {8: 128, 0: 129}[body[0]] if inner.protocol == ICMP else None
        body = retransport(
            inner.protocol, protocol, body, whole_length(inner),
            None if inner.protocol == ICMP else lambda n, p: pseudo4(inner.source, inner.destination, n, p),
            lambda n, p: pseudo6(source6, destination6, n, p), kind)
    fragment = (inner.offset, inner.more, inner.id) if inner.fragment else None
    data = write6(inner.tos, protocol, inner.ttl, source6, destination6, body, inner.body_length, fragment)
    return data, inner, sport, dport


def quoted_ports(inner, offset, echo):
    """One level deep: an error about anything but an echo is none that anybody may send (RFC 1122 s3.2.2)."""
    if inner.body_length < 0 or inner.protocol == (ICMP6 if 8 in echo else ICMP):
        raise Malformed
    if inner.protocol == (ICMP if 8 in echo else ICMP6):
        # s1.2: of fragmented ICMP no piece is translated.
        if not inner.whole or not inner.body[:1] or inner.body[0] not in echo:
            raise Malformed
    return (None, None) if offset else ports(inner.protocol, inner.body, echo)


# --- IPv6 to IPv4 (RFC 7915 s5, RFC 7599 s8.2) ---------------------------------------------------

def come_in(rules, data, limit6=1500, mtu4=1500, cut=0):
    """None: not MAP traffic."""
    if len(data) < 40 or data[0] >> 4 != 6:
        return None
    source, destination = ipaddress.IPv6Address(data[8:24]), ipaddress.IPv6Address(data[24:40])
    try:
        destination4, domain, in_set = rules.own6to4(destination)
    except Unknown:
        return None
    faults = []
    try:
        packet = Packet6(data)
    except Malformed:
        packet = None
    if packet and packet.protocol == ICMP6 and packet.whole and not packet.after_fragment and not packet.segments and \
            packet.body[:1] and packet.body[0] < 128:
        # Check 1: an error from any source is judged by what it quotes.
        return in_error(rules, packet, destination4, limit6, mtu4)
    # Check 2: neither DMR nor FMR.
    try:
        source4, sender_has = rules.remote6to4(source, domain)
    except NoMatch:
        return None
    except Mismatch:
        source4, sender_has = None, None
    if packet is None:
        raise Drop("drop_bad_header", "drop_extension_header")
    if packet.segments:
        faults.append(f"drop_extension_header icmp 4 0 {packet.segments}")
    if packet.after_fragment:
        faults.append("drop_extension_header")
    if not packet.whole:
        faults.append("drop_fragment")
    if faults and source4 is None:
        faults.append("drop_source_does_not_match_rule icmp 1 5 0")
    if faults:
        raise Drop(*faults)
    body = packet.body
    if packet.protocol in KNOWN6 and len(body) < LEAST[packet.protocol]:
        raise Drop("drop_bad_header")
    if packet.protocol == ICMP or packet.protocol == ICMP6 and body[0] not in (128, 129):
        raise Drop("drop_icmp_type", *(["drop_source_does_not_match_rule icmp 1 5 0"] if source4 is None else []))
    sport, dport = ports(packet.protocol, body, (128, 129))
    # Check 3, then check 4.
    if source4 is None or not sender_has(sport):
        raise Drop("drop_source_does_not_match_rule icmp 1 5 0")
    if not in_set(dport):
        raise Drop("drop_port_outside_set_in" if dport is not None else "drop_protocol_without_ports")
    icmp = packet.protocol == ICMP6
    protocol = ICMP if icmp else packet.protocol
    if packet.protocol in KNOWN6:
        body = retransport(
            packet.protocol, protocol, body, whole_length(packet), lambda n, p: pseudo6(source, destination, n, p),
            None if icmp else lambda n, p: pseudo4(source4, destination4, n, p), {128: 8, 129: 0}[body[0]] if icmp else None)
    df = not packet.fragment and not cut and 20 + len(body) > 1260
    ident = packet.fragment[2] & 0xFFFF if packet.fragment else 0 if df else IDENT
    return write4(packet.tclass, ident, int(df), 0, 0, packet.hops, protocol, source4, destination4, body)


def mtu_6to4(told, limit6, mtu4):
    return min(max(told, 1280) - 20, mtu4, limit6 - 20, 65535)


def in_error(rules, packet, destination4, limit6, mtu4):
    """An error about a packet that we sent (s5.2, s5.3)."""
    body = packet.body
    if len(body) < 8 or total(pseudo6(packet.source, packet.destination, len(body), ICMP6) + body) != 0xFFFF:
        raise Drop("drop_bad_header")
    kind, code, word = body[0], body[1], struct.unpack_from("!I", body, 4)[0]
    faults = []
    found = UNREACHABLE_6TO4.get(code) if kind == 1 else (3, 4) if kind == 2 else (11, code) if kind == 3 else (
        (3, 2) if code == 1 else (12, 0) if code == 0 and word in POINTER_6TO4 else None) if kind == 4 else None
    if found is None:
        faults.append("drop_icmp_type")
    quote, extension = split_extension(body[8:], body[4] if kind in (1, 3) else 0, 8)
    try:
        inner, domain = in_quoted(rules, quote)
    except (Malformed, Unknown, Mismatch):
        raise Drop(*faults, "drop_icmp_error_about_others") from None
    except NoMatch:
        # What went from our address to neither default nor rule was ordinary IPv6, and so is the error.
        return None
    if faults:
        raise Drop(*faults)
    try:
        source4, _ = rules.remote6to4(packet.source, domain)
    except (NoMatch, Mismatch):
        source4 = DUMMY
    rest = 0
    if kind == 2:
        rest = mtu_6to4(word, limit6, mtu4)
    elif found[0] == 12:
        rest = POINTER_6TO4[word] << 24
    area, units = join_extension(inner, extension if kind in (1, 3) else b"", ERROR4 - 28, 4)
    message = struct.pack("!BBHI", *found, 0, rest | units << 16) + area
    message = put16(message, 2, checksum(message))
    return write4(packet.tclass, IDENT, 0, 0, 0, packet.hops, ICMP, source4, destination4, message)


def in_quoted(rules, quote):
    """The packet in error went out: its source is ours, with a port of our set."""
    inner = Packet6(quote)
    if inner.after_fragment:
        raise Malformed
    offset, more, ident = inner.fragment or (0, 0, 0)
    sport, dport = quoted_ports(inner, offset, (128, 129))
    source4, domain, in_set = rules.own6to4(inner.source)
    destination4, receiver_has = rules.remote6to4(inner.destination, domain)
    if not in_set(sport) or not receiver_has(dport):
        raise Mismatch
    icmp = inner.protocol == ICMP6
    protocol = ICMP if icmp else inner.protocol
    body = inner.body
    if inner.protocol in KNOWN6 and not offset:
        body = retransport(
            inner.protocol, protocol, body, whole_length(inner), lambda n, p: pseudo6(inner.source, inner.destination, n, p),
            None if icmp else lambda n, p: pseudo4(source4, destination4, n, p), {128: 8, 129: 0}[body[0]] if icmp else None)
    df = not inner.fragment and 20 + inner.body_length > 1260
    data = write4(inner.tclass, ident & 0xFFFF, int(df), more, offset, inner.hops, protocol, source4, destination4, body,
                  inner.body_length)
    return data, domain


# --- questions and answers -----------------------------------------------------------------------

class Oracle:
    """Asked as the core program is."""

    def __init__(self):
        self.lines = []
        self.compiled = None

    def rules(self, *lines):
        self.lines, self.compiled = list(lines), Rules(lines)

    def ask(self, question):
        word, *arguments = question.split()
        if word == "reset":
            self.rules()
            return "ok"
        if word == "line":
            self.rules(*self.lines, question[5:])
            return "ok"
        data = bytes.fromhex(arguments[0])
        keys = {key: int(value) for key, value in (argument.split("=") for argument in arguments[1:])}
        try:
            found = (out if word == "x46" else come_in)(self.compiled, data, **keys)
        except Drop as drop:
            return dropped(drop.answers)
        if found is None:
            return Answer("pass")
        return Answer(f"{'6' if word == 'x46' else '4'} {found.hex()}")


def main():
    oracle = Oracle()
    for line in sys.stdin:
        if line.strip():
            print(oracle.ask(line), flush=True)


if __name__ == "__main__":
    main()
