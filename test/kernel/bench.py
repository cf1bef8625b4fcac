"""Throughput of the translator in the lab kernel: interleaved rounds, ratios within a round.

    lan -- ce (map0, or ip6_tunnel) -- core -- server     the server owns the DMR's address: no border relay, no conntrack
     \\-- ce2 (Jool, SIIT) -----------/

Arguments: mapmint.ko, what Jool is made of in the order of insertion, rounds. Prints a table of medians; the interval is that of the median of
the ratios, 95 % at least (order statistics).
"""

import json
import math
import os
import subprocess
import sys
import time

from net import CLONE_NEWNET, LIBC, Namespace, sh

MODULE, JOOL, ROUNDS = sys.argv[1], sys.argv[2:-1], int(sys.argv[-1])
SECONDS = 1
DMR = "2001:db8:ffff::/96"
SERVER4, SERVER6 = "203.0.113.10", "2001:db8:ffff::cb00:710a"
TUNNEL4 = "198.51.100.1"
OWN = {"ce": ("192.0.2.18", "2001:db8:12:3400:0:c000:212:0"), "ce2": ("192.0.2.19", "2001:db8:13:3400:0:c000:213:0")}


def control(namespace, *lines):
    if LIBC.setns(namespace.fd, CLONE_NEWNET) != 0:
        raise OSError("setns")
    with open("/proc/thread-self/net/nat46/control", "w") as file:
        file.write("\n".join(lines) + "\n")


