"""The kernel module in the lab kernel, in the namespaces of topology.py, with tayga as its border relay.

Prints a line for each check and `N passed, N failed` at the end; ends with 1 when one failed.
"""

import errno
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

from module_files import control, counters, enter, last_message, risen
from captures import PATIENCE, Capture4, Capture6, token, until
from namespaces import IP_MTU_DISCOVER, Namespace, sh
from packets4 import checksum, echo, ip, udp
from packets6 import destination6, icmp6, ip6, next_header, raw6, source6, udp6
from border_relays import Tayga
from checks import check, run_each
from topology import (
    DEFAULT, DMR, EDGE, INSIDE, LOCAL, MAP, OUTSIDE, OWN, REMOTE, RULE, SERVER, Here, World, devices, dmesg,
    echo_server, exchange, finish, learned, ping, shown, tcp_echo, traceroute,
)

MODULE = sys.argv[1]
# Times that the module is taken away from somebody who writes lines: each time may or may not meet one.
UNLOADS = 30


# --- control lines -------------------------------------------------------------------------------

REFUSED = (
    ("frobnicate map1", errno.EINVAL, '"frobnicate" is not a command'),
    ("add", errno.EINVAL, '"" is not a valid device name'),
    ("add a/b", errno.EINVAL, '"a/b" is not a valid device name'),
    ("add map1\0now", errno.EINVAL, '"map1\\0now" is not a valid device name'),
    ("add map1\nconfig map1 nat.device wan\0now", errno.EINVAL, '"wan\\0now" is not a valid value for its key'),
    ("add lo", errno.EEXIST, '"lo" is there already'),
    ("add map1\nadd map1", errno.EEXIST, '"map1" is there already'),
    ("add map1 now", errno.EINVAL, '"now" is one word too many'),
    ("del map1", errno.ENODEV, '"map1" is no device of this kind'),
    ("del lo", errno.ENODEV, '"lo" is no device of this kind'),
    ("config map1 debug 1", errno.ENODEV, '"map1" is no device of this kind'),
    ("add map1\nconfig map1", errno.EINVAL, '"map1" is given no keys'),
    ("add map1\nconfig map1 local.hue 1", errno.EINVAL, '"local.hue" is not a key'),
    ("add map1\nconfig map1 local.v4", errno.EINVAL, '"local.v4" has no value'),
    ("add map1\nconfig map1 local.v4 1.2.3.4/33", errno.EINVAL, '"1.2.3.4/33" is not a valid value for its key'),
    ("add map1\nconfig map1 local.v6 2001::1::/64", errno.EINVAL, '"2001::1::/64" is not a valid value for its key'),
    ("add map1\nconfig map1 local.style MAPX", errno.EINVAL, '"MAPX" is not a valid value for its key'),
    ("add map1\nconfig map1 debug 1 debug 1", errno.EINVAL, '"debug" is given twice'),
    ("add map1\nconfig map1 remote.style RFC6052 remote.v6 2001:db8::/60", errno.EINVAL, '"v6" does not fit'),
    (f"add map1\nconfig map1 {LOCAL} ce.v4 192.0.2.1", errno.EINVAL, '"ce.v6" does not fit'),
    (f"add map1\ninsert map1 {DEFAULT}\ninsert map1 {DEFAULT}", errno.EEXIST, '"remote.v4" is there already'),
    ("add map1\nremove map1 local.style MAP0 local.v4 10.0.0.0/8", errno.ENOENT, '"map1" has no such rule'),
    (f"add map1\nconfig map1 {LOCAL} {DEFAULT}\nconfig map1 local.ea-len x", errno.EINVAL, '"x" is not a valid value'),
)

# As stock scripts write them, one a write.
STOCK_MAP_SH = (
    "add map-stock",
    "config map-stock local.style MAP local.v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 16 local.psid-offset 4"
    f" remote.v4 0.0.0.0/0 remote.v6 {DMR} remote.style RFC6052 remote.ea-len 0 remote.psid-offset 0 debug 0",
    "insert map-stock remote.style MAP remote.v4 192.0.2.0/24 remote.v6 2001:db8::/40 remote.ea-len 16 remote.psid-offset 4",
)
STOCK_464XLAT = (
    "add 464-wan",
    "config 464-wan local.style NONE local.v4 192.0.0.1/32 local.v6 2001:db8:12:3456::464/128 remote.style RFC6052"
    " remote.v6 64:ff9b::/96",
)


