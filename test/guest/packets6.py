"""IPv6 packets by hand, and what a receiver makes of packets."""

import socket
import struct
from typing import NamedTuple

from packets4 import checksum


def source6(packet):
    return socket.inet_ntop(socket.AF_INET6, packet[8:24])


def destination6(packet):
    return socket.inet_ntop(socket.AF_INET6, packet[24:40])


def next_header(packet):
    return packet[6]


def ip6(source, destination, protocol, payload, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) + socket.inet_pton(
        socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination) + payload


def udp6(source, destination, sport, dport, data=b"payload!"):
    head = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    pseudo = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(
        socket.AF_INET6, destination) + struct.pack("!II", len(head), 17)
    total = checksum(pseudo + head) or 0xFFFF
    return head[:6] + struct.pack("!H", total) + head[8:]


def icmp6(source, destination, kind, code, word, rest):
    head = struct.pack("!BBHI", kind, code, 0, word) + rest
    pseudo = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(
        socket.AF_INET6, destination) + struct.pack("!II", len(head), 58)
    return head[:2] + struct.pack("!H", checksum(pseudo + head)) + head[4:]


def raw6(namespace, packet):
    made = namespace.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    made.sendto(packet, (destination6(packet), 0))
    made.close()


class Datagram(NamedTuple):
    source: str
    destination: str
    protocol: int
    payload: bytes
    hops: int
    # How many packets it came in, and the longest of them.
    parts: int
    longest: int


def whole6(packets):
    """What a receiver makes of packets: datagrams, those in fragments once all of theirs are there."""
    found, waiting = [], {}
    for packet in packets:
        source, destination, protocol, payload = source6(packet), destination6(packet), packet[6], packet[40:]
        if protocol != 44:
            found.append(Datagram(source, destination, protocol, payload, packet[7], 1, len(packet)))
            continue
        protocol, _, at, number = struct.unpack("!BBHI", payload[:8])
        parts = waiting.setdefault((source, destination, number), [])
        parts.append((at & ~7, payload[8:], not at & 1, len(packet)))
        parts.sort()
        ends = [start + len(part) for start, part, _, _ in parts]
        if parts[-1][2] and [start for start, _, _, _ in parts] == [0, *ends[:-1]]:
            found.append(Datagram(source, destination, protocol, b"".join(part for _, part, _, _ in parts), packet[7],
                                  len(parts), max(length for *_, length in parts)))
            del waiting[source, destination, number]
    return found


def valid6(datagram):
    """The checksum of TCP, UDP or ICMPv6, and UDP's length."""
    if datagram.protocol == 17 and struct.unpack("!H", datagram.payload[4:6])[0] != len(datagram.payload):
        return False
    return checksum(socket.inet_pton(socket.AF_INET6, datagram.source) + socket.inet_pton(socket.AF_INET6, datagram.destination)
                    + struct.pack("!II", len(datagram.payload), datagram.protocol) + datagram.payload) == 0