def build():
    lan, ce, ce2, core, server = (Namespace(name) for name in ("lan", "ce", "ce2", "core", "server"))
    for a, da, b, db in ((lan, "eth0", ce, "lan0"), (lan, "eth1", ce2, "lan0"), (ce, "wan", core, "ce0"), (ce2, "wan", core, "ce1"),
                         (core, "sv0", server, "eth0")):
        a.run(f"ip link add {da} type veth peer name {db} netns {b.name}")
    for space in (lan, ce, ce2, core, server):
        for key, value in (("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1), ("net.ipv6.conf.all.accept_dad", 0),
                           ("net.ipv6.conf.default.accept_dad", 0), ("net.ipv4.conf.all.rp_filter", 0),
                           ("net.ipv4.conf.default.rp_filter", 0)):
            space.set(key, value)
    for space, device, addresses in (
        (lan, "eth0", ["192.0.2.18/32", "fd00:1::2/64"]), (lan, "eth1", ["192.0.2.19/32"]),
        (ce, "lan0", ["192.168.1.1/32", "fd00:1::1/64"]), (ce2, "lan0", ["192.168.2.1/32"]),
        (ce, "wan", ["fd00:2::2/64"]), (core, "ce0", ["fd00:2::1/64"]), (ce2, "wan", ["fd00:3::2/64"]), (core, "ce1", ["fd00:3::1/64"]),
        (core, "sv0", ["fd00:4::1/64"]), (server, "eth0", ["fd00:4::2/64", f"{SERVER6}/128", "2001:db8:eeee::1/128"]),
    ):
        space.run(f"ip link set {device} up")
        for address in addresses:
            space.run(f"ip addr add {address} dev {device}" + (" nodad" if ":" in address else ""))
    for space, route in (
        (lan, "192.168.1.1/32 dev eth0"), (lan, "192.168.2.1/32 dev eth1"), (lan, "default via 192.168.1.1"),
        (lan, "default via 192.168.2.1 table 2"), (lan, "-6 default via fd00:1::1"),
        (ce, "192.0.2.18/32 dev lan0"), (ce2, "192.0.2.19/32 dev lan0"), (ce, "-6 default via fd00:2::1"), (ce2, "-6 default via fd00:3::1"),
        (core, f"-6 {OWN['ce'][1]}/128 via fd00:2::2"), (core, f"-6 {OWN['ce2'][1]}/128 via fd00:3::2"), (core, "-6 fd00:1::/64 via fd00:2::2"),
        (core, f"-6 {DMR} via fd00:4::2"), (core, "-6 2001:db8:eeee::1/128 via fd00:4::2"), (server, "-6 default via fd00:4::1"),
    ):
        family, _, rest = route.partition(" ") if route.startswith("-6 ") else ("", "", route)
        space.run(f"ip {family} route add {rest}")
    lan.run("ip rule add from 192.0.2.19 table 2")
    # Ours.
    sh(f"insmod {MODULE}")
    control(ce, "add map0", f"config map0 local.style MAP local.v4 192.0.2.18/32 local.v6 2001:db8:12:3400::/56 local.ea-len 0"
            f" local.psid-offset 6 ce.v4 192.0.2.18 ce.v6 {OWN['ce'][1]} ce.psid-offset 6 ce.psid-len 0 ce.psid 0"
            f" remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 {DMR} remote.ea-len 0 remote.psid-offset 0")
    ce.run("ip link set map0 up")
    ce.run("ip route add default dev map0")
    # The kernel's tunnel, for what encapsulation costs.
    for space, local, remote, address, route in (
        (ce, "fd00:2::2", "2001:db8:eeee::1", None, f"{TUNNEL4}/32 dev tnl"), (server, "2001:db8:eeee::1", "fd00:2::2", f"{TUNNEL4}/32", "192.0.2.18/32 dev tnl"),
    ):
        space.run(f"ip -6 tunnel add tnl mode ipip6 local {local} remote {remote} encaplimit none")
        space.run("ip link set tnl up")
        if address:
            space.run(f"ip addr add {address} dev tnl")
        space.run(f"ip route add {route}")
    # Jool.
    for module in JOOL:
        sh(f"insmod {module}")
    ce2.run(f"jool_siit instance add --netfilter --pool6 {DMR}")
    ce2.run(f"jool_siit eamt add 192.0.2.19/32 {OWN['ce2'][1]}/128")
    # Clamped, so that no mode pays for path MTU discovery in a sample.
    for peer in (f"{SERVER4}/32 via 192.168.1.1", f"{TUNNEL4}/32 via 192.168.1.1"):
        lan.run(f"ip route add {peer} mtu 1460")
    lan.run(f"ip route add {SERVER4}/32 via 192.168.2.1 mtu 1460 table 2")
    return lan, ce, core, server


MODES = {
    "plain IPv6": ["-6", "-c", SERVER6],
    "mapmint": ["-4", "-c", SERVER4, "-B", "192.0.2.18"],
    "Jool": ["-4", "-c", SERVER4, "-B", "192.0.2.19"],
    "ip6_tunnel": ["-4", "-c", TUNNEL4, "-B", "192.0.2.18"],
}
# iperf3 has the names of MAP-T's peers: to it the CE is an IPv6 host.
TESTS = {
    "TCP up": (["-M", "1380"], lambda end: end["sum_received"]["bits_per_second"] / 1e6, "Mbit/s"),
    "TCP down": (["-M", "1380", "-R"], lambda end: end["sum_received"]["bits_per_second"] / 1e6, "Mbit/s"),
    "UDP 18 octets": (["-u", "-b", "0", "-l", "18"], lambda end: end["sum"]["packets"] / end["sum"]["seconds"] / 1e3, "kpps"),
}


def sample(lan, mode, test):
    words, read, _ = TESTS[test]
    for _ in range(3):
        done = subprocess.run(["ip", "netns", "exec", "lan", "iperf3", "-J", "-t", str(SECONDS), *MODES[mode], *words],
                              capture_output=True, text=True, timeout=60)
        try:
            return read(json.loads(done.stdout)["end"])
        except (KeyError, ValueError):
            time.sleep(0.3)
    raise RuntimeError(f"{mode}, {test}: {done.stdout[-300:]}{done.stderr[-300:]}")


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def interval(values):
    """Of the median: the ranks that enclose it with 95 % at least."""
    n, ordered = len(values), sorted(values)
    for k in range(n // 2, -1, -1):
        outside = 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n
        if outside <= 0.05:
            return ordered[k], ordered[n - 1 - k]
    return ordered[0], ordered[-1]


def main():
    sh("ip link set lo up")
    lan, ce, core, server = build()
    # Bound, or a datagram would be answered from another address.
    daemons = [subprocess.Popen(["ip", "netns", "exec", "server", "iperf3", "-s", "-B", address], stdout=subprocess.DEVNULL)
               for address in (SERVER6, TUNNEL4)]
    time.sleep(0.5)
    figures = {test: {mode: [] for mode in MODES} for test in TESTS}
    for test in TESTS:
        for mode in MODES:
            sample(lan, mode, test)
    for n in range(ROUNDS):
        for test in TESTS:
            modes = list(MODES)
            # Each mode is first in turn.
            for mode in modes[n % len(modes):] + modes[:n % len(modes)]:
                figures[test][mode].append(sample(lan, mode, test))
        print(f"round {n + 1} of {ROUNDS}", flush=True)
    for test, by_mode in figures.items():
        unit = TESTS[test][2]
        print(f"\n{test}")
        for mode, values in by_mode.items():
            ratios = [value / plain for value, plain in zip(values, by_mode["plain IPv6"])]
            low, high = interval(ratios)
            print(f"  {mode:12} {median(values):9.1f} {unit:7} of plain IPv6 {median(ratios):.3f} [{low:.3f}, {high:.3f}]")
        for peer in ("Jool", "ip6_tunnel"):
            ratios = [ours / theirs for ours, theirs in zip(by_mode["mapmint"], by_mode[peer])]
            low, high = interval(ratios)
            print(f"  mapmint of {peer}: {median(ratios):.3f} [{low:.3f}, {high:.3f}]")
    for daemon in daemons:
        daemon.terminate()
        daemon.wait()


main()
