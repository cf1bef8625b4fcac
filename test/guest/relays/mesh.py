"""Two customer edges of ours that share one IPv4 address, and a plain IPv6 network between them: no border relay.

    lan1 192.168.1.2 -- ce1 PSID 0x34 -- isp -- ce2 PSID 0x35 -- lan2 192.168.2.2
                        192.0.2.18               192.0.2.18
"""

import socket
import struct

from checks import attempt, check
from module_files import control, counters, last_message, risen
from captures import PATIENCE, Capture6, token
from namespaces import IP_MTU_DISCOVER
from packets6 import destination6, ip6, next_header, raw6, source6, udp6, valid6, whole6
from topology import DEFAULT, LOCAL, MAP, OWN, RULE, address, echo_server, exchange, join, namespaces
from topology import ping, route, tcp_echo

MAP2 = "2001:db8:12:3500:0:c000:212:35"
# The first port of the second one's set, which it forwards into its LAN.
THERE = 0x1350
# One that the rule excludes (A = 0), so that it is nobody's.
EXCLUDED = 0x0350
FMR = "remote." + RULE.format("remote")


def edge(psid, own6):
    return f"ce.v4 {OWN} ce.v6 {own6} ce.psid-offset 4 ce.psid-len 8 ce.psid {psid}"


def in_set(port, psid):
    return port >> 12 and port >> 4 & 0xFF == psid


class Mesh:
    def __init__(self):
        self.lan1, self.ce1, self.isp, self.ce2, self.lan2 = namespaces("lan1", "ce1", "isp", "ce2", "lan2")
        join((self.lan1, "eth0", self.ce1, "br-lan"), (self.ce1, "wan", self.isp, "to1"), (self.isp, "to2", self.ce2, "wan"),
             (self.ce2, "br-lan", self.lan2, "eth0"))
        address(
            (self.lan1, "eth0", "192.168.1.2/24"), (self.ce1, "br-lan", "192.168.1.1/24"), (self.ce1, "wan", "2001:db8:f000:1::2/64"),
            (self.isp, "to1", "2001:db8:f000:1::1/64"), (self.isp, "to2", "2001:db8:f000:2::1/64"), (self.ce2, "wan", "2001:db8:f000:2::2/64"),
            (self.ce2, "br-lan", "192.168.2.1/24"), (self.lan2, "eth0", "192.168.2.2/24"),
        )
        route(
            (self.lan1, "default via 192.168.1.1"), (self.lan2, "default via 192.168.2.1"), (self.ce1, "default via 2001:db8:f000:1::1"),
            (self.ce2, "default via 2001:db8:f000:2::1"), (self.isp, "2001:db8:12:3400::/56 via 2001:db8:f000:1::2"),
            (self.isp, "2001:db8:12:3500::/56 via 2001:db8:f000:2::2"), (self.isp, "unreachable 2001:db8:ffff::/48"),
        )
        for space, psid, own6, keep in ((self.ce1, 0x34, MAP, "-"), (self.ce2, 0x35, MAP2, str(THERE))):
            found = control(space, "add map0", f"config map0 {LOCAL} {DEFAULT} {edge(psid, own6)} nat.mode ports nat.reserved {keep}")
            if found:
                raise RuntimeError(f"control: {found}: {last_message()}")
            for command in ("link set map0 up", f"addr add {OWN}/32 dev map0", "route add default dev map0"):
                space.run(f"ip {command}")
        self.ce2.run("nft -f -", "table ip nat { chain pre { type nat hook prerouting priority -100;"
                                 f" iifname map0 meta l4proto {{ tcp, udp }} th dport {THERE} dnat to 192.168.2.2:7; }}; }}")
        echo_server(self.lan2, 7, own="192.168.2.2", discover=0)
        self.seen = Capture6(self.isp, "to1")
        self.back = Capture6(self.isp, "to2")
        self.has_rule = False

    def clear(self):
        self.ce1.run("conntrack -F")
        self.ce2.run("conntrack -F")
        self.seen.clear()
        self.back.clear()

    def insert_rule(self):
        """Both customer edges know of each other from here on."""
        if self.has_rule:
            return
        self.has_rule = True
        for space in (self.ce1, self.ce2):
            check("mesh: an FMR for the domain", control(space, f"insert map0 {FMR}") == 0, last_message())

    def to_there(self):
        return self.lan1.udp(to=(OWN, THERE))


def mesh_without_rule(mesh):
    """Without an FMR all goes to the DMR, also what is for our own address and another's port."""
    sock = mesh.to_there()
    mark = token()
    sock.send(mark)
    packet = mesh.seen.wait_for(mark)
    check("mesh: without an FMR it goes to the DMR", packet is not None and destination6(packet).startswith("2001:db8:ffff:") and source6(packet) == MAP,
          packet and packet.hex())
    sock.close()


