"""DHCPv6 servers that are not ours send what `mapminctl encode` writes for them: Kea, dnsmasq and ISC DHCP.

    client -- server (2001:db8:f000:1::1)

Each server is configured with nothing but its own frame and the text of `encode`, is asked for the option, and must answer with just
these octets; `mapminctl explain` must find the customer's address in them, and the rules. Argument: the folder of the programs. Prints a line for
each check and `N passed, N failed` at the end; ends with 1 when one failed.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import time

from captures import PATIENCE, until
from checks import attempt, check, chosen, tally
from namespaces import Namespace, sh
from sockets import readable

DIST = sys.argv[1]
SERVER, NETWORK = "2001:db8:f000:1::1", "2001:db8:f000:1::"
PREFIX, OWN = "2001:db8:12:3400::/56", "192.0.2.18/32"
INFORMATION_REQUEST, REPLY = 11, 7
CLIENT_ID, REQUESTED = 1, 6

RULE = "--rule-ipv6-prefix 2001:db8::/40 --rule-ipv4-prefix 192.0.2.0/24 --ea-length 16 --forward"
OPTIONS = {
    "48879": f"--transport map-t --dmr 2001:db8:ffff::/64 --option 48879 {RULE}",
    "94": f"--transport map-e --br 2001:db8:ffff::1 --br 2001:db8:ffff::2 {RULE}",
    "95": f"--transport map-t --dmr 2001:db8:ffff::/64 {RULE}",
    "96": "--transport lw4o6 --br 2001:db8:ffff::1 --rule-ipv6-prefix 2001:db8:12:3400::/56"
          " --rule-ipv4-prefix 192.0.2.18/32 --psid 52 --psid-length 8",
    "48879 of a table": "--table /run/map-t.csv --option 48879",
    "94 of a table": "--table /run/map-e.csv",
    "94 of a table for a customer": f"--table /run/map-e.csv --pd {PREFIX}",
    "94 of a domain that was proposed": "--table /run/domain.csv",
    "95 of a table": "--table /run/map-t.csv",
    "96 of a table": "--table /run/lw4o6.csv --row 4",
}
# As many rules as a line of dnsmasq's configuration holds; the customer's is in the middle.
RULES = [f"2001:db8:{n}00::/40,192.0.{2 + n}.0/24,16,{n % 2}" for n in range(1, 10)]
RULES.insert(5, "2001:db8::/40,192.0.2.0/24,16,0")
TABLES = {
    "map-e": ("br=2001:db8:ffff::1", "fmr", RULES),
    "map-t": ("dmr=2001:db8:ffff::/64", "fmr", RULES),
    "lw4o6": ("br=2001:db8:ffff::1", "psid,psidLength", ["2001:db8:12:3400::/56,192.0.2.18/32,0,52,8"]),
}


def mapminctl(command, *words):
    return sh(" ".join(("node", f"{DIST}/tools.cjs", "mapminctl", command, *words)))


def write_tables():
    for transport, (end, columns, rows) in TABLES.items():
        with open(f"/run/{transport}.csv", "w") as file:
            head = [f"# transport={transport}", f"# {end}", f"ruleIpv6Prefix,ruleIpv4Prefix,eaLength,{columns}"]
            file.write("\n".join(head + rows))
    plan = "--customers 65536 --ipv4 192.0.2.0/24 --ipv6 2001:db8::/32 --br 2001:db8:ffff::1"
    with open("/run/domain.csv", "w") as file:
        file.write(mapminctl("domain", plan))


def rules_in(explained):
    """The IPv6 prefixes of the rules in what `explain --json` prints."""
    return [field["text"] for option in explained["options"] for rule in option["options"] for field in rule["fields"]
            if field["name"] in ("ipv6-prefix", "bind-ipv6-prefix")]


def kea(text):
    written = json.loads(text)
    subnet = {"id": 1, "subnet": f"{NETWORK}/64", "interface": "eth0"}
    frame = {
        "interfaces-config": {"interfaces": ["eth0"]}, "lease-database": {"type": "memfile", "persist": False}, "subnet6": [subnet],
        # Of its own accord it would write a file.
        "server-id": {"type": "EN", "enterprise-id": 32473, "identifier": "00", "persist": False},
    }
    with open("/run/kea.conf", "w") as file:
        json.dump({"Dhcp6": {**frame, **written}}, file)
    return ["kea-dhcp6", "-c", "/run/kea.conf"]


def dnsmasq(text):
    with open("/run/dnsmasq.conf", "w") as file:
        file.write(f"interface=eth0\nport=0\nuser=root\ndhcp-range={NETWORK},static\nleasefile-ro\n{text}")
    return ["dnsmasq", "--keep-in-foreground", "--conf-file=/run/dnsmasq.conf", "--log-facility=-"]


def isc_dhcp(text):
    open("/run/dhcpd.leases", "w").close()
    with open("/run/dhcpd.conf", "w") as file:
        file.write(f"{text}\nsubnet6 {NETWORK}/64 {{ }}\n")
    return ["dhcpd", "-6", "-f", "-user", "root", "-group", "root", "-cf", "/run/dhcpd.conf", "-lf", "/run/dhcpd.leases", "-pf", "/run/dhcpd.pid", "eth0"]


SERVERS = {"kea": kea, "dnsmasq": dnsmasq, "isc-dhcp": isc_dhcp}


def options_of(message):
    """The options of a message of a server: (code, value)."""
    at = 4
    while at + 4 <= len(message):
        code, length = struct.unpack_from("!HH", message, at)
        yield code, message[at + 4:at + 4 + length]
        at += 4 + length


def asked(sock, code):
    """The value with which a server answers who asks for an option, or None."""
    transaction = os.urandom(3)
    identifier = struct.pack("!HH6s", 3, 1, b"\x02\0\0\0\0\x01")
    message = (bytes([INFORMATION_REQUEST]) + transaction + struct.pack("!HH", CLIENT_ID, len(identifier)) + identifier
               + struct.pack("!HHH", REQUESTED, 2, code))
    sock.sendto(message, ("ff02::1:2", 547))
    end = time.monotonic() + 1
    while readable(sock, max(end - time.monotonic(), 0)):
        answer, _ = sock.recvfrom(65536)
        if answer[0] == REPLY and answer[1:4] == transaction:
            return dict(options_of(answer)).get(code)
    return None


def expected_rules(case):
    if case.startswith("96"):
        return [PREFIX]
    if "table" not in case:
        return ["2001:db8::/40"]
    rows = RULES
    if "customer" in case:
        rows = [RULES[5]] + [row for row in RULES if row.endswith("1")]
    return [row.split(",")[0] for row in rows]


def served(client, server, name, case):
    code = int(case.split()[0])
    sock = client.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.bind(("::", 546))
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, client.index)
    text = mapminctl("encode", OPTIONS[case], "--format", name)
    expected = mapminctl("encode", OPTIONS[case]).strip()
    with open(f"/run/{name}.log", "w") as log:
        daemon = subprocess.Popen(["ip", "netns", "exec", server.name, *SERVERS[name](text)], stdout=log, stderr=subprocess.STDOUT,
                                  env={**os.environ, "KEA_LOCKFILE_DIR": "none", "KEA_PIDFILE_DIR": "/run"})
    try:
        # A server that is still starting answers nobody.
        value = until(lambda: asked(sock, code), PATIENCE)
        with open(f"/run/{name}.log") as log:
            said = log.read()[-1000:]
        found = None if value is None else struct.pack("!HH", code, len(value)).hex() + value.hex()
        if not check(f"{name}: option {case} is what encode wrote", found == expected, (found, expected, said)):
            return
        explained = json.loads(mapminctl("explain", found, "--pd", PREFIX, "--json"))
        edges, rules = explained["edges"], rules_in(explained)
        check(f"{name}: option {case} gives the customer's address", [edge["ipv4"] for edge in edges] == [OWN], edges)
        check(f"{name}: option {case} has its rules", rules == expected_rules(case), rules)
    finally:
        daemon.terminate()
        daemon.wait()
        sock.close()


def main():
    sh("ip link set lo up")
    write_tables()
    client, server = Namespace("client"), Namespace("server")
    client.run("ip link add eth0 type veth peer name eth0 netns server")
    for space in (client, server):
        space.set("net.ipv6.conf.eth0.accept_dad", 0)
        space.run("ip link set eth0 up")
    server.run(f"ip addr add {SERVER}/64 dev eth0 nodad")
    # Kea leaves alone what is not running yet: the kernel tells it some time after both ends are up.
    if not until(lambda: json.loads(server.run("ip -j link show eth0"))[0]["operstate"] == "UP"):
        raise RuntimeError("the link does not come up")
    client.index = json.loads(client.run("ip -j link show eth0"))[0]["ifindex"]
    # Both send from and to link-local addresses, which are there as soon as the link is.
    for name in chosen(SERVERS):
        for case in OPTIONS:
            attempt(served, client, server, name, case)
    tally.end()


main()
