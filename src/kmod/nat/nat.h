/* SPDX-License-Identifier: GPL-2.0-only */
/* NAT44 into the port set: what its files share. */
#ifndef MAPMINT_NAT_H
#define MAPMINT_NAT_H

#include <linux/netfilter.h>
#include <linux/rculist.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_nat.h>

#include "core/endpoint.h"
#include "mapmint.h"

/* nat.c: what a device's NAT is made of, and its life. */
enum mm_l4 {
	MM_L4_TCP,
	MM_L4_UDP,
	MM_L4_ICMP,
	MM_L4S,
};

#define MM_REFUSALS 64

/* A remote end towards which no port was free a moment ago. */
struct mm_refusal {
	unsigned long until;
	__be32 v4;
	__be16 port;
	u8 l4;
};

/* Our address and what we may use of its ports. */
struct mm_pool {
	struct mm_edge edge;
	struct mm_portset set;
	/* By index of the set. */
	unsigned long *reserved;
	u32 seed;
	/* Of the tables and refusals. New flows alone come here. */
	spinlock_t lock;
	struct mm_table table[MM_L4S];
	struct mm_refusal refusal[MM_REFUSALS];
};

/* Never changed once published, but for what says so: another takes its place. */
struct mm_nat {
	struct list_head list;
	struct rcu_head rcu;
	struct mm_dev *mm;
	struct net *net;
	struct mm_nat_keys keys;
	/* The out-device's number, 0 while there is none: follows the device of that name. */
	int ifindex;
	/* No new flows any more: those that are there are being flushed. */
	bool closed;
	struct delayed_work sweep;
	int pools;
	struct mm_pool pool[];
};

/* RFC 7597 s5.1: k = 0 is no restriction. */
static inline bool mm_restricted(const struct mm_pool *pool)
{
	return pool->edge.psid_len;
}

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

/* nat_set.c */
#define MM_MAX_POOLS 16
int mm_edges(const struct mm_rules *rules, const struct mm_edge **edge);
struct mm_pool *mm_pool_of(struct mm_nat *nat, __be32 v4, struct mm_port port);
int mm_pool_init(struct mm_pool *pool, const struct mm_edge *edge, const struct mm_nat_keys *keys);
void mm_pool_free(struct mm_pool *pool);

/* nat_flow.c: which port a flow leaves from. */

/* RFC 4787 REQ-5: a mapping stays two minutes at least, where no other endpoint needs the port. */
#define MM_IDLE (120 * HZ)

struct mm_alive_context {
	struct net *net;
	struct mm_pool *pool;
	u8 protocol;
};

int mm_l4_of(u8 protocol);
u8 mm_l4_protocol(enum mm_l4 l4);
struct mm_clock mm_clock(struct mm_alive_context *context);
unsigned int mm_nat_bind(struct nf_conn *ct, __be32 v4, u16 port, enum nf_nat_manip_type type);
unsigned int mm_nat_source(struct mm_nat *nat, struct mm_pool *pool, struct nf_conn *ct);

/* nat_hook.c, guard.c */
extern const struct nf_hook_ops mm_nat_core_hooks[2];
extern const struct nf_hook_ops mm_guard_hooks[3];

#endif
