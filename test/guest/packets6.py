"""IPv6 packets by hand, and captures of both families."""

import ctypes
import fcntl
import select
import socket
import struct
import time
from typing import NamedTuple

from namespaces import ETH_P_IP, checksum

ETH_P_IPV6 = 0x86DD


class Capture4:
    """IPv4 packets that come in on a device: from the translator, or from a link. They wait in the socket until they are asked
    for, so that what has happened is seen, however busy the machine is."""

    family = ETH_P_IP

    def __init__(self, namespace, device="map0"):
        self.socket = namespace.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(self.family))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((device, self.family))
        self.kept = []

    def drain(self):
        while True:
            try:
                packet, (_, _, kind, _, _) = self.socket.recvfrom(65576, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if kind != socket.PACKET_OUTGOING:
                self.kept.append(packet)

    @property
    def seen(self):
        self.drain()
        return self.kept

    def wait(self, condition, seconds=3.0):
        """The first packet, from now or before, that fulfils `condition`."""
        end = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        while True:
            for packet in self.seen:
                if condition(packet):
                    return packet
            left = end - time.monotonic()
            if left <= 0:
                return None
            poll.poll(left * 1000)

    def clear(self):
        self.drain()
        self.kept = []

    def dropped(self):
        """Packets that the kernel did not keep since the last call: a capture with holes proves nothing."""
        return struct.unpack("II", self.socket.getsockopt(263, 6, 8))[1]

    def stop(self):
        self.socket.close()


class Capture6(Capture4):
    """IPv6 packets that come in on a device, so what the provider's router gets from the customer edge."""

    family = ETH_P_IPV6


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


def valid4(packet):
    """The checksums of header and payload of a whole packet, and its length."""
    size = (packet[0] & 15) * 4
    body = packet[size:]
    if checksum(packet[:size]) != 0 or struct.unpack("!H", packet[2:4])[0] != len(packet):
        return False
    if packet[9] == 1:
        return checksum(body) == 0
    if packet[9] == 17 and body[6:8] == b"\0\0":
        return True
    return checksum(packet[12:20] + struct.pack("!BBH", 0, packet[9], len(body)) + body) == 0


def offload(namespace, device, on):
    """Checksums and segments left to the device, or not: without, packets are on the link as on a wire."""
    handle = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # ETHTOOL_STXCSUM, _SSG, _STSO, _SGSO: each needs the ones before it.
    for command in (0x17, 0x19, 0x1F, 0x24) if on else (0x24, 0x1F, 0x19, 0x17):
        value = ctypes.create_string_buffer(struct.pack("=II", command, int(on)))
        fcntl.ioctl(handle, 0x8946,  # SIOCETHTOOL
                    struct.pack("16sP16x", device.encode(), ctypes.addressof(value)))
    handle.close()
