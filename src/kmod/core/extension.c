// SPDX-License-Identifier: GPL-2.0-only
/* Extension headers of IPv6. */
#include <linux/icmpv6.h>
#include <linux/ipv6.h>
#include <net/ipv6.h>

#include "core/extension.h"

/*
 * Skips hop-by-hop options, routing headers and destination options (RFC 7915 s5.1), and stops at a
 * Fragment Header. *@at is where the header *@next begins. A routing header whose Segments Left is
 * not 0 is answered.
 */
struct mm_verdict mm_skip_extensions(const struct mm_packet *packet, u8 *next, unsigned int *at)
{
	int headers;

	*next = ((const struct ipv6hdr *)packet->head)->nexthdr;
	*at = sizeof(struct ipv6hdr);
	for (headers = 0; headers < MM_MOST_HEADERS; headers++) {
		const u8 *eh = packet->head + *at;

		if (*next != NEXTHDR_HOP && *next != NEXTHDR_DEST && *next != NEXTHDR_ROUTING)
			return mm_pass();
		if (*at + 8 > packet->len)
			return mm_drop(MM_DROP_EXTENSION);
		if (*at + 8 > packet->head_len)
			return mm_outcome(MM_SHOW_MORE);
		if (*next == NEXTHDR_ROUTING && eh[3])
			return mm_refuse(MM_DROP_EXTENSION, ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD,
					 *at + 3);
		*next = eh[0];
		*at += (eh[1] + 1) * 8;
	}
	return mm_drop(MM_DROP_EXTENSION);
}
