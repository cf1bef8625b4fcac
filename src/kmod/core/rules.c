// SPDX-License-Identifier: GPL-2.0-only
/*
 * One side of a rule: which IPv6 address an IPv4 address and port has, and the other way round (RFC
 * 7597 s5, s6; RFC 6052 s2.2).
 */
#include <linux/kernel.h>
#include <net/ipv6.h>

#include "mapmint.h"

/*
 * RFC 6052 s2.2: the octets of the address that hold the IPv4 address, by prefix length; octet 8 is
 * zero.
 */
static const struct {
	u8 length;
	u8 octet[4];
} mm_rfc6052[] = {
	{ 32, { 4, 5, 6, 7 } },	   { 40, { 5, 6, 7, 9 } },    { 48, { 6, 7, 9, 10 } },
	{ 56, { 7, 9, 10, 11 } },  { 64, { 9, 10, 11, 12 } }, { 96, { 12, 13, 14, 15 } },
};

static const u8 *mm_rfc6052_octets(u8 length)
{
	unsigned int row = length == 96 ? 5 : (length - 32U) / 8;

	return row < ARRAY_SIZE(mm_rfc6052) && mm_rfc6052[row].length == length ?
		       mm_rfc6052[row].octet :
		       NULL;
}

bool mm_in4(const struct mm_side *side, __be32 v4)
{
	return !((side->v4 ^ v4) & mm_mask4(side->v4_len));
}

bool mm_in6(const struct mm_side *side, const struct in6_addr *v6)
{
	return ipv6_prefix_equal(&side->v6, v6, side->v6_len);
}

bool mm_valid_side(const struct mm_side *side, const char **why)
{
	int psid_len = (int)side->ea_len - (32 - side->v4_len);

	if (side->style == MM_STYLE_RFC6052 && !mm_rfc6052_octets(side->v6_len)) {
		*why = "v6";
		return false;
	}
	if (side->style != MM_STYLE_MAP && side->style != MM_STYLE_MAP0)
		return true;
	if (side->v6_len + side->ea_len > 128) {
		*why = "ea-len";
		return false;
	}
	/* RFC 7597 s5.1: a + k <= 16. */
	if (psid_len > 0 && side->psid_offset + psid_len > 16) {
		*why = "psid-offset";
		return false;
	}
	return true;
}

/* In one 64-bit word: the low @count bits of @value at bit @start, bit 0 being the highest. */
static u64 mm_put_word(u64 word, int start, int count, u64 value)
{
	u64 mask = count == 64 ? ~0ULL : ((1ULL << count) - 1) << (64 - start - count);

	return (word & ~mask) | (value << (64 - start - count) & mask);
}

static u64 mm_get_word(u64 word, int start, int count)
{
	return word << start >> (64 - count);
}

static u64 mm_load(const struct in6_addr *v6, int half)
{
	__be64 word;

	memcpy(&word, &v6->s6_addr[8 * half], sizeof(word));
	return be64_to_cpu(word);
}

static void mm_store(struct in6_addr *v6, int half, u64 value)
{
	__be64 word = cpu_to_be64(value);

	memcpy(&v6->s6_addr[8 * half], &word, sizeof(word));
}

/* Writes the low @count bits of @value at bit @start, bit 0 being the highest of the address. */
void mm_put_bits(struct in6_addr *v6, int start, int count, u64 value)
{
	int first = clamp(64 - start, 0, count);

	if (first)
		mm_store(v6, 0, mm_put_word(mm_load(v6, 0), start, first,
					    value >> (count - first)));
	if (count > first)
		mm_store(v6, 1, mm_put_word(mm_load(v6, 1), max(start - 64, 0), count - first,
					    value));
}

