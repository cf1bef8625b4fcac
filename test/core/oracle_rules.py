"""Addresses and port sets, as naively as RFC 7597 s5 and s6, RFC 7599 s5.1 and RFC 6052 s2.2 can be written down.

Addresses are text of bits, look-ups try every rule. Written from the RFCs and for reading, not from the module; the
module is compared with it.
"""

import functools
import ipaddress


@functools.cache
def network(text):
    return ipaddress.ip_network(text, strict=False)


@functools.lru_cache(65536)
def bits4(address):
    return format(int(ipaddress.IPv4Address(address)), "032b")


@functools.lru_cache(65536)
def bits6(address):
    return format(int(ipaddress.IPv6Address(address)), "0128b")


def octets(bits):
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def psid_of(port, offset, length):
    """RFC 7597 s5.1: a port is A | PSID | j. None where A is 0 and must not be: nobody owns that port."""
    bits = format(port, "016b")
    if offset > 0 and int(bits[:offset], 2) == 0:
        return None
    return bits[offset:offset + length]


# RFC 6052 s2.2, figure 1: which octets hold the IPv4 address; octet 8 is zero and never one of them.
EMBEDDED = {32: (4, 5, 6, 7), 40: (5, 6, 7, 9), 48: (6, 7, 9, 10), 56: (7, 9, 10, 11), 64: (9, 10, 11, 12), 96: (12, 13, 14, 15)}


class NoMatch(Exception):
    """The rule says nothing about this address and port."""


class Mismatch(Exception):
    """The address lies in the rule's prefix and is not what the rule makes of its own IPv4 address and port."""


class Side:
    """One side of a rule pair: IPv4 addresses (with ports) to IPv6 addresses and back."""

    def __init__(self):
        self.words = {}

    @property
    def style(self):
        return self.words.get("style", "NONE")

    @property
    def prefix4(self):
        return network(self.words.get("v4", "0.0.0.0/0"))

    @property
    def prefix6(self):
        return network(self.words.get("v6", "::/0"))

    @property
    def ea(self):
        return int(self.words.get("ea-len", 0))

    @property
    def offset(self):
        return int(self.words.get("psid-offset", 0))

    @property
    def psid_length(self):
        if self.style not in ("MAP", "MAP0"):
            return 0
        return max(0, self.ea - (32 - self.prefix4.prefixlen))

    def address(self, v4, psid):
        """The MAP address: rule prefix, EA bits, subnet bits of zero, interface identifier (RFC 7597 s5.2, s6)."""
        suffix = bits4(v4)[self.prefix4.prefixlen:][:self.ea]
        head = bits6(self.prefix6.network_address)[:self.prefix6.prefixlen] + suffix + psid
        identifier = bits4(v4) + psid.rjust(16, "0")
        identifier = "0" * 8 + identifier + "0" * 8 if self.style == "MAP0" else "0" * 16 + identifier
        # A prefix that is longer than 64 bits lies over the identifier.
        return head.ljust(64, "0") + identifier[max(0, len(head) - 64):]

    def to6(self, v4, port):
        if self.style == "RFC6052":
            address = bytearray(octets(bits6(self.prefix6.network_address)))
            for place, octet in zip(EMBEDDED[self.prefix6.prefixlen], ipaddress.IPv4Address(v4).packed):
                address[place] = octet
            return ipaddress.IPv6Address(bytes(address))
        if self.style == "NONE":
            if self.prefix4.prefixlen != 32 or self.prefix6.prefixlen != 128:
                raise NoMatch
            return self.prefix6.network_address
        psid = ""
        if self.psid_length:
            psid = None if port is None else psid_of(port, self.offset, self.psid_length)
            if psid is None:
                raise NoMatch
        return ipaddress.IPv6Address(int(self.address(v4, psid), 2))

    def to4(self, v6):
        """The IPv4 address and the PSID (text of bits, or empty) of one of this side's IPv6 addresses."""
        if self.style == "RFC6052":
            packed = ipaddress.IPv6Address(v6).packed
            return ipaddress.IPv4Address(bytes(packed[i] for i in EMBEDDED[self.prefix6.prefixlen])), ""
        if self.style == "NONE":
            if self.prefix4.prefixlen != 32 or self.prefix6.prefixlen != 128:
                raise NoMatch
            return self.prefix4.network_address, ""
        n, r, p = self.prefix6.prefixlen, self.prefix4.prefixlen, min(self.ea, 32 - self.prefix4.prefixlen)
        bits = bits6(v6)
        embedded = bits[72:104] if self.style == "MAP0" else bits[80:112]
        v4 = bits4(self.prefix4.network_address)[:r] + bits[n:n + p]
        v4 = ipaddress.IPv4Address(int(v4 + embedded[len(v4):], 2))
        psid = bits[n + p:n + self.ea]
        wanted = self.address(v4, psid)
        if not self.ea and r == 32:
            # The PSID of such a rule is told apart from it (RFC 7597 s5.2), and this side is not told it.
            field = slice(104, 120) if self.style == "MAP0" else slice(112, 128)
            wanted = wanted[:field.start] + bits[field] + wanted[field.stop:]
        # Bits between the EA bits and the interface identifier number the CE's own subnets.
        if (wanted[:n + self.ea], wanted[64:]) != (bits[:n + self.ea], bits[64:]):
            raise Mismatch
        return v4, psid

    def owns(self, psid, port):
        """Whether a port is in the set that an address's PSID names."""
        return not self.psid_length or port is not None and psid_of(port, self.offset, self.psid_length) == psid


