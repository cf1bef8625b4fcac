"""What the tests of the module in a running kernel share: its control file, its counters, connection tracking by netlink."""

import os
import socket
import struct

from captures import until
from namespaces import CLONE_NEWNET, LIBC, sh

NETLINK_NETFILTER = 12


def enter(namespace):
    if LIBC.setns(namespace.fd, CLONE_NEWNET) != 0:
        raise OSError("setns")


def read(namespace, name):
    """A file of /proc/net as a namespace has it."""
    enter(namespace)
    with open(f"/proc/thread-self/net/{name}") as file:
        return file.read()


def control(namespace, *lines):
    """One write of all lines. Gives 0 or the errno."""
    enter(namespace)
    file = os.open("/proc/thread-self/net/nat46/control", os.O_WRONLY)
    try:
        os.write(file, ("\n".join(lines) + "\n").encode())
        return 0
    except OSError as error:
        return error.errno
    finally:
        os.close(file)


def counters(namespace, device="map0"):
    rows = [line.split() for line in read(namespace, "mapmint/counters").splitlines()]
    return {name: int(value) for owner, name, value in rows if owner == device}


def risen(namespace, name, before, by=1, device="map0"):
    """How much a counter has grown: as soon as it has grown by so much, or when that took too long."""
    until(lambda: counters(namespace, device)[name] - before >= by)
    return counters(namespace, device)[name] - before


def last_message():
    lines = [line for line in sh("dmesg").splitlines() if "mapmint: control" in line]
    return lines[-1] if lines else ""


def attribute(kind, data):
    return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


class Flows:
    """Deletes flows of connection tracking one by one, faster than a program for each could."""

    DELETE, NESTED = 1 << 8 | 2, 0x8000

    def __init__(self, namespace):
        enter(namespace)
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)

    def delete(self, protocol, source, sport, destination, dport):
        """By the original direction; of ICMP, `sport` is the id of an echo request. True where there was one."""
        addresses = attribute(1, socket.inet_aton(source)) + attribute(2, socket.inet_aton(destination))
        ports = attribute(1, bytes([protocol]))
        if protocol == 1:
            ports += attribute(4, struct.pack("!H", sport)) + attribute(5, b"\x08") + attribute(6, b"\0")
        else:
            ports += attribute(2, struct.pack("!H", sport)) + attribute(3, struct.pack("!H", dport))
        body = struct.pack("BBH", socket.AF_INET, 0, 0) + attribute(
            self.NESTED | 1, attribute(self.NESTED | 1, addresses) + attribute(self.NESTED | 2, ports))
        self.socket.send(struct.pack("IHHII", 16 + len(body), self.DELETE, 1 | 4, 1, 0) + body)
        answer = self.socket.recv(4096)
        return struct.unpack("i", answer[16:20])[0] == 0