/* The @count bits at bit @start, as a number. */
static u64 mm_get_bits(const struct in6_addr *v6, int start, int count)
{
	int first = clamp(64 - start, 0, count);
	u64 value = 0;

	if (first)
		value = mm_get_word(mm_load(v6, 0), start, first);
	if (count > first)
		value = (first ? value << (count - first) : 0) |
			mm_get_word(mm_load(v6, 1), max(start - 64, 0), count - first);
	return value;
}

static int mm_psid_len(const struct mm_side *side)
{
	return max(0, (int)side->ea_len - (32 - side->v4_len));
}

/* RFC 7597 App. B: the PSID of a port; -1 where the port belongs to nobody (A = 0). */
static int mm_psid_of(u8 offset, u8 length, u16 port)
{
	if (offset && !(port >> (16 - offset)))
		return -1;
	return (port >> (16 - offset - length)) & ((1U << length) - 1);
}

/* The MAP address of an IPv4 address and PSID under a rule (RFC 7597 s5.2, s6). */
static void mm_build(const struct mm_side *side, __be32 v4, u16 psid, struct in6_addr *v6)
{
	int suffix_len = min_t(int, side->ea_len, 32 - side->v4_len);
	int shift = 32 - side->v4_len - suffix_len;
	int at = side->style == MM_STYLE_MAP0 ? 72 : 80;
	int end = side->v6_len + side->ea_len;
	struct in6_addr id = {};
	u64 suffix;

	/* RFC 7597 s6: of a prefix the interface identifier has zeros behind the prefix. */
	if (side->tunnel)
		v4 &= mm_mask4(side->v4_len + suffix_len);
	suffix = ((u64)ntohl(v4) & ((1ULL << (32 - side->v4_len)) - 1)) >> shift;
	mm_put_bits(&id, at, 32, ntohl(v4));
	mm_put_bits(&id, at + 32, 16, psid);
	ipv6_addr_prefix(v6, &side->v6, side->v6_len);
	mm_put_bits(v6, side->v6_len, suffix_len, suffix);
	mm_put_bits(v6, side->v6_len + suffix_len, mm_psid_len(side), psid);
	/* s6: a prefix longer than 64 overwrites the top of the interface identifier. */
	end = max(end, 64);
	if (end < 128)
		mm_put_bits(v6, end, 128 - end, mm_get_bits(&id, end, 128 - end));
}

int mm_side_to_v6(const struct mm_side *side, __be32 v4, struct mm_port port,
		  struct in6_addr *v6)
{
	int psid_len, psid = 0;
	const u8 *octet;
	int i;

	switch (side->style) {
	case MM_STYLE_RFC6052:
		octet = mm_rfc6052_octets(side->v6_len);
		if (!octet)
			return -EINVAL;
		ipv6_addr_prefix(v6, &side->v6, side->v6_len);
		for (i = 0; i < 4; i++)
			v6->s6_addr[octet[i]] = ntohl(v4) >> (24 - 8 * i);
		return 0;
	case MM_STYLE_MAP:
	case MM_STYLE_MAP0:
		psid_len = mm_psid_len(side);
		if (psid_len) {
			if (!port.known)
				return -ENOENT;
			psid = mm_psid_of(side->psid_offset, psid_len, port.port);
			if (psid < 0)
				return -ENOENT;
		}
		mm_build(side, v4, psid, v6);
		return 0;
	case MM_STYLE_NONE:
		/* One address for one address; a tunnel's end is one for all of a prefix. */
		if (side->v6_len != 128 || (side->v4_len != 32 && !side->tunnel))
			return -ENOENT;
		*v6 = side->v6;
		return 0;
	default:
		return -ENOENT;
	}
}

int mm_side_to_v4(const struct mm_side *side, const struct in6_addr *v6,
		  struct mm_port port, __be32 *v4)
{
	struct in6_addr expected;
	const u8 *octet;
	u32 address = 0;
	int psid_len, psid, suffix_len, rest, i;

