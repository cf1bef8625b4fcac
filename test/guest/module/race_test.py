"""Changes of the configuration under full traffic in both directions, from processes on every CPU.

    lan 192.0.2.18 -- ce (map0) -- core (2001:db8:aaaa::/64 and 2001:db9:bbbb::/96 are its own)

Two complete rule sets, A and B, differ in every address and in the length of the DMR. They take each other's place; each packet
has to be wholly of one of them. Then devices go down, up, away and under other names, and the module is unloaded, all under
traffic; at the end nothing may be held or leaked.
"""

import itertools
import json
import os
import re
import subprocess
import sys
import time

from checks import check
from kernel_memory import growth, slabs
from module_files import control, counters, last_message
from namespaces import sh
from packets4 import ip, udp
from packets6 import ip6, udp6
from topology import address, faults, finish, join, namespaces, route

MODULE, PROGRAM, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
OWN, SERVER, PORT = "192.0.2.18", "203.0.113.10", 0x1340
CPUS = os.cpu_count()
# Whole turns of the wheel of changes.
WARM_UP = 44 * 11
# KASAN's kernel has one CPU, and takes some seconds for each.
LIVES = 200 if CPUS > 1 else 40
# RFC 6052 by hand: /64 and /96.
A = {"map": "2001:db8:12:3400:0:c000:212:34", "remote": "2001:db8:aaaa:0:cb:71:a00:0", "dmr": "2001:db8:aaaa::/64", "v6": "2001:db8::/40"}
B = {"map": "2001:db9:12:3400:0:c000:212:34", "remote": "2001:db9:bbbb::cb00:710a", "dmr": "2001:db9:bbbb::/96", "v6": "2001:db9::/40"}


def line(rules):
    return (f"config map0 local.style MAP local.v4 192.0.2.0/24 local.v6 {rules['v6']} local.ea-len 16 local.psid-offset 4 ce.v4 {OWN} ce.v6"
            f" {rules['map']} ce.psid-offset 4 ce.psid-len 8 ce.psid 52 remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 {rules['dmr']}"
            " remote.ea-len 0 remote.psid-offset 0")


FMR = "map0 remote.style MAP remote.v4 198.51.100.0/24 remote.v6 2001:db8:c000::/40 remote.ea-len 16 remote.psid-offset 4"
OTHER = "remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 64:ff9b::/96 local.style NONE local.v4 192.0.0.1/32 local.v6 2001:db8:1::1/128"


class Process:
    def __init__(self, space, cpu, text, *words):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", space.name, "taskset", "-c", str(cpu), PROGRAM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(text)
        self.process.stdin.close()

    def end(self):
        self.process.terminate()
        text = self.process.stdout.read()
        self.process.wait()
        return text


def numbers(text):
    return {name: int(value) for name, value in re.findall(r"^([\w-]+) (\d+)", text, re.M)}


def mac(space, device):
    return json.loads(space.run(f"ip -j link show {device}"))[0]["address"]


def octets6(text):
    import socket
    return socket.inet_pton(socket.AF_INET6, text).hex()


class Traffic:
    def __init__(self, lan, ce, core):
        # Of each rule set, and crosswise: from one's DMR to the other's address, which no rule set knows.
        inward = [ip6(side["remote"], own["map"], 17, udp6(side["remote"], own["map"], 7, PORT, tag * 64)).hex()
                  for side, own, tag in ((A, A, b"A"), (B, B, b"B"), (A, B, b"X"), (B, A, b"X"))]
        outward = [ip(OWN, SERVER, 17, udp(OWN, SERVER, PORT, 7, bytes(size))).hex() for size in (18, 200, 1400)]
        self.watchers = [
            Process(core, CPUS - 1, f"A {octets6(A['map'])} {octets6(A['remote'])}\nB {octets6(B['map'])} {octets6(B['remote'])}\n",
                    "watch", "ce0", "86dd", "8", "24"),
            # Behind 20 octets of IPv4 and 8 of UDP: what was sent. The address is the same from both.
            Process(lan, 0, "A cb00710a 41414141\nX cb00710a 58585858\nB cb00710a 42424242\n", "watch", "eth0", "0800", "12", "28"),
        ]
        for watcher in self.watchers:
            watcher.process.stdout.readline()
        self.floods = []
        for cpu in range(CPUS):
            self.floods.append(Process(lan, cpu, "\n".join(outward) + "\n", "flood", "eth0", "0800", mac(ce, "br-lan")))
            self.floods.append(Process(core, cpu, "\n".join(inward) + "\n", "flood", "ce0", "86dd", mac(ce, "wan")))

    def end(self):
        sent = [flood.end().strip() for flood in self.floods]
        time.sleep(0.5)
        seen = [watcher.end() for watcher in self.watchers]
        return sent, seen


