// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may pass an out-device that is not ours, which has no rules to go by: out, only what is from
 * our address and port set; in, only what is to it (RFC 7597 s8.1). And the other subscribers of
 * our address, who are to be found in the domain and not in the router.
 */
#include <linux/icmp.h>
#include <linux/netfilter_ipv4.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/route.h>

#include "nat/nat.h"
#include "net/skb.h"

#define MM_PRI_GUARD_OUT 310
#define MM_PRI_GUARD_IN (-310)
#define MM_PRI_NEIGHBOUR (NF_IP_PRI_NAT_DST + 5)

/* What judging takes of a packet, or of one that an error quotes. */
struct mm_view {
	__be32 saddr;
	__be32 daddr;
	struct mm_port sport;
	struct mm_port dport;
	unsigned int payload;
	u8 protocol;
	u8 icmp_type;
	bool later_fragment;
};

static bool mm_view4(const struct sk_buff *skb, unsigned int at, struct mm_view *view)
{
	struct iphdr header, *iph = skb_header_pointer(skb, at, sizeof(header), &header);
	__be16 buffer[4], *word;

	*view = (struct mm_view){};
	if (!iph || iph->version != 4 || iph->ihl < 5)
		return false;
	view->saddr = iph->saddr;
	view->daddr = iph->daddr;
	view->protocol = iph->protocol;
	view->later_fragment = iph->frag_off & htons(IP_OFFSET);
	view->payload = at + iph->ihl * 4;
	if (view->later_fragment)
		return true;
	switch (view->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		word = skb_header_pointer(skb, view->payload, 4, buffer);
		if (!word)
			return false;
		view->sport = (struct mm_port){ ntohs(word[0]), true };
		view->dport = (struct mm_port){ ntohs(word[1]), true };
		return true;
	case IPPROTO_ICMP:
		word = skb_header_pointer(skb, view->payload, 8, buffer);
		if (!word)
			return false;
		view->icmp_type = ntohs(word[0]) >> 8;
		if (view->icmp_type == ICMP_ECHO || view->icmp_type == ICMP_ECHOREPLY) {
			view->sport = (struct mm_port){ ntohs(word[2]), true };
			view->dport = view->sport;
		}
		return true;
	default:
		return true;
	}
}

/*
 * One direction: @own is our side of the packet. A counter's number, or 0 for what may pass. An
 * error is judged by what it quotes, which went the other way.
 */
static int mm_judge(const struct sk_buff *skb, const struct mm_view *view,
		    const struct mm_pool *pool, struct mm_port own, bool out)
{
	struct mm_view quoted;

	if (!mm_restricted(pool))
		return 0;
	if (view->later_fragment)
		return MM_DROP_FRAGMENT;
	if (own.known)
		return mm_in_set(&pool->edge, own) ? 0 : out ? MM_DROP_PORT_OUT : MM_DROP_PORT_IN;
	if (view->protocol != IPPROTO_ICMP)
		return MM_DROP_PROTOCOL;
	if (!mm_is_icmp_error4(view->icmp_type))
		return MM_DROP_ICMP_TYPE;
	if (!mm_view4(skb, view->payload + sizeof(struct icmphdr), &quoted) ||
	    (out ? quoted.daddr : quoted.saddr) != pool->edge.v4 ||
	    !mm_in_set(&pool->edge, out ? quoted.dport : quoted.sport))
		return MM_DROP_ICMP_INNER;
	return 0;
}

/*
 * RFC 7597 s8.3.3: others share the address, so what is about to be cut gets an identification of
 * our port set.
 */
static int mm_set_fragment_id(struct sk_buff *skb, struct mm_nat *nat, const struct mm_pool *pool)
{
	struct iphdr *iph = ip_hdr(skb);
	__be16 id;

	if (!mm_restricted(pool) || skb_is_gso(skb) ||
	    (!IPCB(skb)->frag_max_size &&
	     (iph->frag_off & htons(IP_DF) || skb->len <= dst_mtu(skb_dst(skb)))))
		return 0;
	if (skb_ensure_writable(skb, sizeof(*iph)))
		return MM_DROP_MEMORY;
	iph = ip_hdr(skb);
	id = htons(mm_nth_port(&pool->edge, atomic_inc_return(&nat->mm->fragment_id)));
	csum_replace2(&iph->check, iph->id, id);
	iph->id = id;
	return 0;
}

