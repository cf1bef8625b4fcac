"""MAP-E as a router does it: by the module, by ip6_tunnel with the NAT of nftables, and beside both, plain IPv4 that is masqueraded.
Interleaved rounds, ratios within a round. Then the same downloads and uploads with software flow offload on.

    lan 192.168.1.2 -- ce -- core -- server      to 203.0.113.10 by mape (the module: tunnel and NAT, 192.0.2.18),
                       ce -- hop -- core         to 203.0.113.11 by map0 (ip6_tunnel, and the rules that the handler loads),
                                                 to 203.0.113.12 by wan (IPv4, masqueraded); one fw4-like ruleset for all
                                                 to 203.0.113.13 by hop0 (masqueraded), then plain from hop to core,
                                                 to 203.0.113.14 by hop0 (masqueraded), then by ip6_tunnel from hop to core
core is the border relay of all tunnels, by the kernel's ip6_tunnel. Each set has 3,840 ports.

The module's packets pass a border relay, and those that are masqueraded do not. The relay is not the router, but the guest's processor
time counts its work too, and beside flow offload that is much. So each round measures it and takes it off: the relay is like one end of
the tunnel between hop and core. What one end does with an upload, the other does with a download, so that over both ways each end costs
half of what the tunnel costs.
Arguments: mapmint.ko, the traffic program, the rulesets of guest/nft/rulesets.ts, rounds. Costs are processor time of the guest's
kernel. cpu_clock.py runs it and judges.
"""

import json
import random
import sys
import time

import figures
from module_files import Flows, control, last_message
from namespaces import Namespace
from new_flows import (
    LAN, OFFLOADED, TCP, begin, empty, fill, forwarded, fw4, opened, rounds, serving, transfers,
)

MODULE, TRAFFIC, RULESETS, ROUNDS = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
REPEATS, DATAGRAMS, BURST = 3, 60_000, 40
OWN, OWN6 = "192.0.2.18", "2001:db8:12:3400:0:c000:212:5"
OTHER, OTHER6 = "198.51.100.7", "2001:db8:12:3500::7"
BR = "2001:db8:ffff::1"
SERVERS = {"module": "203.0.113.10", "nftables": "203.0.113.11", "masquerade": "203.0.113.12"}
# Masqueraded by hop0, which tells what a tunnel beyond the router costs.
BEYOND = {"hop": "203.0.113.13", "hop, tunnel": "203.0.113.14"}
ROUTER = "TCP up and down, flow offload, without the relay's work"
# Where datagrams end in silence, by the same ways.
SILENT = {"module": "203.0.113.200", "nftables": "203.0.113.201", "masquerade": "203.0.113.202"}
DEVICES = {"module": "mape", "nftables": "map0", "masquerade": "wan"}
ZONE = (*DEVICES.values(), "hop0")


# By the destination that is inside: what the network beyond does with these datagrams is not the router's cost.
SINK = """table netdev sink { chain c { type filter hook ingress device ce0 priority 0;
 ip daddr 203.0.113.202 drop; ip6 nexthdr 4 @nh,448,32 { 0xcb0071c8, 0xcb0071c9 } drop; }; }"""