def mesh_with_rule(mesh):
    mesh.insert_rule()
    sock, mark = mesh.to_there(), token()
    check("mesh: UDP from one LAN to a port of the other customer edge, and back", exchange(sock, mark) == mark)
    packet = mesh.seen.wait_for(mark)
    port = struct.unpack("!H", packet[40:42])[0] if packet is not None else 0
    check("mesh: straight from one MAP address to the other", packet is not None and (source6(packet), destination6(packet)) == (MAP, MAP2), packet)
    check("mesh: from a port of the sender's set", in_set(port, 0x34), hex(port))
    answer = mesh.back.wait_for(mark)
    check("mesh: the answer goes the same way", answer is not None and (source6(answer), destination6(answer)) == (MAP2, MAP), answer)
    sock.close()
    check("mesh: TCP, 300 kB there and back", tcp_echo(mesh.lan1, 300_000, to=(OWN, THERE)))
    # Without a relay nobody but the two could have carried it.
    others = [p for p in (*mesh.seen.seen, *mesh.back.seen) if "2001:db8:ffff:" in source6(p) + destination6(p)]
    check("mesh: nothing went to the DMR", not others, others[:2])


def mesh_large(mesh):
    mesh.insert_rule()
    sock = mesh.to_there()
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, 0)
    data = bytes(range(256)) * 15
    check("mesh: a datagram of 3,840 octets there and back", exchange(sock, data) == data)
    sock.close()
    for title, capture, source, psid in (("there", mesh.seen, MAP, 0x34), ("back", mesh.back, MAP2, 0x35)):
        parts = [p for p in capture.seen if next_header(p) == 44 and source6(p) == source]
        ids = {struct.unpack("!I", p[44:48])[0] & 0xFFFF for p in parts}
        whole = [d for d in whole6(parts) if len(d.payload) == len(data) + 8 and valid6(d)]
        check(f"mesh: its fragments {title} fit, and are valid", len(whole) == 1 and all(len(p) <= 1500 for p in parts), [len(p) for p in parts])
        check(f"mesh: their identification is of the sender's port set ({title})", len(ids) == 1 and all(in_set(number, psid) for number in ids), ids)


def mesh_pings(mesh):
    """An echo's id is a port of the set: the other end is chosen by it, so it comes back to the sender alone."""
    mesh.insert_rule()
    good, text = ping(mesh.lan1, "-c", "1", "-W", str(PATIENCE), OWN)
    # What is sent afterwards arrives afterwards: when this is there, an echo would be.
    mark = token()
    with mesh.to_there() as sock:
        sock.send(mark)
        after = mesh.seen.wait_for(mark)
    echoes = [p for p in mesh.seen.seen if next_header(p) == 58 and p[40] in (128, 129)]
    # The address is our own router's as well, which answers for it.
    check("mesh: a ping to the shared address is answered by the own router", good and after is not None and not echoes, text)


def mesh_refuses(mesh):
    mesh.insert_rule()
    before = counters(mesh.ce2)["drop_source_does_not_match_rule"]
    mark = token()
    raw6(mesh.ce1, ip6(MAP, MAP2, 17, udp6(MAP, MAP2, 0x1360, THERE, mark)))
    answer = mesh.back.wait_for(mark, lambda p: next_header(p) == 58 and destination6(p) == MAP)
    check("mesh: a source whose port is another's is answered 1/5", answer is not None and answer[40:42] == b"\1\5", answer and answer.hex())
    check("mesh: and counted", risen(mesh.ce2, "drop_source_does_not_match_rule", before) == 1)
    before = counters(mesh.ce2)["drop_port_outside_set_in"]
    raw6(mesh.ce1, ip6(MAP, MAP2, 17, udp6(MAP, MAP2, 0x1340, 0x1360)))
    check("mesh: a port outside of the receiver's set is dropped and counted", risen(mesh.ce2, "drop_port_outside_set_in", before) == 1)
    sock, mark = mesh.lan1.udp(to=(OWN, EXCLUDED)), token()
    sock.send(mark)
    packet = mesh.seen.wait_for(mark)
    check("mesh: a port that the rule excludes goes to the DMR", packet is not None and destination6(packet).startswith("2001:db8:ffff:"),
          packet and packet.hex())
    sock.close()


CASES = (mesh_without_rule, mesh_with_rule, mesh_large, mesh_pings, mesh_refuses)


def run(cases):
    mesh = Mesh()
    for case in cases:
        mesh.clear()
        attempt(case, mesh)
    mesh.seen.stop()
    mesh.back.stop()
