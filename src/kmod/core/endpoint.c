// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoints inside and the ports that they own (RFC 4787 REQ-1): an endpoint has a port of its own
 * while there is one, whatever remote ends it talks to.
 *
 * Nobody tells when a flow ends. So an endpoint remembers the remote ends it met last, and is taken
 * back once none of these flows is there. What a port may be used for never depends on that: the
 * caller checks each flow by itself.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "compat.h"
#include "core/endpoint.h"

/* How many endpoints are looked at to make room for a new one. */
#define MM_RECLAIM 32
#define MM_MOST_BUCKETS 4096

int mm_table_init(struct mm_table *table, u32 count, const unsigned long *reserved)
{
	u32 buckets = 16;

	memset(table, 0, sizeof(*table));
	INIT_LIST_HEAD(&table->lru);
	while (buckets < count && buckets < MM_MOST_BUCKETS)
		buckets *= 2;
	table->count = count;
	table->bucket_mask = buckets - 1;
	table->owner = kvcalloc(count, sizeof(*table->owner), GFP_KERNEL);
	table->taken = kvcalloc(BITS_TO_LONGS(count), sizeof(long), GFP_KERNEL);
	table->bucket = kvcalloc(buckets, sizeof(*table->bucket), GFP_KERNEL);
	if (!table->owner || !table->taken || !table->bucket) {
		mm_table_free(table);
		return -ENOMEM;
	}
	memcpy(table->taken, reserved, BITS_TO_LONGS(count) * sizeof(long));
	table->most = count - bitmap_weight(reserved, count);
	return 0;
}

void mm_table_free(struct mm_table *table)
{
	u32 i;

	for (i = 0; table->owner && i < table->count; i++)
		kfree(table->owner[i]);
	kvfree(table->owner);
	kvfree(table->taken);
	kvfree(table->bucket);
	memset(table, 0, sizeof(*table));
}

static bool mm_same_inside(const struct mm_inside *a, const struct mm_inside *b)
{
	return a->v4 == b->v4 && a->port == b->port && a->zone == b->zone &&
	       a->zone_dir == b->zone_dir;
}

struct mm_endpoint *mm_endpoint_find(const struct mm_table *table, const struct mm_inside *inside,
				     u32 hash)
{
	struct mm_endpoint *ep;

	hlist_for_each_entry(ep, &table->bucket[hash & table->bucket_mask], node)
		if (mm_same_inside(&ep->inside, inside))
			return ep;
	return NULL;
}

/* Gives @ep, which is new or was taken back, to an end inside. */
static void mm_endpoint_own(struct mm_table *table, struct mm_endpoint *ep,
			    const struct mm_inside *inside, u32 hash, u32 index, unsigned long now)
{
	*ep = (struct mm_endpoint){ .inside = *inside, .index = index, .used = now };
	hlist_add_head(&ep->node, &table->bucket[hash & table->bucket_mask]);
	list_add_tail(&ep->lru, &table->lru);
	__set_bit(index, table->taken);
	table->owner[index] = ep;
	table->owned++;
}

/* Takes the port of an endpoint back. The caller frees @ep, or uses it again. */
static void mm_endpoint_disown(struct mm_table *table, struct mm_endpoint *ep)
{
	hlist_del(&ep->node);
	list_del(&ep->lru);
	__clear_bit(ep->index, table->taken);
	table->owner[ep->index] = NULL;
	table->owned--;
	table->reclaimed++;
}

/* Whether the endpoint has no flow any more, as far as it knows. */
static bool mm_gone(const struct mm_endpoint *ep, const struct mm_clock *clock)
{
	int i;

	/* Its last flow may not be known to connection tracking yet. */
	if (clock->now - ep->used < clock->young)
		return false;
	if (ep->many && clock->now - ep->used < clock->idle)
		return false;
	for (i = 0; i < MM_PEERS; i++)
		if (ep->peer[i].known && clock->alive(ep, &ep->peer[i], clock->context))
			return false;
	return true;
}

/* Looks at the longest unused endpoints, and takes the port of the first that is gone; or NULL. */
static struct mm_endpoint *mm_reclaim(struct mm_table *table, const struct mm_clock *clock)
{
	u32 i;

	for (i = 0; i < MM_RECLAIM && i < table->owned; i++) {
		struct mm_endpoint *ep = list_first_entry(&table->lru, struct mm_endpoint, lru);

		if (mm_gone(ep, clock)) {
			mm_endpoint_disown(table, ep);
			return ep;
		}
		/* Those behind have their turn next time. */
		list_move_tail(&ep->lru, &table->lru);
	}
	return NULL;
}

/* A free port: the wanted one, or the next after where the hash says. */
static int mm_free_port(const struct mm_table *table, u32 hash, int wanted)
{
	u32 start = hash % table->count;
	u32 found;

	if (table->owned == table->most)
		return -1;
	if (wanted >= 0 && !test_bit(wanted, table->taken))
		return wanted;
	found = find_next_zero_bit(table->taken, table->count, start);
	if (found >= table->count)
		found = find_next_zero_bit(table->taken, table->count, 0);
	return found < table->count ? (int)found : -1;
}

/*
 * Gives a port to an endpoint that has none; @wanted is the one it would like, or -1. NULL when all
 * are in use.
 */
struct mm_endpoint *mm_endpoint_add(struct mm_table *table, const struct mm_inside *inside,
				    u32 hash, int wanted, const struct mm_clock *clock)
{
	int index = mm_free_port(table, hash, wanted);
	struct mm_endpoint *ep;

	if (index < 0) {
		ep = mm_reclaim(table, clock);
		if (ep)
			index = ep->index;
	} else {
		ep = kmalloc_obj(*ep, GFP_ATOMIC);
	}
	if (ep)
		mm_endpoint_own(table, ep, inside, hash, index, clock->now);
	return ep;
}

/* Remembers a remote end in the place of the oldest. */
void mm_endpoint_meet(struct mm_table *table, struct mm_endpoint *ep, __be32 v4, __be16 port,
		      unsigned long now)
{
	struct mm_peer *peer = &ep->peer[ep->next];
	int i;

	ep->used = now;
	list_move_tail(&ep->lru, &table->lru);
	for (i = 0; i < MM_PEERS; i++)
		if (ep->peer[i].known && ep->peer[i].v4 == v4 && ep->peer[i].port == port)
			return;
	ep->many |= peer->known;
	*peer = (struct mm_peer){ .v4 = v4, .port = port, .known = true };
	ep->next = (ep->next + 1) % MM_PEERS;
}

bool mm_endpoint_met(const struct mm_endpoint *ep, __be32 v4)
{
	int i;

	for (i = 0; i < MM_PEERS; i++)
		if (ep->peer[i].known && ep->peer[i].v4 == v4)
			return true;
	return false;
}

/* Looks at @budget endpoints, and frees those that are gone and were idle. How many it freed. */
u32 mm_table_sweep(struct mm_table *table, u32 budget, const struct mm_clock *clock)
{
	u32 i, owned = table->owned, found = 0;

	for (i = 0; i < budget && i < owned; i++) {
		struct mm_endpoint *ep = list_first_entry(&table->lru, struct mm_endpoint, lru);

		if (clock->now - ep->used >= clock->idle && mm_gone(ep, clock)) {
			mm_endpoint_disown(table, ep);
			kfree(ep);
			found++;
		} else {
			list_move_tail(&ep->lru, &table->lru);
		}
	}
	return found;
}
