// SPDX-License-Identifier: GPL-2.0-only
/* The ports that NAT44 may give out, in an order and by index (RFC 7597 s5.1, App. B). */
#include <linux/errno.h>
#include <linux/kernel.h>

#include "core/endpoint.h"

/* Below are the ports of well-known services: taken only where a set has no others. */
#define MM_FIRST_PORT 1024

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
 * @length 0 is a whole address: the offset is then without meaning. -ENOSPC where nothing is left
 * to give out.
 */
int mm_portset_init(struct mm_portset *set, u8 offset, u8 length, u16 psid)
{
	u32 all;

	*set = (struct mm_portset){ .offset = length ? offset : 0, .length = length, .psid = psid };
	set->size = 1U << (16 - set->offset - length);
	set->ranges = set->offset ? (1U << set->offset) - 1 : 1;
	all = set->size * set->ranges;
	/* Only one range begins with port 0, which is never given out. */
	if (!set->offset && !psid)
		set->skip = set->size > MM_FIRST_PORT ? MM_FIRST_PORT : 1;
	set->count = all - set->skip;
	if (!set->count)
		return -ENOSPC;
	/* About the golden section, so that neighbours in the order are far apart. */
	set->step = max(1U, (u32)((u64)set->count * 618 / 1000));
	while (mm_gcd(set->step, set->count) != 1)
		set->step++;
	return 0;
}

u16 mm_port_at(const struct mm_portset *set, u32 index)
{
	u32 range = (index + set->skip) / set->size;
	u32 high = set->offset ? (range + 1) << (16 - set->offset) : 0;

	return high | set->psid * set->size | (index + set->skip) % set->size;
}

/* -1: not in the set, or never given out. */
int mm_index_of(const struct mm_portset *set, u16 port)
{
	u32 range = set->offset ? port >> (16 - set->offset) : 1;
	u32 psid = port / set->size & ((1U << set->length) - 1);
	int index;

	if (!range || psid != set->psid)
		return -1;
	index = (range - 1) * set->size + port % set->size;
	return index < set->skip ? -1 : index - set->skip;
}

/* The index that is number @i in an order that begins where @hash says; each occurs once. */
u32 mm_probe(const struct mm_portset *set, u32 hash, u32 i)
{
	return ((u64)hash % set->count + (u64)i * set->step) % set->count;
}