	switch (side->style) {
	case MM_STYLE_RFC6052:
		octet = mm_rfc6052_octets(side->v6_len);
		if (!octet)
			return -EINVAL;
		for (i = 0; i < 4; i++)
			address = address << 8 | v6->s6_addr[octet[i]];
		*v4 = htonl(address);
		return 0;
	case MM_STYLE_MAP:
	case MM_STYLE_MAP0:
		/*
		 * What the prefix says comes from there: one longer than 64 bits lies over the
		 * interface identifier (RFC 7597 s6).
		 */
		psid_len = mm_psid_len(side);
		suffix_len = min_t(int, side->ea_len, 32 - side->v4_len);
		i = side->style == MM_STYLE_MAP0 ? 72 : 80;
		rest = 32 - side->v4_len - suffix_len;
		address = mm_get_bits(v6, i, 32) & ((1ULL << rest) - 1);
		address |= mm_get_bits(v6, side->v6_len, suffix_len) << rest;
		address |= ntohl(side->v4 & mm_mask4(side->v4_len));
		psid = psid_len ? mm_get_bits(v6, side->v6_len + suffix_len, psid_len) : 0;
		/* s5.2: of a rule for one address the PSID is told apart from it. */
		if (!side->ea_len && side->v4_len == 32)
			psid = mm_get_bits(v6, i + 32, 16);
		*v4 = htonl(address);
		mm_build(side, *v4, psid, &expected);
		/* Subnet bits between the EA bits and the interface identifier are the CE's own. */
		if (!ipv6_prefix_equal(&expected, v6, side->v6_len + side->ea_len) ||
		    memcmp(&expected.s6_addr[8], &v6->s6_addr[8], 8))
			return -EPERM;
		/*
		 * RFC 7597 s8.1: the port must be one of the set that the address names; a shared
		 * address has nothing without a port.
		 */
		if (psid_len && !port.any &&
		    (!port.known || mm_psid_of(side->psid_offset, psid_len, port.port) != psid))
			return -EPERM;
		return 0;
	case MM_STYLE_NONE:
		if (side->v4_len != 32 || side->v6_len != 128)
			return -ENOENT;
		*v4 = side->v4;
		return 0;
	default:
		return -ENOENT;
	}
}

/*
 * Whether an IPv6 address in the side's prefix is the tunnel's end of an IPv4 address and port (RFC
 * 7597 s8.1). -ENOENT: of that of another address. -EPERM: of that of another port, or the end's
 * own bits are wrong.
 */
int mm_check_end(const struct mm_side *side, const struct in6_addr *v6, __be32 v4,
		 struct mm_port port)
{
	int known = min(32, side->v4_len + side->ea_len);
	__be32 found;
	int error;

	if (!mm_in4(side, v4))
		return -ENOENT;
	if (side->style == MM_STYLE_NONE)
		return side->v6_len == 128 ? 0 : -ENOENT;
	error = mm_side_to_v4(side, v6, port, &found);
	if (error)
		return error;
	return (found ^ v4) & mm_mask4(known) ? -ENOENT : 0;
}

bool mm_in_set(const struct mm_edge *edge, struct mm_port port)
{
	if (!edge->psid_len)
		return true;
	return port.known && port.port &&
	       mm_psid_of(edge->psid_offset, edge->psid_len, port.port) == edge->psid;
}

/* How many ports a set has, port 0 among them where it is of the set. */
u32 mm_port_count(const struct mm_edge *edge)
{
	u32 ranges = edge->psid_offset ? (1U << edge->psid_offset) - 1 : 1;

	return ranges << (16 - edge->psid_offset - edge->psid_len);
}

/* The @number-th port of a set, for any number: they begin anew behind the last. */
u16 mm_nth_port(const struct mm_edge *edge, u32 number)
{
	int bits = 16 - edge->psid_offset - edge->psid_len;
	u32 place = number % mm_port_count(edge);
	u32 range = edge->psid_offset ? (place >> bits) + 1 : 0;

	return (range << edge->psid_len | edge->psid) << bits | (place & ((1U << bits) - 1));
}
