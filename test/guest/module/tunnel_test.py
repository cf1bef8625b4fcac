"""MAP-E and lightweight 4over6 by the module, with the kernel's own ip6_tunnel as border relay.

    lan 192.168.1.2 -- ce (192.0.2.18, PSID 0x34) -- core -- br (ip6_tunnel) -- server 203.0.113.10

Argument: mapmint.ko. Prints a line for each check and `N passed, N failed` at the end;
ends with 1 when one failed.
"""

import errno
import random
import socket
import struct
import sys
import time

from captures import Capture4, Capture6, offload
from checks import attempt, check, chosen
from module_files import control, counters, last_message
from namespaces import IP_MTU_DISCOVER, sh
from packets4 import checksum, echo, icmp, ip, udp, valid4
from packets6 import destination6, icmp6, ip6, next_header, raw6, source6
from topology import (
    INSIDE, LAN, LOCAL, MAP, OUTSIDE, OWN, RULE, SERVER, World, echo_server, exchange, finish, learned, ping, shown, tcp_echo,
)

MODULE = sys.argv[1]
BR = "2001:db8:ffff::1"
ROUTER = "2001:db8:f000:1::1"
RELAY = f"remote.style NONE remote.v4 0.0.0.0/0 remote.v6 {BR}/128"
EDGE = f"ce.v4 {OWN} ce.v6 {MAP} ce.psid-offset 4 ce.psid-len 8 ce.psid 52"
FMR = "insert map0 remote." + RULE.format("remote")
# Another subscriber of our address, and one of its ports.
MAP2, THEIRS = "2001:db8:12:3500:0:c000:212:35", 0x1350
ECHO = INSIDE + 15


def in_set(port):
    return port >> 12 and port >> 4 & 0xFF == 0x34


class Tunnel(World):
    def __init__(self):
        super().__init__()
        self.br.run(f"ip addr add {BR}/128 dev lo")
        self.br.run(f"ip -6 tunnel add tnl mode ipip6 local {BR} remote {MAP} encaplimit none")
        self.br.run("ip link set tnl up")
        self.br.run(f"ip route add {OWN}/32 dev tnl")
        self.told("add map0", "config map0 transport encapsulate", f"config map0 {LOCAL} {RELAY} {EDGE}",
                  f"config map0 nat.mode ports nat.reserved {ECHO}")
        for command in ("link set map0 mtu 1460 up", f"addr add {OWN}/32 dev map0", "route add default dev map0"):
            self.ce.run(f"ip {command}")
        self.ce.run("nft -f -", "table ip nat { chain pre { type nat hook prerouting priority -100;"
                                f" iifname map0 meta l4proto {{ tcp, udp }} th dport {ECHO} dnat to {LAN}:7; }}; }}")
        echo_server(self.server, 7, discover=0)
        echo_server(self.lan, 7, own=LAN, discover=0)
        self.out6, self.in4 = Capture6(self.br, "wan0"), Capture4(self.ce, "map0")
        self.lan4, self.server4 = Capture4(self.lan, "eth0"), Capture4(self.server, "eth0")
        self.wire(True)

    def told(self, *lines):
        found = control(self.ce, *lines)
        if found:
            raise RuntimeError(f"control: {errno.errorcode[found]}: {last_message()}")

    def wire(self, whole):
        """Whole packets with whole checksums on the links, or super-packets."""
        for space, device in ((self.lan, "eth0"), (self.server, "eth0"), (self.ce, "wan"), (self.br, "wan0")):
            offload(space, device, not whole)

    def fresh(self):
        self.ce.run("conntrack -F")
        for space in (self.lan, self.ce, self.core, self.br, self.server):
            space.run("ip route flush cache")
            space.run("ip -6 route flush cache")
        for capture in (self.out6, self.in4, self.lan4, self.server4):
            capture.clear()

    def count(self, name):
        return counters(self.ce)[name]

    def inject(self, packet):
        """An IPv6 packet to the customer edge, from its provider's network."""
        raw6(self.core, packet)


def inner(packet):
    return packet[40:] if packet is not None else b""


def out_of(world, condition=lambda p: True, seconds=2.0):
    """The first encapsulated packet that the border relay gets."""
    return world.out6.wait(lambda p: next_header(p) in (4, 60) and condition(p), seconds)


# --- what a user does ----------------------------------------------------------------------------

def through(world):
    sock = world.lan.udp(to=(SERVER, 7))
    check("UDP from the LAN to the server, and back", exchange(sock, b"there and back") == b"there and back")
    sock.close()
    packet = out_of(world)
    check("from our MAP address to the border relay", packet is not None and (source6(packet), destination6(packet)) == (MAP, BR),
          packet and packet.hex())
    check("one hop is taken from the TTL, and the tunnel has a hop limit of its own", packet is not None and packet[40 + 8] == 63
          and packet[7] == 63, packet and packet.hex())
    check("what is inside is a whole packet of ours", valid4(inner(packet)) and inner(packet)[12:16] == socket.inet_aton(OWN)
          and in_set(struct.unpack("!H", inner(packet)[20:22])[0]), packet and packet.hex())
    good, text = ping(world.lan, "-c", "2", "-i", "0.2", "-W", "2", SERVER)
    check("ping", good, text)
    check("TCP, 300 kB there and back", tcp_echo(world.lan, 300_000))
    good, text = ping(world.ce, "-c", "1", "-W", "2", SERVER)
    check("ping from the router", good, text)
    sock = world.server.udp(to=(OWN, ECHO))
    check("UDP from the server to a forwarded port", exchange(sock, b"come in") == b"come in")
    sock.close()
    check("counted", world.count("encapsulated") > 100 and world.count("decapsulated") > 100, counters(world.ce))


def offloads(world):
    world.wire(False)
    try:
        check("TCP with segmentation offload, 3 MB there and back", tcp_echo(world.lan, 3_000_000))
    finally:
        world.wire(True)


def only_our_ports(world):
    world.fresh()
    socks = [world.lan.udp(to=(SERVER, 9)) for _ in range(300)]
    for sock in socks:
        try:
            sock.send(b"x")
        except OSError:
            pass
    time.sleep(0.5)
    ports = [struct.unpack("!H", p[60:62])[0] for p in world.out6.seen if next_header(p) == 4 and p[49] == 17]
    check("239 of 300 flows to one server have a port, one is reserved", len(set(ports)) == 239, len(set(ports)))
    check("all of them ours", ports and all(in_set(port) for port in ports), [p for p in ports if not in_set(p)][:5])
    for sock in socks:
        sock.close()


CASES = (through, offloads, only_our_ports)


def main():
    sh("ip link set lo up")
    sh(f"insmod {MODULE}")
    world = Tunnel()
    for case in chosen(CASES):
        world.fresh()
        attempt(case, world)
    finish()


main()