static int mm_judge_out(struct sk_buff *skb, struct mm_nat *nat)
{
	const struct mm_pool *pool;
	struct mm_view view;

	if (!mm_view4(skb, 0, &view))
		return MM_DROP_HEADER;
	pool = mm_pool_of(nat, view.saddr, view.sport);
	if (!pool)
		return MM_DROP_SOURCE4;
	return mm_judge(skb, &view, pool, view.sport, true) ?: mm_set_fragment_id(skb, nat, pool);
}

static unsigned int mm_guard_out(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct mm_nat *nat = mm_nat_of(state->net, state->out);
	enum ip_conntrack_info ctinfo;
	int reason;

	/* Our own device judges by its rules. */
	if (!nat || mm_is_device(state->out))
		return NF_ACCEPT;
	reason = mm_judge_out(skb, nat);
	if (!reason)
		return NF_ACCEPT;
	/* What NAT could not touch is named so. */
	if (reason != MM_DROP_MEMORY && !nf_ct_get(skb, &ctinfo))
		reason = ctinfo == IP_CT_UNTRACKED ? MM_DROP_UNTRACKED : MM_DROP_INVALID;
	mm_count_drop(nat->mm, reason, true);
	return NF_DROP;
}

static int mm_judge_in(const struct sk_buff *skb, struct mm_nat *nat)
{
	const struct mm_pool *pool;
	struct mm_view view;

	if (!mm_view4(skb, 0, &view))
		return MM_DROP_HEADER;
	pool = mm_pool_of(nat, view.daddr, view.dport);
	/* To others, there is a firewall. */
	return pool ? mm_judge(skb, &view, pool, view.dport, false) : 0;
}

static unsigned int mm_guard_in(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct mm_nat *nat = mm_nat_of(state->net, state->in);
	int reason;

	if (!nat || mm_is_device(state->in))
		return NF_ACCEPT;
	reason = mm_judge_in(skb, nat);
	if (!reason)
		return NF_ACCEPT;
	mm_count_drop(nat->mm, reason, false);
	return NF_DROP;
}

/*
 * Stands for our own address in route look-ups, where it is another subscriber's: of class E, which
 * is nobody's. The packet itself keeps what it has.
 */
static __be32 mm_image(__be32 v4)
{
	return v4 | htonl(0xf0000000);
}

static void mm_route_as(struct sk_buff *skb, __be32 daddr, __be32 saddr,
			const struct nf_hook_state *state)
{
	skb_dst_drop(skb);
	/* On failure the packet is left without a route, and the stack looks for one as usual. */
	if (ip_route_input_noref(skb, daddr, saddr, 0, state->in))
		skb_dst_drop(skb);
}

/* A packet of the LAN's to another port of our address: another subscriber (RFC 7597 s5.1). */
static bool mm_to_neighbour(struct mm_nat *nat, const struct mm_view *view)
{
	const struct mm_pool *pool = mm_pool_of(nat, view->daddr, view->dport);

	/* An echo id says nothing of who is meant. */
	return pool && view->dport.known && view->protocol != IPPROTO_ICMP &&
	       !mm_in_set(&pool->edge, view->dport);
}

static unsigned int mm_neighbour(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct mm_nat *nat = mm_nat_of(state->net, state->in);
	struct mm_view view;

	if (state->in->flags & IFF_LOOPBACK || !mm_view4(skb, 0, &view))
		return NF_ACCEPT;
	if (nat) {
		/* From a neighbour: the stack takes an address of its own for forged. */
		if (mm_pool_of(nat, view.saddr, view.sport))
			mm_route_as(skb, view.daddr, mm_image(view.saddr), state);
		return NF_ACCEPT;
	}
	list_for_each_entry_rcu(nat, &mm_pernet(state->net)->nats, list) {
		if (!mm_to_neighbour(nat, &view))
			continue;
		mm_count(nat->mm, MM_NAT_NEIGHBOUR);
		mm_route_as(skb, mm_image(view.daddr), view.saddr, state);
		break;
	}
	return NF_ACCEPT;
}

const struct nf_hook_ops mm_guard_hooks[3] = {
	{
		.hook = mm_guard_out,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_POST_ROUTING,
		.priority = MM_PRI_GUARD_OUT,
	},
	{
		.hook = mm_guard_in,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = MM_PRI_GUARD_IN,
	},
	{
		.hook = mm_neighbour,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = MM_PRI_NEIGHBOUR,
	},
};
