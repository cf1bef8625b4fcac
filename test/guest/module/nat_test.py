"""NAT44 into the port set by the kernel module, in the lab kernel.

    lan 192.168.1.2, .3 -- 192.168.1.1 ce (192.0.2.18) == tnl (IPv4 in IPv6) == core -- 203.0.113.1..5 server
                                                                             ^
                                                                          capture
Arguments: mapmint.ko, and the directory of the kernel's tree. Prints a line for each check and `N passed, N failed` at the end;
ends with 1 when one failed.
"""

import errno
import os
import random
import re
import resource
import socket
import struct
import sys
import threading
import time

from checks import check, run_each, tally
from module_files import Flows, control, counters, last_message, read, risen
from kernel_memory import complaints, has_kmemleak, leaks
from captures import PATIENCE, JudgedCapture, token, until
from namespaces import Namespace, sh
from packets4 import checksum, echo, icmp, ip, ports, tcp, udp
from packets6 import ip6, raw6
from sockets import comes, icmp_with, readable, source_of

MODULE, TREE = sys.argv[1], sys.argv[2]
OWN, CE_LAN = "192.0.2.18", "192.168.1.1"
LAN, LAN2 = "192.168.1.2", "192.168.1.3"
SERVERS = [f"203.0.113.{i}" for i in range(1, 6)]
SERVER = SERVERS[0]
# Where nobody answers and nobody says so: what arrives there is seen by the capture alone.
SILENT = [f"198.18.0.{i}" for i in range(1, 6)]
SYN = 2
# For two ticks after a port was given to a flow it is not taken back: connection tracking may not know the flow yet. Seconds.
YOUNG = 0.03
# What `settle` sends last begins so.
AFTER = b"after all of it "
# (name, offset, PSID length, PSID)
SETS = (("15x16", 4, 8, 0x34), ("63x16", 6, 6, 0x12), ("63x4", 6, 8, 0x34), ("15x256", 4, 4, 5), ("1x256", 0, 8, 0x34))
PROTOCOLS = {"TCP": 6, "UDP": 17, "ICMP": 1}


def members(offset, length, psid):
    """An oracle of its own: ports of the set, by the picture of RFC 7597 s5.1."""
    found = []
    for port in range(1, 65536):
        bits = f"{port:016b}"
        if offset and int(bits[:offset], 2) == 0:
            continue
        if length == 0 or int(bits[offset:offset + length], 2) == psid:
            found.append(port)
    return found


