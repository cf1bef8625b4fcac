"""What was seen to fail with other translators at a customer edge, one function a case. Each is run with each border relay."""

import json
import os
import socket
import struct

from captures import PATIENCE, token, until
from namespaces import IP_MTU_DISCOVER, IP_RECVERR
from packets4 import echo, ip, udp, valid4
from packets6 import ip6, raw6, source6, udp6, valid6, whole6
from relay_topology import CLOSED, DO, DONT, ECHO, PROBE
from sockets import error_about
from topology import LAN, MAP, OWN, REMOTE, SERVER, exchange, learned, ping, tcp_echo, traceroute

SMALL = (0, 1, 17, 100, 1252, 1253, 1400, 1451, 1452)
# They fit a link of 1,500 octets as IPv4 and not as IPv6.
FULL = tuple(range(1453, 1473))
LARGE = (1473, 1480, 1999, 2000, 2944, 2945, 4000, 8191, 16000, 30000, 60000, 65507)


def errors(packets):
    """The ICMP errors among IPv4 packets: (source, type, code, second word, quoted packet)."""
    return [(socket.inet_ntoa(p[12:16]), p[20], p[21], struct.unpack("!I", p[24:28])[0], p[28:])
            for p in packets if p[9] == 1 and p[20] in (3, 11, 12)]


def errors_about(capture, mark, kind, code):
    """The errors of this type and code that quote the packet with this token, as `errors` gives them."""
    return [error for error in errors(capture.seen) if error[1:3] == (kind, code) and mark in error[4]]


def quotes(quoted, protocol, source, sport, destination, dport):
    """Whether a quoted IPv4 packet is the one that its sender knows."""
    size = (quoted[0] & 15) * 4
    return (quoted[9] == protocol and quoted[12:20] == socket.inet_aton(source) + socket.inet_aton(destination)
            and quoted[size:size + 4] == struct.pack("!HH", sport, dport))


def watched(sock):
    sock.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
    return sock


def left_whole(world, payload, protocol=17):
    """Whether a datagram that ends so left the customer edge whole and valid, in packets that fit."""
    return any(d.source == MAP and d.protocol == protocol and d.payload.endswith(payload) and valid6(d) and d.longest <= 1500
               for d in whole6(world.out6.seen))


def missing(world, sock, sizes):
    """Sizes that did not come back, and sizes that did not leave as they should."""
    lost, bad = [], []
    for size in sizes:
        data = os.urandom(size)
        world.out6.clear()
        if exchange(sock, data) != data:
            lost.append(size)
        if not left_whole(world, data):
            bad.append(size)
        if len(lost) > 3:
            break
    return lost, bad


def datagrams(world):
    """UDP of many sizes that may be cut on the way, out and in."""
    sock = world.lan.udp(to=(SERVER, 7))
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, DONT)
    for title, sizes in (("up to 1,452 octets", SMALL), ("1,453 to 1,472 octets", FULL), ("larger than a packet", LARGE)):
        lost, bad = missing(world, sock, sizes)
        world.check(f"UDP without DF, {title}: each leaves whole", not bad, bad)
        world.outcome(f"UDP without DF, {title}: each comes back", not lost, "udp " + title, not bad, lost)
    sock.close()


def full_with_df(world):
    """Full-size datagrams that may not be cut: each is answered, to the host, about its own packet."""
    sock = watched(world.lan.udp(to=(SERVER, 7)))
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, PROBE)
    port = sock.getsockname()[1]
    told = {}
    for size in FULL:
        mark = token()
        sock.send(mark.ljust(size, b"\0"))
        told[size] = error_about(sock, mark)
    wrong = {size: found for size, found in told.items() if found is None or found[1:4] != (3, 4, 1480)}
    world.check("UDP with DF, 1,453 to 1,472 octets: Fragmentation Needed, 1480", not wrong, wrong)
    quoted = [e for e in errors(world.lan4.seen) if e[1:3] == (3, 4) and quotes(e[4], 17, LAN, port, SERVER, 7)]
    world.check("UDP with DF: each error quotes the host's own address and port", len(quoted) == len(FULL), quoted[:2])
    sock.close()
    sock = world.lan.udp(to=(SERVER, 7))
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, DO)
    data = os.urandom(1452)
    world.check("UDP with DF, 1,452 octets: there and back", exchange(sock, data) == data)
    sock.close()


