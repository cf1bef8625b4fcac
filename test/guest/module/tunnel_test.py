"""MAP-E and lightweight 4over6 by the module, with the kernel's own ip6_tunnel as border relay.

    lan 192.168.1.2 -- ce (192.0.2.18, PSID 0x34) -- core -- br (ip6_tunnel) -- server 203.0.113.10

Argument: mapmint.ko. Prints a line for each check and `N passed, N failed` at the end;
ends with 1 when one failed.
"""

import errno
import socket
import struct
import sys
import time

from captures import PATIENCE, Capture4, Capture6, offload, token, until
from checks import attempt, check, chosen
from module_files import control, counters, last_message
from namespaces import IP_MTU_DISCOVER, sh
from packets4 import checksum, ip, udp, valid4
from packets6 import destination6, ip6, next_header, raw6, source6
from topology import (
    INSIDE, LAN, LOCAL, MAP, OUTSIDE, OWN, RULE, SERVER, World, address, echo_server, exchange, finish, join, learned, namespaces, ping,
    route, shown, tcp_echo,
)

MODULE = sys.argv[1]
BR = "2001:db8:ffff::1"
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
        self.out6, self.lan4 = Capture6(self.br, "wan0"), Capture4(self.lan, "eth0")
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
        for capture in (self.out6, self.lan4):
            capture.clear()

    def count(self, name):
        return counters(self.ce)[name]

    def inject(self, packet):
        """An IPv6 packet to the customer edge, from its provider's network."""
        raw6(self.core, packet)


def inner(packet):
    return packet[40:] if packet is not None else b""


def out_of(world, mark):
    """The encapsulated packet with this token in it, as the border relay gets it."""
    return world.out6.wait_for(mark, lambda p: next_header(p) in (4, 60))


# --- what a user does ----------------------------------------------------------------------------

def through(world):
    sock = world.lan.udp(to=(SERVER, 7))
    mark = token()
    check("UDP from the LAN to the server, and back", exchange(sock, mark) == mark)
    sock.close()
    packet = out_of(world, mark)
    check("from our MAP address to the border relay", packet is not None and (source6(packet), destination6(packet)) == (MAP, BR),
          packet and packet.hex())
    check("one hop is taken from the TTL, and the tunnel has a hop limit of its own", packet is not None and packet[40 + 8] == 63
          and packet[7] == 63, packet and packet.hex())
    check("what is inside is a whole packet of ours", valid4(inner(packet)) and inner(packet)[12:16] == socket.inet_aton(OWN)
          and in_set(struct.unpack("!H", inner(packet)[20:22])[0]), packet and packet.hex())
    good, text = ping(world.lan, "-c", "2", "-i", "0.2", "-W", str(PATIENCE), SERVER)
    check("ping", good, text)
    check("TCP, 300 kB there and back", tcp_echo(world.lan, 300_000))
    good, text = ping(world.ce, "-c", "1", "-W", str(PATIENCE), SERVER)
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
    mark = token()
    for sock in socks:
        try:
            sock.send(mark)
        except OSError:
            pass

    def ports_seen():
        return [struct.unpack("!H", p[60:62])[0] for p in world.out6.seen if next_header(p) == 4 and p[49] == 17 and mark in p]

    until(lambda: len(set(ports_seen())) >= 239)
    # Whatever would still leave from a port outside the set has left before this one.
    good, text = ping(world.ce, "-c", "1", "-W", str(PATIENCE), BR, "-6")
    check("the border relay answers", good, text)
    ports = ports_seen()
    check("239 of 300 flows to one server have a port, one is reserved", len(set(ports)) == 239, len(set(ports)))
    check("all of them ours", ports and all(in_set(port) for port in ports), [p for p in ports if not in_set(p)][:5])
    for sock in socks:
        sock.close()


# --- sizes ---------------------------------------------------------------------------------------