class World:
    def __init__(self):
        self.lan, self.ce, self.core, self.server = (Namespace(name) for name in ("lan", "ce", "core", "server"))
        lan, ce, core, server = self.lan, self.ce, self.core, self.server
        for a, da, b, db in ((lan, "eth0", ce, "br-lan"), (ce, "wan", core, "ce0"), (core, "sv0", server, "eth0")):
            a.run(f"ip link add {da} type veth peer name {db} netns {b.name}")
        for space in (lan, ce, core, server):
            for key, value in (("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1), ("net.ipv4.icmp_ratemask", 0),
                               ("net.ipv6.conf.all.accept_dad", 0), ("net.ipv6.conf.default.accept_dad", 0),
                               ("net.ipv4.icmp_msgs_per_sec", 100000), ("net.ipv4.icmp_msgs_burst", 100000)):
                space.set(key, value)
        for space, device, address in (
            (lan, "eth0", f"{LAN}/24"), (lan, "eth0", f"{LAN2}/24"), (ce, "br-lan", f"{CE_LAN}/24"), (ce, "wan", "fd00:2::2/64"),
            (core, "ce0", "fd00:2::1/64"), (core, "sv0", "203.0.113.254/24"), *((server, "eth0", f"{a}/24") for a in SERVERS),
        ):
            space.run(f"ip link set {device} up")
            space.run(f"ip addr add {address} dev {device}" + (" nodad" if ":" in address else ""))
        core.run("ip -6 tunnel add tnl mode ipip6 local fd00:2::1 remote fd00:2::2 encaplimit none")
        core.run("ip link set tnl up")
        core.run(f"ip route add {OWN}/32 dev tnl")
        core.run("ip route add blackhole 198.18.0.0/15")
        lan.run(f"ip route add default via {CE_LAN}")
        server.run("ip route add default via 203.0.113.254")
        self.tunnel()
        lan.run(f"ping -c 1 -W 2 {CE_LAN}")
        core.run(f"ping -c 1 -W 2 {SERVER}")
        core.run("ping -c 1 -W 2 fd00:2::2")
        self.flows = None
        self.allowed = set(range(1, 65536))
        self.seen = JudgedCapture(core, "tnl", self.judge)

    def tunnel(self):
        ce = self.ce
        ce.run("ip -6 tunnel add tnl mode ipip6 local fd00:2::2 remote fd00:2::1 encaplimit none")
        ce.run("ip link set tnl up")
        ce.run(f"ip addr add {OWN}/32 dev tnl")
        ce.run("ip route add default dev tnl")

    def load(self, offset, length, psid, *words):
        """A NAT with this set, in the place of what there was."""
        devices = read(self.ce, "nat46/control")
        lines = ["del map0"] if devices else []
        if lines:
            control(self.ce, *lines)
        found = control(self.ce, "add map0", f"config map0 ce.v4 {OWN} ce.psid-offset {offset} ce.psid-len {length} ce.psid {psid}",
                        " ".join(("config map0 nat.mode ports nat.device tnl", *words)))
        if found:
            raise RuntimeError(f"{errno.errorcode[found]}: {last_message()}")
        self.set = set(members(offset, length, psid))
        self.forget()

    @property
    def set(self):
        """The ports that packets may have."""
        return self.allowed

    @set.setter
    def set(self, allowed):
        # What was seen so far is judged by the set that it was sent with.
        self.seen.drain()
        self.allowed = allowed

    def judge(self, packet):
        """Why a packet should not have left, or None."""
        protocol, source, port, _, _, size = ports(packet)
        if source != OWN:
            return f"source {source}"
        if protocol in (6, 17):
            return None if port in self.set else f"port {port}"
        if protocol != 1:
            return f"protocol {protocol}"
        if packet[size] in (0, 8):
            identifier = struct.unpack("!H", packet[size + 4:size + 6])[0]
            return None if identifier in self.set else f"echo id {identifier}"
        if packet[size] not in (3, 11, 12):
            return f"ICMP type {packet[size]}"
        inner = packet[size + 8:]
        quoted = struct.unpack("!H", inner[24:26] if inner[9] == 1 else inner[22:24])[0]
        good = socket.inet_ntoa(inner[16:20]) == OWN and quoted in self.set
        return None if good else f"an error about port {quoted}"

    def forget(self):
        self.ce.run("conntrack -F")

    def reached(self):
        """Until the router has had what the LAN has sent: packets stay in their order, and it has answered a ping."""
        mark = token()
        pinger = self.lan.icmp()
        until(lambda: pinger.sendto(echo(8, 1, mark), (CE_LAN, 0)) and icmp_with(pinger, mark, 0, 2))
        pinger.close()

    def settle(self):
        """Until what the LAN has sent is captured, if it is ever to be.

        What the router sends through the tunnel afterwards is behind all of it. That packet is made by hand, so that no NAT can
        refuse it.
        """
        self.reached()
        mark = token()
        own = min(self.set)
        raw6(self.ce, ip6("fd00:2::2", "fd00:2::1", 4, ip(OWN, SILENT[4], 17, udp(OWN, SILENT[4], own, 9, AFTER + mark))))
        if self.seen.wait_for(AFTER + mark) is None:
            raise RuntimeError("nothing gets through the tunnel")

    def outside(self, title):
        self.settle()
        check(f"{title}: 0 packets outside the set", not self.seen.outside and self.seen.dropped() == 0, self.seen.outside[:3])
        self.seen.outside.clear()
        self.seen.clear()


def probe(protocol, source, sport, destination, number):
    """The first packet of a flow, with a number to know it by."""
    mark = struct.pack("!I", number)
    if protocol == 17:
        return ip(source, destination, 17, udp(source, destination, sport, 9000, mark))
    if protocol == 1:
        return ip(source, destination, 1, echo(8, sport, mark))
    # The sequence number is the mark.
    segment = bytearray(tcp(source, destination, sport, 80, SYN))
    segment[4:8] = mark
    segment[16:18] = b"\0\0"
    total = checksum(socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, 6, len(segment)) + segment)
    segment[16:18] = struct.pack("!H", total)
    return ip(source, destination, 6, bytes(segment))


def arrived(world):
    """{number: port} of the probes that were captured."""
    world.settle()
    found = {}
    for packet in world.seen.seen:
        protocol = packet[9]
        if AFTER in packet:
            continue
        if protocol == 1:
            found[struct.unpack("!I", packet[28:32])[0]] = struct.unpack("!H", packet[24:26])[0]
        elif protocol == 6:
            found[struct.unpack("!I", packet[24:28])[0]] = struct.unpack("!H", packet[20:22])[0]
        else:
            found[struct.unpack("!I", packet[28:32])[0]] = struct.unpack("!H", packet[20:22])[0]
    return found


