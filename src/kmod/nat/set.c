// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device's rules say of NAT: our addresses, the ports of each, and which of them are
 * reserved.
 */
#include <linux/random.h>

#include "nat/nat.h"

static bool mm_same_edge(const struct mm_edge *a, const struct mm_edge *b)
{
	return a->v4 == b->v4 && a->v4_len == b->v4_len && a->psid == b->psid &&
	       a->psid_len == b->psid_len && a->psid_offset == b->psid_offset;
}

/* The edges of the rules, each once; @edge may be NULL. How many, or one more than there may be. */
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
	if (edge)
		memcpy(edge, found, count * sizeof(*found));
	return count;
}

/* Ports of the set that are not reserved; @bitmap may be NULL. */
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

/* What holds of all rules of a device together; @why is the key that does not fit. */
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

/* The rules ask for the NAT that the device has. */
bool mm_nat_same(const struct mm_dev *mm, const struct mm_rules *rules)
{
	const struct mm_edge *edge[MM_MAX_POOLS];
	const struct mm_nat *nat = mm->nat;
	int i;

	if (!nat)
		return !rules->nat.on;
	if (memcmp(&nat->keys, &rules->nat, sizeof(nat->keys)) ||
	    mm_edges(rules, edge) != nat->pools)
		return false;
	for (i = 0; i < nat->pools; i++)
		if (!mm_same_edge(&nat->pool[i].edge, edge[i]))
			return false;
	return true;
}

/* The address of ours that a packet has; of several port sets of one address, that of the port. */
struct mm_pool *mm_pool_of(struct mm_nat *nat, __be32 v4, struct mm_port port)
{
	struct mm_pool *found = NULL;
	int i;

	for (i = 0; i < nat->pools; i++) {
		struct mm_pool *pool = &nat->pool[i];

		if ((pool->edge.v4 ^ v4) & mm_mask4(pool->edge.v4_len))
			continue;
		if (nat->pools == 1 || mm_in_set(&pool->edge, port))
			return pool;
		found = found ?: pool;
	}
	return found;
}

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
