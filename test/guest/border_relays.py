"""Border relays that are not ours. To both of them a customer edge is one IPv6 host with one IPv4 address."""

import os
import subprocess

from module_files import enter
from topology import DMR, MAP, OWN

# What a relay's own errors come from, on its IPv4 side.
RELAY4 = "203.0.113.2"


class Tayga:
    """In user space, behind a tun device."""

    name = "tayga"
    # Its routers on the way out: the kernel before it, itself, and the kernel behind it.
    hops = ("192.0.0.8", "192.0.0.8", "203.0.113.1")
    fails = {
        "fragmented ICMP": "drops an echo in fragments, RFC 7915 s1.2",
        "zero checksum in": "drops UDP without a checksum, which RFC 7915 s4.5 lets it compute",
    }

    def __init__(self, namespace, edges=((OWN, MAP),), prefix=DMR):
        os.makedirs("/run/tayga", exist_ok=True)
        with open("/run/tayga.conf", "w") as file:
            file.write(f"tun-device nat64\ndata-dir /run/tayga\nipv4-addr {RELAY4}\nipv6-addr 2001:db8:ffff:1::1\nprefix {prefix}\n")
            file.writelines(f"map {own4} {own6}\n" for own4, own6 in edges)
        self.namespace = namespace
        namespace.run("tayga --config /run/tayga.conf --mktun")
        namespace.run("ip link set nat64 up")
        for own4, _ in edges:
            namespace.run(f"ip route add {own4}/32 dev nat64")
        for text in (f"-6 route add {prefix} dev nat64", "-6 route add 2001:db8:ffff:1::1/128 dev nat64", f"route add {RELAY4}/32 dev nat64"):
            namespace.run(f"ip {text}")
        enter(namespace)
        self.process = subprocess.Popen(["tayga", "--config", "/run/tayga.conf", "--nodetach"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.namespace.run("ip link del nat64")


class Jool:
    """In the kernel, on the hooks of netfilter (stateless: SIIT)."""

    name = "Jool"
    hops = ("192.0.0.8",)
    fails = {
        "fragmented ICMP": "drops an echo in fragments, RFC 7915 s1.2",
        "TOS out": "keeps three bits of the traffic class",
        # With its setting amend-udp-checksum-zero, version 4.1.9 computes a wrong one.
        "zero checksum in": "drops UDP without a checksum, which RFC 7915 s4.5 lets it compute",
    }

    def __init__(self, namespace, edges=((OWN, MAP),), prefix=DMR):
        self.namespace = namespace
        namespace.run(f"jool_siit instance add --netfilter --pool6 {prefix}")
        for own4, own6 in edges:
            namespace.run(f"jool_siit eamt add {own4}/32 {own6}/128")

    def statistics(self):
        rows = (line.rpartition(",") for line in self.namespace.run("jool_siit stats display --all --csv --no-headers").splitlines())
        return {name: int(value) for name, _, value in rows}

    def stop(self):
        self.namespace.run("jool_siit instance remove")
