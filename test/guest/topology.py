"""The namespaces that the module's tests run in, the module's files in /proc, and what users do through them.

    lan 192.168.1.2 -- ce (192.0.2.18 on map0) -- core -- br (a relay of border_relays.py) -- server 203.0.113.10
                               2001:db8:12:3400:0:c000:212:34   DMR 2001:db8:ffff::/64

`check` prints a line for each check; `finish` prints `N passed, N failed` and ends with 1 when one failed.
"""

import errno
import json
import os
import socket
import threading
import time

from captures import PATIENCE, until
from checks import check, tally
from module_files import control, last_message, read
from kernel_memory import complaints, has_kmemleak, leaks
from namespaces import IP_MTU, IP_MTU_DISCOVER, PMTUDISC_DO, Namespace, sh

OWN, SERVER, LAN = "192.0.2.18", "203.0.113.10", "192.168.1.2"
MAP, DMR = "2001:db8:12:3400:0:c000:212:34", "2001:db8:ffff::/64"
RULE = "style MAP {0}.v4 192.0.2.0/24 {0}.v6 2001:db8::/40 {0}.ea-len 16 {0}.psid-offset 4"
LOCAL = "local." + RULE.format("local")
DEFAULT = f"remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 {DMR} remote.ea-len 0 remote.psid-offset 0"
EDGE = f"ce.v4 {OWN} ce.v6 {MAP} ce.psid-offset 4 ce.psid-len 8 ce.psid 52"
# a = 4, k = 8, PSID 0x34: 0x1340-0x134f is the first range.
INSIDE, OUTSIDE = 0x1340, 0x1350
# The server as the DMR has it (RFC 6052, 64 bits), written as the C library does.
REMOTE = "2001:db8:ffff:0:cb:71:a00:0"
BEFORE = len(sh("dmesg").splitlines())


def faults():
    """What the kernel's log has against us since the program began; what it says while it starts is not about the module."""
    return complaints("\n".join(sh("dmesg").splitlines()[BEFORE:]) + "\n")


def finish():
    """The last checks, of the kernel's log and of lost memory, the sum, and the end."""
    if has_kmemleak():
        lost = leaks()
        check("kmemleak has nothing of ours", not lost, lost[:2])
    bad = faults()
    check("the kernel's log is clean", not bad, bad[:5])
    tally.end()


# --- the module's files --------------------------------------------------------------------------

class Here:
    """The namespace that the guest began in."""

    fd = os.open("/proc/self/ns/net", os.O_RDONLY)


def shown(namespace):
    return read(namespace, "nat46/control")


def dmesg():
    return sh("dmesg")


def devices(namespace):
    return {entry["ifname"] for entry in json.loads(namespace.run("ip -j link show"))}


# --- namespaces ----------------------------------------------------------------------------------

