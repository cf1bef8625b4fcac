// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where packets are taken from the stack:
 *
 *   IPv6 in:  PRE_ROUTING, after defragmentation and before connection tracking: to one of our
 *             MAP addresses.
 *   IPv4 in:  PRE_ROUTING, after defragmentation: a packet that came out of the tunnel in pieces.
 *   IPv4 out: FORWARD: a packet that is too big is answered while it still has the LAN host's own
 *             address and port;
 *             POST_ROUTING, after NAT: a packet that would be cut into IPv4 fragments is translated
 *             whole, and cut as IPv6.
 */
#include <linux/icmp.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/ipv4/nf_defrag_ipv4.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/ipv6/nf_defrag_ipv6.h>

#include "core/lookup.h"
#include "core/tunnel.h"
#include "net/hook.h"
#include "net/namespace.h"
#include "net/receive.h"
#include "net/routes.h"
#include "net/skb.h"
#include "net/stats.h"
#include "net/transmit.h"
#include "net/tunnel_in.h"

/* By how many octets an IPv4 packet grows: if it is translated, and at most. */
#define MM_XLAT_GROWTH (sizeof(struct ipv6hdr) - sizeof(struct iphdr))
#define MM_MOST_GROWTH (sizeof(struct ipv6hdr) + MM_LIMIT_HEADER)

static unsigned int mm_hook_in6(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct mm_dev *mm;

	list_for_each_entry_rcu(mm, &mm_pernet(state->net)->devices, list) {
		if (!netif_running(mm->dev) || state->in == mm->dev)
			continue;
		if (mm_receive(mm, skb, MM_AT_ONCE))
			return NF_STOLEN;
	}
	return NF_ACCEPT;
}

/*
 * How many octets an IPv4 packet may have on its way out, by its route's MTU and by what is known
 * of the IPv6 path.
 */
static unsigned int mm_out_limit(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct mm_dev *mm = netdev_priv(state->out);
	unsigned int limit = dst_mtu(skb_dst(skb));
	const struct mm_rules *rules;
	const struct mm_port none = {};
	struct in6_addr dst;
	unsigned int growth;

	rules = rcu_dereference(mm->rules);
	if (!rules || mm_remote_to_v6(rules, ip_hdr(skb)->daddr, none, MM_ANY_DOMAIN, &dst))
		return limit;
	growth = rules->tunnel.on ? mm_encap_size(rules) : MM_XLAT_GROWTH;
	return min(limit, mm_mtu6(mm, &dst, skb->mark) - growth);
}

static unsigned int mm_hook_forward4(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	unsigned int limit;

	/*
	 * No IPv6 path is narrower (RFC 8200 s5): the usual small packet needs no look-up. Where
	 * the IPv4 route's own MTU is less, the stack has answered before us.
	 */
	if (!skb_is_gso(skb) && skb->len <= IPV6_MIN_MTU - MM_MOST_GROWTH)
		return NF_ACCEPT;
	if (!state->out || !mm_is_device(state->out) || !(ip_hdr(skb)->frag_off & htons(IP_DF)) ||
	    IPCB(skb)->frag_max_size)
		return NF_ACCEPT;
	limit = mm_out_limit(skb, state);
	if (!mm_exceeds(skb, limit))
		return NF_ACCEPT;
	mm_count_drop(netdev_priv(state->out), MM_DROP_TOO_BIG, MM_OUT);
	icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(limit));
	return NF_DROP;
}

static unsigned int mm_hook_post4(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	bool came_cut = IPCB(skb)->frag_max_size;

	if (!came_cut && ip_hdr(skb)->frag_off & htons(IP_DF))
		return NF_ACCEPT;
	if (!state->out || !mm_is_device(state->out))
		return NF_ACCEPT;
	/* The stack would cut it as IPv4. Only the first piece has ports to choose a rule by. */
	if (!came_cut && !mm_exceeds(skb, dst_mtu(skb_dst(skb))))
		return NF_ACCEPT;
	/* Connection tracking may come behind us at the same priority, and must know this flow. */
	if (nf_conntrack_confirm(skb) != NF_ACCEPT)
		return NF_DROP;
	local_bh_disable();
	mm_transmit(netdev_priv(state->out), skb);
	local_bh_enable();
	return NF_STOLEN;
}

static unsigned int mm_hook_whole4(void *priv, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	if (!IPCB(skb)->frag_max_size || !mm_is_device(state->in))
		return NF_ACCEPT;
	return mm_judge_whole(netdev_priv(state->in), skb);
}

static const struct nf_hook_ops mm_hooks[] = {
	{
		.hook = mm_hook_whole4,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_CONNTRACK_DEFRAG + 1,
	},
	{
		.hook = mm_hook_in6,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP6_PRI_CONNTRACK_DEFRAG + 1,
	},
	{
		.hook = mm_hook_forward4,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_FORWARD,
		.priority = NF_IP_PRI_FIRST,
	},
	{
		.hook = mm_hook_post4,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_POST_ROUTING,
		.priority = NF_IP_PRI_LAST,
	},
};

/*
 * For a namespace that has a device, under rtnl. Both directions need whole datagrams, and so
 * defragmentation.
 */
int mm_hooks_register(struct net *net)
{
	struct mm_net *mn = mm_pernet(net);
	int error;

	if (mn->hooked)
		return 0;
	error = nf_defrag_ipv4_enable(net);
	if (error)
		return error;
	error = nf_defrag_ipv6_enable(net);
	if (error)
		goto err_defrag4;
	error = nf_register_net_hooks(net, mm_hooks, ARRAY_SIZE(mm_hooks));
	if (error)
		goto err_defrag6;
	mn->hooked = true;
	return 0;

err_defrag6:
	nf_defrag_ipv6_disable(net);
err_defrag4:
	nf_defrag_ipv4_disable(net);
	return error;
}

void mm_hooks_unregister(struct net *net)
{
	if (!mm_pernet(net)->hooked)
		return;
	nf_unregister_net_hooks(net, mm_hooks, ARRAY_SIZE(mm_hooks));
	nf_defrag_ipv6_disable(net);
	nf_defrag_ipv4_disable(net);
	mm_pernet(net)->hooked = false;
}