def large(world):
    """What may be cut is cut before it is encapsulated, and put together behind the tunnel."""
    world.fresh()
    sock = world.lan.udp(to=(SERVER, 7))
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, 0)
    data = bytes(range(256)) * 15
    check("a datagram of 3,840 octets there and back", exchange(sock, data) == data)
    sock.close()
    pieces = [p for p in world.out6.seen if next_header(p) == 4 and p[49] == 17]
    ids = {struct.unpack("!H", p[44:46])[0] for p in pieces}
    check("no IPv6 fragment leaves, and every piece fits", len(pieces) == 3 and all(len(p) <= 1500 for p in pieces)
          and not [p for p in world.out6.seen if next_header(p) == 44], [len(p) for p in world.out6.seen])
    check("their identification is of our port set", len(ids) == 1 and all(in_set(number) for number in ids), ids)
    good, text = ping(world.lan, "-c", "1", "-W", str(PATIENCE), "-s", "3000", SERVER)
    check("a ping of 3,000 octets", good, text)


def put_together(world):
    """IPv6 fragments of what somebody encapsulated and then cut."""
    world.fresh()
    mark = token()
    packet = ip(SERVER, OWN, 17, udp(SERVER, OWN, 53, ECHO, mark.ljust(1000, b"x")))
    whole = ip6(BR, MAP, 4, packet)
    first, second = whole[40:40 + 512], whole[40 + 512:]
    # Sent from the network, where no socket puts anything together.
    for at, more, part in ((0, 1, first), (512, 0, second)):
        world.inject(ip6(BR, MAP, 44, struct.pack("!BBHI", 4, 0, at | more, 0x1234) + part))
    found = world.lan4.wait_for(mark, lambda p: p[9] == 17 and len(p) == len(packet))
    check("IPv6 fragments are put together", found is not None and found[28:] == packet[28:])
    before = world.count("drop_port_outside_set_in")
    for at, more, part in ((0, 1, bytes(1024)), (128, 0, bytes(100))):
        body = struct.pack("!HHHH", 53, OUTSIDE, 8 + 1116, 0) + part[8:] if more else part
        world.inject(ip6(BR, MAP, 4, ip(SERVER, OWN, 17, body, fragment=at | more << 13, identification=77)))
    check("IPv4 pieces to a port outside the set are dropped", until(lambda: world.count("drop_port_outside_set_in") > before),
          counters(world.ce))


def too_large(world):
    world.fresh()
    sock = world.lan.udp(to=(SERVER, 7))
    check("DF: the LAN host learns the MTU of the tunnel", learned(sock, 1450, 1460) == 1460, sock.getsockopt(socket.SOL_IP, 14))
    sock.close()
    world.fresh()
    world.core.run("ip link set br0 mtu 1400")
    world.br.run("ip link set wan0 mtu 1400")
    try:
        sock = world.lan.udp(to=(SERVER, 7))
        found = learned(sock, 1420, 1360)
        check("a router's Packet Too Big reaches the LAN host, less 40", found == 1360, found)
        told = told_of(world, sock, 3, 4)
        check("quoting its own address and port", told is not None and told[28 + 12:28 + 16] == socket.inet_aton(LAN), told and told.hex())
        sock.close()
        world.out6.clear()
        sock = world.lan.udp(to=(SERVER, 7))
        sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, 0)
        data = bytes(1420)
        # The relay's own tunnel loses the answer from which it learns its path.
        check("without DF it is cut to the path's MTU", any(exchange(sock, data, 1) == data for _ in range(3)))
        check("into pieces that fit it", all(len(p) <= 1400 for p in world.out6.seen), [len(p) for p in world.out6.seen])
        sock.close()
        check("TCP over the narrow path, 300 kB there and back", tcp_echo(world.lan, 300_000))
    finally:
        world.core.run("ip link set br0 mtu 1500")
        world.br.run("ip link set wan0 mtu 1500")
        world.fresh()


# --- errors --------------------------------------------------------------------------------------

def told_of(world, sock, kind, code):
    """The ICMP error that the LAN host gets about what a socket sent."""
    return world.lan4.wait(lambda p: p[9] == 1 and p[20] == kind and p[21] == code and p[44:48] == socket.inet_aton(SERVER)
                           and struct.unpack("!H", p[48:50])[0] == sock.getsockname()[1])


