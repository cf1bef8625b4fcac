"""The module's core in user space: vectors, RFC examples, the tables of RFC 7915, and an oracle of our own.

Prints what failed, and `N passed, N failed`; ends with 1 when one failed.
"""

import ipaddress
import json
import random
import sys

from checks import Tally, chosen
from core_process import Core

tally = Tally(quiet=True)
check = tally.equal


def address6(text):
    return str(ipaddress.IPv6Address(text))


# --- vectors -------------------------------------------------------------------------------------

def vectors(core, path):
    for row in json.load(open(path)):
        expect = row["expect"]
        if "error" in expect or "mapIpv6Address" not in expect:
            continue
        title = row["title"]
        style = "MAP0" if row["legacy"] else "MAP"
        rule = (f"style {style}", f"v4 {row['ruleIpv4Prefix']}", f"v6 {row['ruleIpv6Prefix']}", f"ea-len {row['eaLength']}",
                f"psid-offset {row['psidOffset']}")
        edge = (f"ce.v4 {expect['ipv4']} ce.v6 {expect['mapIpv6Address']} ce.psid-offset {row['psidOffset']}"
                f" ce.psid-len {expect['psidLength']} ce.psid {expect['psid']}")
        local = " ".join(f"local.{word}" for word in rule)
        whole = expect["ipv4"].endswith("/32")
        own = expect["ipv4"].split("/")[0]
        inside = expect["firstRanges"][0][0] if expect["firstRanges"] else 40000
        mapped = address6(expect["mapIpv6Address"])

        core.rules(f"config map0 {local} {edge}")
        check(f"{title}: ours to IPv6", core.ask(f"local4 {own} {inside}"), mapped)
        check(f"{title}: ours to IPv4", core.ask(f"local6 {mapped}"), own)
        if expect["psidLength"] > 0:
            members = [int(core.ask(f"set {port}") == "yes") for port in range(0, 65536)]
            edges = [0] + [port for port in range(1, 65536) if members[port] != members[port - 1]] + [65536]
            ranges = [[low, high - 1] for low, high in zip(edges, edges[1:]) if members[low]]
            # Ranges that touch are one here.
            check(f"{title}: ports", sum(members), expect["portCount"] - (row["psidOffset"] == 0 and expect["psid"] == 0))
            if row["psidOffset"] > 0 and len(ranges) == expect["rangeCount"]:
                check(f"{title}: first ranges", ranges[:len(expect["firstRanges"])], expect["firstRanges"])
                check(f"{title}: last range", ranges[-1], expect["lastRange"])
            outside = next(port for port in range(65535, 0, -1) if not members[port])
            check(f"{title}: outside the set", core.ask(f"local4 {own} {outside}"), "EPERM")
            check(f"{title}: no port", core.ask(f"local4 {own} -"), "EPERM")
        # The same rule as a forwarding rule: the end-user prefix follows from address and port.
        subnet = int(ipaddress.IPv6Address(mapped)) >> 64
        bits = int(row["ruleIpv6Prefix"].split("/")[1]) + row["eaLength"]
        plain = bits >= 64 or subnet & ((1 << (64 - bits)) - 1) == 0
        explicit = row["eaLength"] == 0 and expect["psidLength"] > 0
        if whole and plain and not explicit and bits <= 64:
            remote = " ".join(f"remote.{word}" for word in rule)
            core.rules(f"insert map0 {remote}")
            check(f"{title}: mesh to IPv6", core.ask(f"remote4 {own} {inside}"), mapped)
            check(f"{title}: mesh to IPv4", core.ask(f"remote6 {mapped} {inside}"), own)


# --- RFC 6052 s2.4 -------------------------------------------------------------------------------

RFC6052 = (
    ("2001:db8::/32", "2001:db8:c000:221::"),
    ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
    ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
    ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
    ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
    ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
)


