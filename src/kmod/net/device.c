// SPDX-License-Identifier: GPL-2.0-only
/* The net device: creation, features, statistics, and its end. */
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/rtnetlink.h>

#include "compat.h"
#include "nat/nat.h"
#include "net/device.h"
#include "net/hook.h"
#include "net/namespace.h"
#include "net/receive.h"
#include "net/routes.h"
#include "net/stats.h"
#include "net/transmit.h"

/* The room before a packet for a tunnel's header, which is the longest, and for the link's. */
#define MM_HEADROOM (sizeof(struct ipv6hdr) + 8 + LL_MAX_HEADER)

static int mm_dev_init(struct net_device *dev)
{
	struct mm_dev *mm = netdev_priv(dev);

	mm->dev = dev;
	mm->net = dev_net(dev);
	mm->stats = netdev_alloc_pcpu_stats(struct mm_stats);
	if (!mm->stats)
		return -ENOMEM;
	mm->lowest_mtu = IPV6_MIN_MTU;
	atomic_set(&mm->fragment_id, get_random_u32());
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	if (!dev->tstats)
		goto err_stats;
	if (mm_routes_init(mm))
		goto err_tstats;
	return 0;

err_tstats:
	free_percpu(dev->tstats);
err_stats:
	free_percpu(mm->stats);
	return -ENOMEM;
}

/* When nobody sends any more, the routes may be let go. */
static int mm_dev_stop(struct net_device *dev)
{
	synchronize_net();
	mm_routes_flush(netdev_priv(dev));
	return 0;
}

static void mm_dev_free(struct net_device *dev)
{
	struct mm_dev *mm = netdev_priv(dev);

	kvfree(rcu_dereference_protected(mm->rules, 1));
	mm_routes_free(mm);
	free_percpu(dev->tstats);
	free_percpu(mm->stats);
}

static netdev_tx_t mm_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct mm_dev *mm = netdev_priv(dev);

	if (skb->protocol == htons(ETH_P_IP)) {
		mm_transmit(mm, skb);
		return NETDEV_TX_OK;
	}
	/* IPv6 that is routed here goes the other way. Of all else there is no translation. */
	if (skb->protocol != htons(ETH_P_IPV6) || !mm_receive(mm, skb, MM_QUEUED)) {
		mm_count_drop(mm, MM_DROP_PROTOCOL, MM_OUT);
		kfree_skb(skb);
	}
	return NETDEV_TX_OK;
}

const struct net_device_ops mm_netdev_ops = {
	.ndo_init = mm_dev_init,
	.ndo_stop = mm_dev_stop,
	.ndo_start_xmit = mm_xmit,
	.ndo_get_stats64 = dev_get_tstats64,
};

static const struct device_type mm_type = { .name = MM_KIND };

static void mm_setup(struct net_device *dev)
{
	dev->netdev_ops = &mm_netdev_ops;
	dev->ethtool_ops = &mm_ethtool_ops;
	dev->type = ARPHRD_NONE;
	dev->hard_header_len = 0;
	dev->addr_len = 0;
	dev->needed_headroom = MM_HEADROOM;
	dev->flags = IFF_POINTOPOINT | IFF_NOARP;
	dev->mtu = ETH_DATA_LEN;
	dev->min_mtu = IPV4_MIN_MTU;
	dev->max_mtu = IP_MAX_MTU - sizeof(struct ipv6hdr);
	dev->features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA | NETIF_F_ALL_TSO |
			NETIF_F_GSO_UDP_L4;
	dev->hw_features = dev->features;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->priv_flags &= ~IFF_XMIT_DST_RELEASE;
	dev->needs_free_netdev = true;
	dev->priv_destructor = mm_dev_free;
	mm_set_lltx(dev);
	/* Its hooks, its NAT and its lines in the control file belong to the namespace. */
	mm_set_netns_immutable(dev);
	SET_NETDEV_DEVTYPE(dev, &mm_type);
}

static int mm_list_device(struct net_device *dev)
{
	struct mm_dev *mm = netdev_priv(dev);
	struct net *net = dev_net(dev);
	int error;

	error = mm_hooks_register(net);
	if (error)
		return error;
	error = register_netdevice(dev);
	if (error)
		return error;
	list_add_tail_rcu(&mm->list, &mm_pernet(net)->devices);
	return 0;
}

static int mm_newlink(MM_NEWLINK_ARGUMENTS, struct netlink_ext_ack *extack)
{
	return mm_list_device(dev);
}

static void mm_dellink(struct net_device *dev, struct list_head *head)
{
	struct mm_dev *mm = netdev_priv(dev);

	mm_nat_replace(mm, NULL);
	list_del_rcu(&mm->list);
	unregister_netdevice_queue(dev, head);
}

static struct rtnl_link_ops mm_link_ops __read_mostly = {
	.kind = MM_KIND,
	.priv_size = sizeof(struct mm_dev),
	.setup = mm_setup,
	.newlink = mm_newlink,
	.dellink = mm_dellink,
};

/* Creates a device, under rtnl. An error pointer where the name is taken or not valid. */
struct net_device *mm_device_create(struct net *net, const char *name)
{
	struct net_device *dev;
	int error;

	ASSERT_RTNL();
	if (!dev_valid_name(name))
		return ERR_PTR(-EINVAL);
	if (__dev_get_by_name(net, name))
		return ERR_PTR(-EEXIST);
	dev = alloc_netdev(sizeof(struct mm_dev), name, NET_NAME_USER, mm_setup);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev_net_set(dev, net);
	dev->rtnl_link_ops = &mm_link_ops;
	error = mm_list_device(dev);
	if (error) {
		/*
		 * Before registration the destructor is not called; after a failed one it has been.
		 */
		free_netdev(dev);
		return ERR_PTR(error);
	}
	return dev;
}

void mm_device_delete(struct mm_dev *mm)
{
	ASSERT_RTNL();
	mm_dellink(mm->dev, NULL);
}

struct mm_dev *mm_device_find(struct net *net, const char *name)
{
	struct net_device *dev;

	ASSERT_RTNL();
	dev = __dev_get_by_name(net, name);
	return dev && mm_is_device(dev) ? netdev_priv(dev) : NULL;
}

/* Publishes a rule set. Packets on their way finish with the old one. */
void mm_device_set_rules(struct mm_dev *mm, struct mm_rules *rules)
{
	struct mm_rules *old;

	ASSERT_RTNL();
	old = rtnl_dereference(mm->rules);
	rcu_assign_pointer(mm->rules, rules);
	if (old)
		kfree_rcu(old, rcu);
}

int mm_link_register(void)
{
	return rtnl_link_register(&mm_link_ops);
}

void mm_link_unregister(void)
{
	rtnl_link_unregister(&mm_link_ops);
}
