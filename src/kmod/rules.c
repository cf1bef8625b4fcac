// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules: which IPv6 address an IPv4 address and port has, and the other way round (RFC 7597 s5, s6;
 * RFC 6052 s2.2).
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
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mm_rfc6052); i++)
		if (mm_rfc6052[i].length == length)
			return mm_rfc6052[i].octet;
	return NULL;
}

static __be32 mm_mask4(u8 length)
{
	return length ? htonl(~0U << (32 - length)) : 0;
}

static bool mm_in4(const struct mm_side *side, __be32 v4)
{
	return !((side->v4 ^ v4) & mm_mask4(side->v4_len));
}

static bool mm_in6(const struct mm_side *side, const struct in6_addr *v6)
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

/* Writes the low @count bits of @value at bit @start, bit 0 being the highest of the address. */
static void mm_put_bits(struct in6_addr *v6, int start, int count, u64 value)
{
	int i;

	for (i = 0; i < count; i++) {
		int bit = start + i;
		u8 mask = 0x80 >> (bit & 7);

		if (value >> (count - 1 - i) & 1)
			v6->s6_addr[bit >> 3] |= mask;
		else
			v6->s6_addr[bit >> 3] &= ~mask;
	}
}

/* The @count bits at bit @start, as a number. */
static u64 mm_get_bits(const struct in6_addr *v6, int start, int count)
{
	u64 value = 0;
	int i;

	for (i = start; i < start + count; i++)
		value = value << 1 | (v6->s6_addr[i >> 3] >> (7 - (i & 7)) & 1);
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

	suffix = ((u64)ntohl(v4) & ((1ULL << (32 - side->v4_len)) - 1)) >> shift;
	mm_put_bits(&id, at, 32, ntohl(v4));
	mm_put_bits(&id, at + 32, 16, psid);
	ipv6_addr_prefix(v6, &side->v6, side->v6_len);
	mm_put_bits(v6, side->v6_len, suffix_len, suffix);
	mm_put_bits(v6, side->v6_len + suffix_len, mm_psid_len(side), psid);
	/* s6: a prefix longer than 64 overwrites the top of the interface identifier. */
	for (at = max(end, 64); at < 128; at++)
		mm_put_bits(v6, at, 1, id.s6_addr[at >> 3] >> (7 - (at & 7)) & 1);
}

static int mm_side_to_v6(const struct mm_side *side, __be32 v4, struct mm_port port,
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
		/* One address for one address. */
		if (side->v4_len != 32 || side->v6_len != 128)
			return -ENOENT;
		*v6 = side->v6;
		return 0;
	default:
		return -ENOENT;
	}
}