def grammar(_):
    namespace = Namespace("grammar")
    for text, code, words in REFUSED:
        before = (shown(namespace), devices(namespace))
        found = control(namespace, *text.split("\n"))
        title = text.replace("\n", " / ").replace("\0", "\\0")[:70]
        check(f"refused: {title}: {errno.errorcode[code]}", found == code, errno.errorcode.get(found, found))
        check(f"refused: {title}: the log says {words}", words in last_message(), last_message())
        check(f"refused: {title}: nothing changed", (shown(namespace), devices(namespace)) == before)
    for name, lines in (("map.sh", STOCK_MAP_SH), ("464xlat.sh", STOCK_464XLAT)):
        device = lines[0].split()[1]
        check(f"{name}'s lines are taken", [control(namespace, line) for line in lines] == [0] * len(lines), last_message())
        namespace.run(f"ip link set {device} up")
        text = shown(namespace)
        check(f"{name}: deleted", control(namespace, f"del {device}") == 0 and device not in devices(namespace))
        # What is read makes the same state.
        check(f"{name}: what is read can be written", control(namespace, *text.strip().split("\n")) == 0, text)
        check(f"{name}: and reads the same", shown(namespace) == text, (text, shown(namespace)))
        control(namespace, f"del {device}")
    check("all gone", shown(namespace) == "", shown(namespace))


# --- packets -------------------------------------------------------------------------------------

def through(world):
    """What users do, through a translator that is not ours."""
    server = (SERVER, 7)
    check("TCP: 2 MB there and back", tcp_echo(world.lan, 2_000_000))
    for size in (0, 1, 100, 1400, 1452):
        sock = world.lan.udp(to=server)
        data = os.urandom(size) or b""
        found = exchange(sock, data)
        check(f"UDP of {size} octets there and back", found == data, repr(found)[:80])
        sock.close()
    good, text = ping(world.lan, "-c", "3", "-i", "0.2", "-W", str(PATIENCE), SERVER)
    check("ping", good, text)
    good, text = ping(world.lan, "-c", "2", "-i", "0.2", "-W", str(PATIENCE), "-s", "1452", "-M", "do", SERVER)
    check("ping of a full 1480 octets without fragments", good, text)
    # TTL: down by one for the router, and one hop of its own.
    hops, traced = traceroute(world.lan, "-I", "-N", "1", "-w", "5", SERVER)
    check("traceroute: the router is the first hop", hops[:1] == ["192.168.1.1"], traced)
    check("traceroute ends at the server", hops[-1:] == [SERVER], traced)
    # Routers of the provider have no IPv4 address (RFC 7600); the border relay counts for two.
    check("traceroute: between them are core and border relay, each once",
          hops[1:-1] == ["192.0.0.8"] * 3 + ["203.0.113.1"], traced)
    closed = world.lan.udp(to=(SERVER, 9))
    found = exchange(closed, b"anyone?")
    check("a closed UDP port: connection refused", isinstance(found, ConnectionRefusedError), repr(found))


def large(world):
    """Larger than the path: fragments out."""
    capture = Capture6(world.core, "ce0")
    sock = world.lan.udp(to=(SERVER, 7))
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, 0)
    data = os.urandom(4000)
    check("UDP of 4,000 octets there and back", exchange(sock, data) == data)
    parts = [p for p in capture.seen if next_header(p) == 44 and source6(p) == MAP]
    check("it leaves as IPv6 fragments, each of which fits the link", parts and all(len(p) <= 1500 for p in parts), [len(p) for p in parts])
    check("and which hold all of it", b"".join(p[48:] for p in parts)[8:] == data, [len(p) for p in parts])
    for size in (2000, 4000, 20000):
        data = os.urandom(size)
        found = exchange(sock, data)
        check(f"UDP of {size} octets there and back", found == data, repr(found)[:80])
    mark = token()
    # tayga drops it: what left is looked at, and no answer is waited for.
    ping(world.lan, "-c", "1", "-W", "1", "-s", "2000", "-p", mark.hex(), SERVER)
    echoes = lambda: [p for p in capture.seen if next_header(p) == 44 and source6(p) == MAP and p[40] == 58 and mark in p]
    until(lambda: len(echoes()) == 2)
    parts = echoes()
    check("a ping of 2,000 octets leaves as fragments of one ICMPv6", len(parts) == 2
          and checksum(parts[0][8:40] + struct.pack("!II", 2008, 58) + parts[0][48:] + parts[1][48:]) == 0, [p.hex() for p in parts])
    capture.stop()
    sock.close()