def rfc6052(core):
    for prefix, address in RFC6052:
        core.rules(f"config map0 remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 {prefix}")
        check(f"RFC 6052 {prefix} to IPv6", core.ask("remote4 192.0.2.33 -"), address6(address))
        check(f"RFC 6052 {prefix} to IPv4", core.ask(f"remote6 {address6(address)} 80"), "192.0.2.33")
    check("RFC 6052: not of the prefix", core.ask("remote6 2001:db9:: 80"), "ENOENT")


# --- FMRs against an oracle ----------------------------------------------------------------------

def oracle_psid(port, a, k):
    """RFC 7597 s5.1: A | PSID | j, as text of bits."""
    bits = format(port, "016b")
    if a > 0 and int(bits[:a], 2) == 0:
        return None
    return bits[a:a + k]


def oracle_map(rule6, rule4, ea, a, legacy, v4, port):
    prefix6, prefix4 = ipaddress.IPv6Network(rule6), ipaddress.IPv4Network(rule4)
    p = 32 - prefix4.prefixlen
    k = max(0, ea - p)
    psid = oracle_psid(port, a, k) if k else ""
    if psid is None:
        return None
    suffix = format(int(ipaddress.IPv4Address(v4)), "032b")[prefix4.prefixlen:][:min(ea, p)]
    head = format(int(prefix6.network_address), "0128b")[:prefix6.prefixlen] + suffix + psid
    low = format(int(ipaddress.IPv4Address(v4)), "032b") + psid.rjust(16, "0")
    low = ("0" * 8 + low + "0" * 8) if legacy else ("0" * 16 + low)
    bits = head.ljust(64, "0") + low[max(0, len(head) - 64):]
    return str(ipaddress.IPv6Address(int(bits, 2)))


def forwarding_rules(core, seed, count):
    rng = random.Random(seed)
    done = 0
    while done < count:
        r, n, a = rng.randint(8, 32), rng.randint(16, 64), rng.randint(0, 15)
        ea = rng.randint(0, 48)
        k = ea - (32 - r)
        if n + ea > 64 + rng.randint(0, 16) or k > 16 or (k > 0 and a + k > 16):
            continue
        done += 1
        rule6 = str(ipaddress.IPv6Network((rng.getrandbits(128), n), strict=False))
        rule4 = str(ipaddress.IPv4Network((rng.getrandbits(32), r), strict=False))
        legacy = rng.random() < 0.3
        core.rules(f"insert map0 remote.style {'MAP0' if legacy else 'MAP'} remote.v4 {rule4} remote.v6 {rule6}"
                   f" remote.ea-len {ea} remote.psid-offset {a}")
        for _ in range(4):
            v4 = str(ipaddress.IPv4Address(int(ipaddress.IPv4Network(rule4).network_address) | rng.getrandbits(32 - r)))
            port = rng.randint(0, 65535)
            expected = oracle_map(rule6, rule4, ea, a, legacy, v4, port)
            title = f"{rule6} {rule4} ea {ea} a {a}{' legacy' if legacy else ''}: {v4} port {port}"
            found = core.ask(f"remote4 {v4} {port}")
            check(title, found, expected or "ENOENT")
            if expected is None:
                continue
            check(f"{title}, back", core.ask(f"remote6 {expected} {port}"), v4)
            # Somebody else's port under this address is spoofed (RFC 7597 s8.1).
            other = rng.randint(0, 65535)
            same = oracle_map(rule6, rule4, ea, a, legacy, v4, other) == expected
            check(f"{title}, from port {other}", core.ask(f"remote6 {expected} {other}"), v4 if same else "EPERM")


