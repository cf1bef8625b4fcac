// SPDX-License-Identifier: GPL-2.0-only
/* Port sets. A port is A (offset bits), PSID (length bits), and the rest (RFC 7597 App. B). */
#include <linux/errno.h>
#include <linux/kernel.h>

#include "core/portset.h"

/* Below are the ports of well-known services: they are used only where a set has no others. */
#define MM_FIRST_PORT 1024

bool mm_in_set(const struct mm_edge *edge, struct mm_port port)
{
	if (!edge->psid_len)
		return true;
	return port.known && port.port &&
	       mm_psid_of(edge->psid_offset, edge->psid_len, port.port) == edge->psid;
}

/* How many ranges there are: one for each A, but for A = 0. */
static u32 mm_ranges(u8 offset)
{
	return offset ? (1U << offset) - 1 : 1;
}

/* The port with number @place of a set of ranges with 2 to the power of @bits ports each. */
static u16 mm_port_in(u8 offset, u8 length, u16 psid, u32 place)
{
	int bits = 16 - offset - length;
	u32 a = offset ? (place >> bits) + 1 : 0;

	return (a << length | psid) << bits | (place & ((1U << bits) - 1));
}

/* How many ports a set has, port 0 included where it is in the set. */
u32 mm_port_count(const struct mm_edge *edge)
{
	return mm_ranges(edge->psid_offset) << (16 - edge->psid_offset - edge->psid_len);
}

/* The port with this number, for any number: after the last port comes the first again. */
u16 mm_nth_port(const struct mm_edge *edge, u32 number)
{
	return mm_port_in(edge->psid_offset, edge->psid_len, edge->psid,
			  number % mm_port_count(edge));
}

static u32 mm_gcd(u32 a, u32 b)
{
	while (b) {
		u32 rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/*
 * @length 0 means a whole address; @offset means nothing then. -ENOSPC where no port is left to
 * give out.
 */
int mm_portset_init(struct mm_portset *set, u8 offset, u8 length, u16 psid)
{
	*set = (struct mm_portset){ .offset = length ? offset : 0, .length = length, .psid = psid };
	set->bits = 16 - set->offset - length;
	set->size = 1U << set->bits;
	set->ranges = mm_ranges(set->offset);
	/* Only one range begins with port 0, which is never given out. */
	if (!set->offset && !psid)
		set->skip = set->size > MM_FIRST_PORT ? MM_FIRST_PORT : 1;
	set->count = (set->ranges << set->bits) - set->skip;
	if (!set->count)
		return -ENOSPC;
	/* About the golden section, so that neighbours in the order are far apart. */
	set->step = max(1U, set->count * 618 / 1000);
	while (mm_gcd(set->step, set->count) != 1)
		set->step++;
	return 0;
}

u16 mm_port_at(const struct mm_portset *set, u32 index)
{
	return mm_port_in(set->offset, set->length, set->psid, index + set->skip);
}

/* -1: the port is not in the set, or it is never given out. */
int mm_index_of(const struct mm_portset *set, u16 port)
{
	u32 range = set->offset ? (port >> (16 - set->offset)) - 1 : 0;
	int index;

	if (mm_psid_of(set->offset, set->length, port) != set->psid)
		return -1;
	index = range << set->bits | (port & (set->size - 1));
	return index < set->skip ? -1 : index - set->skip;
}

/*
 * The index that is number @i, below @count, in an order that begins where @hash says. Each index
 * occurs once. Both factors are below 65536, so that 32 bits hold their product.
 */
u32 mm_probe(const struct mm_portset *set, u32 hash, u32 i)
{
	return (hash % set->count + i * set->step % set->count) % set->count;
}
