"""IPv6 packets by hand, and captures of both families."""

import socket
import struct

from net import Capture, checksum

ETH_P_IPV6 = 0x86DD


class Capture4(Capture):
    """IPv4 packets that come in on a device: from the translator, or from a link."""

    def __init__(self, namespace, device="map0"):
        super().__init__(namespace, device, lambda packet: None)
        self.start()

    def stop(self):
        self.stopped = True
        self.join()
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
