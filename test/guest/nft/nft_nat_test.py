"""NAT into the port set, in a real kernel.

    lan 192.168.1.2 -- 192.168.1.1 ce (198.51.100.7 on map0) ----- core 203.0.113.254 -- 203.0.113.1..5 server
                                                              ^                       MTU 1280
                                                           capture

Prints a line for each check and `N passed, N failed` at the end; ends with 1 when one failed.
"""

import json
import resource
import select
import socket
import struct
import sys
import time

from checks import check, chosen, tally
from captures import PATIENCE, JudgedCapture, token, until
from namespaces import IP_MTU, IP_MTU_DISCOVER, IP_RECVERR, PMTUDISC_DO, Namespace
from packets4 import checksum, echo, icmp, ip, ports, tcp, udp
from sockets import comes, error_about, icmp_with, readable, source_of

LAN, CE_LAN = "192.168.1.2", "192.168.1.1"
SERVERS = [f"203.0.113.{i}" for i in range(1, 6)]
SERVER, CORE = SERVERS[0], "203.0.113.254"
PARAMETER_PROBLEM, TIME_EXCEEDED, UNREACHABLE = 12, 11, 3


class World:
    def __init__(self):
        self.lan, self.ce, self.core, self.server = (Namespace(name) for name in ("lan", "ce", "core", "server"))
        lan, ce, core, server = self.lan, self.ce, self.core, self.server
        for a, da, b, db in ((lan, "eth0", ce, "br0"), (ce, "map0", core, "ce0"), (core, "sv0", server, "eth0")):
            a.run(f"ip link add {da} type veth peer name {db} netns {b.name}")
            a.run(f"ip link set {da} up")
            b.run(f"ip link set {db} up")
        lan.run(f"ip addr add {LAN}/24 dev eth0")
        lan.run(f"ip route add default via {CE_LAN}")
        ce.run(f"ip addr add {CE_LAN}/24 dev br0")
        ce.run("ip route add default dev map0")
        # No neighbour to ask on a MAP device.
        ce.run("ip link set map0 arp off")
        core.run("ip link set ce0 arp off")
        mac = lambda ns, dev: json.loads(ns.run(f"ip -j link show {dev}"))[0]["address"]
        core.run(f"ip link set ce0 address {mac(ce, 'map0')}")
        core.run(f"ip addr add {CORE}/24 dev sv0")
        core.run("ip link set sv0 mtu 1280")
        for address in SERVERS:
            server.run(f"ip addr add {address}/24 dev eth0")
        server.run("ip link set eth0 mtu 1280")
        server.run(f"ip route add default via {CORE}")
        # Something else that asks for connection tracking, as a firewall would.
        ce.run("nft -f -", "table ip other { chain c { type filter hook forward priority 0; ct state new accept; }; }")
        for namespace in (ce, core):
            namespace.set("net.ipv4.ip_forward", 1)
        # The kernel says so many errors a second; the tests ask for more.
        for namespace in (lan, ce, core, server):
            namespace.set("net.ipv4.icmp_ratemask", 0)
            namespace.set("net.ipv4.icmp_msgs_per_sec", 100000)
            namespace.set("net.ipv4.icmp_msgs_burst", 100000)

    def load(self, case):
        ce, core = self.ce, self.core
        self.case = case
        address = case["address"]
        ce.run("ip addr flush dev map0")
        ce.run(f"ip addr add {address}/32 dev map0")
        ce.run("ip route replace default dev map0")
        core.run("ip route flush dev ce0")
        core.run(f"ip route add {address}/{case['prefixLength']} dev ce0")
        ce.run("nft -f -", case["script"])
        self.set_ports = {p for low, high in case["ranges"] for p in range(low, high + 1)}
        self.block = range(case["blockStart"], case["blockStart"] + case["blockLength"])
        self.capture = JudgedCapture(core, "ce0", self.judge)

    def unload(self):
        capture = self.capture
        self.settle()
        capture.drain()
        check("no packet left outside the set", not capture.outside, capture.outside[:3])
        check("the capture has no holes", capture.dropped() == 0)
        self.ce.run("nft -f -", self.case["cleanup"])
        check("the table is gone", self.case["table"] not in self.ce.run("nft list tables"))
        self.forget()
        capture.stop()

    def settle(self):
        """Until what the LAN has sent has arrived, if it is ever to: packets stay in their order, and the server has answered a ping."""
        mark = token()
        pinger = self.lan.icmp()
        until(lambda: pinger.sendto(echo(8, 1, mark), (SERVERS[4], 0)) and icmp_with(pinger, mark, 0, 2))
        pinger.close()

    def forget(self):
        """Flows of one test must not stand in the way of another."""
        self.ce.run("conntrack -F")
        self.capture.clear()

    def counters(self):
        listing = json.loads(self.ce.run(f"nft -j list counters table ip {self.case['table']}"))
        return {o["counter"]["name"]: o["counter"]["packets"] for o in listing["nftables"] if "counter" in o}

    def inside(self, port):
        return not self.case["restricted"] or port in self.set_ports

    def judge(self, packet):
        """Why a packet should not have left, or None."""
        case = self.case
        protocol, source, port, _, _, size = ports(packet)
        own = struct.unpack("!I", socket.inet_aton(case["address"]))[0] >> (32 - case["prefixLength"])
        if struct.unpack("!I", packet[12:16])[0] >> (32 - case["prefixLength"]) != own:
            return f"source {source}"
        if not case["restricted"]:
            return None
        fragment = struct.unpack("!H", packet[6:8])[0]
        if fragment & 0x1FFF:
            return None if (packet[4:6], packet[16:20]) in self.capture.fragments else "a fragment of nothing"
        if fragment & 0x2000:
            self.capture.fragments[packet[4:6], packet[16:20]] = True
        if protocol in (6, 17):
            return None if port in self.set_ports else f"port {port}"
        if protocol != 1:
            return f"protocol {protocol}"
        kind = packet[size]
        if not fragment & 0x2000 and checksum(packet[size:struct.unpack("!H", packet[2:4])[0]]) != 0:
            return "wrong ICMP checksum"
        if kind in (0, 8):
            identifier = struct.unpack("!H", packet[size + 4:size + 6])[0]
            return None if identifier in self.set_ports else f"echo id {identifier}"
        if kind not in (3, 11, 12):
            return f"ICMP type {kind}"
        inner = packet[size + 8:]
        if socket.inet_ntoa(inner[16:20]) != case["address"]:
            return "an error about another address"
        quoted = struct.unpack("!H", inner[24:26] if inner[9] == 1 else inner[22:24])[0]
        return None if quoted in self.set_ports else f"an error about port {quoted}"