def errors(world):
    world.fresh()
    world.told("config map0 tunnel.hop-limit 1")
    sock = world.lan.udp(to=(SERVER, 7))
    sock.send(b"too far")
    check("the tunnel's hop limit: host unreachable, with the host's own port", told_of(world, sock, 3, 1) is not None,
          [p.hex() for p in world.lan4.seen])
    sock.close()
    world.told("config map0 tunnel.hop-limit inherit tunnel.encap-limit 3 tunnel.traffic-class 184")
    world.fresh()
    sock = world.lan.udp(to=(SERVER, 7))
    mark = token()
    check("with an encapsulation limit, there and back", exchange(sock, mark) == mark)
    packet = out_of(world, mark)
    check("its header, hop limit and traffic class", packet is not None and packet[6] == 60 and packet[7] == 62
          and packet[40:48] == bytes([4, 0, 4, 1, 3, 1, 1, 0]) and struct.unpack("!I", packet[:4])[0] >> 20 & 255 == 184, packet and packet.hex())
    sock.close()
    world.told("config map0 tunnel.hop-limit 64 tunnel.encap-limit none tunnel.traffic-class inherit")
    world.fresh()
    world.core.run(f"ip -6 route add unreachable {BR}/128")
    sock = world.lan.udp(to=(SERVER, 7))
    try:
        sock.send(b"nobody")
        check("an unreachable border relay: host unreachable", told_of(world, sock, 3, 1) is not None, [p.hex() for p in world.lan4.seen])
    finally:
        world.core.run(f"ip -6 route del unreachable {BR}/128")
        sock.close()


# --- receive checks ------------------------------------------------------------------------------

def refused(world, name, packet):
    """Whether one packet is counted as dropped for this reason."""
    before = world.count(name)
    world.inject(packet)
    until(lambda: world.count(name) > before)
    return world.count(name) == before + 1


def receive(world):
    world.fresh()

    def inside(sport=53, dport=ECHO, source=SERVER, destination=OWN, payload=b"x"):
        return ip(source, destination, 17, udp(source, destination, sport, dport, payload))

    mark = token()
    world.inject(ip6(BR, MAP, 4, inside(payload=mark)))
    check("from the border relay: let in", world.lan4.wait_for(mark) is not None)
    check("a port outside the set", refused(world, "drop_port_outside_set_in", ip6(BR, MAP, 4, inside(dport=OUTSIDE))))
    check("an address that is not ours", refused(world, "drop_destination_not_ours", ip6(BR, MAP, 4, inside(destination="192.0.2.19"))))
    check("an end that no rule knows", refused(world, "drop_source_without_rule", ip6("2001:db8:dead::1", MAP, 4, inside())))
    world.told(FMR)
    seen = Capture6(world.core, "ce0")
    mark = token()
    check("a source that does not match its rule", refused(
        world, "drop_source_does_not_match_rule", ip6(MAP2, MAP, 4, inside(THEIRS + 16, source=OWN, payload=mark))))
    answer = seen.wait_for(mark, lambda p: next_header(p) == 58 and p[40:42] == b"\1\5")
    check("is answered 1/5", answer is not None and destination6(answer) == MAP2, answer and answer.hex())
    seen.stop()
    mark = token()
    world.inject(ip6(MAP2, MAP, 4, inside(THEIRS, source=OWN, payload=mark)))
    check("another customer edge is let in", world.lan4.wait_for(mark, lambda p: p[12:16] == socket.inet_aton(OWN)) is not None)
    world.told("remove map0 remote.v4 192.0.2.0/24 remote.style MAP")
    good, text = ping(world.core, "-6", "-c", "1", "-W", "1", MAP)
    check("ordinary IPv6 to the end is not ours", not good and world.count("drop_protocol_without_ports") == 0, text)


def congestion(world):
    """RFC 6040: marks go in and come out."""
    world.fresh()
    sock = world.lan.udp(to=(SERVER, 9))
    sock.setsockopt(socket.SOL_IP, socket.IP_TOS, 2)
    mark = token()
    sock.send(mark)
    packet = out_of(world, mark)
    check("ECT(0) is copied", packet is not None and struct.unpack("!I", packet[:4])[0] >> 20 & 3 == 2, packet and packet.hex())
    sock.close()
    for tos, outer, wanted in ((2, 3, 3), (2, 1, 1), (0, 1, 0)):
        mark = token()
        made = ip(SERVER, OWN, 17, udp(SERVER, OWN, 53, ECHO, mark))
        made = made[:1] + bytes([tos]) + made[2:10] + b"\0\0" + made[12:]
        made = made[:10] + struct.pack("!H", checksum(made[:20])) + made[12:]
        packet = ip6(BR, MAP, 4, made)
        world.inject(struct.pack("!I", 6 << 28 | outer << 20) + packet[4:])
        found = world.lan4.wait_for(mark)
        check(f"inner {tos}, outer {outer}: {wanted}", found is not None and found[1] == wanted and checksum(found[:20]) == 0, found and found.hex())
    made = ip(SERVER, OWN, 17, udp(SERVER, OWN, 53, ECHO))
    check("a mark that cannot be handed on is a drop", refused(
        world, "drop_ecn", struct.pack("!I", 6 << 28 | 3 << 20) + ip6(BR, MAP, 4, made)[4:]))
    check("marks are counted", world.count("ecn_marked") == 2, world.count("ecn_marked"))