def choice(core):
    dmr = "remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::/64"
    fmr = "remote.style MAP remote.v4 192.0.2.0/24 remote.v6 2001:db8::/40 remote.ea-len 16 remote.psid-offset 6"
    core.rules(f"config map0 {dmr}", f"insert map0 {fmr}")
    check("an address of the FMR", core.ask("remote4 192.0.2.18 1232"), "2001:db8:12:3400:0:c000:212:34")
    check("a port that the FMR leaves out goes to the DMR", core.ask("remote4 192.0.2.18 80"), address6("2001:db8:ffff:0:c0:2:1200::"))
    check("so does what has no port", core.ask("remote4 192.0.2.18 -"), address6("2001:db8:ffff:0:c0:2:1200::"))
    check("any other address goes to the DMR", core.ask("remote4 198.51.100.1 80"), address6("2001:db8:ffff:0:c6:3364:100::"))
    check("an FMR's source", core.ask("remote6 2001:db8:12:3400:0:c000:212:34 1232"), "192.0.2.18")
    check("with another's port", core.ask("remote6 2001:db8:12:3400:0:c000:212:34 1236"), "EPERM")
    check("with another interface identifier", core.ask("remote6 2001:db8:12:3400:0:c000:213:34 1232"), "EPERM")
    check("neither DMR nor FMR", core.ask("remote6 2001:dead::1 80"), "ENOENT")


def domains(core):
    """Several domains on a device, told apart by the source; 1,000 rules against the longest match by hand."""
    one = "local.style NONE local.v4 10.0.0.1/32 local.v6 2001:db8:1::1/128"
    two = "local.style NONE local.v4 10.0.0.2/32 local.v6 2001:db8:2::1/128"
    core.rules(f"config map0 {one} remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 64:ff9b::/96",
               f"insert map0 {two} remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 2001:db8:64::/96")
    check("the first domain's default", core.ask("remote4 192.0.2.1 80 10.0.0.1"), address6("64:ff9b::c000:201"))
    check("the second domain's default", core.ask("remote4 192.0.2.1 80 10.0.0.2"), address6("2001:db8:64::c000:201"))

    rng = random.Random(8)
    lines, rules = [], {}
    while len(rules) < 1000:
        length = rng.choice((8, 12, 16, 20, 24, 28, 32))
        prefix = ipaddress.IPv4Network((rng.getrandbits(32), length), strict=False)
        if prefix not in rules:
            rules[prefix] = f"2001:db8:{len(rules):x}::/96"
            lines.append(f"insert map0 remote.style RFC6052 remote.v4 {prefix} remote.v6 {rules[prefix]}")
    core.rules(f"config map0 {one} remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 64:ff9b::/96", *lines)
    networks = [*rules]
    for _ in range(2000):
        base = rng.choice(networks)
        v4 = ipaddress.IPv4Address(int(base.network_address) | rng.getrandbits(32) & int(base.hostmask) if rng.random() < 0.8
                                   else rng.getrandbits(32))
        found = max((n for n in networks if v4 in n), key=lambda n: n.prefixlen, default=None)
        head = rules[found].split("::")[0] if found else "64:ff9b"
        check(f"longest match of {v4}", core.ask(f"remote4 {v4} 80"),
              str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(head + "::")) | int(v4))))
        if found:
            check(f"and back to {v4}", core.ask(f"remote6 {ipaddress.IPv6Address(int(ipaddress.IPv6Address(head + '::')) | int(v4))} 80"), str(v4))


# --- ICMP (RFC 7915 s4.2, s5.2) ------------------------------------------------------------------

