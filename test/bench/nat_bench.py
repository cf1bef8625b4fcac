"""What NAT44 into the port set costs in the lab kernel, beside IPv4 masquerading: interleaved rounds, ratios within a round.

    lan 192.168.1.2 -- ce -- core -- server      to 203.0.113.10 by map0 (translated; the server owns the DMR's address),
                                                 to 198.51.100.1 by wan (IPv4, masqueraded); one fw4-like ruleset for both
Arguments: mapmint.ko, the traffic program, rounds. Costs are processor time of the guest's kernel. cpu_clock.py runs it and
judges.
"""

import random
import sys

import figures
from module_files import Flows, control, last_message
from namespaces import Namespace
from new_flows import (
    LAN, NEW, OFFLOADED, PORTS, SINK, TCP, begin, empty, fill, fw4, opened, rounds, serving, transfers,
)

MODULE, TRAFFIC, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3])
REPEATS = 3
OWN, OWN6 = "192.0.2.18", "2001:db8:12:3400:0:c000:212:5"
DMR = "2001:db8:ffff::/96"
SERVER4, SERVER6 = "203.0.113.10", "2001:db8:ffff::cb00:710a"
PLAIN4 = "198.51.100.1"
DEVICES = ("map0", "wan")
# Where datagrams end in silence: by map0, and by wan.
SILENT = {"NAT44": "203.0.113.200", "masquerade": "198.18.0.1"}

def build():
    lan, ce, core, server = (Namespace(name) for name in ("lan", "ce", "core", "server"))
    for a, da, b, db in ((lan, "eth0", ce, "lan0"), (ce, "wan", core, "ce0"), (core, "sv0", server, "eth0")):
        a.run(f"ip link add {da} type veth peer name {db} netns {b.name}")
    for space in (lan, ce, core, server):
        for key, value in (("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1), ("net.ipv6.conf.all.accept_dad", 0),
                           ("net.ipv6.conf.default.accept_dad", 0), ("net.ipv4.conf.all.rp_filter", 0), ("net.ipv4.conf.default.rp_filter", 0)):
            space.set(key, value)
    for space, device, addresses in (
        (lan, "eth0", [f"{LAN}/24"]), (ce, "lan0", ["192.168.1.1/24"]), (ce, "wan", ["fd00:2::2/64", "10.0.0.2/24"]),
        (core, "ce0", ["fd00:2::1/64", "10.0.0.1/24"]), (core, "sv0", ["fd00:4::1/64", "10.0.1.1/24"]),
        (server, "eth0", ["fd00:4::2/64", "10.0.1.2/24", f"{SERVER6}/128", f"{PLAIN4}/32"]),
    ):
        space.run(f"ip link set {device} up")
        for address in addresses:
            space.run(f"ip addr add {address} dev {device}" + (" nodad" if ":" in address else ""))
    found = control(ce, "add map0", f"config map0 local.style MAP local.v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 12 local.psid-offset 4"
                    f" remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 {DMR} ce.v4 {OWN} ce.v6 {OWN6} ce.psid-offset 4 ce.psid-len 4 ce.psid 5",
                    "config map0 nat.mode ports")
    if found:
        raise RuntimeError(f"control: {found}: {last_message()}")
    ce.run("ip link set map0 up")
    ce.run(f"ip addr add {OWN}/32 dev map0")
    for space, route in (
        (lan, "default via 192.168.1.1"), (ce, "203.0.113.0/24 dev map0"), (ce, "default via 10.0.0.1"), (ce, "-6 default via fd00:2::1"),
        (core, f"-6 {OWN6}/128 via fd00:2::2"), (core, f"-6 {SERVER6}/128 via fd00:4::2"), (core, f"-6 blackhole {DMR}"),
        (core, f"{PLAIN4}/32 via 10.0.1.2"), (core, "blackhole 198.18.0.0/15"), (server, "-6 default via fd00:4::1"), (server, "default via 10.0.1.1"),
    ):
        family, _, rest = route.partition(" ") if route.startswith("-6 ") else ("", "", route)
        kind, _, rest = rest.partition(" ") if rest.startswith("blackhole ") else ("", "", rest)
        space.run(f"ip {family} route add {kind} {rest}")
    # Clamped, so that neither pays for path MTU discovery in a sample.
    for peer in (SERVER4, PLAIN4):
        lan.run(f"ip route add {peer}/32 via 192.168.1.1 mtu 1460")
    ce.run("nft -f -", fw4(DEVICES))
    lan.run("ping -c 1 -W 2 192.168.1.1")
    for address in (SERVER4, PLAIN4):
        lan.run(f"ping -c 3 -W 5 {address}")
    return lan, ce, core


def flow_costs(ce, raw, flows, core, mode, rng):
    """At half fill; and where every port has an endpoint, half of them without flows, which is what a long churn comes to."""
    destination = SILENT[mode]
    if mode == "NAT44":
        empty(ce, "map0")
        fill(raw, destination)
    first, second = opened(raw, flows, core, destination, rng)
    for _ in range(PORTS // 2 // NEW):
        opened(raw, flows, core, destination, rng)
    return first, second, opened(raw, flows, core, destination, rng)[0]


# Whose throughput of whose, at least: a new flow may cost a fifth more.
BARS = {**dict.fromkeys((*TCP, *OFFLOADED), 0.95), "new flow": 1 / 1.2}
KINDS = ("new flow", "second packet", "new flow, every port with an endpoint")


def new_flows(world, raw, flows, rng, mode):
    _, ce, core = world
    costs = [flow_costs(ce, raw, flows, core, mode, rng) for _ in range(REPEATS)]
    return {kind: sum(cost) / REPEATS for kind, cost in zip(KINDS, zip(*costs))}


def main():
    begin(MODULE)
    world = build()
    lan, ce, core = world
    with serving(TRAFFIC, ce):
        peers = {"masquerade": PLAIN4, "NAT44": SERVER4}
        # What the network beyond does with datagrams is not the router's cost.
        core.run("nft -f -", SINK)
        raw, flows, rng = lan.raw(), Flows(ce), random.Random(4787)
        fill(raw, SILENT["masquerade"])
        for name in (*BARS, *KINDS[1:]):
            figures.test(name, "us a MB" if name.startswith("TCP") else "us a packet", "masquerade")
        for name, least in BARS.items():
            figures.bar(name, "NAT44", "masquerade", least)
        rounds(ROUNDS, "plain", list(peers), *transfers(TRAFFIC, lan, peers, TCP), lambda mode: new_flows(world, raw, flows, rng, mode))
        ce.run("nft delete table inet fw4")
        ce.run("nft -f -", fw4(DEVICES, offload=True))
        ce.run("conntrack -F")
        rounds(ROUNDS, "flow offload", list(peers), *transfers(TRAFFIC, lan, peers, OFFLOADED))


main()
