// SPDX-License-Identifier: GPL-2.0-only
/*
 * One side of a rule: which IPv6 address an IPv4 address and port has, and the other way round (RFC
 * 7597 s5, s6; RFC 6052 s2.2).
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <net/ipv6.h>

#include "core/bits.h"
#include "core/side.h"

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

bool mm_in6(const struct mm_side *side, const struct in6_addr *v6)
{
	return ipv6_prefix_equal(&side->v6, v6, side->v6_len);
}

/* How many of the EA bits are the PSID: those that the IPv4 address has no room for. */
static int mm_psid_len(const struct mm_side *side)
{
	return max(0, (int)side->ea_len - (32 - side->v4_len));
}

/* How many of the EA bits are of the IPv4 address. */
static int mm_suffix_len(const struct mm_side *side)
{
	return min_t(int, side->ea_len, 32 - side->v4_len);
}

/* The values of a side must fit one another; if they do not, @why is the key at fault. */
bool mm_valid_side(const struct mm_side *side, const char **why)
{
	int psid_len = mm_psid_len(side);

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
	if (psid_len && side->psid_offset + psid_len > 16) {
		*why = "psid-offset";
		return false;
	}
	return true;
}

static int mm_embed(const struct mm_side *side, __be32 v4, struct in6_addr *v6)
{
	const u8 *octet = mm_rfc6052_octets(side->v6_len);
	int i;

	if (!octet)
		return -EINVAL;
	ipv6_addr_prefix(v6, &side->v6, side->v6_len);
	for (i = 0; i < 4; i++)
		v6->s6_addr[octet[i]] = ntohl(v4) >> (24 - 8 * i);
	return 0;
}

static int mm_extract(const struct mm_side *side, const struct in6_addr *v6, __be32 *v4)
{
	const u8 *octet = mm_rfc6052_octets(side->v6_len);
	u32 address = 0;
	int i;

	if (!octet)
		return -EINVAL;
	for (i = 0; i < 4; i++)
		address = address << 8 | v6->s6_addr[octet[i]];
	*v4 = htonl(address);
	return 0;
}

/* The MAP address of an IPv4 address and PSID under a rule (RFC 7597 s5.2, s6). */
static void mm_build(const struct mm_side *side, __be32 v4, u16 psid, struct in6_addr *v6)
{
	int suffix_len = mm_suffix_len(side);
	int shift = 32 - side->v4_len - suffix_len;
	int at = 8 * mm_address4_octet(side);
	int end = side->v6_len + side->ea_len;
	struct in6_addr id = {};
	u64 suffix;

	/* RFC 7597 s6: the identifier of a tunnel end has zeros behind an IPv4 prefix. */
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

static int mm_map_to_v6(const struct mm_side *side, __be32 v4, struct mm_port port,
			struct in6_addr *v6)
{
	int psid_len = mm_psid_len(side), psid = 0;

	if (psid_len) {
		if (!port.known)
			return -ENOENT;
		psid = mm_psid_of(side->psid_offset, psid_len, port.port);
		if (psid < 0)
			return -ENOENT;
	}
	mm_build(side, v4, psid, v6);
	return 0;
}

static int mm_map_to_v4(const struct mm_side *side, const struct in6_addr *v6,
			struct mm_port port, __be32 *v4)
{
	int psid_len = mm_psid_len(side), suffix_len = mm_suffix_len(side);
	int rest = 32 - side->v4_len - suffix_len;
	int at = 8 * mm_address4_octet(side);
	struct in6_addr expected;
	u32 address;
	int psid;

	/*
	 * The EA bits are read from the prefix. A prefix longer than 64 bits covers a part of the
	 * interface identifier (RFC 7597 s6).
	 */
	address = mm_get_bits(v6, at, 32) & ((1ULL << rest) - 1);
	address |= mm_get_bits(v6, side->v6_len, suffix_len) << rest;
	address |= ntohl(side->v4 & mm_mask4(side->v4_len));
	psid = psid_len ? mm_get_bits(v6, side->v6_len + suffix_len, psid_len) : 0;
	/* s5.2: a rule for one address does not say what the PSID is. */
	if (!side->ea_len && side->v4_len == 32)
		psid = mm_get_bits(v6, at + 32, 16);
	*v4 = htonl(address);
	mm_build(side, *v4, psid, &expected);
	/* The bits between EA bits and interface identifier are the CE's own: any subnet. */
	if (!ipv6_prefix_equal(&expected, v6, side->v6_len + side->ea_len) ||
	    memcmp(&expected.s6_addr[8], &v6->s6_addr[8], 8))
		return -EPERM;
	if (!psid_len || port.any)
		return 0;
	/*
	 * RFC 7597 s8.1: the port must be in the set that the address names. A packet without a
	 * port belongs to nobody who shares an address.
	 */
	if (!port.known || mm_psid_of(side->psid_offset, psid_len, port.port) != psid)
		return -EPERM;
	return 0;
}

/* One address for one address; or one tunnel end for all addresses of a prefix. */
static bool mm_is_fixed(const struct mm_side *side)
{
	return side->v6_len == 128 && (side->v4_len == 32 || side->tunnel);
}

/* -ENOENT: the side has no IPv6 address for this address and port. */
int mm_side_to_v6(const struct mm_side *side, __be32 v4, struct mm_port port, struct in6_addr *v6)
{
	switch (side->style) {
	case MM_STYLE_RFC6052:
		return mm_embed(side, v4, v6);
	case MM_STYLE_MAP:
	case MM_STYLE_MAP0:
		return mm_map_to_v6(side, v4, port, v6);
	default:
		if (!mm_is_fixed(side))
			return -ENOENT;
		*v6 = side->v6;
		return 0;
	}
}

/* -ENOENT: the side has no IPv4 address. -EPERM: address and port do not fit each other. */
int mm_side_to_v4(const struct mm_side *side, const struct in6_addr *v6, struct mm_port port,
		  __be32 *v4)
{
	switch (side->style) {
	case MM_STYLE_RFC6052:
		return mm_extract(side, v6, v4);
	case MM_STYLE_MAP:
	case MM_STYLE_MAP0:
		return mm_map_to_v4(side, v6, port, v4);
	default:
		if (side->v4_len != 32 || side->v6_len != 128)
			return -ENOENT;
		*v4 = side->v4;
		return 0;
	}
}

/*
 * Whether an IPv6 address in the side's prefix is the tunnel end of an IPv4 address and port (RFC
 * 7597 s8.1). -ENOENT: it is the end of another address. -EPERM: it is the end of another port, or
 * bits of the end itself are wrong.
 */
int mm_check_end(const struct mm_side *side, const struct in6_addr *v6, __be32 v4,
		 struct mm_port port)
{
	int known = min(32, side->v4_len + side->ea_len);
	__be32 found;
	int error;

	if (!mm_in_prefix4(side->v4, side->v4_len, v4))
		return -ENOENT;
	if (side->style == MM_STYLE_NONE)
		return side->v6_len == 128 ? 0 : -ENOENT;
	error = mm_side_to_v4(side, v6, port, &found);
	if (error)
		return error;
	return mm_in_prefix4(found, known, v4) ? 0 : -ENOENT;
}
