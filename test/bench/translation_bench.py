"""Throughput of the translator in the lab kernel: interleaved rounds, ratios within a round.

    lan -- ce    map0 (and ip6_tunnel)      -- core -- server     the server owns the DMR's address: no border relay, and no
        -- jool  Jool, SIIT                 --                    connection tracking anywhere
        -- many  map0 with 1,000 FMRs       --
        -- mape  map0 that encapsulates     --

Arguments: mapmint.ko, what Jool is made of in the order of insertion, the traffic program, rounds. Costs are processor time of the guest's
kernel, of which the guest has one processor: throughput is their inverse. cpu_clock.py runs it and judges.
"""

import subprocess
import sys
import time

import figures
from module_files import control, last_message
from namespaces import Namespace, sh

MODULE, JOOL, TRAFFIC, ROUNDS = sys.argv[1], sys.argv[2:-2], sys.argv[-2], int(sys.argv[-1])
DMR = "2001:db8:ffff::/96"
SERVER4, SERVER6 = "203.0.113.10", "2001:db8:ffff::cb00:710a"
# By the kernel's tunnel, and by ours; each to a tunnel of the kernel's at the server.
TUNNEL4, RELAYED4 = "198.51.100.1", "198.51.100.2"
RELAY6 = "2001:db8:eeee::2"
MSS, OCTETS, DATAGRAMS, BURST = 1380, 48 << 20, 240_000, 40
# Customer edges: their number is in all of their addresses.
EDGES = {"ce": 1, "jool": 2, "many": 3, "mape": 4}


def own4(edge):
    return f"192.0.2.{EDGES[edge]}"


def own6(edge):
    return f"2001:db8:{EDGES[edge]}::c000:20{EDGES[edge]}:0"


def fmr(number):
    """A rule for a customer edge of one address, none of which is spoken to."""
    return (f"remote.style MAP remote.v4 100.64.{number >> 8}.{number & 255}/32 remote.v6 2001:db9:{number:x}::/48 remote.ea-len 0"
            " remote.psid-offset 6")


def told(space, *lines):
    if control(space, *lines):
        raise RuntimeError(last_message())


def edge_device(space, edge, fmrs):
    own = f"ce.v4 {own4(edge)} ce.v6 {own6(edge)} ce.psid-offset 6 ce.psid-len 0 ce.psid 0"
    told(space, "add map0",
         f"config map0 local.style MAP local.v4 {own4(edge)}/32 local.v6 2001:db8:{EDGES[edge]}::/48 local.ea-len 0"
         f" local.psid-offset 6 {own} remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 {DMR} remote.ea-len 0 remote.psid-offset 0")
    lines = [f"insert map0 {fmr(number)}" for number in range(1, fmrs + 1)]
    for start in range(0, fmrs, 250):
        told(space, *lines[start:start + 250])
    space.run("ip link set map0 up")
    space.run("ip route add default dev map0")


def tunnel_device(space):
    own = f"ce.v4 {own4('mape')} ce.v6 {own6('mape')} ce.psid-offset 6 ce.psid-len 0 ce.psid 0"
    told(space, "add map0", f"config map0 transport encapsulate local.style NONE local.v4 {own4('mape')}/32 local.v6 {own6('mape')}/128"
         f" remote.style NONE remote.v4 0.0.0.0/0 remote.v6 {RELAY6}/128 {own}")
    space.run("ip link set map0 up")
    space.run("ip route add default dev map0")