# --- the neighbour -------------------------------------------------------------------------------

def neighbour(world):
    """The end-user prefix is on the link: somebody has to answer for the MAP address, which no device has."""
    world.fresh()
    world.core.run("ip -6 route add 2001:db8:12:3400::/64 dev ce0")
    def packet(mark):
        return ip6(BR, MAP, 4, ip(SERVER, OWN, 17, udp(SERVER, OWN, 53, ECHO, mark)))

    unanswered, answered = token(), token()
    try:
        world.inject(packet(unanswered))
        failed = until(lambda: "FAILED" in world.core.run(f"ip -6 neigh show {MAP}"))
        check("without a proxy entry nobody answers for the MAP address",
              failed and not [p for p in world.lan4.seen if unanswered in p], world.core.run("ip -6 neigh show"))
        # Without a delay: it is drawn from up to 0.8 s, and a second packet waits for it.
        for key in ("net.ipv6.conf.wan.proxy_ndp=1", "net.ipv6.neigh.wan.proxy_delay=0"):
            world.ce.run(f"sysctl -qw {key}")
        world.ce.run(f"ip -6 neigh add proxy {MAP} dev wan")
        world.core.run("ip -6 neigh flush dev ce0")
        world.inject(packet(answered))
        check("with one it is reached", world.lan4.wait_for(answered) is not None, world.core.run("ip -6 neigh show"))
    finally:
        world.core.run("ip -6 route del 2001:db8:12:3400::/64 dev ce0")


# --- two customer edges --------------------------------------------------------------------------

def mesh(world):
    """Straight from one to the other, which share an address, on a kernel whose ip6_tunnel knows no rules."""
    ce2, lan2 = namespaces("ce2", "lan2")
    join((world.core, "to2", ce2, "wan"), (ce2, "br-lan", lan2, "eth0"))
    address((world.core, "to2", "2001:db8:f000:3::1/64"), (ce2, "wan", "2001:db8:f000:3::2/64"), (ce2, "br-lan", "192.168.2.1/24"),
            (lan2, "eth0", "192.168.2.2/24"))
    route((lan2, "default via 192.168.2.1"), (ce2, "default via 2001:db8:f000:3::1"), (world.core, "2001:db8:12:3500::/56 via 2001:db8:f000:3::2"))
    edge = f"ce.v4 {OWN} ce.v6 {MAP2} ce.psid-offset 4 ce.psid-len 8 ce.psid 53"
    found = control(ce2, "add map0", "config map0 transport encapsulate", f"config map0 {LOCAL} {RELAY} {edge}", FMR,
                    f"config map0 nat.mode ports nat.reserved {THEIRS}")
    check("a second customer edge", found == 0, last_message())
    for command in ("link set map0 mtu 1460 up", f"addr add {OWN}/32 dev map0", "route add default dev map0"):
        ce2.run(f"ip {command}")
    ce2.run("nft -f -", "table ip nat { chain pre { type nat hook prerouting priority -100;"
                        f" iifname map0 meta l4proto {{ tcp, udp }} th dport {THEIRS} dnat to 192.168.2.2:7; }}; }}")
    echo_server(lan2, 7, own="192.168.2.2", discover=0)
    world.told(FMR)
    world.fresh()
    seen = Capture6(ce2, "wan")
    sock = world.lan.udp(to=(OWN, THEIRS))
    mark = token()
    check("mesh: UDP there and back", exchange(sock, mark) == mark)
    sock.close()
    packet = seen.wait_for(mark, lambda p: next_header(p) == 4)
    check("mesh: straight from one MAP address to the other", packet is not None and (source6(packet), destination6(packet)) == (MAP, MAP2),
          packet and packet.hex())
    seen.stop()
    check("mesh: TCP, 300 kB there and back", tcp_echo(world.lan, 300_000, to=(OWN, THEIRS)))
    check("mesh: nothing went by the relay", not [p for p in world.out6.seen if next_header(p) == 4], world.out6.seen[:2])
    world.told("remove map0 remote.v4 192.0.2.0/24 remote.style MAP")