def icmp(core):
    unreachable46 = {code: (1, 0) for code in (0, 1, 5, 6, 7, 8, 11, 12)}
    unreachable46 |= {3: (1, 4), 4: (2, 0)} | {code: (1, 1) for code in (9, 10, 13, 15)}
    pointers46 = {0: 0, 1: 1, 2: 4, 3: 4, 8: 7, 9: 6} | {i: 8 for i in range(12, 16)} | {i: 24 for i in range(16, 20)}
    pointers64 = {0: 0, 1: 1, 4: 2, 5: 2, 6: 9, 7: 8} | {i: 12 for i in range(8, 24)} | {i: 16 for i in range(24, 40)}
    for kind in range(256):
        for code in range(17):
            expected = "none"
            if kind == 3 and code == 2:
                expected = "4 1 6 0"
            elif kind == 3 and code in unreachable46:
                new, new_code = unreachable46[code]
                expected = f"{new} {new_code} 0 {int(new == 1)}"
            elif kind == 11:
                expected = f"3 {code} 0 1"
            elif kind == 12 and code in (0, 2):
                expected = "4 0 0 0"
            check(f"ICMPv4 {kind}/{code}", core.ask(f"icmp46 {kind} {code} 0"), expected)
    for pointer in range(256):
        expected = f"4 0 {pointers46[pointer]} 0" if pointer in pointers46 else "none"
        check(f"ICMPv4 pointer {pointer}", core.ask(f"icmp46 12 0 {pointer}"), expected)
    for kind in range(256):
        for code in range(17):
            expected = "none"
            if kind == 1 and code in (0, 1, 2, 3, 4):
                expected = {0: "3 1 0 1", 1: "3 10 0 1", 2: "3 1 0 1", 3: "3 1 0 1", 4: "3 3 0 1"}[code]
            elif kind == 2:
                expected = "3 4 0 0"
            elif kind == 3:
                expected = f"11 {code} 0 1"
            elif kind == 4 and code == 0:
                expected = "12 0 0 0"
            elif kind == 4 and code == 1:
                expected = "3 2 0 0"
            check(f"ICMPv6 {kind}/{code}", core.ask(f"icmp64 {kind} {code} 0"), expected)
    for pointer in [*range(256), 1 << 16, 0xFFFFFFFF]:
        expected = f"12 0 {pointers64[pointer] << 24} 0" if pointer in pointers64 else "none"
        check(f"ICMPv6 pointer {pointer}", core.ask(f"icmp64 4 0 {pointer}"), expected)


def mtu(core):
    # RFC 1191 s7: what a router that gives no MTU may have meant.
    plateaus = (65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)
    for told in (0, 1, 68, 576, 1260, 1280, 1400, 1480, 1500, 9000, 65535):
        for quoted in (60, 576, 1500, 4000):
            for mtu6 in (1280, 1400, 1500, 9000):
                for mtu4 in (1280, 1480, 1500):
                    m = told or next((p for p in plateaus if p < quoted), 0)
                    check(f"MTU {told} quoted {quoted} {mtu6} {mtu4}, 4 to 6", core.ask(f"mtu46 {told} {quoted} {mtu6} {mtu4}"),
                          str(max(1280, min(m + 20, mtu6, mtu4 + 20))))
    for told in (0, 576, 1279, 1280, 1400, 1500, 65555, 65556, 0x10000 + 1300, 0xFFFFFFFF):
        for mtu6 in (1280, 1500, 9000):
            for mtu4 in (1280, 1500, 9000):
                check(f"MTU {told} {mtu6} {mtu4}, 6 to 4", core.ask(f"mtu64 {told} {mtu6} {mtu4}"),
                      str(min(max(told, 1280) - 20, mtu4, mtu6 - 20)))


# --- control lines -------------------------------------------------------------------------------

GOOD = "local.style MAP local.v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 16 local.psid-offset 6"

