// SPDX-License-Identifier: GPL-2.0-only
/* A rule set: its memory, and what is derived from its pairs before packets look them up. */
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <net/ipv6.h>

#include "core/direction.h"
#include "core/index.h"
#include "core/lookup.h"

static int mm_buckets(int room)
{
	return roundup_pow_of_two(max(room, 1));
}

/* The size of a rule set for @room pairs with its indexes, in octets. */
size_t mm_rules_size(int room)
{
	return struct_size((struct mm_rules *)NULL, pair, room) +
	       (room * 4 + mm_buckets(room) * 2) * sizeof(u16);
}

/* @rules is memory of that size, all zero. */
void mm_rules_init(struct mm_rules *rules, int room)
{
	u16 *words = (u16 *)&rules->pair[room];
	int buckets = mm_buckets(room);

	rules->room = room;
	rules->tunnel.hop_limit = MM_HOP_LIMIT;
	rules->local = words;
	rules->domain = (s16 *)(words + room);
	rules->by4.next = words + 2 * room;
	rules->by6.next = words + 3 * room;
	rules->by4.bucket = words + 4 * room;
	rules->by6.bucket = words + 4 * room + buckets;
	rules->by4.mask = buckets - 1;
	rules->by6.mask = buckets - 1;
}

static void mm_index_lengths(const struct mm_rules *rules, struct mm_index *index,
			     enum mm_family family)
{
	bool there[129] = {};
	int i;

	for (i = 0; i < rules->count; i++) {
		const struct mm_side *side = &rules->pair[i].remote;

		if (rules->pair[i].has_remote)
			there[family == MM_IPV6 ? side->v6_len : side->v4_len] = true;
	}
	index->lengths = 0;
	for (i = 128; i >= 0; i--)
		if (there[i])
			index->length[index->lengths++] = i;
}

static void mm_index_remotes(struct mm_rules *rules)
{
	u16 *bucket;
	int i;

	mm_index_lengths(rules, &rules->by4, MM_IPV4);
	mm_index_lengths(rules, &rules->by6, MM_IPV6);
	for (i = 0; i <= rules->by4.mask; i++) {
		rules->by4.bucket[i] = MM_END;
		rules->by6.bucket[i] = MM_END;
	}
	/* Of two equal prefixes the first pair counts, so it is put in front last. */
	for (i = rules->count - 1; i >= 0; i--) {
		const struct mm_side *side = &rules->pair[i].remote;

		if (!rules->pair[i].has_remote)
			continue;
		bucket = mm_bucket4(rules, side->v4, side->v4_len);
		rules->by4.next[i] = *bucket;
		*bucket = i;
		bucket = mm_bucket6(rules, &side->v6, side->v6_len);
		rules->by6.next[i] = *bucket;
		*bucket = i;
	}
}

static bool mm_same_local(const struct mm_side *a, const struct mm_side *b)
{
	return a->style == b->style && a->v4 == b->v4 && a->v4_len == b->v4_len &&
	       a->v6_len == b->v6_len && ipv6_addr_equal(&a->v6, &b->v6) &&
	       a->ea_len == b->ea_len && a->psid_offset == b->psid_offset;
}

/* Call it once: when all pairs are there, and before any is looked up. */
void mm_rules_index(struct mm_rules *rules)
{
	int i, j, next = MM_ANY_DOMAIN;

	rules->locals = 0;
	for (i = 0; i < rules->count; i++) {
		rules->pair[i].local.tunnel = rules->tunnel.on;
		rules->pair[i].remote.tunnel = rules->tunnel.on;
		if (rules->pair[i].has_local)
			rules->local[rules->locals++] = i;
	}
	/* A pair without a local side belongs to the domain of the next pair that has one. */
	for (i = rules->count - 1; i >= 0; i--) {
		if (rules->pair[i].has_local) {
			for (j = 0; rules->local[j] != i; j++)
				if (mm_same_local(&rules->pair[rules->local[j]].local,
						  &rules->pair[i].local))
					break;
			next = rules->local[j];
		}
		rules->domain[i] = next;
	}
	mm_index_remotes(rules);
}
