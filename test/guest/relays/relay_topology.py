"""The namespaces with a border relay, and what is watched there while a row runs."""

from checks import check
from captures import Capture4, Capture6, offload
from topology import DEFAULT, EDGE, INSIDE, LAN, LOCAL, World, echo_server

# Ports of the set that are forwarded into the LAN: to an echo server, and to a port where nobody is.
ECHO, CLOSED = INSIDE + 15, INSIDE + 14
DONT, DO, PROBE = 0, 2, 3


class Through(World):
    def __init__(self):
        super().__init__()
        self.edge(f"config map0 {LOCAL} {DEFAULT} {EDGE}", ports=14)
        self.ce.run("nft -f -", "table ip nat { chain pre { type nat hook prerouting priority -100;"
                                f" iifname map0 meta l4proto {{ tcp, udp }} th dport {ECHO} dnat to {LAN}:7;"
                                f" iifname map0 meta l4proto {{ tcp, udp }} th dport {CLOSED} dnat to {LAN}:9; }}; }}")
        echo_server(self.server, 7, discover=DONT)
        echo_server(self.lan, 7, own=LAN, discover=DONT)
        self.ends = ((self.lan, "eth0"), (self.server, "eth0"))

    def begin(self, relay):
        """On the links from now on: whole packets, with whole checksums."""
        self.relay = relay(self.br)
        for namespace, device in self.ends:
            offload(namespace, device, False)
        # From the customer edge, to it, and what the LAN and the server get.
        self.out6, self.in6 = Capture6(self.br, "wan0"), Capture6(self.ce, "wan")
        self.lan4, self.server4 = Capture4(self.lan, "eth0"), Capture4(self.server, "eth0")
        self.captures = (self.out6, self.in6, self.lan4, self.server4)

    def fresh(self):
        """No flows, nothing known of any path, nothing seen."""
        self.ce.run("conntrack -F")
        for namespace in (self.lan, self.ce, self.core, self.br, self.server):
            namespace.run("ip route flush cache")
            namespace.run("ip -6 route flush cache")
        self.clear()

    def clear(self):
        for capture in self.captures:
            capture.clear()

    def end(self):
        for capture in self.captures:
            capture.stop()
        self.relay.stop()

    def check(self, title, good, detail=""):
        return check(f"{self.relay.name}: {title}", good, detail)

    def outcome(self, title, good, fails="", given=None, detail=""):
        """A check where the relay may be what fails: `fails` names its fault, `given` tells whether what we gave it is right."""
        reason = self.relay.fails.get(fails)
        if reason is None:
            return self.check(title, good, detail)
        given = given() if callable(given) else given
        return self.check(f"{title}: the relay fails ({reason}); what it was given is right", given and not good, (given, good, detail))
