// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a NAT: it is made from a device's rules, follows the device by which its flows leave,
 * and is taken away again with the flows that it made. Packets meet it in hook.c and guard.c.
 */
#include <linux/notifier.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <net/netfilter/nf_conntrack.h>

#include "nat/flow.h"
#include "nat/guard.h"
#include "nat/hook.h"
#include "nat/nat.h"
#include "net/stats.h"

#define MM_SWEEP (5 * HZ)
/* How many endpoints of a protocol one sweep looks at. */
#define MM_SWEEP_BUDGET 256

/* Frees the ports of endpoints that have long had no flow. */
static void mm_sweep(struct work_struct *work)
{
	struct mm_nat *nat = container_of(to_delayed_work(work), struct mm_nat, sweep);
	int i, l4;

	for (i = 0; i < nat->pools; i++) {
		struct mm_pool *pool = &nat->pool[i];

		for (l4 = 0; l4 < MM_L4S && mm_restricted(pool); l4++) {
			struct mm_alive_context context = { nat->net, pool, mm_l4_protocol(l4) };
			const struct mm_clock clock = mm_clock(&context);
			u32 found;

			spin_lock_bh(&pool->lock);
			found = mm_table_sweep(&pool->table[l4], MM_SWEEP_BUDGET, &clock);
			spin_unlock_bh(&pool->lock);
			mm_count_add(nat->mm, MM_NAT_RECLAIMED, found);
		}
	}
	queue_delayed_work(system_power_efficient_wq, &nat->sweep, MM_SWEEP);
}

static void mm_nat_unregister(struct net *net, int core)
{
	while (core--)
		nf_nat_ipv4_unregister_fn(net, &mm_nat_core_hooks[core]);
	nf_ct_netns_put(net, NFPROTO_IPV4);
}

/* Asks for connection tracking, which a namespace without a NAT does without. */
static int mm_nat_register(struct net *net)
{
	struct mm_net *mn = mm_pernet(net);
	int core, error;

	if (mn->nat_users++)
		return 0;
	error = nf_ct_netns_get(net, NFPROTO_IPV4);
	if (error)
		goto err_users;
	for (core = 0; core < (int)ARRAY_SIZE(mm_nat_core_hooks); core++) {
		error = nf_nat_ipv4_register_fn(net, &mm_nat_core_hooks[core]);
		if (error)
			goto err_core;
	}
	error = nf_register_net_hooks(net, mm_guard_hooks, ARRAY_SIZE(mm_guard_hooks));
	if (error)
		goto err_core;
	return 0;

err_core:
	mm_nat_unregister(net, core);
err_users:
	mn->nat_users--;
	return error;
}

/* Undoes mm_nat_create. No packet may see the NAT yet, or any more. */
void mm_nat_discard(struct mm_nat *nat)
{
	int i;

	if (!nat)
		return;
	if (!--mm_pernet(nat->net)->nat_users) {
		nf_unregister_net_hooks(nat->net, mm_guard_hooks, ARRAY_SIZE(mm_guard_hooks));
		mm_nat_unregister(nat->net, ARRAY_SIZE(mm_nat_core_hooks));
	}
	for (i = 0; i < nat->pools; i++)
		mm_pool_free(&nat->pool[i]);
	kvfree(nat);
}

/* Whether the rules ask for the very NAT that the device has. */
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

/* The NAT that valid rules ask for, or NULL, under rtnl. */
struct mm_nat *mm_nat_create(struct mm_dev *mm, const struct mm_rules *rules)
{
	const struct mm_edge *edge[MM_MAX_POOLS];
	int error, count;
	struct mm_nat *nat;

	ASSERT_RTNL();
	if (!rules->nat.on)
		return NULL;
	count = mm_edges(rules, edge);
	nat = kvzalloc(struct_size(nat, pool, count), GFP_KERNEL);
	if (!nat)
		return ERR_PTR(-ENOMEM);
	nat->mm = mm;
	nat->net = mm->net;
	nat->keys = rules->nat;
	INIT_DELAYED_WORK(&nat->sweep, mm_sweep);
	error = mm_nat_register(nat->net);
	if (error) {
		kvfree(nat);
		return ERR_PTR(error);
	}
	/* A pool that failed half way is freed with the others. */
	for (; nat->pools < count && !error; nat->pools++)
		error = mm_pool_init(&nat->pool[nat->pools], edge[nat->pools], &nat->keys);
	if (error) {
		mm_nat_discard(nat);
		return ERR_PTR(error);
	}
	return nat;
}