def narrow(world, octets):
    """Both ends of the link to the border relay: one alone would swallow what the other sends."""
    world.core.run(f"ip link set br0 mtu {octets}")
    world.br.run(f"ip link set wan0 mtu {octets}")


def mtu(world):
    """What is too big is answered, to the host, about its own packet."""
    sock = world.lan.udp(to=(SERVER, 7))
    found = learned(sock, 1472, 1480)
    check("1,500 octets with DF: the host learns 1480", found == 1480, found)
    sock.close()
    narrow(world, 1400)
    try:
        sock = world.lan.udp(to=(SERVER, 7))
        found = learned(sock, 1440, 1380)
        check("a router's Packet Too Big of 1400: the host learns 1380", found == 1380, found)
        check("TCP goes on: 200 kB there and back", tcp_echo(world.lan, 200_000))
    finally:
        # The parts that follow are not about it.
        narrow(world, 1500)
        world.ce.run("ip -6 route flush cache")
        world.lan.run("ip route flush cache")
    sock.close()


def refuses(world):
    """Nothing outside the port set, in neither direction; each reason has its counter."""
    capture = Capture6(world.core, "ce0")
    raw = world.ce.raw()

    def counted(name, send):
        before = counters(world.ce)[name]
        send()
        return risen(world.ce, name, before)

    # From the router itself, past the NAT: a raw socket with our address, and notrack.
    world.ce.run("nft -f -", "table ip raw { chain out { type filter hook output priority -300; oifname map0 notrack; }; }")
    found = counted("drop_port_outside_set_out", lambda: raw.sendto(ip(OWN, SERVER, 17, udp(OWN, SERVER, OUTSIDE, 7)), (SERVER, 0)))
    check("out: a port outside the set is dropped and counted", found == 1, found)
    found = counted("drop_port_outside_set_out",
                    lambda: raw.sendto(ip(OWN, SERVER, 1, echo(8, OUTSIDE)), (SERVER, 0)))
    check("out: an echo id outside the set is dropped and counted", found == 1, found)
    found = counted("drop_source_not_ours", lambda: raw.sendto(ip("192.0.2.19", SERVER, 17, udp("192.0.2.19", SERVER, INSIDE, 7)), (SERVER, 0)))
    check("out: another's address is dropped and counted", found == 1, found)
    found = counted("drop_protocol_without_ports", lambda: raw.sendto(ip(OWN, SERVER, 47, b"\0" * 8), (SERVER, 0)))
    check("out: a protocol without ports is dropped and counted", found == 1, found)
    lsrr = bytes([131, 7, 4]) + socket.inet_aton("198.51.100.1") + b"\0"
    body = udp(OWN, SERVER, INSIDE, 7, token())
    head = struct.pack("!BBHHHBBH4s4s", 0x47, 0, 28 + len(body), 9, 0, 64, 17, 0, socket.inet_aton(OWN), socket.inet_aton(SERVER))
    found = counted("drop_source_route", lambda: raw.sendto(head + lsrr + body, (SERVER, 0)))
    check("out: an unexpired source route is dropped and counted", found == 1, found)
    nop = bytes([1, 1, 1, 0])
    mark = token()
    body = udp(OWN, SERVER, INSIDE, 7, mark)
    head = struct.pack("!BBHHHBBH4s4s", 0x46, 0, 24 + len(body), 9, 0, 64, 17, 0, socket.inet_aton(OWN), socket.inet_aton(SERVER))
    raw.sendto(head + nop + body, (SERVER, 0))
    seen = capture.wait_for(mark)
    check("out: other options are skipped", seen is not None and seen[40:42] == struct.pack("!H", INSIDE), seen)
    mark = token()
    body = udp(OWN, SERVER, INSIDE, 7, mark)
    raw.sendto(ip(OWN, SERVER, 17, body[:6] + b"\0\0" + body[8:]), (SERVER, 0))
    seen = capture.wait_for(mark)
    if seen is not None:
        total = checksum(seen[8:40] + struct.pack("!II", len(seen) - 40, 17) + seen[40:])
        check("out: a UDP checksum of zero is computed", seen[46:48] != b"\0\0" and total == 0, seen.hex())
    else:
        check("out: a UDP checksum of zero is computed", False, "not seen")
    mark = token()
    tos = bytearray(ip(OWN, SERVER, 17, udp(OWN, SERVER, INSIDE, 7, mark)))
    tos[1] = 0xB8
    raw.sendto(bytes(tos), (SERVER, 0))
    seen = capture.wait_for(mark)
    check("out: the traffic class is the TOS", seen is not None and (struct.unpack("!I", seen[:4])[0] >> 20) & 0xFF == 0xB8, seen)

    outside = [p for p in capture.seen if source6(p) == MAP and next_header(p) == 17
               and struct.unpack("!H", p[40:42])[0] not in range(INSIDE, INSIDE + 16)]
    check("out: nothing outside the set was seen", not outside, [p.hex() for p in outside])

    mark = token()
    found = counted("drop_port_outside_set_in", lambda: raw6(world.br, ip6(REMOTE, MAP, 17, udp6(REMOTE, MAP, 7, OUTSIDE, mark))))
    check("in: a port outside the set is dropped and counted", found == 1, found)
    # An answer would have left by now: what is sent after it is there.
    after = token()
    raw.sendto(ip(OWN, SERVER, 17, udp(OWN, SERVER, INSIDE, 7, after)), (SERVER, 0))
    answers = [p for p in capture.seen if mark in p] if capture.wait_for(after) else ["nothing leaves any more"]
    check("in: and silently", not answers, answers)
    world.ce.run("nft delete table ip raw")
    found = counted("translated_6to4", lambda: raw6(world.br, ip6(REMOTE, MAP, 17, udp6(REMOTE, MAP, 7, INSIDE))))
    check("in: a port of the set is translated", found == 1, found)
    routing = struct.pack("!BBBBI", 17, 0, 3, 1, 0)
    found = counted("drop_extension_header", lambda: raw6(world.br, ip6(REMOTE, MAP, 43, routing + udp6(REMOTE, MAP, 7, INSIDE))))
    check("in: a routing header with segments left is dropped and counted", found == 1, found)
    options = struct.pack("!BBHI", 17, 0, 0x0104, 0)
    found = counted("translated_6to4", lambda: raw6(world.br, ip6(REMOTE, MAP, 60, options + udp6(REMOTE, MAP, 7, INSIDE))))
    check("in: destination options are skipped", found == 1, found)
    inner = ip6("2001:db8:12:3500:0:c000:212:35", REMOTE, 17, udp6(MAP, REMOTE, INSIDE, 7))
    found = counted("drop_icmp_error_about_others",
                    lambda: raw6(world.br, ip6("2001:db8:f000:2::2", MAP, 58, icmp6("2001:db8:f000:2::2", MAP, 1, 4, 0, inner))))
    check("in: an error about somebody else's packet is dropped and counted", found == 1, found)
    stats = json.loads(world.ce.run("ip -j -s link show map0"))[0]["stats64"]
    check("ip -s link counts both ways", stats["rx"]["packets"] > 0 and stats["tx"]["packets"] > 0 and stats["tx"]["dropped"] > 0, stats)
    # A route that leads back into the device must not go round for ever.
    world.ce.run("ip -6 route add 2001:db8:ffff::/64 dev map0")
    found = counted("drop_route_leads_back", lambda: ping(world.ce, "-c", "1", "-W", "1", "-I", OWN, SERVER))
    check("out: a route back into the device is dropped and counted", found >= 1, found)
    world.ce.run("ip -6 route del 2001:db8:ffff::/64 dev map0")
    raw.close()
    capture.stop()


