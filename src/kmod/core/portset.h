/* SPDX-License-Identifier: GPL-2.0-only */
/* Port sets (RFC 7597 s5.1, App. B): which ports are in one, and the ports that NAT gives out. */
#ifndef MAPMINT_PORTSET_H
#define MAPMINT_PORTSET_H

#include <linux/types.h>

#include "core/rule.h"

/* What the transport header of a packet tells about one end: the port, or the id of ICMP. */
struct mm_port {
	u16 port;
	bool known;
	/* There is no packet: the question is about the address, whatever the port. */
	bool any;
};

/* The ports that NAT gives out, each with an index. */
struct mm_portset {
	/* Ports to give out; ranges; the ports of each range are 2 to the power of @bits. */
	u32 count;
	u32 ranges;
	u32 size;
	u8 bits;
	/* The first @skip ports of the first range are not given out. */
	u32 skip;
	/* Has no factor in common with @count. */
	u32 step;
	u16 psid;
	u8 offset;
	u8 length;
};

/* The PSID of a port; -1 where nobody has the port, because A is 0. */
static inline int mm_psid_of(u8 offset, u8 length, u16 port)
{
	if (offset && !(port >> (16 - offset)))
		return -1;
	return (port >> (16 - offset - length)) & ((1U << length) - 1);
}

bool mm_in_set(const struct mm_edge *edge, struct mm_port port);
u32 mm_port_count(const struct mm_edge *edge);
u16 mm_nth_port(const struct mm_edge *edge, u32 number);

int mm_portset_init(struct mm_portset *set, u8 offset, u8 length, u16 psid);
u16 mm_port_at(const struct mm_portset *set, u32 index);
int mm_index_of(const struct mm_portset *set, u16 port);
u32 mm_probe(const struct mm_portset *set, u32 hash, u32 i);

#endif