def server_udp(world, address=SERVER, port=9000):
    made = world.server.udp(address, port)
    made.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
    return made


def capacity(world, count, tries):
    """How many of `count` UDP flows from `count` sockets to one server and port get through within `tries` tries."""
    listener = server_udp(world)
    clients = [world.lan.udp(to=(SERVER, 9000)) for _ in range(count)]
    placed = {}
    for _ in range(tries):
        missing = [i for i in range(count) if i not in placed]
        for start in range(0, len(missing), 200):
            part = missing[start:start + 200]
            for i in part:
                clients[i].send(struct.pack("!I", i))
            world.settle()
            while readable(listener, 0):
                data, source = listener.recvfrom(2048)
                placed[struct.unpack("!I", data)[0]] = source
        if len(placed) == count:
            break
    # The way back, too.
    for i, source in list(placed.items())[::max(1, len(placed) // 50)]:
        listener.sendto(struct.pack("!I", i), source)
        if not comes(clients[i], struct.pack("!I", i)):
            placed.pop(i)
    for sock in (listener, *clients):
        sock.close()
    world.forget()
    return placed


def test_capacity(world):
    size = world.case["blockLength"]
    # For one packet the kernel looks at runs of 128, 64, 32 and 16 ports from random places: where one port of 256 is left, it
    # misses it three times in ten. Hosts send again.
    tries = 16
    placed = capacity(world, size, tries)
    share = len(placed) / size
    least = 1.0 if size <= 256 else 0.98
    check(f"{size} UDP flows to one server and port within {tries} tries", share >= least, f"{len(placed)}")
    check("each from a port of its own", len(set(placed.values())) == len(placed))
    check("from our address", {source[0] for source in placed.values()} == {world.case["address"]})
    overload = capacity(world, size + 20, 4)
    check("more flows than ports: the rest fail, none shares a port",
          len(set(overload.values())) == len(overload) <= size, len(overload))


def test_tcp(world, count=300):
    """`count` connections at once; as many as there are ports succeed."""
    size = min(world.case["blockLength"], count)
    listener = world.server.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((SERVER, 8000))
    listener.listen(4096)
    listener.setblocking(False)
    poll = select.poll()
    clients = {}
    for _ in range(count):
        client = world.lan.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.setblocking(False)
        client.connect_ex((SERVER, 8000))
        clients[client.fileno()] = client
        poll.register(client, select.POLLOUT)
    connected, accepted = set(), []
    end = time.monotonic() + 30
    while time.monotonic() < end and len(connected) < size:
        for fd, _ in poll.poll(200):
            poll.unregister(fd)
            if clients[fd].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                connected.add(fd)
    time.sleep(1.5)  # one more retransmission for those that must not get through
    late = [fd for fd, _ in poll.poll(0)]
    while len(accepted) < len(connected) and readable(listener):
        accepted.append(listener.accept())
    check(f"{count} TCP connections to one server and port: {size} succeed",
          len(connected) == size and not late, f"{len(connected)} and {len(late)} late")
    check("each from a port of its own", len({peer for _, peer in accepted}) == len(accepted) >= size, len(accepted))
    for sock in (*clients.values(), *(s for s, _ in accepted), listener):
        sock.close()
    world.forget()


def test_ping(world):
    sock = world.lan.icmp()
    for identifier in (1, 77, 5696, 65535, *world.block[:2]):
        mark = token()
        sock.sendto(echo(8, identifier, mark), (SERVER, 0))
        reply = icmp_with(sock, mark, 0)
        check(f"ping with id {identifier} gets its own id back", reply is not None and struct.unpack("!H", reply[4:6])[0] == identifier)
    size = world.case["blockLength"]
    expected = size if 0 < size <= 256 else 100
    # Ten more than there are ids, where that can be tried; elsewhere no more than the server answers at once.
    mark = token()
    for identifier in range(20000, 20000 + expected + (10 if expected == size else 0)):
        sock.sendto(echo(8, identifier, mark), (SERVERS[1], 0))
    found = set()
    while len(found) < expected and readable(sock):
        packet = sock.recv(2048)[20:]
        if packet[0] == 0 and mark in packet:
            found.add(struct.unpack("!H", packet[4:6])[0])
    check(f"{expected} pings at once to one server", len(found) == expected, len(found))
    sock.close()
    world.forget()


def said(error):
    """(ICMP type, code, who said so) of what a socket heard."""
    return error and (error[1], error[2], error[4])


def test_errors_inbound(world):
    """Errors of the network reach the LAN host as being about its own packet."""
    for protocol in ("udp", "tcp"):
        for ttl, who in ((1, CE_LAN), (2, CORE)):
            kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
            sock = world.lan.socket(socket.AF_INET, kind)
            sock.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
            sock.setsockopt(socket.SOL_IP, socket.IP_TTL, ttl)
            sock.setblocking(False)
            sock.connect_ex((SERVER, 33434))
            if protocol == "udp":
                sock.send(b"probe" * 8)
            got = said(error_about(sock))
            check(f"traceroute, {protocol}, hop {ttl}", got == (TIME_EXCEEDED, 0, who), got)
            sock.close()
    sock = world.lan.udp(to=(SERVER, 33434))
    sock.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
    sock.send(b"probe")
    got = said(error_about(sock, b"probe"))
    check("port unreachable", got == (UNREACHABLE, 3, SERVER), got)
    sock.close()
    sock = world.lan.icmp()
    sock.setsockopt(socket.SOL_IP, socket.IP_TTL, 2)
    mark = token()
    sock.sendto(echo(8, 4242, mark), (SERVER, 0))
    packet = icmp_with(sock, mark, TIME_EXCEEDED)
    quoted = packet and (socket.inet_ntoa(packet[20:24]), struct.unpack("!H", packet[32:34])[0], checksum(packet))
    check("traceroute, echo: quotes our address and id, checksum right", quoted == (LAN, 4242, 0), quoted)
    sock.close()
    world.lan.run("ip route flush cache")
    sock = world.lan.udp(to=(SERVER, 9001))
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, PMTUDISC_DO)
    sock.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
    sock.send(bytes(1400))
    error_about(sock)
    mtu = sock.getsockopt(socket.SOL_IP, IP_MTU)
    check("path MTU of 1280 is learnt", mtu == 1280, mtu)
    sock.close()
    # Parameter problem, which nobody here says by himself, with a pointer and with RFC 4884's length.
    listener = server_udp(world)
    sock = world.lan.udp(to=(SERVER, 9000))
    sock.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
    for kind, code, word in ((PARAMETER_PROBLEM, 0, 0x14000000), (TIME_EXCEEDED, 0, 0x00200000), (UNREACHABLE, 13, 0xDEAD),
                             (UNREACHABLE, 13, 0)):
        mark = token()
        sock.send(mark)
        source = source_of(listener, mark)
        quoted = ip(source[0], SERVER, 17, udp(source[0], SERVER, source[1], 9000, mark))
        world.core.raw().sendto(ip(CORE, source[0], 1, icmp(kind, code, word, quoted)), (source[0], 0))
        got = said(error_about(sock, mark))
        check(f"error type {kind} code {code} with {word:#x}", got == (kind, code, CORE), got)
    sock.close()
    listener.close()
    world.forget()


def test_errors_outbound(world):
    """Errors of ours quote the packet as the network knows it."""
    listener = server_udp(world)
    sock = world.lan.udp(to=(SERVER, 9000))
    local = sock.getsockname()[1]
    mark = token()
    sock.send(mark)
    source = source_of(listener, mark)
    sock.close()
    listener.connect(source)
    listener.send(b"anyone there?")
    refused = False
    if readable(listener):
        try:
            listener.recv(64)
        except ConnectionRefusedError:
            refused = True
    check("port unreachable of a LAN host reaches the server", refused)
    for kind in (UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM):
        mark = token()
        quoted = ip(SERVER, LAN, 17, udp(SERVER, LAN, 9000, local, mark))
        world.lan.raw().sendto(ip(LAN, SERVER, 1, icmp(kind, 1 if kind == 3 else 0, 0, quoted)), (SERVER, 0))
        packet = world.capture.wait_for(mark, lambda p: p[9] == 1 and p[20] == kind)
        check(f"error of type {kind} about UDP leaves quoting port {source[1]}",
              packet is not None and struct.unpack("!H", packet[50:52])[0] == source[1])
    listener.close()
    pinger = world.lan.icmp()
    mark = token()
    pinger.sendto(echo(8, 999, mark), (SERVER, 0))
    packet = world.capture.wait_for(mark)
    identifier = struct.unpack("!H", packet[24:26])[0] if packet else 0
    icmp_with(pinger, mark, 0)
    mark = token()
    quoted = ip(SERVER, LAN, 1, echo(0, 999, mark))
    world.lan.raw().sendto(ip(LAN, SERVER, 1, icmp(TIME_EXCEEDED, 1, 0, quoted)), (SERVER, 0))
    packet = world.capture.wait_for(mark, lambda p: p[20] == TIME_EXCEEDED)
    check("error about an echo reply leaves quoting its id in the set",
          packet is not None and struct.unpack("!H", packet[52:54])[0] == identifier)
    pinger.close()
    world.forget()


def test_endpoint_independence(world):
    """RFC 4787 REQ-1, easy order: every endpoint to all destinations before the next."""
    count = min(200, world.case["blockLength"] * 8 // 10)
    listeners = [server_udp(world, address) for address in SERVERS]
    clients = [world.lan.udp() for _ in range(count)]
    kept = 0
    for client in clients:
        seen = set()
        for address, listener in zip(SERVERS, listeners):
            mark = token()
            client.sendto(mark, (address, 9000))
            seen.add(source_of(listener, mark))
        kept += len(seen) == 1 and None not in seen
    check(f"{count} UDP endpoints keep one port over {len(SERVERS)} destinations", kept == count, kept)
    for sock in (*listeners, *clients):
        sock.close()
    world.forget()


def test_leaks(world):
    """What NAT does not touch. The capture judges; here: that it was counted, so was really sent."""
    address = world.case["address"]
    outside = next(p for p in range(2000, 65536) if p not in world.set_ports and p not in world.block)
    chance = next(p for p in world.block if not world.case["rewritten"] or p not in world.set_ports)
    lan, ce = world.lan.raw(), world.ce.raw()
    unreachable = icmp(3, 1, 0, ip(SERVER, LAN, 17, udp(SERVER, LAN, 1, 2)))

    def counted(title, counters, *packets):
        before = world.counters()
        for sock, packet in packets:
            try:
                sock.sendto(packet, (SERVER, 0))
            except PermissionError:
                pass  # how the router itself hears of a drop on the way out
        look = lambda: sum(after[c] - before[c] for c in counters) if (after := world.counters()) else 0
        until(lambda: look() >= len(packets))
        risen = look()
        check(f"dropped and counted: {title}", risen == len(packets), f"{risen} of {len(packets)}")

    null, syn_fin = 0, 3
    counted("INVALID TCP of a LAN host", ["out_invalid", "out_source"],
            *((lan, ip(LAN, SERVER, 6, tcp(LAN, SERVER, port, 80, flags)))
              for port in (outside, chance, 40000) for flags in (null, syn_fin)),
            (lan, ip(LAN, SERVER, 6, tcp(LAN, SERVER, 40001, 80, 2, wrong=0x5555))),
            (lan, ip(LAN, SERVER, 1, unreachable)))
    counted("INVALID TCP of ours from a port that the block has by chance", ["out_invalid"],
            *((ce, ip(address, SERVER, 6, tcp(address, SERVER, chance, 80, flags))) for flags in (null, syn_fin)))
    counted("protocols without ports", ["out_protocol", "out_source", "out_invalid"],
            (lan, ip(LAN, SERVER, 47, bytes(8))), (ce, ip(address, SERVER, 132, bytes(16))),
            (lan, ip(LAN, SERVER, 50, bytes(16))))
    counted("ICMP timestamp request", ["out_protocol", "out_port", "out_invalid"],
            (lan, ip(LAN, SERVER, 1, icmp(13, 0, 7 << 16 | 1, bytes(12)))))
    counted("error of ours about nothing we know", ["out_error", "out_invalid"],
            (ce, ip(address, SERVER, 1, icmp(3, 3, 0, ip(SERVER, address, 17, udp(SERVER, address, 9, outside))))))
    world.ce.run("nft -f -", "table ip untracking { chain c { type filter hook output priority raw; udp dport 7777 notrack; }; "
                 "chain d { type filter hook prerouting priority raw; udp dport 7777 notrack; }; }")
    counted("untracked, from a port of the block, and from the LAN", ["out_untracked", "out_source"],
            (ce, ip(address, SERVER, 17, udp(address, SERVER, chance, 7777))),
            (lan, ip(LAN, SERVER, 17, udp(LAN, SERVER, chance, 7777))))
    world.ce.run("nft delete table ip untracking")
    counted("a later fragment by itself", ["out_fragment", "out_invalid", "out_source"],
            (ce, ip(address, SERVER, 17, bytes(24), fragment=100)))
    # A flow that conntrack knows from before the NAT was loaded.
    world.ce.run("nft -f -", world.case["cleanup"])
    world.capture.drain()
    world.capture.judge = lambda packet: None
    early = world.lan.udp(to=(SERVER, 9000))
    mark = token()
    early.send(mark)
    world.capture.wait_for(mark)
    world.ce.run("nft -f -", world.case["script"])
    world.capture.drain()
    world.capture.judge = world.judge
    before = world.counters()
    early.send(b"early")
    until(lambda: world.counters()["out_source"] > before["out_source"])
    check("dropped and counted: a flow older than the NAT", world.counters()["out_source"] - before["out_source"] == 1)
    early.close()
    world.forget()


def test_inbound(world):
    address = world.case["address"]
    outside = [1, 80, 443] + [p for p in range(2000, 65536) if p not in world.set_ports][:3]
    outside += [p for p in world.block if p not in world.set_ports][:3]
    core = world.core.raw()
    before = world.counters()
    for port in outside:
        core.sendto(ip(SERVER, address, 17, udp(SERVER, address, 9000, port)), (address, 0))
        core.sendto(ip(SERVER, address, 6, tcp(SERVER, address, 9000, port, 2)), (address, 0))
        core.sendto(ip(SERVER, address, 1, echo(8, port)), (address, 0))
    core.sendto(ip(SERVER, address, 47, bytes(8)), (address, 0))
    quoted = ip(address, SERVER, 17, udp(address, SERVER, outside[-1], 9000))
    core.sendto(ip(CORE, address, 1, icmp(3, 3, 0, quoted)), (address, 0))
    expected = {"in_port": 3 * len(outside), "in_protocol": 1, "in_error": 1}
    risen = lambda: {name: world.counters()[name] - before[name] for name in expected}
    until(lambda: risen() == expected)
    check("what comes in for another subscriber is dropped and counted", risen() == expected, risen())
    identifier, mark = min(world.set_ports), token()
    core.sendto(ip(SERVER, address, 1, echo(8, identifier, mark)), (address, 0))
    packet = world.capture.wait_for(mark, lambda p: p[20] == 0)
    check("an echo request with an id of the set is answered with it",
          packet is not None and struct.unpack("!H", packet[24:26])[0] == identifier)
    world.forget()


def test_other_subscriber(world):
    """A LAN host speaks to another port of our own address: that is somebody else."""
    address = world.case["address"]
    other = next(p for p in range(2000, 65536) if p not in world.set_ports)
    local = world.ce.udp(address, other)
    sock = world.lan.udp(to=(address, other))
    mark = token()
    sock.send(mark)
    packet = world.capture.wait_for(mark)
    got = ports(packet) if packet else None
    check("it goes to the domain, from our port to the other",
          got is not None and got[1] == address and got[2] in world.set_ports and got[4] == other, got)
    check("and is not delivered to the router", not readable(local, 0))
    if got is not None:
        answer = ip(address, address, 17, udp(address, address, other, got[2], b"answer"))
        world.core.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0x0800).sendto(answer, ("ce0", 0x0800, 0, 0, peer_mac(world)))
        check("the answer arrives", comes(sock, b"answer"))
    for made in (local, sock):
        made.close()
    world.forget()


def peer_mac(world):
    text = json.loads(world.ce.run("ip -j link show map0"))[0]["address"]
    return bytes.fromhex(text.replace(":", ""))


def test_large(world):
    """Fragments both ways, MSS, and a stream over the small link."""
    listener = server_udp(world)
    listener.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, 0)
    sock = world.lan.udp(to=(SERVER, 9000))
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, 0)
    data = bytes(i * 7 % 251 for i in range(4000))
    sock.send(data)
    source = source_of(listener, data)
    check("a datagram of 4000 octets goes out", source is not None)
    if source is not None:
        listener.sendto(data, source)
        check("and comes in", comes(sock, data))
    sock.close()
    listener.close()
    world.capture.clear()
    # An address whose path MTU nobody has learnt yet, which would show in the MSS.
    world.lan.run("ip route flush cache")
    listener = world.server.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((SERVERS[3], 8001))
    listener.listen(1)
    client = world.lan.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(PATIENCE)
    client.connect((SERVERS[3], 8001))
    peer, source = listener.accept()
    peer.settimeout(PATIENCE)
    packet = world.capture.wait(lambda p: p[9] == 6 and p[33] & 2 and ports(p)[2] == source[1])
    mss = struct.unpack("!H", packet[42:44])[0] if packet and packet[40:42] == b"\x02\x04" else None
    check("MSS going out is MTU - 40", mss == 1440, mss)
    check("MSS coming in is no more", client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 1440)
    blob = data * 50
    for sender, receiver, way in ((client, peer, "up"), (peer, client, "down")):
        got = b""
        sent = 0
        while len(got) < len(blob):
            sent += sender.send(blob[sent:sent + 8000]) if sent < len(blob) else 0
            if readable(receiver, 0.5 if sent < len(blob) else PATIENCE):
                got += receiver.recv(65536)
            elif sent == len(blob):
                break
        check(f"a stream of {len(blob)} octets {way} over a path MTU of 1280", got == blob, len(got))
    for made in (client, peer, listener):
        made.close()
    world.forget()