def incoming(world):
    """IPv6 to IPv4, packet by packet: what is sent from beyond the border relay, and what comes out of the device."""
    dmr, router = REMOTE, "2001:db8:f000:2::2"
    seen4 = Capture4(world.ce)
    seen6 = Capture6(world.core, "ce0")

    def translated(packet, mark):
        """Sends a packet that has this token in it; gives the IPv4 packet that it is translated to, or None."""
        raw6(world.br, packet)
        return seen4.wait_for(mark)

    def untranslated(*packets):
        """Sends packets that must not be translated, then one that must. Gives what comes out of the device besides that one."""
        seen4.clear()
        for packet in packets:
            raw6(world.br, packet)
        mark = token()
        if translated(ip6(dmr, MAP, 17, udp6(dmr, MAP, 7, INSIDE, mark)), mark) is None:
            return ["nothing is translated any more"]
        return [p.hex() for p in seen4.seen if mark not in p]

    def valid(packet):
        """The checksums of header and payload."""
        size = (packet[0] & 15) * 4
        body = packet[size:]
        if checksum(packet[:size]) != 0 or struct.unpack("!H", packet[2:4])[0] != len(packet):
            return False
        if packet[9] == 1:
            return checksum(body) == 0
        pseudo = packet[12:20] + struct.pack("!BBH", 0, packet[9], len(body))
        return checksum(pseudo + body) == 0

    # One packet to the last octet: hop limit 61, since the core has taken one off; the router takes its own later.
    data = token() * 2
    packet = translated(struct.pack("!I", 6 << 28 | 0xB8 << 20 | 0x12345) + ip6(dmr, MAP, 17, udp6(dmr, MAP, 7, INSIDE, data), 62)[4:], data)
    expected = ip(SERVER, OWN, 17, udp(SERVER, OWN, 7, INSIDE, data), ttl=61)
    wanted = bytearray(expected)
    if packet is not None:
        # Of these the identification is not told before, and the checksum follows it.
        wanted[1] = 0xB8
        wanted[4:6], wanted[10:12] = packet[4:6], packet[10:12]
    check("in: UDP, octet for octet", packet == bytes(wanted) and valid(packet), packet and packet.hex())
    check("in: a small packet has no DF, and an id", packet is not None and packet[6] & 0x40 == 0 and packet[4:6] != b"\0\0", packet)
    for length, df in ((1260, False), (1261, True), (1480, True)):
        mark = token()
        packet = translated(ip6(dmr, MAP, 17, udp6(dmr, MAP, 7, INSIDE, mark.ljust(length - 28, b"x"))), mark)
        check(f"in: {length} octets: DF {'set' if df else 'clear'}",
              packet is not None and len(packet) == length and bool(packet[6] & 0x40) == df and valid(packet), packet and packet[:20].hex())
    mark = token()
    zero = bytearray(udp6(dmr, MAP, 7, INSIDE, mark))
    zero[6:8] = b"\0\0"
    packet = translated(ip6(dmr, MAP, 17, bytes(zero)), mark)
    check("in: a UDP checksum of zero stays zero", packet is not None and packet[26:28] == b"\0\0", packet)
    mark = token()
    packet = translated(ip6(dmr, MAP, 58, icmp6(dmr, MAP, 129, 0, INSIDE << 16 | 1, mark)), mark)
    check("in: an echo reply", packet is not None and packet[20:] == echo(0, INSIDE, mark) and valid(packet), packet and packet.hex())

    # Fragments: whole before they are judged.
    data = os.urandom(2992)
    whole = udp6(dmr, MAP, 7, INSIDE, data)
    parts = [whole[:1448], whole[1448:2896], whole[2896:]]

    def fragments(number, payloads, protocol=17, source=dmr):
        at = 0
        for i, part in enumerate(payloads):
            more = i + 1 < len(payloads)
            head = struct.pack("!BBHI", protocol, 0, at | more, number)
            raw6(world.br, ip6(source, MAP, 44, head + part))
            at += len(part)

    fragments(77, parts)
    packet = seen4.wait_for(data)
    check("in: a datagram in three fragments comes out whole", packet is not None and len(packet) == 3020 and valid(packet)
          and packet[6] & 0x40 == 0, packet and packet[:20].hex())
    data = os.urandom(2000)
    whole = icmp6(dmr, MAP, 129, 0, INSIDE << 16 | 1, data)
    fragments(78, [whole[:1448], whole[1448:]], 58)
    packet = seen4.wait_for(data)
    check("in: so does an echo reply in two", packet is not None and valid(packet), packet and packet[:28].hex())
    before = counters(world.ce)["drop_port_outside_set_in"]
    bad = udp6(dmr, MAP, 7, OUTSIDE, bytes(2000))
    fragments(79, [bad[:1448], bad[1448:]])
    check("in: fragments to a port outside the set are dropped", risen(world.ce, "drop_port_outside_set_in", before) == 1)

    # Errors.
    def about(mark, octets=60):
        """A packet of ours that errors are about."""
        return ip6(MAP, dmr, 17, udp6(MAP, dmr, INSIDE, 7, mark.ljust(octets, b"z")), 60)

    for kind, code, rest, expected in (
        (1, 0, 0, (3, 1, 0)), (1, 1, 0, (3, 10, 0)), (1, 4, 0, (3, 3, 0)), (2, 0, 1400, (3, 4, 1380)), (2, 0, 1000, (3, 4, 1260)),
        (3, 0, 0, (11, 0, 0)), (4, 0, 4, (12, 0, 2 << 24)), (4, 1, 6, (3, 2, 0)),
    ):
        mark = token()
        packet = translated(ip6(router, MAP, 58, icmp6(router, MAP, kind, code, rest, about(mark))), mark)
        good = packet is not None and valid(packet) and (packet[20], packet[21], struct.unpack("!I", packet[24:28])[0]) == expected
        check(f"in: error {kind}/{code} becomes {expected[0]}/{expected[1]}", good, packet and packet[:28].hex())
        if packet is None:
            continue
        check(f"in: error {kind}/{code}: from 192.0.0.8, about our own packet", socket.inet_ntoa(packet[12:16]) == "192.0.0.8"
              and packet[40:44] == socket.inet_aton(OWN) and packet[44:48] == socket.inet_aton(SERVER)
              and packet[48:52] == struct.pack("!HH", INSIDE, 7) and valid(packet[28:]), packet.hex())
    for kind, code in ((1, 5), (1, 2 + 5), (4, 2), (4, 9), (100, 0), (5, 0)):
        found = untranslated(ip6(router, MAP, 58, icmp6(router, MAP, kind, code, 0, about(token()))))
        check(f"in: error {kind}/{code} has no counterpart", not found, found)
    # RFC 4884: 16 units of 8 octets are quoted, then the extension; 32 units of 4 octets in IPv4.
    mark = token()
    long = about(mark, 80)[:128]
    extension = struct.pack("!BBHHBB", 0x20, 0, 0, 8, 1, 1) + b"\1\2\3\4"
    packet = translated(ip6(router, MAP, 58, icmp6(router, MAP, 3, 0, 16 << 24, long + extension)), mark)
    check("in: an extension of RFC 4884 moves with its length", packet is not None and packet[25] == 32
          and packet[28 + 128:] == extension and valid(packet), packet and packet.hex())
    damaged = bytearray(icmp6(router, MAP, 1, 4, 0, about(token())))
    damaged[-1] ^= 1
    found = untranslated(ip6(router, MAP, 58, bytes(damaged)))
    check("in: a damaged error is not made whole", not found, found)

    # Not for us, or not as it should be.
    mark = token()
    routing = struct.pack("!BBBBI", 17, 0, 3, 1, 0)
    raw6(world.br, ip6(dmr, MAP, 43, routing + udp6(dmr, MAP, 7, INSIDE, mark)))
    answer = seen6.wait_for(mark, lambda p: next_header(p) == 58 and destination6(p) == dmr)
    check("in: segments left are answered 4/0 at octet 43", answer is not None and answer[40:42] == b"\4\0"
          and struct.unpack("!I", answer[44:48])[0] == 43, answer and answer.hex())
    before = counters(world.ce)
    found = untranslated(ip6(router, MAP, 17, udp6(router, MAP, 7, INSIDE)))
    changed = {name: value - before[name] for name, value in counters(world.ce).items() if value != before[name]}
    # The packet sent after it is what is counted, and what the router answers to that.
    check("in: a source in neither DMR nor FMR is ordinary IPv6", not found and changed.pop("translated_6to4", 0) == 1
          and set(changed) <= {"translated_4to6"}, (found, changed))
    for title, broken in (
        ("a UDP header cut short", ip6(dmr, MAP, 17, b"\0\7\x13")),
        ("an ICMP header cut short", ip6(dmr, MAP, 58, b"\x81\0")),
        ("destination options past the end", ip6(dmr, MAP, 60, b"\x11\xff\1\4\0\0\0\0")),
        ("an error that quotes nothing", ip6(router, MAP, 58, icmp6(router, MAP, 1, 4, 0, b""))),
        ("an error that quotes half a header", ip6(router, MAP, 58, icmp6(router, MAP, 1, 4, 0, about(token())[:30]))),
    ):
        found = untranslated(broken)
        check(f"in: {title} is dropped", not found, found)
    seen4.stop()
    seen6.stop()