# Routers everywhere, and errors at any rate: what is missed is a fault then.
SETTINGS = (
    ("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1), ("net.ipv6.conf.all.accept_dad", 0),
    ("net.ipv6.conf.default.accept_dad", 0), ("net.ipv4.icmp_ratemask", 0), ("net.ipv4.icmp_msgs_per_sec", 100000),
    ("net.ipv6.icmp.ratelimit", 0), ("net.ipv4.conf.all.rp_filter", 0), ("net.ipv4.conf.default.rp_filter", 0),
)


def join(*links):
    """Pairs of veth devices: (namespace, device, namespace, device)."""
    for a, da, b, db in links:
        a.run(f"ip link add {da} type veth peer name {db} netns {b.name}")


def address(*rows):
    """Devices up, with an address: (namespace, device, address)."""
    for space, device, text in rows:
        space.run(f"ip link set {device} up")
        space.run(f"ip addr add {text} dev {device}" + (" nodad" if ":" in text else ""))


def route(*rows):
    for space, text in rows:
        space.run(f"ip {'-6 ' if ':' in text else ''}route add {text}")


def namespaces(*names):
    made = [Namespace(name) for name in names]
    for space in made:
        for key, value in SETTINGS:
            space.set(key, value)
    return made


class World:
    def __init__(self):
        self.lan, self.ce, self.core, self.br, self.server = namespaces("lan", "ce", "core", "br", "server")
        join((self.lan, "eth0", self.ce, "br-lan"), (self.ce, "wan", self.core, "ce0"), (self.core, "br0", self.br, "wan0"),
             (self.br, "srv0", self.server, "eth0"))
        address(
            (self.lan, "eth0", f"{LAN}/24"), (self.ce, "br-lan", "192.168.1.1/24"),
            (self.ce, "wan", "2001:db8:f000:1::2/64"), (self.core, "ce0", "2001:db8:f000:1::1/64"),
            (self.core, "br0", "2001:db8:f000:2::1/64"), (self.br, "wan0", "2001:db8:f000:2::2/64"),
            (self.br, "srv0", "203.0.113.1/24"), (self.server, "eth0", f"{SERVER}/24"),
        )
        route(
            (self.lan, "default via 192.168.1.1"), (self.ce, "default via 2001:db8:f000:1::1"),
            (self.core, "2001:db8::/40 via 2001:db8:f000:1::2"), (self.core, "2001:db8:ffff::/48 via 2001:db8:f000:2::2"),
            (self.br, "2001:db8::/32 via 2001:db8:f000:2::1"), (self.server, "192.0.2.0/24 via 203.0.113.1"),
        )
        # Neighbours that are known lose no first packet.
        self.lan.run("ping -c 1 -W 2 192.168.1.1")
        self.server.run("ping -c 1 -W 2 203.0.113.1")

    def edge(self, *lines, ports=16):
        found = control(self.ce, "add map0", *lines)
        if found:
            raise RuntimeError(f"control: {errno.errorcode[found]}: {last_message()}")
        for command in ("link set map0 up", f"addr add {OWN}/32 dev map0", "route add default dev map0"):
            self.ce.run(f"ip {command}")
        # One range is enough here; the NAT has tests of its own.
        self.ce.run("nft -f -", "table ip nat { chain post { type nat hook postrouting priority 100;"
                                f" oifname map0 meta l4proto {{ tcp, udp, icmp }} snat to {OWN}:{INSIDE}-{INSIDE + ports - 1}; }}; }}")


# --- users ---------------------------------------------------------------------------------------

def learned(sock, octets, wanted):
    """What a connected UDP socket takes for the path's MTU. It sends so many octets until that is what is wanted."""
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, PMTUDISC_DO)

    def look():
        try:
            sock.send(bytes(octets))
        except OSError:
            pass
        return until(lambda: sock.getsockopt(socket.SOL_IP, IP_MTU) == wanted, 1)

    until(look)
    return sock.getsockopt(socket.SOL_IP, IP_MTU)


def echo_server(namespace, port, own=SERVER, discover=1):
    """Answers UDP datagrams with themselves, and TCP streams likewise. `discover` is IP_MTU_DISCOVER of the answers."""
    datagrams = namespace.udp(own, port)
    datagrams.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, discover)
    stream = namespace.socket(socket.AF_INET, socket.SOCK_STREAM)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stream.bind((own, port))
    stream.listen(64)

    def serve(connection):
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept():
        while True:
            connection, _ = stream.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    def answer():
        while True:
            data, peer = datagrams.recvfrom(65536)
            datagrams.sendto(data, peer)

    for target in (accept, answer):
        threading.Thread(target=target, daemon=True).start()


def received(sock, data, seconds=PATIENCE):
    """The datagram of just this content, and not one that comes late from before. Gives it, or the socket's error."""
    end = time.monotonic() + seconds
    try:
        while True:
            sock.settimeout(max(end - time.monotonic(), 0.001))
            found = sock.recv(65536)
            if found == data:
                return found
    except OSError as error:
        return error


def exchange(sock, data, seconds=PATIENCE):
    """Sends a datagram on a connected socket, and waits for it to come back. Gives it, or the socket's error."""
    try:
        sock.send(data)
    except OSError as error:
        return error
    return received(sock, data, seconds)


def ping(namespace, *words):
    code, text = namespace.outcome("ping", "-n", *words)
    return code == 0, text


def traceroute(namespace, *words):
    """The address of each hop, and what traceroute printed."""
    _, text = namespace.outcome("traceroute", "-n", "-q", "1", *words)
    return [line.split()[1] for line in text.splitlines()[1:]], text


def connected(namespace, to):
    sock = namespace.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    sock.connect(to)
    return sock


def stream_echo(sock, size):
    """Whether so many octets come back from an echo server as they were sent on a TCP connection."""
    data = os.urandom(size)
    sender = threading.Thread(target=sock.sendall, args=(data,), daemon=True)
    sender.start()
    found = bytearray()
    while len(found) < size:
        part = sock.recv(65536)
        if not part:
            break
        found += part
    return bytes(found) == data


def tcp_echo(namespace, size, to=(SERVER, 7)):
    """The same on a connection of its own."""
    with connected(namespace, to) as sock:
        return stream_echo(sock, size)