def pings(world):
    for size in (0, 56, 1452):
        good, text = ping(world.lan, "-c", "1", "-W", str(PATIENCE), "-s", str(size), "-M", "do", SERVER)
        world.check(f"ping of {size} octets with DF", good, text)
    # Where the relay drops them, no answer is waited for: what was sent is.
    patience = "1" if "fragmented ICMP" in world.relay.fails else str(PATIENCE)
    for size in (1453, 1472, 1473, 2000, 8000, 60000):
        mark = token()
        good, text = ping(world.lan, "-c", "1", "-W", patience, "-s", str(size), "-p", mark.hex(), "-M", "dont", SERVER)
        ours = lambda: [d for d in whole6(world.out6.seen) if d.protocol == 58 and d.source == MAP and mark in d.payload]
        left = until(ours)
        right = len(left) == 1 and valid6(left[0]) and len(left[0].payload) == size + 8 and left[0].longest <= 1500
        world.check(f"ping of {size} octets leaves whole", right, [d._replace(payload=len(d.payload)) for d in left])
        world.outcome(f"ping of {size} octets", good, "fragmented ICMP", right, text)


def mtu(world):
    entry = json.loads(world.ce.run("ip -j link show map0"))[0]
    world.check("the device's MTU is that of a link", 1280 <= entry["mtu"] <= 1500, entry["mtu"])
    sock = world.lan.udp(to=(SERVER, 7))
    found = learned(sock, 1472, 1480)
    world.check("the host learns that 1,480 octets fit", found == 1480, found)
    sock.close()


def hops(world):
    """TTL down by one for the router and by one for each router beyond it; each is seen once."""
    raw = world.lan.raw()
    for ttl in (3, 64, 255):
        mark = token()
        raw.sendto(ip(LAN, SERVER, 17, udp(LAN, SERVER, 4001, 7, mark), ttl=ttl), (SERVER, 0))
        seen = world.out6.wait_for(mark, lambda p: source6(p) == MAP)
        world.check(f"TTL {ttl} out: one off for the router, one for the core", seen is not None and seen[7] == ttl - 2, seen and seen[7])
    raw.close()
    raw = world.server.raw()
    for ttl in (64, 255):
        mark = token()
        raw.sendto(ip(SERVER, OWN, 17, udp(SERVER, OWN, 4005, ECHO, mark), ttl=ttl), (OWN, 0))
        came = world.in6.wait_for(mark)
        seen = world.lan4.wait_for(mark)
        world.check(f"TTL {ttl} in: one off for the router", came is not None and seen is not None and seen[8] == came[7] - 1, (came and came[7], seen and seen[8]))
    raw.close()
    expected = ["192.168.1.1", "192.0.0.8", *world.relay.hops, SERVER]
    for kind, words in (("ICMP", ["-I"]), ("UDP", ["-U", "-p", "9"]), ("TCP", ["-T", "-p", "7"])):
        found, text = traceroute(world.lan, "-w", "5", "-N", "1", "-m", "9", *words, SERVER)
        world.outcome(f"traceroute by {kind}: router, core, border relay, server", found == expected, f"traceroute {kind}",
                      found[:2] == expected[:2], text)
    found, text = traceroute(world.server, "-w", "5", "-N", "1", "-m", "9", "-T", "-p", str(ECHO), OWN)
    world.check("traceroute from the server: the router is one hop, and the LAN's host the next", len(found) > 2 and found[-2:] == [OWN, OWN]
                and found[-3] != OWN, text)


def tos(world):
    """The traffic class is the TOS, octet for octet, in both directions."""
    values = (0x00, 0x01, 0x02, 0x03, 0x10, 0x28, 0x2E << 2, 0x2E << 2 | 1, 0xFC, 0xFF)

    def marked(source, destination, mark, value, sport, dport):
        packet = bytearray(ip(source, destination, 17, udp(source, destination, sport, dport, mark)))
        packet[1] = value
        return bytes(packet)

    for title, end, capture, six, source, destination, dport in (
        ("out", world.lan, world.server4, world.out6, LAN, SERVER, 7), ("in", world.server, world.lan4, world.in6, SERVER, OWN, ECHO),
    ):
        raw = end.raw()
        wrong = {}
        for value in values:
            # An echo of one, which has no TOS, is not taken for it: it goes the other way, where another capture is.
            mark = token()
            raw.sendto(marked(source, destination, mark, value, 4002, dport), (destination, 0))
            arrived = capture.wait_for(mark)
            between = six.wait_for(mark)
            found = (between and struct.unpack("!H", between[:2])[0] >> 4 & 0xFF, arrived and arrived[1])
            if found != (value, value):
                wrong[value] = found
        # Out, what we made is seen between; in, what we were given is.
        given = all(six == value for value, (six, _) in wrong.items()) if title == "out" else all(
            four == six for six, four in wrong.values())
        world.outcome(f"TOS {title}: as sent, in IPv6 and in IPv4", not wrong, f"TOS {title}", given, wrong)
        raw.close()


