"""Captures of packets on a device, and waiting for one of them.

A wait names its packet by what no other has: a token in its payload, its id, or its port. "The next one" may be a late packet of
the case before.
"""

import ctypes
import fcntl
import itertools
import select
import socket
import struct
import time

ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
# Seconds in which even a busy machine delivers a packet. Only what fails takes so long.
PATIENCE = 15

numbers = itertools.count(1)


def token():
    """Eight octets that no other packet has."""
    return b"<%06d>" % next(numbers)


def until(look, seconds=PATIENCE):
    """What `look` gives at last that is true; what it gave when the time was over."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.02)


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

    def wait(self, condition, seconds=PATIENCE):
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

    def wait_for(self, mark, condition=lambda packet: True, seconds=PATIENCE):
        """The packet that has this token in it."""
        return self.wait(lambda packet: mark in packet and condition(packet), seconds)

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


class JudgedCapture(Capture4):
    """A capture with a judge: the reason why a packet should not be there, or None. Those packets are `outside`."""

    def __init__(self, namespace, device, judge):
        super().__init__(namespace, device)
        self.judge, self.outside, self.judged, self.fragments = judge, [], 0, {}

    def drain(self):
        super().drain()
        for packet in self.kept[self.judged:]:
            reason = self.judge(packet)
            if reason is not None:
                self.outside.append((reason, packet.hex()[:96]))
        self.judged = len(self.kept)

    def clear(self):
        super().clear()
        self.judged = 0


def offload(namespace, device, on):
    """Checksums and segments left to the device, or not: without, packets are on the link as on a wire."""
    handle = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # ETHTOOL_STXCSUM, _SSG, _STSO, _SGSO: each needs the ones before it.
    for command in (0x17, 0x19, 0x1F, 0x24) if on else (0x24, 0x1F, 0x19, 0x17):
        value = ctypes.create_string_buffer(struct.pack("=II", command, int(on)))
        fcntl.ioctl(handle, 0x8946,  # SIOCETHTOOL
                    struct.pack("16sP16x", device.encode(), ctypes.addressof(value)))
    handle.close()
