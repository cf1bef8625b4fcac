/* SPDX-License-Identifier: GPL-2.0-only */
/* What the control file says about how IPv4 travels. */
#ifndef MAPMINT_TUNNEL_KEYS_H
#define MAPMINT_TUNNEL_KEYS_H

#include <linux/types.h>

/* RFC 2473 s6.3: the hop limit of a tunnel's header, unless another is given. */
#define MM_HOP_LIMIT 64

struct mm_tunnel_keys {
	/* IPv4 is encapsulated (MAP-E, lightweight 4over6). Else it is translated (MAP-T). */
	bool on;
	/* 0: the TTL of the packet. */
	u8 hop_limit;
	/* RFC 2473 s4.1.1: a Tunnel Encapsulation Limit is sent. */
	bool limited;
	u8 encap_limit;
	/* While this is false the traffic class is the packet's TOS. */
	bool fixed_class;
	u8 traffic_class;
};

#endif