def send(world, sock, packets):
    """So many at a time that no queue on the way is too short."""
    for i, packet in enumerate(packets):
        sock.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
        if i % 200 == 199:
            world.reached()


def dport(protocol):
    return {17: 9000, 6: 80, 1: 0}[protocol]


def capacity(world, name, size):
    """As many flows to one destination as there are ports, each with one packet; and some more."""
    raw = world.lan.raw()
    for protocol_name, protocol in PROTOCOLS.items():
        world.forget()
        world.seen.clear()
        inside = random.Random(name).sample(range(1024, 65536), size + 20)
        send(world, raw, [probe(protocol, LAN, port, SILENT[0], i) for i, port in enumerate(inside[:size])])
        found = arrived(world)
        check(f"{name} {protocol_name}: {len(found)} of {size} flows to one destination at first try, from {len(set(found.values()))} ports",
              len(found) == size and len(set(found.values())) == size)
        before = counters(world.ce)
        send(world, raw, [probe(protocol, LAN, port, SILENT[0], size + i) for i, port in enumerate(inside[size:])])
        more = len(arrived(world)) - len(found)
        after = counters(world.ce)
        check(f"{name} {protocol_name}: {more} of 20 more; refused and counted: {after['nat_exhausted'] - before['nat_exhausted']}",
              more == 0 and after["nat_exhausted"] - before["nat_exhausted"] == 20)
        # To another destination, every port is free again.
        send(world, raw, [probe(protocol, LAN, port, SILENT[1], 100000 + i) for i, port in enumerate(inside[:size])])
        other = len([n for n in arrived(world) if n >= 100000])
        check(f"{name} {protocol_name}: {other} of {size} to a second destination", other == size)
    raw.close()


