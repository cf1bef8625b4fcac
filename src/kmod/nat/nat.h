/* SPDX-License-Identifier: GPL-2.0-only */
/* The NAT of a device: NAT44 into the port set. */
#ifndef MAPMINT_NAT_H
#define MAPMINT_NAT_H

#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/workqueue.h>

#include "nat/pool.h"
#include "net/device.h"
#include "net/namespace.h"

struct seq_file;

/* Once packets can see it, only @ifindex, @closed and the pools' tables change. */
struct mm_nat {
	struct list_head list;
	struct rcu_head rcu;
	struct mm_dev *mm;
	struct net *net;
	struct mm_nat_keys keys;
	/* The number of the device by which flows leave; 0 while there is no device of its name. */
	int ifindex;
	/* It takes no new flows any more, because those that it has are being flushed. */
	bool closed;
	struct delayed_work sweep;
	int pools;
	struct mm_pool pool[];
};

/* The NAT whose flows leave by a device, or NULL. */
static inline struct mm_nat *mm_nat_of(struct net *net, const struct net_device *dev)
{
	struct mm_nat *nat;

	if (!dev)
		return NULL;
	list_for_each_entry_rcu(nat, &mm_pernet(net)->nats, list)
		if (READ_ONCE(nat->ifindex) == dev->ifindex)
			return nat;
	return NULL;
}

/* The pool of an address; where several have it, the one whose set has the port. Or NULL. */
static inline struct mm_pool *mm_pool_of(struct mm_nat *nat, __be32 v4, struct mm_port port)
{
	struct mm_pool *found = NULL;
	int i;

	for (i = 0; i < nat->pools; i++) {
		struct mm_pool *pool = &nat->pool[i];

		if (!mm_in_prefix4(pool->edge.v4, pool->edge.v4_len, v4))
			continue;
		if (nat->pools == 1 || mm_in_set(&pool->edge, port))
			return pool;
		found = found ?: pool;
	}
	return found;
}

bool mm_nat_same(const struct mm_dev *mm, const struct mm_rules *rules);
struct mm_nat *mm_nat_create(struct mm_dev *mm, const struct mm_rules *rules);
void mm_nat_discard(struct mm_nat *nat);
void mm_nat_replace(struct mm_dev *mm, struct mm_nat *nat);
int mm_nat_show(struct seq_file *seq, void *v);
int mm_nat_init(void);
void mm_nat_exit(void);

#endif