REFUSED = (
    ("frobnicate map0", "error frobnicate: is not a command"),
    ("add", "error : is not a valid device name"),
    ("add a/b", "error a/b: is not a valid device name"),
    ("add sixteen-letters-", "error sixteen-letters-: is not a valid device name"),
    ("add map0 map1", "error map1: is one word too many"),
    ("config map0", "error map0: is given no keys"),
    ("config map0 local.colour blue", "error local.colour: is not a key"),
    ("config map0 local.style", "error local.style: has no value"),
    ("config map0 local.style map", "error map: is not a valid value for its key"),
    ("config map0 local.v4 192.0.2/24", "error 192.0.2/24: is not a valid value for its key"),
    ("config map0 local.v4 192.0.2.0/33", "error 192.0.2.0/33: is not a valid value for its key"),
    ("config map0 local.v4 192.0.2.256/24", "error 192.0.2.256/24: is not a valid value for its key"),
    ("config map0 local.v6 2001:db8::/129", "error 2001:db8::/129: is not a valid value for its key"),
    ("config map0 local.v6 2001::db8::/32", "error 2001::db8::/32: is not a valid value for its key"),
    ("config map0 local.ea-len 49", "error 49: is not a valid value for its key"),
    ("config map0 local.ea-len -1", "error -1: is not a valid value for its key"),
    ("config map0 local.ea-len 016", "error 016: is not a valid value for its key"),
    ("config map0 local.ea-len 99999999999", "error 99999999999: is not a valid value for its key"),
    ("config map0 local.psid-offset 16", "error 16: is not a valid value for its key"),
    ("config map0 local.ea-len 1 local.ea-len 1", "error local.ea-len: is given twice"),
    ("config map0 ce.psid 65536", "error 65536: is not a valid value for its key"),
    ("config map0 lowest-ipv6-mtu 1279", "error 1279: is not a valid value for its key"),
    ("config map0 lowest-ipv6-mtu 65536", "error 65536: is not a valid value for its key"),
    ("remove map0 lowest-ipv6-mtu 1280", "error lowest-ipv6-mtu: belongs to the device, not to a rule"),
    ("config map0 nat.mode on", "error on: is not a valid value for its key"),
    ("config map0 nat.device a/b", "error a/b: is not a valid value for its key"),
    ("config map0 nat.filter none", "error none: is not a valid value for its key"),
    ("config map0 nat.reserved 0", "error 0: is not a valid value for its key"),
    ("config map0 nat.reserved 5060,", "error 5060,: is not a valid value for its key"),
    ("config map0 nat.reserved 9007-9000", "error 9007-9000: is not a valid value for its key"),
    ("config map0 nat.reserved 9000-9007,9007", "error 9000-9007,9007: is not a valid value for its key"),
    ("config map0 nat.reserved 65536", "error 65536: is not a valid value for its key"),
    ("remove map0 nat.mode ports", "error nat.mode: belongs to the device, not to a rule"),
    ("config map0 remote.style RFC6052 remote.v6 2001:db8::/60", "misfit v6"),
    ("config map0 local.style MAP local.v4 192.0.2.0/24 local.v6 2001:db8::/96 local.ea-len 40", "misfit ea-len"),
    ("config map0 local.style MAP local.v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 20 local.psid-offset 6",
     "misfit psid-offset"),
    ("config map0 ce.v4 192.0.2.1 ce.v6 2001:db8::1", "misfit local.style"),
    (f"config map0 {GOOD} ce.v4 192.0.2.1", "misfit ce.v6"),
    (f"config map0 {GOOD} ce.v4 192.0.2.1 ce.v6 2001:db8::1 ce.psid-len 4 ce.psid 16", "misfit ce.psid-len"),
    (f"config map0 {GOOD} ce.v4 192.0.2.0/28 ce.v6 2001:db8::1 ce.psid-len 4 ce.psid 1", "misfit ce.psid-len"),
    (f"config map0 {GOOD} ce.v4 192.0.2.1 ce.v6 2001:db8::1 ce.psid-offset 9 ce.psid-len 8", "misfit ce.psid-offset"),
)


