"""Mutated packets into the running device, in both directions, where KASAN and lockdep watch.

From the LAN (through the router and its NAT), straight into the device, and from the network. A packet depends on its number
and the seed alone; the three streams are sent a stretch at a time, so a fault is found again by SEED and FIRST of its stretch.
"""

import json
import re
import struct
import subprocess
import sys
import time

from checks import check
from kernel_memory import growth, slabs
from module_files import counters
from namespaces import sh
from packets4 import checksum, echo, icmp, ip, tcp, udp
from packets6 import icmp6, ip6, udp6
from border_relays import Tayga
from topology import DEFAULT, EDGE, INSIDE, LAN, LOCAL, MAP, OWN, REMOTE, SERVER, World, dmesg, echo_server, exchange, faults, finish

MODULE, PROGRAM, COUNT, SEED, FIRST = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
STRETCH = 50000
ROUTER = "2001:db8:f000:2::2"
EXTENSION = struct.pack("!BBHHBB", 0x20, 0, 0, 8, 1, 1) + b"\1\2\3\4"


def options(packet, octets):
    """The same IPv4 packet with options."""
    head = struct.pack("!BBH", 0x45 + len(octets) // 4, packet[1], len(packet) + len(octets)) + packet[4:10] + b"\0\0" + packet[12:20] + octets
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + packet[20:]


def seeds4(own):
    quoted = ip(SERVER, own, 17, udp(SERVER, own, 7, INSIDE, b"q" * 60), ttl=60)
    whole = udp(own, SERVER, INSIDE, 7, bytes(range(200)) * 4)
    plain = ip(own, SERVER, 17, udp(own, SERVER, INSIDE, 7))
    yield plain
    yield ip(own, SERVER, 17, udp(own, SERVER, INSIDE, 7)[:6] + b"\0\0" + b"payload!")
    yield ip(own, SERVER, 6, tcp(own, SERVER, INSIDE, 7, 2))
    yield ip(own, SERVER, 6, tcp(own, SERVER, INSIDE, 7, 24))
    yield from (ip(own, SERVER, 1, echo(kind, INSIDE)) for kind in (0, 8))
    yield from (ip(own, SERVER, 17, part, fragment=word, identification=9)
                for part, word in ((whole[:400], 0x2000), (whole[400:], 50), (whole[:8], 0x2000)))
    yield ip(own, SERVER, 1, echo(8, INSIDE, bytes(600)), fragment=0x2000)
    for octets in (b"\1" * 4, b"\x44\x0c\x05\0" + bytes(8), b"\x83\x07\4\1\2\3\4\0", b"\x07\x27\x04" + bytes(37), b"\x94\4\0\0" + b"\0" * 20):
        yield options(plain, octets)
    for kind, code in [(3, code) for code in range(16)] + [(11, 0), (11, 1), (12, 0), (12, 2), (4, 0), (5, 1), (13, 0), (17, 0)]:
        yield ip(own, SERVER, 1, icmp(kind, code, 1400 if code == 4 else 8 << 24 if kind == 12 else 0, quoted))
    yield ip(own, SERVER, 1, icmp(11, 0, 32 << 16, quoted.ljust(128, b"\0") + EXTENSION))
    yield ip(own, SERVER, 1, icmp(3, 3, 0, options(quoted, b"\1" * 8)))
    yield ip(own, SERVER, 1, icmp(3, 3, 0, ip(SERVER, own, 1, echo(8, INSIDE))))
    yield ip(own, SERVER, 50, bytes(64))
    yield ip(own, SERVER, 17, udp(own, SERVER, INSIDE, 7, bytes(1300)))


def seeds6():
    datagram = udp6(REMOTE, MAP, 7, INSIDE)
    segment = struct.pack("!HH", 7, INSIDE) + bytes(8) + b"\x50\x10\x20\0" + bytes(4)
    quoted = ip6(MAP, REMOTE, 17, udp6(MAP, REMOTE, INSIDE, 7, b"z" * 60), 60)
    whole = udp6(REMOTE, MAP, 7, INSIDE, bytes(range(200)) * 4)
    yield ip6(REMOTE, MAP, 17, datagram)
    yield ip6(REMOTE, MAP, 17, datagram[:6] + b"\0\0" + datagram[8:])
    yield ip6(REMOTE, MAP, 6, segment)
    yield from (ip6(REMOTE, MAP, 58, icmp6(REMOTE, MAP, kind, 0, INSIDE << 16 | 1, b"abcdefgh")) for kind in (128, 129))
    for at, more, part in ((0, 1, whole[:400]), (400, 0, whole[400:]), (0, 0, datagram), (0, 1, datagram[:8])):
        yield ip6(REMOTE, MAP, 44, struct.pack("!BBHI", 17, 0, at | more, 77) + part)
    other = "2001:db8:13:5600:0:c000:213:56"  # PSID 0x56: a CE of the FMR, with a port of its own and with another's
    yield from (ip6(other, MAP, 17, udp6(other, MAP, port, INSIDE)) for port in (0x1560, 0x1570))
    for head in (0, 60, 43):
        yield ip6(REMOTE, MAP, head, b"\x11\0\1\4\0\0\0\0" + datagram)
    yield ip6(REMOTE, MAP, 0, b"\x3c\0\1\4\0\0\0\0" + b"\x2c\1\1\x0c" + bytes(12) + struct.pack("!BBHI", 17, 0, 0, 5) + datagram)
    for kind, code in [(1, code) for code in range(8)] + [(2, 0), (3, 0), (3, 1), (4, 0), (4, 1), (4, 2), (5, 0), (135, 0), (130, 0)]:
        yield ip6(ROUTER, MAP, 58, icmp6(ROUTER, MAP, kind, code, 1300 if kind == 2 else 6, quoted))
    yield ip6(ROUTER, MAP, 58, icmp6(ROUTER, MAP, 3, 0, 16 << 24, quoted.ljust(128, b"\0") + EXTENSION))
    yield ip6(ROUTER, MAP, 58, icmp6(ROUTER, MAP, 1, 4, 0, ip6(MAP, REMOTE, 44, struct.pack("!BBHI", 17, 0, 1, 9) + whole[:100])))
    yield ip6(ROUTER, MAP, 58, icmp6(ROUTER, MAP, 1, 4, 0, ip6(MAP, REMOTE, 58, icmp6(MAP, REMOTE, 128, 0, INSIDE << 16, b"abc"))))
    yield ip6(REMOTE, MAP, 50, bytes(64))
    yield ip6(REMOTE, MAP, 17, udp6(REMOTE, MAP, 7, INSIDE, bytes(1300)))


def written(name, packets):
    path = f"/run/{name}"
    with open(path, "wb") as file:
        for packet in packets:
            file.write(struct.pack("!H", len(packet)) + packet)
    return path


def mac(namespace, device):
    found = json.loads(namespace.run(f"ip -j link show {device}"))[0].get("address", "")
    return found if re.fullmatch("(..:){5}..", found) else "00:00:00:00:00:00"


def settled(world):
    """Memory in use when nothing of the traffic is remembered."""
    world.ce.run("conntrack -F")
    time.sleep(5)
    return slabs()


def translates(world):
    sock = world.lan.udp(to=(SERVER, 7))
    found = next((True for _ in range(10) if exchange(sock, b"still there", 2) == b"still there"), False)
    sock.close()
    return found


def main():
    sh("ip link set lo up")
    sh(f"insmod {MODULE}")
    world = World()
    relay = Tayga(world.br)
    echo_server(world.server, 7)
    world.edge(f"config map0 {LOCAL} {DEFAULT} {EDGE}", "insert map0 remote.style MAP remote.v4 192.0.2.0/24 remote.v6 2001:db8::/40"
               " remote.ea-len 16 remote.psid-offset 4")
    check("the device translates", translates(world))
    # What comes out ends at the next router, or the network behind it would be what is tested.
    world.core.run("nft -f -", "table ip6 stop { chain forward { type filter hook forward priority 0; drop; }; }")
    for key in ("udp_timeout", "udp_timeout_stream", "generic_timeout", "icmp_timeout", "frag6_timeout"):
        world.ce.set(f"net.netfilter.nf_conntrack_{key}", 1)
    for space in (world.ce, world.core):
        space.set("net.ipv4.ipfrag_time", 1)
        space.set("net.ipv6.ip6frag_time", 1)
    streams = (
        (world.lan, "eth0", mac(world.ce, "br-lan"), "4", written("lan", seeds4(LAN)), 4),
        (world.ce, "map0", mac(world.ce, "map0"), "4", written("own", seeds4(OWN)), 4),
        (world.core, "ce0", mac(world.ce, "wan"), "6", written("network", seeds6()), 2),
    )
    print(f"fuzz: seed {SEED}, {COUNT} packets from number {FIRST}", flush=True)
    held = settled(world)
    before, sent, start = counters(world.ce), 0, time.monotonic()
    for first in range(FIRST, COUNT, STRETCH):
        last = min(first + STRETCH, COUNT)
        running = [
            subprocess.Popen(["ip", "netns", "exec", space.name, PROGRAM, device, address, family, path,
                              str(last // share), str(SEED), str(first // share)], stdout=subprocess.PIPE, text=True)
            for space, device, address, family, path, share in streams
        ]
        sent += sum(int(program.communicate()[0] or 0) for program in running)
        broken = faults()
        print(f"fuzz: {last} of {COUNT}, {time.monotonic() - start:.0f} s" + (", a report" if broken else ""), flush=True)
        if broken:
            print(dmesg()[-12000:], flush=True)
            break
    check(f"{COUNT - FIRST} packets sent", sent >= COUNT - FIRST - len(streams), sent)
    time.sleep(2)
    after = counters(world.ce)
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    for name, value in grown.items():
        print(f"fuzz: {name} {value}", flush=True)
    reasons = [name for name in grown if name.startswith("drop_")]
    rest = {name: value for name, value in grown.items() if name not in reasons}
    check("packets were translated in both directions, and dropped for a dozen reasons",
          sum(value >= (COUNT - FIRST) // 100 for value in rest.values()) >= 2 and len(reasons) >= 12, grown)
    octets, caches = growth(held, settled(world))
    print(f"fuzz: kB by cache: {caches}", flush=True)
    # One lost buffer in 500 packets were 2 MB.
    check(f"slab memory grew by {octets >> 10} kB, less than 1 MB", octets < 1 << 20, octets)
    world.core.run("nft flush ruleset")
    check("the device translates still", translates(world))
    relay.stop()
    world.ce.run("ip link del map0")
    sh("rmmod mapmint")
    finish()


main()