def forwarding(world):
    """An FMR: straight to another customer edge, and its source checked."""
    control(world.ce, "insert map0 remote." + RULE.format("remote"))
    capture = Capture6(world.core, "ce0")
    other = "2001:db8:13:5600:0:c000:213:56"
    sock = world.lan.udp(to=("192.0.2.19", 0x1560))
    mark = token()
    sock.send(mark)
    seen = capture.wait_for(mark, lambda p: destination6(p) == other)
    check("FMR: straight to the other customer edge", seen is not None and source6(seen) == MAP)
    sock.close()
    mark = token()
    before = counters(world.ce)["drop_source_does_not_match_rule"]
    raw6(world.core, ip6(other, MAP, 17, udp6(other, MAP, 0x1570, INSIDE, mark)))
    seen = capture.wait_for(mark, lambda p: next_header(p) == 58 and destination6(p) == other)
    check("FMR: a source that does not match is answered 1/5", seen is not None and seen[40:42] == b"\1\5", seen)
    check("FMR: and counted", risen(world.ce, "drop_source_does_not_match_rule", before) == 1)
    check("FMR: removed again", control(world.ce, "remove map0 remote.style MAP") == 0, last_message())
    capture.stop()


def styles(world):
    """The addresses on the wire, by style."""
    for style, own, prefix, remote in (
        ("MAP", "2001:db8:12:3400:0:c000:212:34", "2001:db8:ffff::/64", "2001:db8:ffff:0:cb:71:a00:0"),
        ("MAP0", "2001:db8:12:3400:c0:2:1200:3400", "2001:db8:ffff::/64", "2001:db8:ffff:0:cb:71:a00:0"),
        ("MAP", "2001:db8:12:3400:0:c000:212:34", "2001:db8:ffff::/96", "2001:db8:ffff::cb00:710a"),
        ("MAP", "2001:db8:12:3400:0:c000:212:34", "2001:db8:ff00::/40", "2001:db8:ffcb:71:a::"),
    ):
        control(world.ce, "del map0")
        world.ce.run("nft flush ruleset")
        world.edge(f"config map0 local.style {style} local.v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 16"
                   f" local.psid-offset 4 remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 {prefix}")
        capture = Capture6(world.core, "ce0")
        sock = world.lan.udp(to=(SERVER, 9))
        mark = token()
        sock.send(mark)
        seen = capture.wait_for(mark)
        canonical = lambda text: socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))
        found = (source6(seen), destination6(seen)) if seen is not None else None
        check(f"{style} to {prefix}: addresses on the wire", found == (canonical(own), canonical(remote)), found)
        sock.close()
        capture.stop()


