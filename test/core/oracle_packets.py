"""Reading and writing packets for the oracle: headers as values, checksums over everything they cover."""

import ipaddress
import struct

ICMP, IGMP, TCP, UDP, FRAGMENT, ICMP6 = 1, 2, 6, 17, 44, 58
HOP, ROUTING, AH, DESTINATION = 0, 43, 51, 60
DCCP, LITE = 33, 136
# Where the checksum is, and the least length of a whole header.
CHECKSUM_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2, DCCP: 6, LITE: 6}
LEAST = {TCP: 20, UDP: 8, ICMP: 8, ICMP6: 8, DCCP: 8, LITE: 8}
# What is known of each family's protocols; any other is passed on as it is, but for the other family's ICMP.
KNOWN4, KNOWN6 = (ICMP, TCP, UDP, DCCP, LITE), (ICMP6, TCP, UDP, DCCP, LITE)
# Whose checksum may cover a part of the packet, so that it cannot be told from here whether it is right.
PARTIAL = (DCCP, LITE)


def total(data):
    """The one's complement sum of RFC 1071, as a number below 65,536."""
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return value


def checksum(data):
    return 0xFFFF - total(data)


def carried(check, before, after):
    """The checksum of something of which `before` became `after`, and of which the rest is not here (RFC 1624)."""
    value = (0xFFFF - check - total(before) + total(after)) % 0xFFFF
    return 0xFFFF - (value or 0xFFFF)


def put16(data, at, value):
    return data[:at] + struct.pack("!H", value) + data[at + 2:]


def get16(data, at):
    return struct.unpack_from("!H", data, at)[0]


def pseudo4(source, destination, length, protocol):
    return source.packed + destination.packed + struct.pack("!BBH", 0, protocol, length)


def pseudo6(source, destination, length, protocol):
    return source.packed + destination.packed + struct.pack("!II", length, protocol)


class Malformed(Exception):
    pass


class Packet4:
    """An IPv4 packet, or as much of one as an error quotes."""

    def __init__(self, data):
        if len(data) < 20 or data[0] >> 4 != 4:
            raise Malformed
        self.header = (data[0] & 15) * 4
        if self.header < 20 or self.header > len(data):
            raise Malformed
        self.tos, self.length, self.id, flags, self.ttl, self.protocol = struct.unpack_from("!xBHHHBB", data)
        self.df, self.more, self.offset = flags >> 14 & 1, flags >> 13 & 1, flags & 0x1FFF
        self.source, self.destination = ipaddress.IPv4Address(data[12:16]), ipaddress.IPv4Address(data[16:20])
        self.options, self.body = data[20:self.header], data[self.header:]
        # What the whole body has, however much of it is here.
        self.body_length = self.length - self.header
        self.fragment = bool(self.more or self.offset)
        self.whole = not self.fragment

    def unexpired_source_route(self):
        """RFC 791 s3.1: its pointer is not greater than its length."""
        options = self.options
        while options and options[0] != 0:
            if options[0] == 1:
                options = options[1:]
                continue
            if len(options) < 2 or not 2 <= options[1] <= len(options):
                return False
            if options[0] in (131, 137) and options[1] >= 3 and options[2] <= options[1]:
                return True
            options = options[options[1]:]
        return False


def write4(tos, ident, df, more, offset, ttl, protocol, source, destination, body, body_length=None):
    length = 20 + (len(body) if body_length is None else body_length)
    head = struct.pack("!BBHHHBBH", 0x45, tos, length, ident, df << 14 | more << 13 | offset, ttl, protocol, 0)
    head += source.packed + destination.packed
    return put16(head, 10, checksum(head)) + body


class Packet6:
    """An IPv6 packet, or as much of one as an error quotes, its extension headers skipped (RFC 7915 s5.1)."""

    def __init__(self, data):
        if len(data) < 40 or data[0] >> 4 != 6:
            raise Malformed
        word, self.length, self.protocol, self.hops = struct.unpack_from("!IHBB", data)
        self.tclass = word >> 20 & 255
        self.source, self.destination = ipaddress.IPv6Address(data[8:24]), ipaddress.IPv6Address(data[24:40])
        # Offset, more, id of a Fragment Header; where a Segments Left lies that is not 0; what follows a Fragment Header.
        self.fragment, self.segments, self.after_fragment = None, None, False
        at = 40
        while self.protocol in (HOP, ROUTING, DESTINATION, FRAGMENT) or self.fragment and self.protocol == AH:
            if self.fragment:
                self.after_fragment = True
                break
            if len(data) < at + 8:
                raise Malformed
            if self.protocol == FRAGMENT:
                place, ident = struct.unpack_from("!HI", data, at + 2)
                self.fragment = (place >> 3, place & 1, ident)
                size = 8
                if place >> 3:
                    # What comes next is the middle of something.
                    self.protocol, at = data[at], at + size
                    break
            else:
                if self.protocol == ROUTING and data[at + 3]:
                    self.segments = self.segments or at + 3
                size = (data[at + 1] + 1) * 8
            self.protocol, at = data[at], at + size
        if at > len(data):
            raise Malformed
        self.body = data[at:]
        self.body_length = self.length - (at - 40)
        # An atomic fragment (RFC 6946) is all of its packet.
        self.whole = self.fragment is None or self.fragment[:2] == (0, 0)


def write6(tclass, protocol, hops, source, destination, body, body_length=None, fragment=None):
    """fragment: (offset, more, id), for which a Fragment Header is written."""
    length = len(body) if body_length is None else body_length
    if fragment is not None:
        offset, more, ident = fragment
        body = struct.pack("!BBHI", protocol, 0, offset << 3 | more, ident) + body
        length, protocol = length + 8, FRAGMENT
    head = struct.pack("!IHBB", 6 << 28 | tclass << 20, length, protocol, hops)
    return head + source.packed + destination.packed + body