def build():
    lan, core, server = (Namespace(name) for name in ("lan", "core", "server"))
    edges = {name: Namespace(name) for name in EDGES}
    for name, n in EDGES.items():
        lan.run(f"ip link add eth{n} type veth peer name lan0 netns {name}")
        edges[name].run(f"ip link add wan type veth peer name ce{n} netns core")
    core.run("ip link add sv0 type veth peer name eth0 netns server")
    for space in (lan, core, server, *edges.values()):
        for key, value in (("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1), ("net.ipv6.conf.all.accept_dad", 0),
                           ("net.ipv6.conf.default.accept_dad", 0), ("net.ipv4.conf.all.rp_filter", 0),
                           ("net.ipv4.conf.default.rp_filter", 0)):
            space.set(key, value)

    # The network beyond has no sockets: looking for those of UDP, but not for a tunnel's, would be the tunnel's advantage.
    core.set("net.ipv4.ip_early_demux", 0)

    def addresses(space, device, *found):
        space.run(f"ip link set {device} up")
        for address in found:
            space.run(f"ip addr add {address} dev {device}" + (" nodad" if ":" in address else ""))

    addresses(core, "sv0", "fd00:4::1/64")
    addresses(server, "eth0", "fd00:4::2/64", f"{SERVER6}/128", "2001:db8:eeee::1/128", f"{RELAY6}/128")
    server.run("ip -6 route add default via fd00:4::1")
    core.run(f"ip -6 route add {DMR} via fd00:4::2")
    core.run("ip -6 route add 2001:db8:eeee::/64 via fd00:4::2")
    for name, n in EDGES.items():
        space = edges[name]
        addresses(lan, f"eth{n}", f"{own4(name)}/32", f"fd00:1:{n}::2/64")
        addresses(space, "lan0", f"192.168.{n}.1/32", f"fd00:1:{n}::1/64")
        addresses(space, "wan", f"fd00:2:{n}::2/64")
        addresses(core, f"ce{n}", f"fd00:2:{n}::1/64")
        lan.run(f"ip route add 192.168.{n}.1/32 dev eth{n}")
        # Clamped, so that no mode pays for path MTU discovery in a sample.
        for target in (SERVER4, TUNNEL4, RELAYED4):
            lan.run(f"ip route add {target}/32 via 192.168.{n}.1 mtu 1460 table {n}")
        lan.run(f"ip rule add from {own4(name)} table {n}")
        # Small datagrams are sent by the hundred and taken apart before they leave: the sender costs little of the time.
        subprocess.run(["ip", "netns", "exec", "lan", "ethtool", "-K", f"eth{n}", "tx-udp-segmentation", "off"], check=True)
        space.run(f"ip route add {own4(name)}/32 dev lan0")
        space.run(f"ip -6 route add default via fd00:2:{n}::1")
        core.run(f"ip -6 route add {own6(name)}/128 via fd00:2:{n}::2")
        core.run(f"ip -6 route add fd00:1:{n}::/64 via fd00:2:{n}::2")
    lan.run("ip -6 route add default via fd00:1:1::1")
    sh(f"insmod {MODULE}")
    edge_device(edges["ce"], "ce", 1)
    edge_device(edges["many"], "many", 1000)
    tunnel_device(edges["mape"])
    # The kernel's tunnel, for what encapsulation costs.
    for space, name, local, remote, address, route in (
        (edges["ce"], "tnl", "fd00:2:1::2", "2001:db8:eeee::1", None, TUNNEL4),
        (server, "tnl", "2001:db8:eeee::1", "fd00:2:1::2", TUNNEL4, own4("ce")),
        (server, "relay", RELAY6, own6("mape"), RELAYED4, own4("mape")),
    ):
        space.run(f"ip -6 tunnel add {name} mode ipip6 local {local} remote {remote} encaplimit none")
        space.run(f"ip link set {name} up")
        if address:
            space.run(f"ip addr add {address}/32 dev {name}")
        space.run(f"ip route add {route}/32 dev {name}")
    for module in JOOL:
        sh(f"insmod {module}")
    edges["jool"].run(f"jool_siit instance add --netfilter --pool6 {DMR}")
    edges["jool"].run(f"jool_siit eamt add {own4('jool')}/32 {own6('jool')}/128")
    return lan, edges["ce"], server


# Source, target.
MODES = {
    "plain IPv6": ("fd00:1:1::2", SERVER6),
    "mapmint": (own4("ce"), SERVER4),
    "1,000 FMRs": (own4("many"), SERVER4),
    "Jool": (own4("jool"), SERVER4),
    "ip6_tunnel": (own4("ce"), TUNNEL4),
    "encapsulating": (own4("mape"), RELAYED4),
}
# Whose throughput, of whose, at least. A thousand rules may cost a tenth.
BARS = {
    "TCP up": (("mapmint", "plain IPv6", 0.90), ("mapmint", "Jool", 1), ("encapsulating", "ip6_tunnel", 1)),
    "TCP down": (("mapmint", "plain IPv6", 0.90), ("mapmint", "Jool", 1), ("encapsulating", "ip6_tunnel", 1)),
    "UDP 18 octets": (("mapmint", "Jool", 1), ("mapmint", "ip6_tunnel", 1), ("1,000 FMRs", "mapmint", 1 / 1.1),
                      ("encapsulating", "ip6_tunnel", 1)),
}
SINK = "table netdev sink { chain c { type filter hook ingress device eth0 priority 0; meta l4proto != ipv6-icmp drop; }; }"


def received(server):
    return int(server.run("cat /sys/class/net/eth0/statistics/rx_packets"))


def sample(lan, server, mode, test):
    """Seconds of processor time for a MB, or microseconds for a datagram."""
    source, target = MODES[mode]
    if test.startswith("TCP"):
        start = figures.spent()
        lan.run(f"{TRAFFIC} tcp {source} {target} 5201 {test.split()[1]} {OCTETS} {MSS}")
        return (figures.spent() - start) * 1e6 / (OCTETS >> 20)
    before = received(server)
    start = figures.spent()
    lan.run(f"{TRAFFIC} udp {source} {target} 9 {DATAGRAMS} 18 {BURST}")
    seconds = figures.spent() - start
    got = received(server) - before
    if got < DATAGRAMS * 0.98:
        raise RuntimeError(f"{mode}: {got} of {DATAGRAMS} datagrams arrived")
    return seconds * 1e6 / got


def main():
    figures.silence()
    sh("ip link set lo up")
    lan, ce, server = build()
    daemon = subprocess.Popen(["ip", "netns", "exec", "server", TRAFFIC, "serve", "5201"])
    time.sleep(0.5)
    for test, bars in BARS.items():
        figures.test(test, "us a datagram" if test.startswith("UDP") else "us a MB", "plain IPv6")
        for bar in bars:
            figures.bar(test, *bar)
        if test.startswith("UDP"):
            server.run("nft -f -", SINK)
        for n in range(-1, ROUNDS):
            modes = list(MODES)
            # Each mode is first in turn; the first round warms up.
            for mode in modes[n % len(modes):] + modes[:n % len(modes)]:
                found = sample(lan, server, mode, test)
                if n >= 0:
                    figures.cost(test, mode, found)
        print(f"{test}: {ROUNDS} rounds", flush=True)
    daemon.terminate()
    daemon.wait()


main()