def test_router(world):
    listener = server_udp(world)
    sock = world.ce.udp(to=(SERVER, 9000))
    sock.send(b"router")
    source = source_of(listener, b"router")
    check("the router's own flows leave from the set", source is not None and world.inside(source[1]), source)
    if source is not None:
        listener.sendto(b"back", source)
        check("and get their answers", comes(sock, b"back"))
    sock.close()
    listener.close()
    world.forget()


def test_reserved(world):
    reserved = world.case["reserved"]
    placed = capacity(world, world.case["blockLength"], 4)
    check("no flow is given a reserved port", not {source[1] for source in placed.values()} & set(reserved))
    reserved_services(world)


def test_reserved_of_whole_address(world):
    listener = server_udp(world)
    for port in world.case["reserved"]:
        sock = world.lan.udp(LAN, port, (SERVER, 9000))
        mark = token()
        sock.send(mark)
        source = source_of(listener, mark)
        check(f"a flow of the LAN from {port} is given another port",
              source is not None and source[0] == world.case["address"] and source[1] not in world.case["reserved"], source)
        sock.close()
    sock = world.lan.udp(LAN, 40000, (SERVER, 9000))
    mark = token()
    sock.send(mark)
    source = source_of(listener, mark)
    check("one from another port keeps it", source == (world.case["address"], 40000), source)
    for made in (sock, listener):
        made.close()
    world.forget()
    reserved_services(world)