static int mm_side_to_v4(const struct mm_side *side, const struct in6_addr *v6,
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
		psid = psid_len ? mm_get_bits(v6, side->v6_len + suffix_len, psid_len) :
				  mm_get_bits(v6, i + 32, 16);
		*v4 = htonl(address);
		mm_build(side, *v4, psid, &expected);
		/* Subnet bits between the EA bits and the interface identifier are the CE's own. */
		if (!ipv6_prefix_equal(&expected, v6, side->v6_len + side->ea_len) ||
		    memcmp(&expected.s6_addr[8], &v6->s6_addr[8], 8))
			return -EPERM;
		/* RFC 7597 s8.1: the port must be one of the set that the address names. */
		if (psid_len && port.known &&
		    mm_psid_of(side->psid_offset, psid_len, port.port) != psid)
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

bool mm_in_set(const struct mm_edge *edge, struct mm_port port)
{
	if (!edge->psid_len)
		return true;
	return port.known && port.port &&
	       mm_psid_of(edge->psid_offset, edge->psid_len, port.port) == edge->psid;
}

static bool mm_edge_has4(const struct mm_edge *edge, __be32 v4)
{
	return edge->has_v4 && !((edge->v4 ^ v4) & mm_mask4(edge->v4_len));
}

/* -ENOENT: not our address. -EPERM: our address, and a port outside the set. */
int mm_local_to_v6(const struct mm_rules *rules, __be32 v4, struct mm_port port,
		   struct in6_addr *v6)
{
	const struct mm_pair *best = NULL;
	int i;

	for (i = 0; i < rules->count; i++) {
		const struct mm_pair *pair = &rules->pair[i];

		if (!pair->has_local)
			continue;
		if (pair->edge.has_v4) {
			if (!mm_edge_has4(&pair->edge, v4))
				continue;
			if (!mm_in_set(&pair->edge, port))
				return -EPERM;
			*v6 = pair->edge.v6;
			/*
			 * An IPv4-prefix CE: every packet embeds its own full address (RFC 7597
			 * s6).
			 */
			if (pair->edge.v4_len < 32)
				mm_put_bits(v6, pair->local.style == MM_STYLE_MAP0 ? 72 : 80, 32,
					    ntohl(v4));
			return 0;
		}
		if (mm_in4(&pair->local, v4) && (!best || pair->local.v4_len > best->local.v4_len))
			best = pair;
	}
	return best ? mm_side_to_v6(&best->local, v4, port, v6) : -ENOENT;
}

int mm_remote_to_v6(const struct mm_rules *rules, __be32 v4, struct mm_port port,
		    struct in6_addr *v6)
{
	int longest = -1, error = -ENOENT;
	struct in6_addr found;
	int i;

	/*
	 * RFC 7599 s8.1: an FMR is chosen by address and port; a packet whose port it leaves out,
	 * or that has none, goes to the next shorter prefix, in the end the DMR.
	 */
	for (i = 0; i < rules->count; i++) {
		const struct mm_pair *pair = &rules->pair[i];

		if (!pair->has_remote || pair->remote.v4_len <= longest ||
		    !mm_in4(&pair->remote, v4))
			continue;
		if (mm_side_to_v6(&pair->remote, v4, port, &found))
			continue;
		*v6 = found;
		longest = pair->remote.v4_len;
		error = 0;
	}
	return error;
}

/* The IPv4 address of one of our own IPv6 addresses; @edge is set where the port set is known. */
int mm_local_to_v4(const struct mm_rules *rules, const struct in6_addr *v6, __be32 *v4,
		   const struct mm_edge **edge)
{
	const struct mm_port none = {};
	int i;

	*edge = NULL;
	for (i = 0; i < rules->count; i++) {
		const struct mm_pair *pair = &rules->pair[i];

		if (!pair->has_local)
			continue;
		if (pair->edge.has_v6) {
			struct in6_addr own = pair->edge.v6;
			int at = pair->local.style == MM_STYLE_MAP0 ? 9 : 10;

			if (pair->edge.v4_len < 32)
				memcpy(&own.s6_addr[at], &v6->s6_addr[at], 4);
			if (!ipv6_addr_equal(&own, v6))
				continue;
			*v4 = pair->edge.v4;
			if (pair->edge.v4_len < 32) {
				memcpy(v4, &v6->s6_addr[at], 4);
				if (!mm_edge_has4(&pair->edge, *v4))
					continue;
			}
			*edge = &pair->edge;
			return 0;
		}
		if (mm_in6(&pair->local, v6) && !mm_side_to_v4(&pair->local, v6, none, v4))
			return 0;
	}
	return -ENOENT;
}

/*
 * -ENOENT: no MAP traffic. -EPERM: an FMR's source that does not match its address and port (RFC
 * 7597 s8.1).
 */
int mm_remote_to_v4(const struct mm_rules *rules, const struct in6_addr *v6,
		    struct mm_port port, __be32 *v4)
{
	const struct mm_side *best = NULL;
	int i;

	for (i = 0; i < rules->count; i++) {
		const struct mm_side *side = &rules->pair[i].remote;

		if (rules->pair[i].has_remote && mm_in6(side, v6) &&
		    (!best || side->v6_len > best->v6_len))
			best = side;
	}
	return best ? mm_side_to_v4(best, v6, port, v4) : -ENOENT;
}
