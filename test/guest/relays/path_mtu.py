"""Path MTU discovery between the LAN and the server, one function a case, each with each border relay. Nothing clamps the MSS here."""

import os
import socket
import struct

from namespaces import IP_MTU_DISCOVER
from packets6 import next_header, source6
from relay_cases import errors, quotes, watched
from relay_topology import DO, DONT, ECHO
from topology import LAN, MAP, OWN, SERVER, connected, exchange, learned, stream_echo, tcp_echo

# Of struct tcp_info, where the path's MTU is.
TCP_INFO_PMTU = 60


def path_of(sock):
    return struct.unpack("=I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[TCP_INFO_PMTU:TCP_INFO_PMTU + 4])[0]


def upload(sock, size):
    """Whether so many octets come back from an echo server, sent by the window."""
    return all(stream_echo(sock, min(40_000, size - start)) for start in range(0, size, 40_000))


def about(world, protocol, port):
    """The Fragmentation Needed that the LAN got about packets from this port of its host, as `errors` gives them."""
    return [e for e in errors(world.lan4.seen) if e[1:3] == (3, 4) and quotes(e[4], protocol, LAN, port, SERVER, 7)]


def too_big(world, port):
    """The Packet Too Big that left the customer edge about packets from this port of the server."""
    return [p for p in world.out6.seen if source6(p) == MAP and next_header(p) == 58 and p[40] == 2 and p[88:90] == struct.pack("!H", port)]


def learns(world, title, mtu4):
    """A connected UDP socket and an unclamped TCP connection behind the NAT both learn it, from errors about their own packets."""
    sock = watched(world.lan.udp(to=(SERVER, 7)))
    port = sock.getsockname()[1]
    found = learned(sock, 1440, mtu4)
    world.check(f"{title}: the UDP socket learns {mtu4}", found == mtu4, found)
    told = about(world, 17, port)
    world.check(f"{title}: the error quotes the host's own address and port", told and all(e[3] == mtu4 for e in told), told[:2])
    sock.close()
    data = os.urandom(mtu4 - 28)
    sock = world.lan.udp(to=(SERVER, 7))
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, DO)
    world.check(f"{title}: a datagram of that size comes through", exchange(sock, data) == data)
    sock.close()
    world.lan.run("ip route flush cache")
    world.clear()
    sock = connected(world.lan, (SERVER, 7))
    port = sock.getsockname()[1]
    good = upload(sock, 200_000)
    world.check(f"{title}: TCP goes on, and learns {mtu4}", good and path_of(sock) == mtu4, (good, path_of(sock)))
    world.check(f"{title}: told about its own segment", about(world, 6, port))
    sock.close()


def own_link(world):
    """We know of it: our own route is narrower."""
    world.ce.run("ip -6 route add 2001:db8:ffff::/48 via 2001:db8:f000:1::1 mtu 1400")
    try:
        learns(world, "a narrow route of ours", 1380)
    finally:
        world.ce.run("ip -6 route del 2001:db8:ffff::/48")


def network(world):
    """A router in the IPv6 network tells us."""
    # A narrow device would also refuse to receive: the way back is as wide as ever.
    world.core.run("ip -6 route change 2001:db8:ffff::/48 via 2001:db8:f000:2::2 mtu lock 1400")
    try:
        learns(world, "a narrow link in the network", 1380)
    finally:
        world.core.run("ip -6 route change 2001:db8:ffff::/48 via 2001:db8:f000:2::2")


def offloaded(world):
    """A flow table takes packets past our hook in FORWARD: the device itself answers."""
    world.ce.run("nft -f -", "table inet ft { flowtable f { hook ingress priority 0; devices = { br-lan, map0 }; };"
                             " chain c { type filter hook forward priority 0; meta l4proto { tcp, udp } flow add @f; }; }")
    world.ce.run("ip -6 route add 2001:db8:ffff::/48 via 2001:db8:f000:1::1 mtu 1400")
    try:
        # Small ones first, so that the flow is in the table.
        sock = world.lan.udp(to=(SERVER, 7))
        sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, DO)
        small = [exchange(sock, b"small %d" % number) for number in range(4)]
        found = learned(sock, 1440, 1380)
        world.check("with a flow table: small datagrams come back", small == [b"small %d" % number for number in range(4)], small)
        world.check("with a flow table: the UDP socket learns 1380", found == 1380, found)
        sock.close()
        sock = connected(world.lan, (SERVER, 7))
        good = upload(sock, 200_000)
        world.check("with a flow table: TCP goes on, and learns 1380", good and path_of(sock) == 1380, (good, path_of(sock)))
        sock.close()
    finally:
        world.ce.run("ip -6 route del 2001:db8:ffff::/48")
        world.ce.run("nft delete table inet ft")


def router(world):
    """The router's own sockets learn it as well."""
    world.ce.run("ip -6 route add 2001:db8:ffff::/48 via 2001:db8:f000:1::1 mtu 1400")
    try:
        sock = world.ce.udp(to=(SERVER, 7))
        found = learned(sock, 1440, 1380)
        world.check("a socket of the router's learns 1380", found == 1380, found)
        sock.close()
        world.check("TCP of the router's: 200 kB there and back", tcp_echo(world.ce, 200_000))
    finally:
        world.ce.run("ip -6 route del 2001:db8:ffff::/48")
        world.ce.run("ip route flush cache")


def download(world):
    """IPv6 of 1,500 octets that comes in is never held against the device's MTU."""
    sock = world.server.udp(to=(OWN, ECHO))
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, DONT)
    data = os.urandom(1452)
    found = exchange(sock, data)
    used = [sock.getsockname()[1]]
    sock.close()
    sock = connected(world.server, (OWN, ECHO))
    good = upload(sock, 300_000)
    used.append(sock.getsockname()[1])
    sock.close()
    full = [p for p in world.in6.seen if len(p) == 1500 and next_header(p) == 6]
    refused = [p for port in used for p in too_big(world, port)]
    world.check("a download in IPv6 packets of 1,500 octets arrives", good and found == data and len(full) > 20, (good, len(full)))
    world.check("and no Packet Too Big was said", not refused, [p.hex() for p in refused[:2]])


def narrow_lan(world):
    """The LAN is narrower than the network: the server learns it from the router's error, translated."""
    world.ce.run("ip route change 192.168.1.0/24 dev br-lan src 192.168.1.1 mtu 1400")
    try:
        sock = world.server.udp(to=(OWN, ECHO))
        found = learned(sock, 1440, 1400)
        said = too_big(world, sock.getsockname()[1])
        world.check("a narrow LAN: Packet Too Big of 1420 leaves", said and all(
            struct.unpack("!I", p[44:48])[0] == 1420 for p in said), [p.hex() for p in said[:2]])
        world.check("a narrow LAN: the server's UDP socket learns 1400", found == 1400, found)
        sock.close()
        world.server.run("ip route flush cache")
        sock = connected(world.server, (OWN, ECHO))
        good = upload(sock, 200_000)
        world.check("a narrow LAN: the server's TCP goes on", good, path_of(sock))
        sock.close()
    finally:
        world.ce.run("ip route change 192.168.1.0/24 dev br-lan src 192.168.1.1")


CASES = (own_link, network, offloaded, router, download, narrow_lan)