def changes(ce, count):
    """So many writes of several kinds, each of which has to be taken; gives those that were not."""
    bad, last, start = [], A, time.monotonic()
    # An odd number of swaps: what takes long meets A and B in turn.
    wheel = itertools.cycle(("swap", "swap whole", "swap", "insert", "swap", "remove", "add", "swap", "other", "del", "debug"))
    for number in range(count):
        kind = next(wheel)
        if kind.startswith("swap"):
            last = B if last is A else A
        lines = {
            # One line that changes every key; and all rules gone and new ones there, by one write.
            "swap": [line(last)], "swap whole": ["remove map0 remote.v4 0.0.0.0/0", line(last)], "insert": [f"insert {FMR}"],
            "remove": [f"remove {FMR}"], "add": ["add map1"], "other": [f"config map1 {OTHER}"], "del": ["del map1"],
            "debug": ["config map0 debug 0"],
        }[kind]
        found = control(ce, *lines)
        if found:
            bad.append((number, kind, found, last_message()))
        if (number + 1) % 500 == 0:
            print(f"races: {number + 1} changes, {time.monotonic() - start:.0f} s", flush=True)
    return bad


def judged(title, traffic, crossed=True):
    sent, seen = traffic.end()
    print(f"races: {title}: sent {'; '.join(sent)}", flush=True)
    for where, text in zip(("out", "in"), seen):
        found = numbers(text)
        print(f"races: {title}: {where}: {found}", flush=True)
        check(f"{title}: {where}: packets of A and of B came through", found.get("A", 0) > 100 and (not crossed or found.get("B", 0) > 100), text)
        check(f"{title}: {where}: none is of both", found.get("all-torn") == 0 and found.get("X", 0) == 0, text)


def up(ce):
    for command in ("link set map0 up", "route replace default dev map0"):
        ce.run(f"ip {command}")


def life(ce):
    """Down and up, other names, other MTUs, links of the network lost, away and back, the module too."""
    for number in range(LIVES):
        ce.run("ip link set map0 down")
        if number % 4 == 0:
            ce.run("ip link set map0 name map7")
            ce.run("ip link set map7 name map0")
        if number % 4 == 1:
            ce.run(f"ip link set map0 mtu {1280 + number}")
        if number % 8 == 2:
            ce.run("ip link set wan down")
            ce.run("ip link set wan up")
            ce.run("ip -6 addr replace 2001:db8:f000:1::2/64 dev wan nodad")
            ce.run("ip -6 route replace default via 2001:db8:f000:1::1")
        up(ce)
        if number % 8 == 5:
            control(ce, "del map0")
            control(ce, "add map0", line(A))
            up(ce)
        if number % 20 == 19:
            print(f"races: {number + 1} times down and up", flush=True)
            sh("rmmod mapmint")
            sh(f"insmod {MODULE}")
            if control(ce, "add map0", line(A)):
                return False
            up(ce)
    return True


def main():
    sh("ip link set lo up")
    print(f"races: Linux {os.uname().release}, {CPUS} CPUs", flush=True)
    sh(f"insmod {MODULE}")
    lan, ce, core = namespaces("lan", "ce", "core")
    join((lan, "eth0", ce, "br-lan"), (ce, "wan", core, "ce0"))
    address((lan, "eth0", f"{OWN}/32"), (ce, "br-lan", "192.168.1.1/24"), (ce, "wan", "2001:db8:f000:1::2/64"),
            (core, "ce0", "2001:db8:f000:1::1/64"))
    lan.run("ip route add 192.168.1.1 dev eth0")
    route((lan, "default via 192.168.1.1"), (ce, f"{OWN}/32 dev br-lan"), (ce, "default via 2001:db8:f000:1::1"),
          (core, "2001:db8::/33 via 2001:db8:f000:1::2"), (core, "2001:db9::/33 via 2001:db8:f000:1::2"))
    # Silent sinks: an answer to each packet would be most of the traffic.
    for rules in (A, B):
        core.run(f"ip -6 route add blackhole {rules['dmr']}")
        ce.run(f"ip -6 route add blackhole {rules['map']}/128")
    # Connection tracking has a part in it, as on a router.
    ce.run("nft -f -", "table ip t { chain f { type filter hook forward priority 0; ct state new counter accept; }; }")
    check("a device with rule set A", control(ce, "add map0", line(A)) == 0, last_message())
    up(ce)

    traffic = Traffic(lan, ce, core)
    check("warm-up: changes taken", not changes(ce, WARM_UP))
    judged("warm-up", traffic)
    before = slabs()
    traffic = Traffic(lan, ce, core)
    bad = changes(ce, COUNT)
    check(f"{COUNT} changes under traffic, each taken", not bad, bad[:3])
    print(f"races: {({k: v for k, v in counters(ce).items() if v})}", flush=True)
    judged(f"{COUNT} changes", traffic)
    octets, caches = growth(before, slabs())
    print(f"races: kB by cache: {caches}", flush=True)
    # One lost rule set is some 2 KB: a leak by each change were 20 MB of 10,000.
    check(f"slab memory grew by {octets // 1024} kB, less than 200 octets a change and 1 MB", octets < 200 * COUNT + (1 << 20), octets)

    control(ce, line(A))
    traffic = Traffic(lan, ce, core)
    check(f"{LIVES} times down and up, {LIVES // 20} times unloaded, under traffic", life(ce), last_message())
    time.sleep(1)
    judged("life", traffic, crossed=False)

    # The end of a namespace with a device that is up.
    os.close(ce.fd)
    sh("ip netns del ce")
    time.sleep(2)
    sh("rmmod mapmint")
    check("the module is gone", "mapmint" not in open("/proc/modules").read())
    check("no reference is waited for", not [text for text in faults() if "unregister_netdevice" in text])
    finish()


main()