class Pair:
    def __init__(self):
        self.local, self.remote, self.edge = Side(), Side(), {}

    @property
    def own4(self):
        return network(self.edge["v4"]) if "v4" in self.edge else None

    @property
    def own_psid_length(self):
        return int(self.edge.get("psid-len", 0))

    def in_set(self, port):
        k = self.own_psid_length
        if k == 0:
            return True
        # Port and id 0 are nobody's, even where a = 0.
        if not port:
            return False
        return psid_of(port, int(self.edge.get("psid-offset", 0)), k) == format(int(self.edge.get("psid", 0)), f"0{k}b")

    def own6(self, v4):
        """The CE's MAP address; one with an IPv4 prefix embeds the whole address of each packet (RFC 7597 s6)."""
        bits = bits6(self.edge["v6"])
        if self.own4.prefixlen < 32:
            start = 72 if self.local.style == "MAP0" else 80
            bits = bits[:start] + bits4(v4) + bits[start + 32:]
        return ipaddress.IPv6Address(int(bits, 2))


class Unknown(Exception):
    """Not one of our addresses."""


class Outside(Exception):
    """Our address, with a port outside our set (or no port, where there is a set)."""


class Rules:
    def __init__(self, lines):
        self.pairs = []
        for line in lines:
            verb, _device, *words = line.split()
            if verb == "insert":
                self.pairs.insert(0, Pair())
                pair = self.pairs[0]
            else:
                if not self.pairs:
                    self.pairs.append(Pair())
                pair = self.pairs[-1]
            for key, value in zip(words[::2], words[1::2]):
                owner, name = key.split(".")
                {"local": pair.local.words, "remote": pair.remote.words, "ce": pair.edge}[owner][name] = value

    def domain(self, pair):
        """A pair with a remote side alone belongs to the next that has both; None where there is none."""
        for other in self.pairs[self.pairs.index(pair):]:
            if other.local.words:
                return other.local.words
        return None

    def remotes(self, domain):
        return [p for p in self.pairs if p.remote.words and (domain is None or self.domain(p) in (None, domain))]

    def own4to6(self, v4, port):
        """Our IPv6 address for one of our IPv4 addresses, and the domain it is of."""
        best = None
        for pair in self.pairs:
            if not pair.local.words:
                continue
            if pair.own4 is not None:
                if v4 in pair.own4:
                    if not pair.in_set(port):
                        raise Outside
                    return pair.own6(v4), pair.local.words
            elif v4 in pair.local.prefix4:
                if best is None or pair.local.prefix4.prefixlen > best.local.prefix4.prefixlen:
                    best = pair
        if best is None:
            raise Unknown
        try:
            return best.local.to6(v4, port), best.local.words
        except NoMatch:
            raise Outside from None

    def own6to4(self, v6):
        """Our IPv4 address, the domain, and whether a port is in the set of that address."""
        for pair in self.pairs:
            if not pair.local.words:
                continue
            if "v6" in pair.edge:
                start = 9 if pair.local.style == "MAP0" else 10
                v4 = pair.own4.network_address
                if pair.own4.prefixlen < 32:
                    v4 = ipaddress.IPv4Address(v6.packed[start:start + 4])
                if v4 in pair.own4 and pair.own6(v4) == v6:
                    return v4, pair.local.words, pair.in_set
            elif v6 in pair.local.prefix6:
                try:
                    v4, psid = pair.local.to4(v6)
                except (NoMatch, Mismatch):
                    continue
                return v4, pair.local.words, lambda port, side=pair.local, psid=psid: side.owns(psid, port)
        raise Unknown

    def remote4to6(self, v4, port, domain):
        """RFC 7599 s8.1: the longest IPv4 prefix whose rule has this address and port."""
        for pair in sorted(self.remotes(domain), key=lambda p: -p.remote.prefix4.prefixlen):
            if v4 in pair.remote.prefix4:
                try:
                    return pair.remote.to6(v4, port)
                except NoMatch:
                    continue
        raise NoMatch

    def remote6to4(self, v6, domain):
        """RFC 7599 s8.2: the longest IPv6 prefix decides. Gives the IPv4 address, and whether a port is the sender's."""
        found = [p for p in self.remotes(domain) if v6 in p.remote.prefix6]
        if not found:
            raise NoMatch
        side = max(found, key=lambda p: p.remote.prefix6.prefixlen).remote
        v4, psid = side.to4(v6)
        return v4, lambda port: side.owns(psid, port)
