// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may pass the device by which a NAT's flows leave. A device of ours judges by its rules; for
 * another one this file does: out goes only what is from our address and port set, in comes only
 * what is to it (RFC 7597 s8.1). And how packets reach the other subscribers of our address: they
 * are in the domain, not in the router.
 */
#include <linux/icmp.h>
#include <linux/netfilter_ipv4.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/route.h>

#include "core/icmp_map.h"
#include "core/verdict.h"
#include "nat/guard.h"
#include "nat/nat.h"
#include "net/stats.h"

#define MM_PRI_GUARD_OUT 310
#define MM_PRI_GUARD_IN (-310)
#define MM_PRI_NEIGHBOUR (NF_IP_PRI_NAT_DST + 5)

/* What is read of a packet, or of the packet that an error quotes. */
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

/* False: it is not IPv4, or its headers are cut short. */
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

/* The ends of a packet: ours, and the port of that end. */
static __be32 mm_own_address(const struct mm_view *view, enum mm_direction direction)
{
	return direction == MM_OUT ? view->saddr : view->daddr;
}

static struct mm_port mm_own_port(const struct mm_view *view, enum mm_direction direction)
{
	return direction == MM_OUT ? view->sport : view->dport;
}

/* An error is judged by the packet that it quotes, which went the other way. */
static struct mm_verdict mm_judge_error(const struct sk_buff *skb, const struct mm_view *view,
					const struct mm_pool *pool, enum mm_direction direction)
{
	enum mm_direction other = direction == MM_OUT ? MM_IN : MM_OUT;
	struct mm_view quoted;

	if (!mm_is_icmp_error4(view->icmp_type))
		return mm_drop(MM_DROP_ICMP_TYPE);
	if (!mm_view4(skb, view->payload + sizeof(struct icmphdr), &quoted) ||
	    mm_own_address(&quoted, other) != pool->edge.v4 ||
	    !mm_in_set(&pool->edge, mm_own_port(&quoted, other)))
		return mm_drop(MM_DROP_ICMP_INNER);
	return mm_pass();
}

static struct mm_verdict mm_judge(const struct sk_buff *skb, const struct mm_view *view,
				  const struct mm_pool *pool, enum mm_direction direction)
{
	struct mm_port own = mm_own_port(view, direction);

	if (!mm_restricted(pool))
		return mm_pass();
	if (view->later_fragment)
		return mm_drop(MM_DROP_FRAGMENT);
	if (own.known && mm_in_set(&pool->edge, own))
		return mm_pass();
	if (own.known)
		return mm_drop(direction == MM_OUT ? MM_DROP_PORT_OUT : MM_DROP_PORT_IN);
	if (view->protocol != IPPROTO_ICMP)
		return mm_drop(MM_DROP_PROTOCOL);
	return mm_judge_error(skb, view, pool, direction);
}

/* Whether the stack is about to cut a packet into fragments. */
static bool mm_will_be_cut(const struct sk_buff *skb)
{
	if (skb_is_gso(skb))
		return false;
	if (IPCB(skb)->frag_max_size)
		return true;
	return !(ip_hdr(skb)->frag_off & htons(IP_DF)) && skb->len > dst_mtu(skb_dst(skb));
}

/*
 * RFC 7597 s8.3.3: others share the address, so a packet that will be cut gets an identification of
 * our port set.
 */
static struct mm_verdict mm_set_fragment_id(struct sk_buff *skb, struct mm_nat *nat,
					    const struct mm_pool *pool)
{
	struct iphdr *iph;
	__be16 id;

	if (!mm_restricted(pool) || !mm_will_be_cut(skb))
		return mm_pass();
	if (skb_ensure_writable(skb, sizeof(*iph)))
		return mm_drop(MM_DROP_MEMORY);
	iph = ip_hdr(skb);
	id = htons(mm_nth_port(&pool->edge, atomic_inc_return(&nat->mm->fragment_id)));
	csum_replace2(&iph->check, iph->id, id);
	iph->id = id;
	return mm_pass();
}

static struct mm_verdict mm_judge_out(struct sk_buff *skb, struct mm_nat *nat)
{
	const struct mm_pool *pool;
	struct mm_verdict verdict;
	struct mm_view view;