def refusals(world):
    """Errors, also about a fragmented packet: their receiver finds its own packet in them."""
    for size in (10, 3000):
        sock = world.lan.udp(to=(SERVER, 9))
        sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, DONT)
        port = sock.getsockname()[1]
        world.clear()
        mark = token()
        found = exchange(sock, mark.ljust(size, b"\0"))
        seen = errors_about(world.lan4, mark, 3, 3)
        good = isinstance(found, ConnectionRefusedError) and len(seen) == 1 and seen[0][0] == SERVER and quotes(
            seen[0][4], 17, LAN, port, SERVER, 9)
        given = any(d.payload[:2] == b"\1\4" and mark in d.payload and valid6(d) for d in whole6(world.in6.seen) if d.protocol == 58)
        world.check(f"a closed port of the server, {size} octets: refused, and the LAN host's own packet quoted", good, (found, seen, given))
        sock.close()

        sock = world.server.udp(SERVER, 0, to=(OWN, CLOSED))
        sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, DONT)
        port = sock.getsockname()[1]
        world.clear()
        mark = token()
        found = exchange(sock, mark.ljust(size, b"\0"))
        seen = errors_about(world.server4, mark, 3, 3)
        left = [d for d in whole6(world.out6.seen) if d.protocol == 58 and d.payload[:2] == b"\1\4" and mark in d.payload]
        inner = left[0].payload[8:] if left else b""
        right = len(left) == 1 and left[0].source == MAP and valid6(left[0]) and source6(inner) == REMOTE and inner[24:40] == socket.inet_pton(
            socket.AF_INET6, MAP) and inner[6] == 17 and inner[40:44] == struct.pack("!HH", port, CLOSED)
        world.check(f"a closed port of the LAN, {size} octets: the error leaves about the server's own packet", right, left)
        world.outcome(f"a closed port of the LAN, {size} octets: the server is refused", isinstance(found, ConnectionRefusedError)
                      and len(seen) == 1 and quotes(seen[0][4], 17, SERVER, port, OWN, CLOSED), "error out", right, (found, seen))
        sock.close()

    # On the way: the core's hop limit, for each fragment.
    sock = world.lan.udp(to=(SERVER, 7))
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, DONT)
    sock.setsockopt(socket.SOL_IP, socket.IP_TTL, 2)
    port = sock.getsockname()[1]
    for size in (10, 3000):
        mark = token()
        watched(sock).send(mark.ljust(size, b"\0"))
        found = error_about(sock, mark)
        seen = errors_about(world.lan4, mark, 11, 0)
        world.check(f"hop limit at the core, {size} octets: Time Exceeded from 192.0.0.8 about the host's own packet",
                    found is not None and found[1:3] == (11, 0) and seen and seen[0][0] == "192.0.0.8"
                    and quotes(seen[0][4], 17, LAN, port, SERVER, 7), (found, seen))
    sock.close()
    # No way: what the core says.
    for title, text, expected in (("no route", "unreachable", (3, 1)), ("prohibited", "prohibit", (3, 10))):
        world.core.run(f"ip -6 route add {text} 2001:db8:ffff::/64")
        sock = watched(world.lan.udp(to=(SERVER, 7)))
        sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, DONT)
        port = sock.getsockname()[1]
        for size in (10, 3000):
            mark = token()
            sock.send(mark.ljust(size, b"\0"))
            found = error_about(sock, mark)
            seen = errors_about(world.lan4, mark, *expected)
            world.check(f"{title} at the core, {size} octets: {expected[0]}/{expected[1]} about the host's own packet",
                        found is not None and found[1:3] == expected and seen and quotes(seen[0][4], 17, LAN, port, SERVER, 7), (found, seen))
        sock.close()
        world.core.run(f"ip -6 route del {text} 2001:db8:ffff::/64")


