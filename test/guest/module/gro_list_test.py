"""Packets that a device hands up as a list (fraglist GRO), which OpenWrt has on by default: each has headers of its own.

    lan 192.168.1.2 -- ce (192.0.2.18, PSID 0x34) -- core

`core` is what stands behind the customer edge: for translation the server itself, at its IPv6 address; for encapsulation the
border relay (ip6_tunnel) and the server behind it. Single packets are on the links; the receiving device waits a little for
more of a flow, and makes lists of them.

Argument: mapmint.ko. Prints a line for each check and `N passed, N failed` at the end; ends with 1 when one failed.
"""

import errno
import socket
import sys
import threading

from captures import PATIENCE, Capture4, Capture6, token
from checks import check, run_each
from module_files import control, last_message
from namespaces import sh
from sockets import readable
from topology import (
    DEFAULT, EDGE, LAN, LOCAL, MAP, OWN, REMOTE, SERVER, address, connected, finish, join, namespaces, route, stream_echo,
)

MODULE = sys.argv[1]
BR = "2001:db8:ffff::1"
DATAGRAMS, SIZE = 10, 1200
# How long a device keeps a list open. A busy machine may send a datagram later than that, so a burst is tried anew.
WAIT_NS, BURSTS = 2_000_000, 20
RELAY = f"remote.style NONE remote.v4 0.0.0.0/0 remote.v6 {BR}/128"
RULES = {
    "MAP-T": (f"config map0 {LOCAL} {DEFAULT} {EDGE}",),
    "MAP-E": ("config map0 transport encapsulate", f"config map0 {LOCAL} {RELAY} {EDGE}"),
    "lw4o6": ("config map0 transport encapsulate",
              f"config map0 local.style NONE local.v4 {OWN}/32 local.v6 {MAP}/128 {RELAY} {EDGE}"),
}


class Home:
    def __init__(self):
        self.lan, self.ce, self.core = namespaces("lan", "ce", "core")
        join((self.lan, "eth0", self.ce, "br-lan"), (self.ce, "wan", self.core, "ce0"))
        address(
            (self.lan, "eth0", f"{LAN}/24"), (self.ce, "br-lan", "192.168.1.1/24"), (self.ce, "wan", "2001:db8:f000:1::2/64"),
            (self.core, "ce0", "2001:db8:f000:1::1/64"), (self.core, "lo", f"{BR}/128"), (self.core, "lo", f"{REMOTE}/128"),
            (self.core, "lo", f"{SERVER}/32"),
        )
        route((self.lan, "default via 192.168.1.1"), (self.ce, "default via 2001:db8:f000:1::1"),
              (self.core, "2001:db8::/40 via 2001:db8:f000:1::2"))
        self.core.run(f"ip -6 tunnel add tnl mode ipip6 local {BR} remote {MAP} encaplimit none")
        self.core.run("ip link set tnl up")
        self.core.run(f"ip route add {OWN}/32 dev tnl")
        for space, device in ((self.lan, "eth0"), (self.core, "ce0")):
            space.run(f"ethtool -K {device} tso off gso off")
        for device in ("br-lan", "wan"):
            self.ce.run(f"ethtool -K {device} gro on rx-gro-list on")
            self.ce.run(f"tee /sys/class/net/{device}/gro_flush_timeout", f"{WAIT_NS}")
        self.lan.run("ping -c 1 -W 2 192.168.1.1")
        self.core.run("ping -c 1 -W 2 2001:db8:f000:1::2")

    def device(self, transport):
        found = control(self.ce, "add map0", *RULES[transport], "config map0 nat.mode ports")
        if found:
            raise RuntimeError(f"control: {errno.errorcode[found]}: {last_message()}")
        for command in ("link set map0 mtu 1460 up", f"addr add {OWN}/32 dev map0", "route add default dev map0"):
            self.ce.run(f"ip {command}")

    def server(self, transport, kind):
        """A socket of the server, as it is on the network behind the customer edge."""
        family, own = (socket.AF_INET6, REMOTE) if transport == "MAP-T" else (socket.AF_INET, SERVER)
        sock = self.core.socket(family, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((own, 7))
        return sock


def arrived(sock, marks):
    """The tokens of the datagrams that arrive, as long as one is missing, and whom they are from."""
    found, sources = [], set()
    while len(found) < len(marks) and readable(sock, PATIENCE):
        data, source = sock.recvfrom(65536)
        if data[:8] in marks and len(data) == SIZE:
            found.append(data[:8])
            sources.add(source[:2])
    return found, sources


def lists(capture, marks=(b"",)):
    """Packets larger than any link takes, with one of the tokens in them: lists, or other super-packets."""
    return [len(packet) for packet in capture.seen if len(packet) > 1500 and any(mark in packet for mark in marks)]


def burst(sock, receiver, capture, to):
    """Sends datagrams one after the other, until some of them came in as a list. Gives whether they did, the bursts of which
    something was lost or out of order, and whom they were from."""
    bad, sources = [], set()
    for number in range(BURSTS):
        marks = [token() for _ in range(DATAGRAMS)]
        for mark in marks:
            sock.sendto(mark + bytes(SIZE - len(mark)), to)
        found, peers = arrived(receiver, marks)
        sources |= peers
        if found != marks:
            bad.append((number, len(found)))
        if lists(capture, marks):
            return True, bad, sources
    return False, bad, sources


def serve(listener):
    """Answers one connection with what it sends."""
    connection, _ = listener.accept()
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)


def both_ways(world, transport, sums):
    """UDP in bursts from the LAN and to it, then TCP. `sums`: who adds up the checksums, "device" or "sender"."""
    title = f"{transport}, checksums by the {sums}"
    for space, device in ((world.lan, "eth0"), (world.core, "ce0")):
        space.run(f"ethtool -K {device} tx {'on' if sums == 'device' else 'off'}")
    from_lan, from_core = Capture4(world.ce, "br-lan"), Capture6(world.ce, "wan")
    server, sock = world.server(transport, socket.SOCK_DGRAM), world.lan.udp()
    listed, bad, sources = burst(sock, server, from_lan, (SERVER, 7))
    check(f"{title}: datagrams from the LAN come in as a list", listed, [len(packet) for packet in from_lan.seen][:DATAGRAMS])
    check(f"{title}: none is lost, they keep their order, and one port", not bad and len(sources) == 1, (bad, sources))
    listed, bad, peers = burst(server, sock, from_core, next(iter(sources)))
    # Linux makes no list of datagrams in a tunnel.
    if transport == "MAP-T":
        check(f"{title}: datagrams to the LAN come in as a list", listed, [len(packet) for packet in from_core.seen][:DATAGRAMS])
    check(f"{title}: none is lost, and they keep their order", not bad and peers == {(SERVER, 7)}, (bad, peers))
    sock.close()
    server.close()

    listener = world.server(transport, socket.SOCK_STREAM)
    listener.listen(1)
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    from_lan.clear()
    with connected(world.lan, (SERVER, 7)) as stream:
        check(f"{title}: TCP, 2 MB there and back", stream_echo(stream, 2_000_000))
    check(f"{title}: TCP came in as lists or super-packets", lists(from_lan))
    listener.close()
    for capture in (from_lan, from_core):
        capture.stop()


def each(transport):
    def case(world):
        world.device(transport)
        for sums in ("device", "sender"):
            both_ways(world, transport, sums)
        control(world.ce, "del map0")
    case.__name__ = transport
    return case


def main():
    sh("ip link set lo up")
    sh(f"insmod {MODULE}")
    run_each([each(transport) for transport in RULES], Home())
    finish()


main()