def reserved_services(world):
    listener = server_udp(world)
    for port in world.case["reserved"]:
        service = world.ce.udp(world.case["address"], port)
        service.sendto(b"from", (SERVER, 9000))
        source = source_of(listener, b"from")
        check(f"a service on {port} leaves as it is", source == (world.case["address"], port), source)
        stranger = world.server.udp(SERVERS[2], 9005)
        stranger.sendto(b"to", (world.case["address"], port))
        check(f"and is reached on {port} by strangers", comes(service, b"to"))
        for made in (service, stranger):
            made.close()
    listener.close()
    world.forget()


def test_unrestricted(world):
    case = world.case
    listener = server_udp(world)
    if case["prefixLength"] < 32:
        inner = str(case["address"].rsplit(".", 1)[0]) + "." + str(int(case["address"].rsplit(".", 1)[1]) + 5)
        world.lan.run(f"ip addr add {inner}/32 dev eth0")
        world.ce.run(f"ip route replace {inner}/32 dev br0")
        # As a firewall would, behind ours.
        world.ce.run("nft -f -", "table ip fw { chain srcnat { type nat hook postrouting priority srcnat; oifname map0 masquerade; }; }")
        sock = world.lan.udp(inner, 4444, (SERVER, 9000))
        mark = token()
        sock.send(mark)
        source = source_of(listener, mark)
        check("an address of the prefix stays as it is", source == (inner, 4444), source)
        sock.close()
        world.ce.run("nft delete table ip fw")
    sock = world.lan.udp(to=(SERVER, 9000))
    mark = token()
    sock.send(mark)
    source = source_of(listener, mark)
    check("others leave from the address", source is not None and source[0] == case["address"], source)
    before = world.counters()["out_source"]
    world.lan.raw().sendto(ip(LAN, SERVER, 6, tcp(LAN, SERVER, 40000, 80, 0)), (SERVER, 0))
    until(lambda: world.counters()["out_source"] > before)
    check("INVALID packets of the LAN are dropped and counted", world.counters()["out_source"] == before + 1)
    for made in (sock, listener):
        made.close()
    world.forget()


RESTRICTED = (test_capacity, test_ping, test_errors_inbound, test_errors_outbound, test_endpoint_independence, test_leaks, test_inbound,
              test_other_subscriber, test_large, test_router)
WHOLE = (test_unrestricted, test_ping, test_errors_inbound, test_large, test_router)
TESTS = (*RESTRICTED, test_unrestricted, test_tcp, test_reserved, test_reserved_of_whole_address)


def tests_of(case):
    if not case["restricted"]:
        return (*WHOLE, *([test_reserved_of_whole_address] if case["reserved"] else []))
    return (*RESTRICTED, *([test_tcp] if case["name"] == "15x16" else []), *([test_reserved] if case["reserved"] else []))


def main(path):
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    world = World()
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)
    wanted = chosen(TESTS)
    for case in cases:
        print(f"-- {case['name']}", flush=True)
        world.load(case)
        for test in tests_of(case):
            if test in wanted:
                test(world)
        world.unload()
    tally.end()


if __name__ == "__main__":
    main(sys.argv[1])
