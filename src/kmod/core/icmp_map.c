// SPDX-License-Identifier: GPL-2.0-only
/* What an ICMP error is called in the other family (RFC 7915 s4.2, s5.2). */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ipv6.h>
#include <linux/kernel.h>
#include <net/ipv6.h>

#include "core/icmp_map.h"

/* RFC 1191 s7: the likely MTUs of a path whose router tells none. */
static const u16 mm_plateau[] = { 65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68 };

bool mm_is_icmp_error4(u8 type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

bool mm_is_icmp_error6(u8 type)
{
	return !(type & ICMPV6_INFOMSG_MASK);
}

/* RFC 7915 figure 3: an octet of the IPv4 header, and where the IPv6 header has the same field. */
static int mm_pointer6(u8 pointer)
{
	switch (pointer) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
	case 3:
		return 4;
	case 8:
		return 7;
	case 9:
		return 6;
	case 12 ... 15:
		return 8;
	case 16 ... 19:
		return 24;
	default:
		return -1;
	}
}

/* RFC 7915 figure 6: the other way round. */
static int mm_pointer4(u32 pointer)
{
	switch (pointer) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 4:
	case 5:
		return 2;
	case 6:
		return 9;
	case 7:
		return 8;
	case 8 ... 23:
		return 12;
	case 24 ... 39:
		return 16;
	default:
		return -1;
	}
}

static bool mm_unreach_4to6(u8 code, struct mm_icmp_map *map)
{
	map->type = ICMPV6_DEST_UNREACH;
	map->extensions = true;
	switch (code) {
	case ICMP_NET_UNREACH:
	case ICMP_HOST_UNREACH:
	case ICMP_SR_FAILED:
	case ICMP_NET_UNKNOWN:
	case ICMP_HOST_UNKNOWN:
	case ICMP_HOST_ISOLATED:
	case ICMP_NET_UNR_TOS:
	case ICMP_HOST_UNR_TOS:
		map->code = ICMPV6_NOROUTE;
		return true;
	case ICMP_PROT_UNREACH:
		map->type = ICMPV6_PARAMPROB;
		map->code = ICMPV6_UNK_NEXTHDR;
		map->rest = offsetof(struct ipv6hdr, nexthdr);
		map->extensions = false;
		return true;
	case ICMP_PORT_UNREACH:
		map->code = ICMPV6_PORT_UNREACH;
		return true;
	case ICMP_FRAG_NEEDED:
		map->type = ICMPV6_PKT_TOOBIG;
		map->code = 0;
		map->extensions = false;
		return true;
	case ICMP_NET_ANO:
	case ICMP_HOST_ANO:
	case ICMP_PKT_FILTERED:
	case ICMP_PREC_CUTOFF:
		map->code = ICMPV6_ADM_PROHIBITED;
		return true;
	default:
		return false;
	}
}

/* False: the other family has no such error. The MTU of a Packet Too Big is left to the caller. */
bool mm_icmp_map_4to6(u8 type, u8 code, u8 pointer, struct mm_icmp_map *map)
{
	int octet;

	*map = (struct mm_icmp_map){};
	switch (type) {
	case ICMP_DEST_UNREACH:
		return mm_unreach_4to6(code, map);
	case ICMP_TIME_EXCEEDED:
		map->type = ICMPV6_TIME_EXCEED;
		map->code = code;
		map->extensions = true;
		return true;
	case ICMP_PARAMETERPROB:
		octet = mm_pointer6(pointer);
		if ((code != 0 && code != 2) || octet < 0)
			return false;
		map->type = ICMPV6_PARAMPROB;
		map->code = ICMPV6_HDR_FIELD;
		map->rest = octet;
		return true;
	default:
		return false;
	}
}

bool mm_icmp_map_6to4(u8 type, u8 code, u32 pointer, struct mm_icmp_map *map)
{
	int octet;

	*map = (struct mm_icmp_map){ .type = ICMP_DEST_UNREACH, .extensions = true };
	switch (type) {
	case ICMPV6_DEST_UNREACH:
		switch (code) {
		case ICMPV6_NOROUTE:
		case ICMPV6_NOT_NEIGHBOUR:
		case ICMPV6_ADDR_UNREACH:
			map->code = ICMP_HOST_UNREACH;
			return true;
		case ICMPV6_ADM_PROHIBITED:
			map->code = ICMP_HOST_ANO;
			return true;
		case ICMPV6_PORT_UNREACH:
			map->code = ICMP_PORT_UNREACH;
			return true;
		default:
			return false;
		}
	case ICMPV6_PKT_TOOBIG:
		map->code = ICMP_FRAG_NEEDED;
		map->extensions = false;
		return true;
	case ICMPV6_TIME_EXCEED:
		map->type = ICMP_TIME_EXCEEDED;
		map->code = code;
		return true;
	case ICMPV6_PARAMPROB:
		map->extensions = false;
		if (code == ICMPV6_UNK_NEXTHDR) {
			map->code = ICMP_PROT_UNREACH;
			return true;
		}
		octet = mm_pointer4(pointer);
		if (code != ICMPV6_HDR_FIELD || octet < 0)
			return false;
		map->type = ICMP_PARAMETERPROB;
		map->code = 0;
		map->rest = (u32)octet << 24;
		return true;
	default:
		return false;
	}
}

/*
 * RFC 7915 s4.2: min(m + 20, MTU6, MTU4 + 20). Where m is 0, the plateau below the quoted packet's
 * length takes its place. No IPv6 path is below 1280.
 */
u32 mm_mtu_4to6(u32 mtu, u16 quoted_len, u32 mtu6, u32 mtu4)
{
	size_t i;

	for (i = 0; !mtu && i < ARRAY_SIZE(mm_plateau); i++)
		if (mm_plateau[i] < quoted_len)
			mtu = mm_plateau[i];
	return max_t(u32, IPV6_MIN_MTU, min3(mtu + 20, mtu6, mtu4 + 20));
}

/* RFC 7915 s5.2: min(m - 20, MTU4, MTU6 - 20). All 32 bits of m count. */
u32 mm_mtu_6to4(u32 mtu, u32 mtu6, u32 mtu4)
{
	u32 found = min3(max_t(u32, mtu, IPV6_MIN_MTU) - 20, mtu4, mtu6 - 20);

	return min_t(u32, found, 65535);
}