def grammar(core, seed, count):
    for line, expected in REFUSED:
        core.ask("reset")
        check(line, core.ask(f"line {line}"), expected)
    for blank in ("", "   ", "# add map0"):
        check(f"blank line {blank!r}", core.ask(f"line {blank}"), "ok")
    # What is shown is what was written, and reads back as itself.
    words = f"{GOOD} remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::/64 remote.ea-len 0 remote.psid-offset 0"
    edge = "ce.v4 192.0.2.18/32 ce.v6 2001:db8:12:3400:0:c000:212:34 ce.psid-offset 6 ce.psid-len 8 ce.psid 52"
    core.rules(f"config map0 {words} {edge}")
    check("what is shown", core.ask("show"), f" {words} {edge}")
    # Whatever comes, an answer does, and none of it is a crash.
    rng = random.Random(seed)
    vocabulary = ["add", "del", "config", "insert", "remove", "map0", "local.style", "MAP", "MAP0", "NONE", "RFC6052",
                  "local.v4", "192.0.2.0/24", "0.0.0.0/0", "local.v6", "2001:db8::/40", "::/0", "remote.v4", "remote.v6",
                  "local.ea-len", "16", "48", "0", "-1", "remote.style", "remote.ea-len", "remote.psid-offset", "ce.v4",
                  "ce.v6", "ce.psid", "ce.psid-len", "ce.psid-offset", "debug", "1",
                  "lowest-ipv6-mtu", "1280", "nat.mode", "ports", "nat.device", "nat.filter", "nat.reserved", "5060,9000-9007", "-", "/", "1.2.3.4/", ":::", "x" * 300, "%s%n"]
    for _ in range(count):
        core.ask("reset")
        line = " ".join(rng.choice(vocabulary) for _ in range(rng.randint(0, 14)))
        if rng.random() < 0.3:
            line = "".join(chr(rng.choice([9, 13, 32, *range(33, 127)])) if rng.random() < 0.1 else c for c in line)
        answer = core.ask(f"line {line}")
        check(f"line {line!r}", answer.split(" ")[0] in ("ok", "error", "misfit"), True)


# --- NAT -----------------------------------------------------------------------------------------

def members(offset, length, psid):
    """The ports of a set, by the picture of RFC 7597 s5.1. Port 0 is not one of them; ports below 1024 are, if there are no others."""
    found = []
    for port in range(1, 65536):
        bits = f"{port:016b}"
        if length and offset and int(bits[:offset], 2) == 0:
            continue
        if length and int(bits[offset:offset + length], 2) != psid:
            continue
        found.append(port)
    if length == 0 or (offset == 0 and psid == 0):
        high = [port for port in found if port >= 1024]
        found = high or found
    return found


def port_sets(core, seed, count):
    rng = random.Random(seed)
    cases = [(4, 8, 0x34), (6, 6, 0x12), (6, 8, 0x34), (4, 4, 5), (0, 8, 0x34), (0, 8, 0), (0, 0, 0), (6, 0, 0), (0, 16, 0), (0, 16, 9),
             (15, 1, 1), (1, 15, 9), (0, 4, 0), (0, 5, 0), (0, 6, 0)]
    for _ in range(count):
        offset = rng.randint(0, 15)
        length = rng.randint(1, 16 - offset)
        cases.append((offset, length, rng.randrange(1 << length)))
    for case in cases:
        expected = members(*case)
        title = f"port set {case}"
        check(f"{title}: count", core.ask("portset {} {} {}".format(*case)), str(len(expected)) if expected else "ENOSPC")
        if not expected:
            continue
        check(f"{title}: ports", [int(p) for p in core.ask("ports").split()], expected)
        order = [int(p) for p in core.ask(f"order {rng.randrange(1 << 32)}").split()]
        check(f"{title}: a search meets each once", sorted(order), expected)
        for port in (0, 1, 1023, 1024, 65535, *rng.sample(range(65536), 20)):
            check(f"{title}: index of {port}", int(core.ask(f"index {port}")), expected.index(port) if port in set(expected) else -1)