# --- control lines -------------------------------------------------------------------------------

def lines(world):
    text = shown(world.ce)
    check("what is read has the transport", "transport encapsulate tunnel.hop-limit 64 tunnel.encap-limit none tunnel.traffic-class inherit" in text, text)
    for line, why in (
        ("config map0 remote.style RFC6052 remote.v6 2001:db8:ffff::/96", '"remote.style" does not fit'),
        ("config map0 remote.v6 2001:db8:ffff::/64", '"remote.style" does not fit'),
        ("config map0 transport carry", '"carry" is not a valid value'),
        ("config map0 tunnel.hop-limit 0", '"0" is not a valid value'),
        ("config map0 tunnel.hop-limit 256", '"256" is not a valid value'),
        ("config map0 tunnel.encap-limit 256", '"256" is not a valid value'),
        ("config map0 tunnel.traffic-class x", '"x" is not a valid value'),
        ("remove map0 transport encapsulate", '"transport" belongs to the device, not to a rule'),
    ):
        found = control(world.ce, line)
        check(f"refused: {line}", found == errno.EINVAL and why in last_message(), (found, last_message()))
    check("and nothing has changed", shown(world.ce) == text)
    check("written back, the same", control(world.ce, "del map0") == 0 and control(world.ce, *text.splitlines()) == 0
          and shown(world.ce) == text, (last_message(), shown(world.ce)))


def many(world):
    """4,095 forwarding rules by one write, which is far more than 64 KiB, and the last of them used."""
    def rule(number):
        return (f"insert map0 remote.style MAP remote.v4 100.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}/32"
                f" remote.v6 2001:db9:{number:x}::/48 remote.ea-len 0 remote.psid-offset 6")
    rules = [rule(number) for number in range(1, 4096)]
    size = sum(len(line) + 1 for line in rules)
    before, start = shown(world.ce), time.process_time()
    check(f"4,095 rules in one write of {size} octets", control(world.ce, *rules) == 0, last_message())
    print(f"took {time.process_time() - start:.2f} s of processor time", flush=True)
    check("one more has no room", control(world.ce, rule(5000)) == errno.ENOSPC, last_message())
    text = shown(world.ce)
    check("what is read has all of them, the last first", text.count("insert map0") == 4095
          and text.splitlines()[-2].split()[5] == "100.64.15.255/32", text[-300:])
    world.fresh()
    sock = world.lan.udp(to=("100.64.15.255", 9))
    world.core.run("ip -6 route add 2001:db9::/32 via 2001:db8:f000:2::2")
    mark = token()
    sock.send(mark)
    packet = out_of(world, mark)
    check("each is found", packet is not None and destination6(packet).startswith("2001:db9:fff:"), packet and packet.hex())
    sock.close()
    check("too much is refused", control(world.ce, "#" * (2 << 20)) == errno.EMSGSIZE, last_message())
    check("written back, all of them", control(world.ce, "del map0") == 0 and control(world.ce, *text.splitlines()) == 0
          and shown(world.ce) == text, last_message())
    world.told("remove map0 remote.style MAP")
    check("and away again", shown(world.ce) == before, shown(world.ce)[-300:])
    for command in ("link set map0 mtu 1460 up", f"addr add {OWN}/32 dev map0", "route add default dev map0"):
        world.ce.run(f"ip {command}")


# `many` and `lines` come last: they make the device anew.
CASES = (through, offloads, only_our_ports, large, put_together, too_large, errors, receive, congestion, neighbour, mesh, many, lines)


def main():
    sh("ip link set lo up")
    sh(f"insmod {MODULE}")
    world = Tunnel()
    for case in chosen(CASES):
        world.fresh()
        attempt(case, world)
    finish()


main()