def churn(world, name, size, fill):
    """The set held at a fill towards one destination, flows closed and opened."""
    world.forget()
    world.seen.clear()
    raw, rng = world.lan.raw(), random.Random(f"{name}{fill}")
    held, operations = size * fill // 100, min(6 * size * fill // 100, 6000)
    fresh = iter(rng.sample(range(1024, 65536), held + operations))
    open_flows = [next(fresh) for _ in range(held)]
    send(world, raw, [probe(17, LAN, port, SILENT[0], i) for i, port in enumerate(open_flows)])
    for i in range(operations):
        if i % max((size - held) // 2, 1) == 0:
            world.reached()
            # More flows in a moment than there are spare ports would find none.
            time.sleep(YOUNG)
        at = rng.randrange(held)
        # What was sent may still be in a queue.
        if not any(world.flows.delete(17, LAN, open_flows[at], SILENT[0], 9000) or time.sleep(0.002) for _ in range(7500)):
            raise RuntimeError("a flow that was opened is not there")
        open_flows[at] = next(fresh)
        send(world, raw, [probe(17, LAN, open_flows[at], SILENT[0], held + i)])
    found = arrived(world)
    check(f"{name} churn at {fill} %: {held + operations - len(found)} failures at first try in {held + operations} flows",
          len(found) == held + operations)
    raw.close()


def independence(world, name, endpoints):
    """RFC 4787 REQ-1, in random order of endpoint and destination."""
    world.forget()
    world.seen.clear()
    raw, rng = world.lan.raw(), random.Random(name)
    pairs = [(e, d) for e in range(endpoints) for d in range(len(SILENT))]
    rng.shuffle(pairs)
    inside = rng.sample(range(1024, 65536), endpoints)
    send(world, raw, [probe(17, LAN, inside[e], SILENT[d], e * 10 + d) for e, d in pairs])
    found = arrived(world)
    by_endpoint = {}
    for number, port in found.items():
        by_endpoint.setdefault(number // 10, set()).add(port)
    kept = sum(len(ports_of) == 1 for ports_of in by_endpoint.values())
    check(f"{name}: {kept} of {endpoints} UDP endpoints keep their port over {len(SILENT)} destinations, {len(found)} of {len(pairs)} flows",
          kept == endpoints and len(found) == len(pairs))
    raw.close()


def sets(world):
    # On a busy machine these flows are needed for longer than the kernel keeps a flow without an answer, 30 s.
    kept = ("net.netfilter.nf_conntrack_udp_timeout", "net.netfilter.nf_conntrack_icmp_timeout")
    for key in kept:
        world.ce.set(key, 600)
    for name, offset, length, psid in SETS:
        world.load(offset, length, psid)
        size = len(world.set)
        world.flows = Flows(world.ce)
        capacity(world, name, size)
        for fill in (50, 90):
            churn(world, name, size, fill)
        independence(world, name, min(200, size * 5 // 6))
        world.outside(name)
    for key in kept:
        world.ce.set(key, 30)


# --- behaviour -----------------------------------------------------------------------------------

def talk(sock, listener, data=b"hello"):
    """A datagram from a LAN host's connected socket, and the source that the server sees; None if it does not arrive."""
    sock.send(data)
    return source_of(listener, data)


def pair(world, address=SERVER, port=9000, local=LAN):
    """(LAN socket, server socket, our end as the server sees it)"""
    listener = world.server.udp(address, port)
    sock = world.lan.udp(local, 0, (address, port))
    return sock, listener, talk(sock, listener)


def close(*made):
    for sock in made:
        sock.close()


def filtering(world):
    for words, stranger_comes in (("nat.filter address", False), ("nat.filter endpoint", True)):
        world.load(4, 8, 0x34, words)
        sock, listener, source = pair(world)
        free = world.lan.udp(LAN, 0)
        local = sock.getsockname()[1]
        sock.close()
        free.close()
        inside = world.lan.udp(LAN, local)
        listener.sendto(b"same", source)
        check(f"{words}: the server's answer comes", comes(inside, b"same"))
        second = world.server.udp(SERVER, 9001)
        second.sendto(b"other port", source)
        check(f"{words}: another port of the same server may answer", comes(inside, b"other port"))
        stranger = world.server.udp(SERVERS[1], 9000)
        before = counters(world.ce)["nat_filtered"]
        stranger.sendto(b"stranger", source)
        if stranger_comes:
            check(f"{words}: a stranger's packet comes", comes(inside, b"stranger"))
            check(f"{words}: and is not counted", counters(world.ce)["nat_filtered"] == before)
        else:
            check(f"{words}: a stranger's packet is counted", risen(world.ce, "nat_filtered", before) == 1)
            check(f"{words}: and does not come", not readable(inside, 0))
        close(inside, listener, second, stranger)
        world.outside(words)


def hairpin(world):
    world.load(4, 8, 0x34)
    listener = world.server.udp(SERVER, 9000)
    a, b = world.lan.udp(LAN), world.lan.udp(LAN2)
    a.sendto(b"who a", (SERVER, 9000))
    first = source_of(listener, b"who a")
    b.sendto(b"who b", (SERVER, 9000))
    ends = [source for source in (first, source_of(listener, b"who b")) if source]
    check("hairpin: both LAN hosts have a port of the set", len(ends) == 2 and all(e[0] == OWN and e[1] in world.set for e in ends), ends)
    before = counters(world.ce)["nat_hairpin"]
    a.sendto(b"neighbour", ends[1])
    got = b.recvfrom(64) if readable(b) else None
    check("hairpin: LAN to LAN by our address, from the sender's own port of the set", got == (b"neighbour", ends[0]), got)
    b.sendto(b"back", ends[0])
    got = a.recvfrom(64) if readable(a) else None
    check("hairpin: and back", got == (b"back", ends[1]), got)
    check("hairpin: counted", risen(world.ce, "nat_hairpin", before) == 1)
    close(a, b, listener)
    world.outside("hairpin")


def other_subscriber(world):
    world.load(4, 8, 0x34)
    other = next(p for p in range(5000, 65536) if p not in world.set)
    local = world.ce.udp(OWN, other)
    sock = world.lan.udp(LAN, 0, (OWN, other))
    mark = token()
    sock.send(mark)
    packet = world.seen.wait_for(mark)
    got = ports(packet) if packet else None
    check("another port of our address: out by the device, from our set", got is not None and got[2] in world.set and got[4] == other, got)
    check("another port of our address: not delivered to the router", not readable(local, 0))
    if got is not None:
        answer = ip(OWN, OWN, 17, udp(OWN, OWN, other, got[2], b"answer"))
        world.core.raw().sendto(answer, (OWN, 0))
        check("another subscriber's answer arrives", comes(sock, b"answer"))
    close(local, sock)
    world.outside("other subscriber")


def reserved(world):
    ports_of = sorted(members(4, 8, 0x34))
    kept = ports_of[:3]
    world.load(4, 8, 0x34, f"nat.reserved {kept[0]}-{kept[2]}")
    raw = world.lan.raw()
    world.seen.clear()
    send(world, raw, [probe(17, LAN, 20000 + i, SILENT[0], i) for i in range(len(ports_of))])
    found = arrived(world)
    check(f"reserved: {len(found)} of {len(ports_of) - 3} flows, none from a reserved port",
          len(found) == len(ports_of) - 3 and not set(found.values()) & set(kept))
    listener = world.server.udp(SERVER, 9000)
    service = world.ce.udp(OWN, kept[1])
    source = service.sendto(b"from", (SERVER, 9000)) and source_of(listener, b"from")
    check("reserved: a service of the router's leaves as it is", source == (OWN, kept[1]), source)
    stranger = world.server.udp(SERVERS[2], 1)
    stranger.sendto(b"to", (OWN, kept[1]))
    check("reserved: and is reached by strangers", comes(service, b"to"))
    close(raw, listener, service, stranger)
    world.outside("reserved")


def guard(world):
    world.load(4, 8, 0x34)
    outside = next(p for p in range(5000, 65536) if p not in world.set)
    lan, ce, core = world.lan.raw(), world.ce.raw(), world.core.raw()
    world.ce.run("nft -f -", "table ip untracking { chain c { type filter hook output priority raw; udp dport 7777 notrack; }; "
                 "chain d { type filter hook prerouting priority raw; udp dport 7777 notrack; }; }")

    def counted(title, name, sock, packet, destination=SERVER):
        before = counters(world.ce)[name]
        try:
            sock.sendto(packet, (destination, 0))
        except PermissionError:
            pass  # how the router itself hears of a drop on the way out
        check(f"dropped as {name}: {title}", risen(world.ce, name, before) == 1)

    quoted = ip(SERVER, OWN, 17, udp(SERVER, OWN, 9, outside))
    for arguments in (
        ("a LAN host's TCP without flags", "drop_invalid", lan, ip(LAN, SERVER, 6, tcp(LAN, SERVER, 4000, 80, 0))),
        ("the same from our address and another's port", "drop_invalid", ce, ip(OWN, SERVER, 6, tcp(OWN, SERVER, outside, 80, 0))),
        ("an untracked datagram of a LAN host", "drop_untracked", lan, ip(LAN, SERVER, 17, udp(LAN, SERVER, 4000, 7777))),
        ("GRE of a LAN host", "drop_protocol_without_ports", lan, ip(LAN, SERVER, 47, bytes(8))),
        ("L2TP of ours", "drop_protocol_without_ports", ce, ip(OWN, SERVER, 115, bytes(16))),
        ("an ICMP timestamp request", "drop_icmp_type", lan, ip(LAN, SERVER, 1, icmp(13, 0, 7 << 16 | 1, bytes(12)))),
        ("an error about another's packet", "drop_invalid", ce, ip(OWN, SERVER, 1, icmp(3, 3, 0, quoted))),
    ):
        counted(*arguments)
    world.ce.run("nft delete table ip untracking")
    for arguments in (
        ("UDP to another's port", "drop_port_outside_set_in", core, ip(SERVER, OWN, 17, udp(SERVER, OWN, 9, outside)), OWN),
        ("TCP to another's port", "drop_port_outside_set_in", core, ip(SERVER, OWN, 6, tcp(SERVER, OWN, 9, outside, SYN)), OWN),
        ("an echo request with another's id", "drop_port_outside_set_in", core, ip(SERVER, OWN, 1, echo(8, outside)), OWN),
        ("GRE coming in", "drop_protocol_without_ports", core, ip(SERVER, OWN, 47, bytes(8)), OWN),
        ("an error about another's packet coming in", "drop_icmp_error_about_others", core,
         ip(SERVER, OWN, 1, icmp(3, 3, 0, ip(OWN, SERVER, 17, udp(OWN, SERVER, outside, 9)))), OWN),
    ):
        counted(*arguments)
    identifier, mark = min(world.set), token()
    core.sendto(ip(SERVER, OWN, 1, echo(8, identifier, mark)), (OWN, 0))
    check("an echo request with an id of the set is answered", world.seen.wait_for(mark, lambda p: p[20] == 0) is not None)
    sock, listener, source = pair(world)
    sock.close()
    mark = token()
    listener.sendto(mark, source)
    packet = world.seen.wait_for(mark, lambda p: p[9] == 1 and p[20] == 3)
    check("a LAN host's error leaves, about our port", packet is not None and struct.unpack("!H", packet[50:52])[0] == source[1])
    close(lan, ce, core, listener)
    world.outside("guard")


def ftp_session(world, wanted):
    """One file by passive FTP. (what came, source of the data connection, or None)"""
    server, data = (world.server.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(2))
    for made, port in ((server, 21), (data, 40021)):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((SERVER, port))
        made.listen(1)
        made.settimeout(PATIENCE)
    client = world.lan.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(PATIENCE)
    second = world.lan.socket(socket.AF_INET, socket.SOCK_STREAM)
    second.settimeout(PATIENCE)
    made = [server, data, client, second]
    try:
        client.connect((SERVER, 21))
        peer, _ = server.accept()
        made.append(peer)
        peer.settimeout(PATIENCE)
        peer.sendall(b"220 ready\r\n")
        client.recv(100)
        client.sendall(b"PASV\r\n")
        peer.recv(100)
        peer.sendall(b"227 Entering Passive Mode (203,0,113,1,156,85)\r\n")
        client.recv(100)
        expected = len(world.ce.run("conntrack -L expect").splitlines())
        second.bind((LAN, 0))
        second.connect((SERVER, 40021))
        transfer, source = data.accept()
        made.append(transfer)
        transfer.sendall(wanted)
        return second.recv(100), source, expected
    except OSError as error:
        return repr(error), None, None
    finally:
        close(*made)


def ftp(world):
    for path in ("net/netfilter/nf_conntrack_ftp.ko", "net/netfilter/nf_nat_ftp.ko"):
        sh(f"insmod {TREE}/{path}")
    helper = ('table ip helpers { ct helper ftp { type "ftp" protocol tcp; }; chain c { type filter hook prerouting priority 0; '
              'tcp dport 21 ct helper set "ftp"; }; }')
    # That the helper does something where it is let: without NAT there is an expectation.
    control(world.ce, "del map0")
    world.set = set(range(1, 65536))
    world.ce.run("nft -f -", helper + "\ntable ip fw { chain post { type nat hook postrouting priority srcnat; oifname tnl masquerade; }; }")
    world.forget()
    got, _, expected = ftp_session(world, b"file")
    check("FTP: with masquerading alone, the helper expects the data connection", got == b"file" and expected == 1, (got, expected))
    world.seen.outside.clear()
    world.load(4, 8, 0x34)
    got, source, expected = ftp_session(world, b"file")
    check("FTP: with our NAT it expects nothing, the file comes", got == b"file" and expected == 0, (got, expected))
    check("FTP: the data connection is from the set", source is not None and source[0] == OWN and source[1] in world.set, source)
    world.outside("FTP with nf_nat_ftp")
    world.ce.run("nft flush ruleset")
    world.forget()
    # They stay: KASAN in User Mode Linux keeps the red zones of a module that is gone, and blames who has its memory next.


def firewalls(world):
    fw4 = ("table inet fw4 { chain forward { type filter hook forward priority filter; policy drop; ct state established,related accept; "
           "iifname br-lan oifname tnl accept; }; chain srcnat { type nat hook postrouting priority srcnat; oifname tnl meta nfproto ipv4 masquerade; }; "
           "chain dstnat { type nat hook prerouting priority dstnat; }; }")
    for title, on, off in (
        ("fw4", ("nft -f -", fw4), ("nft flush ruleset", None)),
        ("iptables", ("iptables-legacy -t nat -A POSTROUTING -o tnl -j MASQUERADE", None), ("iptables-legacy -t nat -F", None)),
    ):
        for before in (True, False):
            if before:
                world.ce.run(*on)
            world.load(4, 8, 0x34)
            if not before:
                world.ce.run(*on)
            sock, listener, source = pair(world)
            when = "there before" if before else "loaded later"
            check(f"{title} masquerading, {when}: our port", source is not None and source[0] == OWN and source[1] in world.set, source)
            if source:
                listener.sendto(b"back", source)
                check(f"{title} masquerading, {when}: and back", comes(sock, b"back"))
            close(sock, listener)
            world.ce.run(*off)
            world.outside(f"{title}, {when}")


def offload(world):
    world.load(4, 8, 0x34)
    world.ce.run("nft -f -", "table inet fw { flowtable ft { hook ingress priority 0; devices = { br-lan, tnl }; }; chain forward { "
                 "type filter hook forward priority filter; meta l4proto { tcp, udp } flow add @ft; }; }")
    listener = world.server.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((SERVER, 8001))
    listener.listen(1)
    listener.settimeout(PATIENCE)
    client = world.lan.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(PATIENCE)
    client.connect((SERVER, 8001))
    peer, source = listener.accept()
    peer.settimeout(PATIENCE)
    blob = os.urandom(200000)
    for sender, receiver, way in ((client, peer, "up"), (peer, client, "down")):
        thread = threading.Thread(target=sender.sendall, args=(blob,))
        thread.start()
        got = b""
        while len(got) < len(blob) and (more := receiver.recv(65536)):
            got += more
        thread.join()
        check(f"flow offload: {len(blob)} octets {way}", got == blob, len(got))
    check("flow offload: from the set", source[1] in world.set, source)
    check("flow offload: the flow is offloaded", "OFFLOAD" in world.ce.run("conntrack -L"))
    close(client, peer, listener)
    world.outside("flow offload")
    world.ce.run("nft flush ruleset")


def listed(world, port):
    return f"dport={port} " in world.ce.run("conntrack -L -p udp")


def devices(world):
    """The out-device comes, goes and changes its name; flows go with it, and with the set."""
    world.load(4, 8, 0x34)
    sock, listener, source = pair(world)
    check("ports: counted by range", re.search(r"map0 192.0.2.18 \d+-\d+ tcp 0 udp 1 icmp 0", read(world.ce, "mapmint/ports")) is not None)
    world.ce.run("ip link set tnl down")
    check("device down: flows are flushed", not listed(world, 9000))
    world.ce.run("ip link set tnl up")
    world.ce.run("ip route replace default dev tnl")
    again = talk(sock, listener, b"again")
    check("device up again: the endpoint has its port again", again == source, (again, source))
    for title, commands in (("renamed", ("ip link set tnl down", "ip link set tnl name tnx")), ("removed", ("ip link del tnx",))):
        for command in commands:
            world.ce.run(command)
        check(f"out-device {title}: flows are flushed", not listed(world, 9000))
    world.tunnel()
    found = talk(sock, listener, b"made anew")
    check("out-device made anew: NAT again", found is not None and found[0] == OWN and found[1] in world.set, found)
    world.ce.run("ip link set tnl down")
    world.ce.run("ip link set tnl name tnx")
    world.ce.run("ip link set tnx up")
    world.ce.run("ip link set tnx down")
    world.ce.run("ip link set tnx name tnl")
    world.ce.run("ip link set tnl up")
    world.ce.run("ip route replace default dev tnl")
    found = talk(sock, listener, b"named back")
    check("out-device named back: NAT again", found is not None and found[0] == OWN and found[1] in world.set, found)
    world.outside("out-device")
    text = read(world.ce, "nat46/control")
    check("what is read can be written", control(world.ce, "del map0") == 0 and control(world.ce, *text.strip().split("\n")) == 0
          and read(world.ce, "nat46/control") == text, (text, last_message()))
    talk(sock, listener, b"old set")
    check("a flow of the old set is there", listed(world, 9000))
    check("another set: taken", control(world.ce, "config map0 ce.psid 53") == 0, last_message())
    check("another set: the old flows are flushed", not listed(world, 9000))
    world.set = set(members(4, 8, 53))
    found = talk(sock, listener, b"new set")
    check("another set: the next packet is from the new one", found is not None and found[1] in world.set, found)
    check("a change that is not of the NAT leaves flows alone", control(world.ce, "config map0 debug 1") == 0 and listed(world, 9000))
    world.outside("change of the set")
    close(sock, listener)


REFUSED = (
    ("nat.mode on", errno.EINVAL, '"on" is not a valid value'),
    ("nat.filter any", errno.EINVAL, '"any" is not a valid value'),
    ("nat.device a/b", errno.EINVAL, '"a/b" is not a valid value'),
    ("nat.reserved 80,", errno.EINVAL, '"80," is not a valid value'),
    ("nat.reserved 443,80", errno.EINVAL, '"443,80" is not a valid value'),
    ("nat.reserved 0", errno.EINVAL, '"0" is not a valid value'),
    ("nat.reserved 1-65535", errno.EINVAL, '"nat.reserved" does not fit'),
    ("nat.mode off", errno.EINVAL, '"ce.v6" does not fit'),
    ("nat.device -", errno.EINVAL, '"ce.v6" does not fit'),
)


def keys(world):
    world.load(4, 8, 0x34, "nat.filter endpoint nat.reserved 4928,4930-4931")
    before = read(world.ce, "nat46/control")
    check("keys are shown as written", "nat.mode ports nat.device tnl nat.filter endpoint nat.reserved 4928,4930-4931" in before, before)
    most = ",".join(f"{port}-{port + 1}" for port in range(60000, 60000 + 512 * 3, 3))
    check("512 ranges of reserved ports are kept, and shown whole", control(world.ce, f"config map0 nat.reserved {most}") == 0
          and f" nat.reserved {most}\n" in read(world.ce, "nat46/control"), last_message())
    check("one more is refused", control(world.ce, f"config map0 nat.reserved {most},65000") == errno.EINVAL, last_message())
    check("512 ranges go as they came", control(world.ce, "config map0 nat.reserved 4928,4930-4931") == 0
          and read(world.ce, "nat46/control") == before, read(world.ce, "nat46/control"))
    for words, code, message in REFUSED:
        found = control(world.ce, f"config map0 {words}")
        check(f"refused: {words}: {message}", found == code and message in last_message(), (found, last_message()))
        check(f"refused: {words}: nothing changed", read(world.ce, "nat46/control") == before)
    check("refused: NAT without an address", control(world.ce, "add map1", "config map1 nat.mode ports") == errno.EINVAL
          and '"ce.v4" does not fit' in last_message(), last_message())
    check("no device is left of it", read(world.ce, "nat46/control") == before)


def whole_address(world):
    world.load(0, 0, 0, "nat.reserved 8080")
    sock, listener, source = pair(world)
    local = sock.getsockname()[1]
    check("k = 0: the host's own port", source == (OWN, local), source)
    low = world.lan.udp(LAN, 500, (SERVER, 9000))
    found = talk(low, listener, b"low")
    check("k = 0: a port below 1024 is not taken for a LAN host", found is not None and found[1] >= 1024, found)
    kept = world.lan.udp(LAN, 8080, (SERVER, 9000))
    found = talk(kept, listener, b"kept")
    check("k = 0: a reserved port neither", found is not None and found[1] != 8080, found)
    close(sock, low, kept, listener)
    world.outside("k = 0")


def life(world):
    """Other namespaces, and the end of the module while packets flow."""
    other = Namespace("other")
    check("a namespace without NAT is spared connection tracking", control(other, "add map0") == 0
          and "nf_conntrack" not in other.run("nft list hooks"))
    check("a second namespace has its own", control(other, f"config map0 ce.v4 {OWN} ce.psid-offset 4 ce.psid-len 8 ce.psid 1 nat.mode ports "
                                                    "nat.device lo") == 0, last_message())
    check("and is alone in it", "map0" in read(other, "mapmint/ports") and "tcp 0" in read(other, "mapmint/ports"))
    world.load(4, 8, 0x34)
    stop = threading.Event()

    def flood(port):
        raw = world.lan.raw()
        rng = random.Random(port)
        while not stop.is_set():
            packets = [probe(17, LAN, rng.randrange(1024, 65536), SILENT[i % 5], i) for i in range(50)]
            for packet in packets:
                raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
            time.sleep(0.001)
        raw.close()

    threads = [threading.Thread(target=flood, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for i in range(30):
        control(world.ce, f"config map0 ce.psid {0x34 + i % 3}")
    world.set = set(range(1, 65536))
    os.close(other.fd)
    sh("ip netns del other")
    good = True
    for _ in range(3):
        time.sleep(0.1)
        # LAN addresses leave while there is no NAT: not what is looked at here.
        sh("rmmod mapmint")
        sh(f"insmod {MODULE}")
        good = good and read(world.ce, "nat46/control") == ""
        world.load(4, 8, 0x34)
    stop.set()
    for thread in threads:
        thread.join()
    check("30 changes of the set, 3 unloads of the module, all under traffic", good)
    world.settle()
    world.seen.outside.clear()
    world.load(4, 8, 0x34)
    sock, listener, source = pair(world)
    check("and it works again", source is not None and source[0] == OWN and source[1] in world.set, source)
    close(sock, listener)
    world.outside("afterwards")
    sh("rmmod mapmint")
    check("the module is gone", "mapmint" not in open("/proc/modules", encoding="ascii").read())


CASES = (keys, filtering, hairpin, other_subscriber, reserved, guard, ftp, firewalls, offload, devices, whole_address, sets, life)


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    sh("ip link set lo up")
    sh(f"insmod {MODULE}")
    world = World()
    # The boot's own messages are not looked at; after each case, before the ring of messages is full.
    sh("dmesg -c")
    log = []

    def timed(case):
        def run(world):
            start = time.monotonic()
            try:
                case(world)
            finally:
                print(f"-- {case.__name__}: {time.monotonic() - start:.1f} s", flush=True)
                log.append(sh("dmesg -c"))
        run.__name__ = case.__name__
        return run

    run_each([timed(case) for case in CASES], world)
    if has_kmemleak():
        lost = leaks()
        check("kmemleak has nothing of ours", not lost, lost[:2])
    bad = complaints("".join(log))
    check("the kernel's log is clean", not bad, bad[:5])
    tally.end()


main()