def build():
    lan, ce, core, server, hop = (Namespace(name) for name in ("lan", "ce", "core", "server", "hop"))
    for a, da, b, db in ((lan, "eth0", ce, "lan0"), (ce, "wan", core, "ce0"), (core, "sv0", server, "eth0"),
                         (ce, "hop0", hop, "ce0"), (hop, "core0", core, "hop0")):
        a.run(f"ip link add {da} type veth peer name {db} netns {b.name}")
    for space in (lan, ce, core, server, hop):
        for key, value in (("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1), ("net.ipv6.conf.all.accept_dad", 0),
                           ("net.ipv6.conf.default.accept_dad", 0), ("net.ipv4.conf.all.rp_filter", 0), ("net.ipv4.conf.default.rp_filter", 0)):
            space.set(key, value)
    for space, device, addresses in (
        (lan, "eth0", [f"{LAN}/24"]), (ce, "lan0", ["192.168.1.1/24"]), (ce, "wan", ["fd00:2::2/64", "10.0.0.2/24", f"{OTHER6}/128"]),
        (core, "ce0", ["fd00:2::1/64", "10.0.0.1/24", f"{BR}/128"]), (core, "sv0", ["10.0.1.1/24"]),
        (server, "eth0", ["10.0.1.2/24", *(f"{address}/32" for address in (SERVERS | BEYOND).values())]),
        (ce, "hop0", ["10.0.2.2/24", "10.0.3.2/24"]), (hop, "ce0", ["10.0.2.1/24", "10.0.3.1/24"]),
        (hop, "core0", ["fd00:4::2/64", "10.0.4.2/24"]), (core, "hop0", ["fd00:4::1/64", "10.0.4.1/24"]),
    ):
        space.run(f"ip link set {device} up")
        for address in addresses:
            space.run(f"ip addr add {address} dev {device}" + (" nodad" if ":" in address else ""))
    lan.run("ethtool -K eth0 tx-udp-segmentation off")
    found = control(ce, "add mape", "config mape transport encapsulate",
                    "config mape local.style MAP local.v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 12 local.psid-offset 4"
                    f" remote.style NONE remote.v4 0.0.0.0/0 remote.v6 {BR}/128"
                    f" ce.v4 {OWN} ce.v6 {OWN6} ce.psid-offset 4 ce.psid-len 4 ce.psid 5", "config mape nat.mode ports")
    if found:
        raise RuntimeError(f"control: {found}: {last_message()}")
    ce.run(f"ip -6 tunnel add map0 mode ipip6 local {OTHER6} remote {BR} encaplimit none")
    for device, own in (("mape", OWN), ("map0", OTHER)):
        ce.run(f"ip link set {device} mtu 1460 up")
        ce.run(f"ip addr add {own}/32 dev {device}")
    for device, own, own6 in (("tnl1", OWN, OWN6), ("tnl2", OTHER, OTHER6)):
        core.run(f"ip -6 tunnel add {device} mode ipip6 local {BR} remote {own6} encaplimit none")
        core.run(f"ip link set {device} mtu 1460 up")
        core.run(f"ip route add {own}/32 dev {device}")
        core.run(f"ip -6 route add {own6}/128 via fd00:2::2")
    for space, device, ends in ((hop, "far", "local fd00:4::2 remote fd00:4::1"), (core, "tnl3", "local fd00:4::1 remote fd00:4::2")):
        space.run(f"ip -6 tunnel add {device} mode ipip6 {ends} encaplimit none")
        space.run(f"ip link set {device} mtu 1460 up")
    hop.run(f"ip route add {BEYOND['hop']}/32 via 10.0.4.1")
    hop.run(f"ip route add {BEYOND['hop, tunnel']}/32 dev far")
    core.run("ip route add 10.0.2.0/24 via 10.0.4.2")
    core.run("ip route add 10.0.3.0/24 dev tnl3")
    ce.run("ip -6 route add default via fd00:2::1")
    core.run("ip route add 203.0.113.0/24 via 10.0.1.2")
    server.run("ip route add default via 10.0.1.1")
    lan.run("ip route add default via 192.168.1.1")
    plain = {"masquerade": "via 10.0.0.1 dev wan", "hop": "via 10.0.2.1 dev hop0", "hop, tunnel": "via 10.0.3.1 dev hop0"}
    for addresses in (SERVERS, BEYOND, SILENT):
        for mode, address in addresses.items():
            way = plain.get(mode) or f"dev {DEVICES[mode]}"
            ce.run(f"ip route add {address}/32 {way}")
            # Clamped, so that nobody pays for path MTU discovery in a sample.
            lan.run(f"ip route add {address}/32 via 192.168.1.1 mtu 1460")
    with open(RULESETS) as file:
        case = next(case for case in json.load(file) if case["name"] == "15x256")
    if case["address"] != OTHER:
        raise RuntimeError(f"the ruleset is for {case['address']}")
    ce.run("nft -f -", case["script"])
    ce.run("nft -f -", fw4(ZONE))
    core.run("nft -f -", SINK)
    lan.run("ping -c 1 -W 2 192.168.1.1")
    for address in (SERVERS | BEYOND).values():
        lan.run(f"ping -c 3 -W 5 {address}")
    return lan, ce, core


def datagrams(lan, core, target):
    """Microseconds of processor time for a small datagram of one flow."""
    before, start, limit = forwarded(core), figures.spent(), time.monotonic() + 60
    lan.run(f"{TRAFFIC} udp {LAN} {target} 9001 {DATAGRAMS} 18 {BURST}")
    # Until the last is through: there may be some in a queue, and a queue may have lost some.
    while forwarded(core) - before < DATAGRAMS * 0.98:
        if time.monotonic() > limit:
            raise RuntimeError(f"{target}: {forwarded(core) - before} of {DATAGRAMS} datagrams came through")
        time.sleep(0)
    return (figures.spent() - start) * 1e6 / (forwarded(core) - before)


# Whose throughput of whose, at least: a new flow may cost nine tenths.
BARS = (
    *((name, "module", "nftables", 1) for name in (*TCP, "small UDP")), ("new flow", "module", "nftables", 1 / 0.9),
    (ROUTER, "module", "masquerade", 0.95),
)


def new_flows(world, flows, raw, rng, mode):
    _, ce, core = world
    costs = []
    for _ in range(REPEATS):
        if mode == "module":
            empty(ce, "mape")
            fill(raw, SILENT[mode])
        costs.append(opened(raw, flows, core, SILENT[mode], rng)[0])
    return {"new flow": sum(costs) / REPEATS}


def offloaded(lan):
    """Measures with flow offload: up, down, and of both in the same round what is the router's."""
    costs = {}

    def kept(measure):
        def measured(mode):
            found = measure(mode)
            costs.setdefault(mode, {}).update(found)
            return found
        return measured

    def without_relay(mode):
        both = {name: sum(found.values()) for name, found in costs.items()}
        relay = (both["hop, tunnel"] - both["hop"]) / 2
        return {"module": {ROUTER: both["module"] - relay}, "masquerade": {ROUTER: both["masquerade"]}}.get(mode, {})

    return [*(kept(measure) for measure in transfers(TRAFFIC, lan, SERVERS | BEYOND, OFFLOADED)), without_relay]


def main():
    begin(MODULE)
    world = build()
    lan, ce, core = world
    with serving(TRAFFIC, ce):
        raw, flows, rng = lan.raw(), Flows(ce), random.Random(4787)
        for mode in ("nftables", "masquerade"):
            fill(raw, SILENT[mode])
        for name in (*TCP, "small UDP", "new flow", *OFFLOADED, ROUTER):
            figures.test(name, "us a MB" if name.startswith("TCP") else "us a packet", "masquerade")
        for bar in BARS:
            figures.bar(*bar)
        rounds(ROUNDS, "plain", list(SERVERS), *transfers(TRAFFIC, lan, SERVERS, TCP),
               lambda mode: {"small UDP": datagrams(lan, core, SILENT[mode])}, lambda mode: new_flows(world, flows, raw, rng, mode))
        ce.run("nft delete table inet fw4")
        ce.run("nft -f -", fw4(ZONE, offload=True))
        ce.run("conntrack -F")
        # Not by nftables: it passes by the rules that give back the ports of the set.
        rounds(ROUNDS, "flow offload", ["module", "masquerade", *BEYOND], *offloaded(lan))


main()
