/* SPDX-License-Identifier: GPL-2.0-only */
/* The net device. */
#ifndef MAPMINT_DEVICE_H
#define MAPMINT_DEVICE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/types.h>
#include <linux/u64_stats_sync.h>

#include "core/counters.h"
#include "core/lookup.h"

#define MM_KIND "mapmint"

struct mm_nat;
struct mm_routes;

struct mm_stats {
	u64_stats_t count[MM_COUNTERS];
	/* Processors of 32 bits read a counter in two halves. */
	struct u64_stats_sync syncp;
};

/* What is private to a device. */
struct mm_dev {
	struct net_device *dev;
	struct net *net;
	struct mm_rules __rcu *rules;
	struct mm_stats __percpu *stats;
	struct mm_routes __percpu *routes;
	/* RFC 7915 s4's lowest-ipv6-mtu: packets without DF are cut to it on an unknown path. */
	u32 lowest_mtu;
	/* The next identification of a packet that is cut. */
	atomic_t fragment_id;
	/* In the namespace's list of devices. */
	struct list_head list;
	/* Changed and read under rtnl. Packets find it by the namespace's list of NATs. */
	struct mm_nat *nat;
};

extern const struct net_device_ops mm_netdev_ops;

static inline bool mm_is_device(const struct net_device *dev)
{
	return dev->netdev_ops == &mm_netdev_ops;
}

struct net_device *mm_device_create(struct net *net, const char *name);
void mm_device_delete(struct mm_dev *mm);
struct mm_dev *mm_device_find(struct net *net, const char *name);
void mm_device_set_rules(struct mm_dev *mm, struct mm_rules *rules);
int mm_link_register(void);
void mm_link_unregister(void);

#endif