	if (!mm_view4(skb, 0, &view))
		return mm_drop(MM_DROP_HEADER);
	pool = mm_pool_of(nat, view.saddr, view.sport);
	if (!pool)
		return mm_drop(MM_DROP_SOURCE4);
	verdict = mm_judge(skb, &view, pool, MM_OUT);
	return mm_passes(verdict) ? mm_set_fragment_id(skb, nat, pool) : verdict;
}

static unsigned int mm_guard_out(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct mm_verdict verdict;
	struct mm_nat *nat;

	if (mm_is_device(state->out))
		return NF_ACCEPT;
	nat = mm_nat_of(state->net, state->out);
	if (!nat)
		return NF_ACCEPT;
	verdict = mm_judge_out(skb, nat);
	if (mm_passes(verdict))
		return NF_ACCEPT;
	/* A packet that NAT could not touch is counted as such. */
	if (verdict.counter != MM_DROP_MEMORY && !nf_ct_get(skb, &ctinfo)) {
		if (ctinfo == IP_CT_UNTRACKED)
			verdict = mm_drop(MM_DROP_UNTRACKED);
		else
			verdict = mm_drop(MM_DROP_INVALID);
	}
	mm_count_drop(nat->mm, verdict.counter, MM_OUT);
	return NF_DROP;
}

static struct mm_verdict mm_judge_in(const struct sk_buff *skb, struct mm_nat *nat)
{
	const struct mm_pool *pool;
	struct mm_view view;

	if (!mm_view4(skb, 0, &view))
		return mm_drop(MM_DROP_HEADER);
	pool = mm_pool_of(nat, view.daddr, view.dport);
	/* Packets to other addresses are left to the firewall. */
	if (!pool)
		return mm_pass();
	return mm_judge(skb, &view, pool, MM_IN);
}

static unsigned int mm_guard_in(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct mm_verdict verdict;
	struct mm_nat *nat;

	if (mm_is_device(state->in))
		return NF_ACCEPT;
	nat = mm_nat_of(state->net, state->in);
	if (!nat)
		return NF_ACCEPT;
	verdict = mm_judge_in(skb, nat);
	if (mm_passes(verdict))
		return NF_ACCEPT;
	mm_count_drop(nat->mm, verdict.counter, MM_IN);
	return NF_DROP;
}

/*
 * What stands for our address in a route look-up where the address means another subscriber: one of
 * class E, which nobody has. The packet itself keeps its addresses.
 */
static __be32 mm_image(__be32 v4)
{
	return v4 | htonl(0xf0000000);
}

static void mm_route_as(struct sk_buff *skb, __be32 daddr, __be32 saddr,
			const struct nf_hook_state *state)
{
	skb_dst_drop(skb);
	/* If that fails the packet has no route, and the stack looks for one as usual. */
	if (ip_route_input_noref(skb, daddr, saddr, 0, state->in))
		skb_dst_drop(skb);
}

/* Whether a LAN's packet to our address is for another subscriber, by its port (RFC 7597 s5.1). */
static bool mm_to_neighbour(struct mm_nat *nat, const struct sk_buff *skb)
{
	const struct mm_pool *pool;
	struct mm_view view;

	/* Most packets are not to our address, which is seen without a look at their ports. */
	if (!mm_pool_of(nat, ip_hdr(skb)->daddr, (struct mm_port){}) || !mm_view4(skb, 0, &view))
		return false;
	pool = mm_pool_of(nat, view.daddr, view.dport);
	/* An echo's id does not tell for whom it is. */
	return pool && view.dport.known && view.protocol != IPPROTO_ICMP &&
	       !mm_in_set(&pool->edge, view.dport);
}

static unsigned int mm_neighbour(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct mm_nat *nat = mm_nat_of(state->net, state->in);
	const struct iphdr *iph = ip_hdr(skb);

	if (state->in->flags & IFF_LOOPBACK)
		return NF_ACCEPT;
	if (nat) {
		/* From another subscriber: the stack would take our own address for forged. */
		if (mm_pool_of(nat, iph->saddr, (struct mm_port){}))
			mm_route_as(skb, iph->daddr, mm_image(iph->saddr), state);
		return NF_ACCEPT;
	}
	list_for_each_entry_rcu(nat, &mm_pernet(state->net)->nats, list) {
		if (!mm_to_neighbour(nat, skb))
			continue;
		mm_count(nat->mm, MM_NAT_NEIGHBOUR);
		mm_route_as(skb, mm_image(iph->daddr), iph->saddr, state);
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
