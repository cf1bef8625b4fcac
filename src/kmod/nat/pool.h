/* SPDX-License-Identifier: GPL-2.0-only */
/* A pool: one address of ours, its port set, and who owns which port. */
#ifndef MAPMINT_POOL_H
#define MAPMINT_POOL_H

#include <linux/spinlock.h>
#include <linux/types.h>

#include "core/endpoint.h"
#include "core/lookup.h"
#include "core/portset.h"
#include "nat/l4.h"

/* The most pools that one device may have. */
#define MM_MAX_POOLS 16
#define MM_REFUSALS 64

/* A remote end towards which no port was free a moment ago. */
struct mm_refusal {
	unsigned long until;
	__be32 v4;
	__be16 port;
	u8 l4;
};

struct mm_pool {
	struct mm_edge edge;
	struct mm_portset set;
	/* The reserved ports, by index of the set. */
	unsigned long *reserved;
	u32 seed;
	/* Of the tables and refusals. Only new flows take it. */
	spinlock_t lock;
	struct mm_table table[MM_L4S];
	struct mm_refusal refusal[MM_REFUSALS];
};

/* RFC 7597 s5.1: k = 0 means that all ports are ours. */
static inline bool mm_restricted(const struct mm_pool *pool)
{
	return pool->edge.psid_len;
}

int mm_edges(const struct mm_rules *rules, const struct mm_edge **edge);
bool mm_same_edge(const struct mm_edge *a, const struct mm_edge *b);
bool mm_nat_valid(const struct mm_rules *rules, const char **why);
int mm_pool_init(struct mm_pool *pool, const struct mm_edge *edge, const struct mm_nat_keys *keys);
void mm_pool_free(struct mm_pool *pool);

#endif