def life(world):
    """Devices come and go in whatever order."""
    first, second = Namespace("one"), Namespace("two")
    for space in (first, second):
        check(f"{space.name}: a device of its own", control(space, "add map0", f"config map0 {LOCAL} {DEFAULT}") == 0)
        space.run("ip link set map0 up")
    check("one namespace does not see the other's", shown(first).count("add ") == 1)
    moved = subprocess.run("ip -n one link set map0 netns two name map5".split(), capture_output=True)
    check("a device stays in its namespace", moved.returncode != 0 and "map0" in devices(first), devices(first))
    first.run("ip link set map0 down")
    first.run("ip link set map0 name map9")
    check("renamed", "add map9" in shown(first), shown(first))
    os.close(first.fd)
    sh("ip netns del one")
    second.run("ip link add type mapmint")
    check("ip link add type mapmint", "mapmint0" in devices(second), devices(second))
    second.run("ip link del mapmint0")
    second.run("ip link del map0")
    check("ip link del", shown(second) == "", shown(second))
    # Unloading while packets flow.
    stop = threading.Event()

    def flood():
        sock = world.lan.udp()
        while not stop.is_set():
            try:
                for _ in range(50):
                    sock.sendto(b"x" * 100, (SERVER, 7))
            except OSError:
                pass
            # Without a pause, nothing else gets a turn on a busy machine.
            time.sleep(0.001)
        sock.close()

    threads = [threading.Thread(target=flood) for _ in range(2)]
    for thread in threads:
        thread.start()
    good = True
    for _ in range(5):
        time.sleep(0.1)
        sh("rmmod mapmint")
        good = good and "map0" not in devices(world.ce)
        sh(f"insmod {MODULE}")
        world.edge(f"config map0 {LOCAL} {DEFAULT} {EDGE}") if not world.ce.run("nft flush ruleset") else None
    stop.set()
    for thread in threads:
        thread.join()
    check("unloaded and loaded five times under traffic", good)
    # A device that a line makes while the module goes would stay, and its hooks would lead to where the module was.
    stop.clear()

    def write():
        while not stop.is_set():
            try:
                for name in ("map1", "map2", "map3"):
                    control(world.ce, f"add {name}\nconfig {name} {LOCAL} {DEFAULT} {EDGE} nat.mode ports")
                for name in ("map1", "map2", "map3"):
                    control(world.ce, f"del {name}")
            except OSError:
                # The file is away.
                time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    stayed = []
    for _ in range(UNLOADS):
        time.sleep(0.02)
        sh("rmmod mapmint")
        stayed += [name for name in devices(world.ce) if name.startswith("map")]
        sh(f"insmod {MODULE}")
        world.edge(f"config map0 {LOCAL} {DEFAULT} {EDGE}")
    stop.set()
    writer.join()
    for name in [name for name in devices(world.ce) if name in ("map1", "map2", "map3")]:
        control(world.ce, f"del {name}")
    check(f"unloaded {UNLOADS} times while lines are written: no device stays", not stayed, stayed)
    sock = world.lan.udp(to=(SERVER, 7))
    found = None
    for _ in range(5):
        found = exchange(sock, b"again", 3)
        if found == b"again":
            break
    check("and it translates again", found == b"again", repr(found))
    sock.close()
    sh("rmmod mapmint")
    sh(f"insmod {MODULE} ipv4_address=192.0.0.1/32")
    enter(Here)
    shown_address = json.loads(sh("ip -j address show mapmint"))[0]
    check("insmod ipv4_address=192.0.0.1/32", [a["local"] for a in shown_address["addr_info"] if a["family"] == "inet"] == ["192.0.0.1"]
          and "UP" in shown_address["flags"], shown_address)
    sh("rmmod mapmint")
    refused = subprocess.run(["insmod", MODULE, "ipv4_address=192.0.0/32"], capture_output=True, text=True)
    check("insmod with an invalid address is rejected", refused.returncode != 0 and "is not A.B.C.D/length" in dmesg())
    check("the module is gone", "mapmint" not in open("/proc/modules").read())


CASES = (grammar, through, large, mtu, refuses, incoming, forwarding, styles, life)


def main():
    sh("ip link set lo up")
    sh(f"insmod {MODULE}")
    world = World()
    tayga = Tayga(world.br)
    echo_server(world.server, 7)
    world.edge(f"config map0 {LOCAL} {DEFAULT} {EDGE}")
    run_each(CASES, world)
    tayga.stop()
    finish()


main()
