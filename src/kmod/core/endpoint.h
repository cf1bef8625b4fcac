/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Of one transport protocol, who inside owns which port of the set. It does not know connection
 * tracking. The caller takes care that no two threads use a table at once.
 */
#ifndef MAPMINT_ENDPOINT_H
#define MAPMINT_ENDPOINT_H

#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/types.h>

/* How many remote ends an endpoint remembers. */
#define MM_PEERS 8

struct mm_peer {
	__be32 v4;
	/* A port; of ICMP, which has no remote id, 0. */
	__be16 port;
	bool known;
};

/* One end inside: an address and a port or ICMP id, in a zone of connection tracking. */
struct mm_inside {
	__be32 v4;
	__be16 port;
	u16 zone;
	u8 zone_dir;
};

struct mm_endpoint {
	struct hlist_node node;
	/* The longest unused comes first. */
	struct list_head lru;
	struct mm_inside inside;
	u32 index;
	unsigned long used;
	/* It has met more remote ends than it remembers. */
	bool many;
	u8 next;
	struct mm_peer peer[MM_PEERS];
};

struct mm_table {
	u32 count;
	u32 owned;
	/* Ports that are not reserved. */
	u32 most;
	u32 bucket_mask;
	struct mm_endpoint **owner;
	/* Owned or reserved. */
	unsigned long *taken;
	struct hlist_head *bucket;
	struct list_head lru;
	unsigned long reclaimed;
};

/* Whether a flow of the endpoint with this remote end is still there. */
typedef bool (*mm_alive_t)(const struct mm_endpoint *ep, const struct mm_peer *peer,
			   void *context);

struct mm_clock {
	/*
	 * In jiffies. Unused for less than @young, nothing is taken back; for less than @idle,
	 * nothing that has met more remote ends than it remembers.
	 */
	unsigned long now;
	unsigned long young;
	unsigned long idle;
	mm_alive_t alive;
	void *context;
};

int mm_table_init(struct mm_table *table, u32 count, const unsigned long *reserved);
void mm_table_free(struct mm_table *table);
struct mm_endpoint *mm_endpoint_find(const struct mm_table *table, const struct mm_inside *inside,
				     u32 hash);
struct mm_endpoint *mm_endpoint_add(struct mm_table *table, const struct mm_inside *inside,
				    u32 hash, int wanted, const struct mm_clock *clock);
void mm_endpoint_meet(struct mm_table *table, struct mm_endpoint *ep, __be32 v4, __be16 port,
		      unsigned long now);
bool mm_endpoint_met(const struct mm_endpoint *ep, __be32 v4);
u32 mm_table_sweep(struct mm_table *table, u32 budget, const struct mm_clock *clock);

#endif
