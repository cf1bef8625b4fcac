"""Namespaces, sockets in them, packets by hand, and the capture between the customer edge and the network."""

import ctypes
import os
import select
import socket
import struct
import subprocess
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
ETH_P_IP = 0x0800
IP_RECVERR, IP_MTU_DISCOVER, IP_MTU, IP_NODEFRAG = 11, 10, 14, 22
PMTUDISC_DO = 2
MSG_ERRQUEUE = 0x2000


VERBOSE = os.environ.get("guest_verbose") or os.environ.get("MAPMIN_VERBOSE")


def told(command, namespace="", text=None):
    """With `test/run -v`: each command, with the namespace that it runs in."""
    if VERBOSE:
        print(f"[{namespace}] {command}", flush=True)
        for line in (text or "").rstrip("\n").split("\n") if text else ():
            print(f"[{namespace}] <<< {line}", flush=True)


def sh(command, text=None, namespace=""):
    told(command, namespace, text)
    if namespace:
        command = f"ip netns exec {namespace} {command}"
    done = subprocess.run(command.split(), input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    def __init__(self, name):
        self.name = name
        sh(f"ip netns add {name}")
        self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        self.run("ip link set lo up")

    def run(self, command, text=None):
        return sh(command, text, self.name)

    def outcome(self, *words):
        """Runs a program whose failure is an answer: (exit code, what it printed)."""
        told(" ".join(words), self.name)
        done = subprocess.run(["ip", "netns", "exec", self.name, *words], capture_output=True, text=True)
        return done.returncode, done.stdout

    def set(self, key, value):
        self.run(f"sysctl -qw {key}={value}")

    def socket(self, *kind):
        """A socket stays in the namespace it was made in; only the making needs the thread to be there."""
        if LIBC.setns(self.fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        return socket.socket(*kind)

    def udp(self, address="0.0.0.0", port=0, to=None):
        made = self.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, port))
        if to is not None:
            made.connect(to)
        return made

    def raw(self):
        made = self.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        made.setsockopt(socket.SOL_IP, IP_NODEFRAG, 1)
        return made

    def icmp(self):
        made = self.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        made.settimeout(2)
        return made


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


class Capture(threading.Thread):
    """Sees every packet that leaves the customer edge, where the network receives it."""

    def __init__(self, namespace, device, judge):
        super().__init__(daemon=True)
        self.socket = namespace.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((device, ETH_P_IP))
        self.judge, self.seen, self.outside, self.stopped = judge, [], [], False
        self.fragments = {}

    def run(self):
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        while not self.stopped:
            if not poll.poll(200):
                continue
            packet, (_, _, kind, _, _) = self.socket.recvfrom(65536)
            if kind == 4:  # PACKET_OUTGOING: the network's own
                continue
            self.seen.append(packet)
            reason = self.judge(packet)
            if reason is not None:
                self.outside.append((reason, packet.hex()[:96]))

    def wait(self, condition, seconds=3.0):
        """The first packet seen, from now or before, that fulfils `condition`."""
        end = time.monotonic() + seconds
        while True:
            for packet in list(self.seen):
                if condition(packet):
                    return packet
            if time.monotonic() > end:
                return None
            time.sleep(0.02)

    def clear(self):
        self.seen.clear()

    def dropped(self):
        """Packets that the kernel did not hand over: a capture with holes proves nothing."""
        return struct.unpack("II", self.socket.getsockopt(263, 6, 8))[1]


def ports(packet):
    """(protocol, source, source port or id, destination, destination port, offset of the payload)"""
    size = (packet[0] & 15) * 4
    protocol = packet[9]
    source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    if protocol in (6, 17):
        return protocol, source, *struct.unpack("!H", packet[size:size + 2]), destination, *struct.unpack("!H", packet[size + 2:size + 4]), size
    return protocol, source, 0, destination, 0, size