def owners(core, seed):
    """An endpoint owns a port while there is one, whatever it talks to; and gives it back when its flows are over."""
    rng = random.Random(seed)
    core.ask("portset 4 8 52")
    ports = members(4, 8, 52)
    core.ask("table 0 1 2")
    flows = [(inside, remote) for inside in range(237) for remote in range(5)]
    rng.shuffle(flows)
    seen = {}
    for inside, remote in flows:
        seen.setdefault(inside, set()).add(core.ask(f"meet {inside} 7 {remote} 80 1000"))
    check("237 endpoints keep their port in random order", sum(len(s) == 1 for s in seen.values()), 237)
    check("each has its own, none a reserved one", sorted(int(p) for s in seen.values() for p in s), ports[3:])
    check("no port is left", core.ask("meet 1000 7 1 80 2000"), "none")
    for remote in range(4):
        core.ask(f"end 99 7 {remote} 80")
    check("one flow is enough to keep a port", core.ask("meet 1000 7 1 80 2000"), "none")
    core.ask("end 99 7 4 80")
    answers = {core.ask("meet 1000 7 1 80 2000") for _ in range(8)} - {"none"}
    check("the port of an endpoint without flows goes to the next", answers, seen[99])
    check("a new endpoint does not lose its port at once", core.ask("meet 1001 7 1 80 2001"), "none")
    for remote in range(5):
        core.ask(f"end 5 7 {remote} 80")
    check("a sweep takes back nothing that was used a moment ago", core.ask("sweep 1100"), "0")
    check("it takes back what is gone and was idle", core.ask("sweep 1200"), "1")
    check("and that port is free", {core.ask("meet 1001 7 1 80 2001")}, seen[5])
    # More remote ends than are remembered: it is kept until it was idle.
    core.ask("table")
    for remote in range(30):
        core.ask(f"meet 1 7 {remote} 80 1000")
    for remote in range(30):
        core.ask(f"end 1 7 {remote} 80")
    check("one that met many is kept while it may have others", core.ask("sweep 1119"), "0")
    check("but not for ever", core.ask("sweep 1120"), "1")
    check("an endpoint's own port is preferred", core.ask(f"meet 3 {ports[77]} 1 80 3000"), str(ports[77]))


# As many as a device keeps.
RANGES = ",".join(f"{port}-{port + 1}" for port in range(10000, 10000 + 512 * 3, 3))
NAT_KEYS = (
    ("config map0 nat.mode ports nat.device tnl0 nat.filter endpoint nat.reserved 80,443,8000-8010", "ok"),
    ("config map0 nat.mode off nat.device - nat.filter address nat.reserved -", "ok"),
    ("config map0 nat.mode on", "error on: is not a valid value for its key"),
    ("config map0 nat.device a/b", "error a/b: is not a valid value for its key"),
    ("config map0 nat.filter none", "error none: is not a valid value for its key"),
    ("config map0 nat.reserved 80,", "error 80,: is not a valid value for its key"),
    ("config map0 nat.reserved ,80", "error ,80: is not a valid value for its key"),
    ("config map0 nat.reserved 80,,81", "error 80,,81: is not a valid value for its key"),
    ("config map0 nat.reserved 81,80", "error 81,80: is not a valid value for its key"),
    ("config map0 nat.reserved 80-79", "error 80-79: is not a valid value for its key"),
    ("config map0 nat.reserved 80-", "error 80-: is not a valid value for its key"),
    ("config map0 nat.reserved 1-2-3", "error 1-2-3: is not a valid value for its key"),
    ("config map0 nat.reserved 65536", "error 65536: is not a valid value for its key"),
    (f"config map0 nat.reserved {RANGES}", "ok"),
    (f"config map0 nat.reserved {RANGES},65535", f"error {RANGES},65535: is not a valid value for its key"),
    ("remove map0 nat.mode ports", "error nat.mode: belongs to the device, not to a rule"),
    ("config map0 ce.v4 192.0.2.1 ce.psid-offset 4 ce.psid-len 8 ce.psid 52", "ok"),
)


def nat_keys(core):
    for line, expected in NAT_KEYS:
        core.ask("reset")
        check(line, core.ask(f"line {line}"), expected)


CASES = (vectors, rfc6052, choice, domains, forwarding_rules, icmp, mtu, grammar, port_sets, owners, nat_keys)


def main():
    program, ce_json = sys.argv[1:]
    core = Core(program)
    arguments = {
        vectors: (ce_json,), forwarding_rules: (7597, 3000), grammar: (48879, 10000), port_sets: (7597, 60), owners: (4787,),
    }
    for case in chosen(CASES):
        case(core, *arguments.get(case, ()))
    check("the core ends well", core.end(), 0)
    tally.end()


main()
