"""What the benchmarks of NAT share: a ruleset, rounds, and costs of TCP and of the first and second packet of a new flow."""

import contextlib
import ctypes
import socket
import struct
import subprocess
import time

import figures
from module_files import control, last_message, read
from namespaces import LIBC, sh
from packets4 import ip, udp

LAN, MSS, OCTETS, NEW, PORTS = "192.168.1.2", 1380, 96 << 20, 600, 3840
SINK = "table netdev sink { chain c { type filter hook ingress device ce0 priority 0; udp dport 9000 drop; }; }"


def empty(ce, device):
    """Takes all ports of the module's NAT from their endpoints, and ends their flows: a change of what it lets in does."""
    for value in ("endpoint", "address"):
        if control(ce, f"config {device} nat.filter {value}"):
            raise RuntimeError(last_message())


def begin(module):
    """What both do before they build a network."""
    figures.silence()
    sh("ip link set lo up")
    sh(f"insmod {module}")
    # More than all kinds' flows, or new ones push out old ones; the first namespace has it for all.
    sh("sysctl -qw net.netfilter.nf_conntrack_max=65536")


@contextlib.contextmanager
def serving(traffic, ce):
    """The server's program runs, and flows of the router outlast a run."""
    daemon = subprocess.Popen(["ip", "netns", "exec", "server", traffic, "serve", "5201"])
    ce.set("net.netfilter.nf_conntrack_udp_timeout", 3600)
    time.sleep(0.5)
    try:
        yield
    finally:
        daemon.terminate()
        daemon.wait()


def fw4(devices, offload=False):
    """A ruleset like OpenWrt's for a zone of these devices, with masquerading; with software flow offload or without."""
    names = ", ".join(devices)
    table = f"flowtable ft {{ hook ingress priority 0; devices = {{ lan0, {names} }}; }}" if offload else ""
    rule = "meta l4proto { tcp, udp } flow add @ft;" if offload else ""
    return f"""table inet fw4 {{
 {table}
 chain input {{ type filter hook input priority filter; policy drop; iif lo accept; ct state established,related accept; iifname lan0 accept; meta l4proto {{ 4, 41 }} accept; icmpv6 type {{ 1, 2, 3, 4, 133, 134, 135, 136 }} accept; }}
 chain forward {{ type filter hook forward priority filter; policy drop; {rule} ct state established,related accept; iifname lan0 jump lan; }}
 chain lan {{ oifname {{ {names} }} accept; }}
 chain output {{ type filter hook output priority filter; policy accept; ct state established,related accept; }}
 chain dstnat {{ type nat hook prerouting priority dstnat; policy accept; }}
 chain srcnat {{ type nat hook postrouting priority srcnat; policy accept; oifname {{ {names} }} meta nfproto ipv4 masquerade; }}
}}"""


def bulk(traffic, lan, server, way):
    """Microseconds of processor time for a MB."""
    start = figures.spent()
    lan.run(f"{traffic} tcp {LAN} {server} 5201 {way} {OCTETS} {MSS}")
    return (figures.spent() - start) * 1e6 / (OCTETS >> 20)


TCP = ("TCP up", "TCP down")
OFFLOADED = tuple(f"{name}, flow offload" for name in TCP)


def transfers(traffic, lan, servers, names):
    """Measures of throughput, for `rounds`: one for each of the names. `servers`: by mode."""
    def measure(name):
        way = name.split()[1].strip(",")
        return lambda mode: {name: bulk(traffic, lan, servers[mode], way)}
    return [measure(name) for name in names]


def packets(inside, destination):
    return [ip(LAN, destination, 17, udp(LAN, destination, port, 9000)) for port in inside]


def fill(raw, destination):
    """Holds flows from half as many endpoints as there are ports, none of which the samples use."""
    for first in range(2000, 2000 + PORTS // 2, NEW):
        Batch(packets(range(first, min(first + NEW, 2000 + PORTS // 2)), destination), destination).send(raw)


def forwarded(core):
    """Packets that the router has sent to the network, of either kind."""
    row = next(line for line in read(core, "dev").splitlines() if line.strip().startswith("ce0:"))
    return int(row.split(":")[1].split()[1])


class Batch:
    """Packets that one system call sends: in User Mode Linux a call costs more than a packet."""

    def __init__(self, packets, destination):
        # struct sockaddr_in; struct iovec; struct msghdr with the length that the kernel fills in.
        name = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(destination))
        self.kept = [ctypes.create_string_buffer(part) for part in (name, *packets)]
        name, *data = self.kept
        vectors = b"".join(struct.pack("=QQ", ctypes.addressof(each), len(packet)) for each, packet in zip(data, packets))
        self.vectors = ctypes.create_string_buffer(vectors)
        at = ctypes.addressof(self.vectors)
        self.messages = ctypes.create_string_buffer(b"".join(
            struct.pack("=QI4xQQQQi4xI4x", ctypes.addressof(name), 16, at + 16 * i, 1, 0, 0, 0, 0) for i in range(len(packets))))
        self.count = len(packets)

    def send(self, sock):
        sent = LIBC.sendmmsg(sock.fileno(), self.messages, self.count, 0)
        if sent != self.count:
            raise OSError(ctypes.get_errno(), f"{sent} of {self.count} packets were sent")


def opened(raw, flows, core, destination, rng):
    """Microseconds of processor time for the first packet of a new flow, and for a second of the same. The flows are ended."""
    inside = rng.sample(range(10000, 65000), NEW)
    batch = Batch(packets(inside, destination), destination)
    costs = []
    for _ in range(2):
        before, start, limit = forwarded(core), figures.spent(), time.monotonic() + 20
        batch.send(raw)
        # Until the last is through: there may be some in a queue.
        while forwarded(core) < before + NEW:
            if time.monotonic() > limit:
                raise RuntimeError(f"{destination}: {forwarded(core) - before} of {NEW} packets came through")
            time.sleep(0)
        costs.append((figures.spent() - start) / NEW * 1e6)
    kept = sum(flows.delete(17, LAN, port, destination, 9000) for port in inside)
    if kept != NEW:
        raise RuntimeError(f"{destination}: {kept} of {NEW} flows were made")
    return costs


def rounds(count, title, modes, *measures):
    """So many interleaved rounds of measures, each of which gives costs by name for a mode: what is compared is measured one right
    after the other, because a machine that others share is fast for some seconds and slow for others."""
    for n in range(-1, count):
        # Each mode is first in turn; the first round warms up.
        turn = modes[n % len(modes):] + modes[:n % len(modes)]
        for measure in measures:
            for mode in turn:
                for name, cost in measure(mode).items():
                    if n >= 0:
                        figures.cost(name, mode, cost)
        print(f"{title}: round {n + 1} of {count}", flush=True)
