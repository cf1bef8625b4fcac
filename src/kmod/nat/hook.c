// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the NAT core asks us about a new flow, just before it asks the firewall:
 *
 *   POST_ROUTING  A flow that leaves by the NAT's device gets our address and a port of the set. So
 *                 does a flow from LAN to LAN by way of our address (RFC 4787 REQ-9).
 *   PRE_ROUTING   A flow to a port that an endpoint owns goes to the endpoint.
 */
#include <linux/inetdevice.h>
#include <linux/netfilter_ipv4.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_nat.h>

#include "nat/flow.h"
#include "nat/hook.h"
#include "nat/nat.h"
#include "net/stats.h"

/* The pool of the domain that the flow's remote end belongs to. */
static struct mm_pool *mm_pool_for(struct mm_nat *nat, const struct nf_conntrack_tuple *back)
{
	const struct mm_port port = { ntohs(back->src.u.all), mm_l4_of(back->dst.protonum) >= 0 };
	const struct mm_rules *rules = rcu_dereference(nat->mm->rules);
	int i, domain = MM_ANY_DOMAIN;

	if (rules && nat->pools > 1)
		domain = mm_remote_domain(rules, back->src.u3.ip, port);
	for (i = 0; domain != MM_ANY_DOMAIN && i < nat->pools; i++) {
		const struct mm_edge *edge = &nat->pool[i].edge;
		const struct mm_edge *same;
		struct in6_addr unused;
		int own;

		mm_local_to_v6(rules, edge->v4, (struct mm_port){}, &unused, &same, &own);
		if (own == domain)
			return &nat->pool[i];
	}
	return &nat->pool[0];
}

/*
 * RFC 4787 REQ-10, RFC 7857 s11: a helper would announce ports of its own choice, which are not
 * ours. Before the flow is confirmed it has announced nothing yet.
 */
static void mm_strip_helper(struct nf_conn *ct)
{
	struct nf_conn_help *help = nfct_help(ct);

	if (help && !nf_ct_is_confirmed(ct))
		RCU_INIT_POINTER(help->helper, NULL);
}

/* If its route changes, masquerading ends the flow: on another device it would keep our address. */
static void mm_tie_to_device(struct nf_conn *ct, const struct net_device *out)
{
#if IS_ENABLED(CONFIG_NF_NAT_MASQUERADE)
	struct nf_conn_nat *nat = nf_ct_nat_ext_add(ct);

	if (nat)
		nat->masq_index = out->ifindex;
#endif
}

/* A CE with a prefix (RFC 7597 s5.2) keeps its own addresses. Others get that of the device. */
static unsigned int mm_nat_prefix(struct mm_pool *pool, struct nf_conn *ct,
				  const struct net_device *out)
{
	__be32 v4 = ct->tuplehash[IP_CT_DIR_REPLY].tuple.dst.u3.ip;

	if (!mm_in_prefix4(pool->edge.v4, pool->edge.v4_len, v4))
		v4 = inet_select_addr(out, 0, RT_SCOPE_UNIVERSE);
	if (!mm_in_prefix4(pool->edge.v4, pool->edge.v4_len, v4))
		v4 = pool->edge.v4;
	return mm_nat_bind(ct, v4, 0, NF_NAT_MANIP_SRC);
}

/* The pool that has the destination of @first. *@owner is its NAT, *@index the port. */
static struct mm_pool *mm_pool_behind(struct net *net, const struct nf_conntrack_tuple *first,
				      struct mm_nat **owner, int *index)
{
	const struct mm_port port = { ntohs(first->dst.u.all), true };
	struct mm_nat *nat;

	list_for_each_entry_rcu(nat, &mm_pernet(net)->nats, list) {
		struct mm_pool *pool = mm_pool_of(nat, first->dst.u3.ip, port);

		if (!pool || !mm_restricted(pool) || READ_ONCE(nat->closed))
			continue;
		*index = mm_index_of(&pool->set, port.port);
		if (*index < 0)
			continue;
		*owner = nat;
		return pool;
	}
	return NULL;
}

