"""IPv4 packets by hand."""

import socket
import struct


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(source, destination, protocol, payload, ttl=64, fragment=0, identification=1):
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identification, fragment, ttl, protocol, 0,
        socket.inet_aton(source), socket.inet_aton(destination),
    )
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def pseudo(source, destination, protocol, payload):
    return socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, protocol, len(payload))


def tcp(source, destination, sport, dport, flags, wrong=0):
    head = struct.pack("!HHIIBBHHH", sport, dport, 1000, 2000, 0x50, flags, 8192, 0, 0)
    total = checksum(pseudo(source, destination, 6, head) + head) ^ wrong
    return head[:16] + struct.pack("!H", total) + head[18:]


def udp(source, destination, sport, dport, data=b"payload!"):
    head = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    total = checksum(pseudo(source, destination, 17, head) + head) or 0xFFFF
    return head[:6] + struct.pack("!H", total) + head[8:]


def icmp(kind, code, word, rest):
    head = struct.pack("!BBHI", kind, code, 0, word) + rest
    return head[:2] + struct.pack("!H", checksum(head)) + head[4:]


def echo(kind, identifier, data=b"abcdefgh"):
    return icmp(kind, 0, identifier << 16 | 1, data)


def ports(packet):
    """(protocol, source, source port or id, destination, destination port, offset of the payload)"""
    size = (packet[0] & 15) * 4
    protocol = packet[9]
    source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    if protocol in (6, 17):
        return protocol, source, *struct.unpack("!H", packet[size:size + 2]), destination, *struct.unpack("!H", packet[size + 2:size + 4]), size
    return protocol, source, 0, destination, 0, size


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
