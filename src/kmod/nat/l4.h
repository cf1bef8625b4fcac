/* SPDX-License-Identifier: GPL-2.0-only */
/* The transport protocols whose ports NAT gives out. */
#ifndef MAPMINT_L4_H
#define MAPMINT_L4_H

#include <linux/in.h>
#include <linux/types.h>

enum mm_l4 {
	MM_L4_TCP,
	MM_L4_UDP,
	/* The id of an echo is its port. */
	MM_L4_ICMP,
	MM_L4S,
};

static inline u8 mm_l4_protocol(enum mm_l4 l4)
{
	static const u8 protocols[MM_L4S] = {
		[MM_L4_TCP] = IPPROTO_TCP,
		[MM_L4_UDP] = IPPROTO_UDP,
		[MM_L4_ICMP] = IPPROTO_ICMP,
	};

	return protocols[l4];
}

/* -1: a protocol without ports. */
static inline int mm_l4_of(u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return MM_L4_TCP;
	case IPPROTO_UDP:
		return MM_L4_UDP;
	case IPPROTO_ICMP:
		return MM_L4_ICMP;
	default:
		return -1;
	}
}

#endif