/* A flow from the LAN to our address, which mm_nat_in has sent back to the LAN. */
static unsigned int mm_nat_hairpin(struct net *net, struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *first = &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;
	const struct nf_conntrack_tuple *back = &ct->tuplehash[IP_CT_DIR_REPLY].tuple;
	int index, l4 = mm_l4_of(first->dst.protonum);
	const struct mm_endpoint *ep;
	struct mm_pool *pool;
	struct mm_nat *nat;
	bool ours;

	if (!(ct->status & IPS_DST_NAT) || l4 < 0 || l4 == MM_L4_ICMP)
		return NF_ACCEPT;
	pool = mm_pool_behind(net, first, &nat, &index);
	if (!pool)
		return NF_ACCEPT;
	spin_lock_bh(&pool->lock);
	ep = pool->table[l4].owner[index];
	ours = ep && ep->inside.v4 == back->src.u3.ip && ep->inside.port == back->src.u.all;
	spin_unlock_bh(&pool->lock);
	return ours ? mm_nat_source(nat, pool, ct) : NF_ACCEPT;
}

static unsigned int mm_nat_out(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct mm_nat *nat = mm_nat_of(state->net, state->out);
	enum ip_conntrack_info ctinfo;
	struct mm_pool *pool;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct)
		return NF_ACCEPT;
	if (nat || mm_nat_of(state->net, state->in))
		mm_strip_helper(ct);
	if (!nat)
		return mm_nat_hairpin(state->net, ct);
	if (READ_ONCE(nat->closed)) {
		mm_count_drop(nat->mm, MM_DROP_INVALID, MM_OUT);
		return NF_DROP;
	}
	pool = mm_pool_for(nat, &ct->tuplehash[IP_CT_DIR_REPLY].tuple);
	mm_tie_to_device(ct, state->out);
	if (pool->edge.v4_len < 32)
		return mm_nat_prefix(pool, ct, state->out);
	return mm_nat_source(nat, pool, ct);
}

/* RFC 4787 REQ-8: a packet comes in from whom the endpoint has sent to, or from everybody. */
static bool mm_lets_in(const struct mm_nat *nat, const struct mm_endpoint *ep, __be32 from,
		       const struct net_device *in)
{
	return nat->keys.endpoint_filter || READ_ONCE(nat->ifindex) != in->ifindex ||
	       mm_endpoint_met(ep, from);
}

static unsigned int mm_nat_in(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct nf_conntrack_tuple *first;
	enum ip_conntrack_info ctinfo;
	struct mm_inside inside;
	struct mm_endpoint *ep;
	struct mm_pool *pool;
	struct mm_nat *nat;
	struct nf_conn *ct;
	bool lets_in;
	int l4, index;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct)
		return NF_ACCEPT;
	first = &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;
	l4 = mm_l4_of(first->dst.protonum);
	/* An echo request is for the router itself. */
	if (l4 < 0 || l4 == MM_L4_ICMP)
		return NF_ACCEPT;
	pool = mm_pool_behind(state->net, first, &nat, &index);
	if (!pool)
		return NF_ACCEPT;
	spin_lock_bh(&pool->lock);
	ep = pool->table[l4].owner[index];
	if (!ep) {
		/* It is for the router itself, or the firewall redirects it. */
		spin_unlock_bh(&pool->lock);
		return NF_ACCEPT;
	}
	inside = ep->inside;
	lets_in = mm_lets_in(nat, ep, first->src.u3.ip, state->in);
	if (lets_in)
		mm_endpoint_meet(&pool->table[l4], ep, first->src.u3.ip, first->src.u.all, jiffies);
	spin_unlock_bh(&pool->lock);
	/* RFC 5382 REQ-4: a packet that is not let in is not answered. */
	if (!lets_in) {
		mm_count(nat->mm, MM_NAT_FILTERED);
		return NF_DROP;
	}
	mm_count(nat->mm, READ_ONCE(nat->ifindex) == state->in->ifindex ? MM_NAT_INBOUND :
									   MM_NAT_HAIRPIN);
	return mm_nat_bind(ct, inside.v4, ntohs(inside.port), NF_NAT_MANIP_DST);
}

const struct nf_hook_ops mm_nat_core_hooks[2] = {
	{
		.hook = mm_nat_out,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_POST_ROUTING,
		.priority = NF_IP_PRI_NAT_SRC - 1,
	},
	{
		.hook = mm_nat_in,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_NAT_DST - 1,
	},
};