def zero_checksum(world):
    mark = token()
    body = udp(LAN, SERVER, 4003, 7, mark)
    raw = world.lan.raw()
    raw.sendto(ip(LAN, SERVER, 17, body[:6] + b"\0\0" + body[8:]), (SERVER, 0))
    seen = world.server4.wait_for(mark)
    world.check("a UDP checksum of 0 out: computed, and right at the server", seen is not None and seen[26:28] != b"\0\0" and valid4(seen)
                and left_whole(world, mark), seen and seen.hex())
    raw.close()
    mark = token()
    body = udp(SERVER, OWN, 4005, ECHO, mark)
    raw = world.server.raw()
    raw.sendto(ip(SERVER, OWN, 17, body[:6] + b"\0\0" + body[8:]), (OWN, 0))
    seen = world.lan4.wait_for(mark)
    came = world.in6.wait_for(mark, seconds=0)
    world.outcome("a UDP checksum of 0 in: it arrives", seen is not None and seen[28:] == mark and valid4(seen), "zero checksum in",
                  came is None, (came and came.hex(), seen and seen.hex()))
    raw.close()
    # As some border relays pass it on (RFC 6935, RFC 6936).
    mark = token()
    body = udp6(REMOTE, MAP, 4005, ECHO, mark)
    raw6(world.br, ip6(REMOTE, MAP, 17, body[:6] + b"\0\0" + body[8:]))
    seen = world.lan4.wait_for(mark)
    world.check("a UDP checksum of 0 in, within IPv6: it arrives", seen is not None and seen[28:] == mark and valid4(seen), seen and seen.hex())


def options(world):
    """IPv4 options of every length: skipped, whatever they are."""
    for title, make in (
        ("no operation", lambda length: b"\1" * length), ("end of list", lambda length: bytes(length)),
        ("record route", lambda length: (b"\7" + bytes([length - 1, 4]) + bytes(length - 4) + b"\1")[:length] if length > 4 else b"\x94\4\0\0"),
        ("timestamp", lambda length: b"\x44" + bytes([length, 5, 0]) + bytes(length - 4)),
    ):
        lost, bad = {}, {}
        for length in range(4, 41, 4):
            for size in (8, 1452 - length, 1453, 3000):
                sock = world.lan.udp(to=(SERVER, 7))
                sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, DONT)
                sock.setsockopt(socket.SOL_IP, socket.IP_OPTIONS, make(length))
                data = os.urandom(size)
                world.out6.clear()
                if exchange(sock, data) != data:
                    lost[length, size] = 1
                if not left_whole(world, data):
                    bad[length, size] = 1
                sock.close()
            world.ce.run("conntrack -F")
        world.check(f"IPv4 options ({title}) of 4 to 40 octets, UDP of 8 to 3,000: each leaves whole", not bad, list(bad))
        world.check(f"IPv4 options ({title}) of 4 to 40 octets, UDP of 8 to 3,000: each comes back", not lost, list(lost))
    raw = world.lan.icmp()
    lost = []
    for length in range(4, 41, 4):
        raw.setsockopt(socket.SOL_IP, socket.IP_OPTIONS, b"\1" * length)
        mark = token()
        raw.sendto(echo(8, 0x77, mark), (SERVER, 0))
        if world.lan4.wait_for(mark, lambda p: p[9] == 1 and p[20] == 0) is None:
            lost.append(length)
    raw.close()
    world.check("IPv4 options of 4 to 40 octets on a ping: each is answered", not lost, lost)
    lost = []
    for length in range(4, 41, 4):
        sock = world.lan.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_IP, socket.IP_OPTIONS, b"\1" * length)
        sock.settimeout(PATIENCE)
        try:
            sock.connect((SERVER, 7))
            sock.send(b"with options")
            if sock.recv(100) != b"with options":
                lost.append(length)
        except OSError:
            lost.append(length)
        sock.close()
    world.check("IPv4 options of 4 to 40 octets on TCP: each connection works", not lost, lost)


def incoming(world):
    """From the server to a forwarded port, in fragments up to 60,000 octets."""
    sock = world.server.udp(SERVER, 0, to=(OWN, ECHO))
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, DONT)
    lost = []
    for size in (0, 1, 1452, 1453, 1472, 1473, 2000, 2960, 2961, 8000, 16000, 32768, 60000):
        data = os.urandom(size)
        if exchange(sock, data) != data:
            lost.append(size)
    world.check("UDP in, up to 60,000 octets in fragments: each comes, and goes back", not lost, lost)
    sock.close()
    world.check("TCP in: 300 kB there and back", tcp_echo(world.server, 300_000, to=(OWN, ECHO)))


def streams(world):
    world.check("TCP: 1 MB there and back", tcp_echo(world.lan, 1_000_000))


CASES = (datagrams, full_with_df, pings, mtu, hops, tos, refusals, zero_checksum, options, incoming, streams)