static int mm_of_nat(struct nf_conn *ct, void *data)
{
	const struct nf_conntrack_tuple *first = &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;
	const struct nf_conntrack_tuple *back = &ct->tuplehash[IP_CT_DIR_REPLY].tuple;
	const struct mm_port any = {};

	/* Out from our address, or in to it. */
	return nf_ct_l3num(ct) == NFPROTO_IPV4 &&
	       (mm_pool_of(data, back->dst.u3.ip, any) || mm_pool_of(data, first->dst.u3.ip, any));
}

/* Forgets the flows from and to our address, as masquerading does when its device goes away. */
static void mm_flush(struct mm_nat *nat)
{
	const struct nf_ct_iter_data which = { .net = nat->net, .data = nat };

	nf_ct_iterate_cleanup_net(mm_of_nat, &which);
}

static int mm_out_ifindex(const struct mm_nat *nat)
{
	const struct net_device *dev = nat->mm->dev;

	if (*nat->keys.device)
		dev = __dev_get_by_name(nat->net, nat->keys.device);
	return dev ? dev->ifindex : 0;
}

/* Puts @nat, which may be NULL, in the place of what the device has, under rtnl. */
void mm_nat_replace(struct mm_dev *mm, struct mm_nat *nat)
{
	struct mm_nat *old = mm->nat;

	ASSERT_RTNL();
	if (nat)
		nat->ifindex = mm_out_ifindex(nat);
	if (old) {
		/* No flow may come after those that are flushed. */
		WRITE_ONCE(old->closed, true);
		synchronize_net();
		mm_flush(old);
	}
	mm->nat = nat;
	if (old && nat)
		list_replace_rcu(&old->list, &nat->list);
	else if (old)
		list_del_rcu(&old->list);
	else if (nat)
		list_add_tail_rcu(&nat->list, &mm_pernet(mm->net)->nats);
	if (nat)
		queue_delayed_work(system_power_efficient_wq, &nat->sweep, MM_SWEEP);
	if (!old)
		return;
	cancel_delayed_work_sync(&old->sweep);
	synchronize_net();
	mm_nat_discard(old);
}

/* The device by which flows leave comes, goes, or has another name now. */
static int mm_nat_event(struct notifier_block *block, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct mm_nat *nat;

	list_for_each_entry(nat, &mm_pernet(dev_net(dev))->nats, list) {
		int now = mm_out_ifindex(nat);

		switch (event) {
		case NETDEV_UNREGISTER:
			if (now == dev->ifindex)
				now = 0;
			fallthrough;
		case NETDEV_REGISTER:
		case NETDEV_CHANGENAME:
			if (nat->ifindex == now)
				break;
			WRITE_ONCE(nat->ifindex, now);
			mm_flush(nat);
			break;
		case NETDEV_DOWN:
			if (nat->ifindex == dev->ifindex)
				mm_flush(nat);
			break;
		}
	}
	return NOTIFY_DONE;
}

static struct notifier_block mm_nat_notifier = { .notifier_call = mm_nat_event };

/* One line for each range: device, address, range, and how many ports each protocol owns. */
static void mm_show_pool(struct seq_file *seq, const struct mm_nat *nat, struct mm_pool *pool)
{
	u32 range, index = 0;

	for (range = 0; range < pool->set.ranges; range++) {
		u32 first = index, end, used[MM_L4S] = {};
		int l4;

		end = min(pool->set.count, (range + 1) * pool->set.size - pool->set.skip);
		spin_lock_bh(&pool->lock);
		for (; index < end; index++)
			for (l4 = 0; l4 < MM_L4S; l4++)
				used[l4] += !!pool->table[l4].owner[index];
		spin_unlock_bh(&pool->lock);
		seq_printf(seq, "%s %pI4 %u-%u tcp %u udp %u icmp %u\n", nat->mm->dev->name,
			   &pool->edge.v4, mm_port_at(&pool->set, first),
			   mm_port_at(&pool->set, end - 1), used[MM_L4_TCP], used[MM_L4_UDP],
			   used[MM_L4_ICMP]);
	}
}

int mm_nat_show(struct seq_file *seq, void *v)
{
	struct net *net = seq->private;
	struct mm_nat *nat;
	int i;

	rtnl_lock();
	list_for_each_entry(nat, &mm_pernet(net)->nats, list)
		for (i = 0; i < nat->pools; i++)
			if (mm_restricted(&nat->pool[i]))
				mm_show_pool(seq, nat, &nat->pool[i]);
	rtnl_unlock();
	return 0;
}

int mm_nat_init(void)
{
	return register_netdevice_notifier(&mm_nat_notifier);
}

void mm_nat_exit(void)
{
	unregister_netdevice_notifier(&mm_nat_notifier);
	/* The hooks' text goes with the module. */
	synchronize_net();
}
