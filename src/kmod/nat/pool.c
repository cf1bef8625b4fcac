// SPDX-License-Identifier: GPL-2.0-only
/* Pools are made from a device's rules: our addresses, their ports, and which are reserved. */
#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/random.h>

#include "compat.h"
#include "nat/pool.h"

/* Whether two edges have the same address and port set. */
bool mm_same_edge(const struct mm_edge *a, const struct mm_edge *b)
{
	return a->v4 == b->v4 && a->v4_len == b->v4_len && a->psid == b->psid &&
	       a->psid_len == b->psid_len && a->psid_offset == b->psid_offset;
}

/* The edges of the rules, each once: how many there are, at most one more than there may be. */
int mm_edges(const struct mm_rules *rules, const struct mm_edge **edge)
{
	const struct mm_edge *found[MM_MAX_POOLS];
	int i, j, count = 0;

	for (i = 0; i < rules->count; i++) {
		const struct mm_edge *new = &rules->pair[i].edge;

		if (!new->has_v4)
			continue;
		for (j = 0; j < count && !mm_same_edge(found[j], new); j++)
			;
		if (j < count)
			continue;
		if (count == MM_MAX_POOLS)
			return MM_MAX_POOLS + 1;
		found[count++] = new;
	}
	memcpy(edge, found, count * sizeof(*found));
	return count;
}

/* Marks the reserved ports in @bitmap, which may be NULL. How many others are left. */
static u32 mm_reserve(const struct mm_portset *set, const struct mm_nat_keys *keys,
		      unsigned long *bitmap)
{
	u32 left = set->count;
	int i;

	for (i = 0; i < keys->reserved; i++) {
		u32 port;

		for (port = keys->range[i].first; port <= keys->range[i].last; port++) {
			int index = mm_index_of(set, port);

			if (index < 0)
				continue;
			left--;
			if (bitmap)
				__set_bit(index, bitmap);
		}
	}
	return left;
}

/* All rules of a device must fit its NAT; if they do not, *@why is the key at fault. */
bool mm_nat_valid(const struct mm_rules *rules, const char **why)
{
	const struct mm_edge *edge[MM_MAX_POOLS];
	const struct mm_nat_keys *keys = &rules->nat;
	struct mm_portset set;
	int i, count;

	for (i = 0; i < rules->count && !(keys->on && *keys->device); i++)
		if (rules->pair[i].edge.has_v4 && !rules->pair[i].edge.has_v6) {
			*why = "ce.v6";
			return false;
		}
	if (!keys->on)
		return true;
	count = mm_edges(rules, edge);
	if (!count || count > MM_MAX_POOLS) {
		*why = count ? "nat.mode" : "ce.v4";
		return false;
	}
	for (i = 0; i < count; i++) {
		if (mm_portset_init(&set, edge[i]->psid_offset, edge[i]->psid_len, edge[i]->psid)) {
			*why = "ce.psid";
			return false;
		}
		if (!mm_reserve(&set, keys, NULL)) {
			*why = "nat.reserved";
			return false;
		}
	}
	return true;
}

/* If this fails half way, mm_pool_free() still is to be called. */
int mm_pool_init(struct mm_pool *pool, const struct mm_edge *edge, const struct mm_nat_keys *keys)
{
	int l4, error = 0;

	pool->edge = *edge;
	pool->seed = get_random_u32();
	spin_lock_init(&pool->lock);
	mm_portset_init(&pool->set, edge->psid_offset, edge->psid_len, edge->psid);
	pool->reserved = kvcalloc(BITS_TO_LONGS(pool->set.count), sizeof(long), GFP_KERNEL);
	if (!pool->reserved)
		return -ENOMEM;
	mm_reserve(&pool->set, keys, pool->reserved);
	for (l4 = 0; l4 < MM_L4S && mm_restricted(pool) && !error; l4++)
		error = mm_table_init(&pool->table[l4], pool->set.count, pool->reserved);
	return error;
}

void mm_pool_free(struct mm_pool *pool)
{
	int l4;

	for (l4 = 0; l4 < MM_L4S; l4++)
		mm_table_free(&pool->table[l4]);
	kvfree(pool->reserved);
}
