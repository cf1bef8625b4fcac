/* SPDX-License-Identifier: GPL-2.0-only */
/* What a network namespace has of us. */
#ifndef MAPMINT_NAMESPACE_H
#define MAPMINT_NAMESPACE_H

#include <linux/list.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

struct mm_net {
	/* Every mm_dev. Changed under rtnl, read under RCU. */
	struct list_head devices;
	/* Every mm_nat, in the same way. */
	struct list_head nats;
	int nat_users;
	/* The hooks of net/hook.c are registered. */
	bool hooked;
};

extern unsigned int mm_net_id;

static inline struct mm_net *mm_pernet(struct net *net)
{
	return net_generic(net, mm_net_id);
}

#endif
