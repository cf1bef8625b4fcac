// SPDX-License-Identifier: GPL-2.0-only
/* Packets on their way out: translated or encapsulated as the core says, and sent as IPv6. */
#include <linux/icmp.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>

#include "net/send.h"
#include "net/skb.h"
#include "net/stats.h"
#include "net/transmit.h"
#include "net/tunnel_out.h"

/* Sends a packet in pieces of at most @mtu octets. If it passes, it has been taken over. */
static struct mm_verdict mm_send_fragments(struct mm_dev *mm, struct sk_buff *skb,
					   struct dst_entry *route, unsigned int mtu,
					   const struct mm_xlat *x)
{
	unsigned int header = sizeof(struct ipv6hdr);
	struct ip6_frag_state state;
	struct sk_buff *piece;
	u8 *next;

	skb_dst_drop(skb);
	skb_dst_set_noref(skb, route);
	/* A fragment is not cut again. */
	if (x->size > header)
		return mm_drop(MM_DROP_TOO_BIG);
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return mm_drop(MM_DROP_MEMORY);
	mm_untrack6(skb, route);
	next = &ipv6_hdr(skb)->nexthdr;
	ip6_frag_init(skb, header, mtu - header - sizeof(struct frag_hdr),
		      route->dev->needed_tailroom, LL_RESERVED_SPACE(route->dev), next, *next,
		      mm_fragment_id(mm, x->edge), &state);
	while (state.left > 0) {
		piece = ip6_frag_next(skb, &state);
		if (IS_ERR(piece))
			return mm_drop(MM_DROP_MEMORY);
		ip6_local_out(mm->net, NULL, piece);
	}
	consume_skb(skb);
	return mm_pass();
}

/* An ICMP error of ours, about a packet that came in. If it passes, it has been taken over. */
static struct mm_verdict mm_transmit_error(struct mm_dev *mm, const struct mm_rules *rules,
					   struct sk_buff *skb)
{
	const struct mm_env env = mm_environment(mm, rules);
	struct mm_verdict verdict;
	struct dst_entry *route;
	struct sk_buff *out;
	unsigned int length;

	if (skb->len > MM_ERROR_MOST)
		return mm_drop(MM_DROP_HEADER);
	if ((skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb)) || skb_linearize(skb))
		return mm_drop(MM_DROP_MEMORY);
	out = alloc_skb(LL_MAX_HEADER + MM_ERROR6_MAX, GFP_ATOMIC);
	if (!out)
		return mm_drop(MM_DROP_MEMORY);
	skb_reserve(out, LL_MAX_HEADER);
	verdict = mm_error4(&env, skb->data, skb->len, out->data, &length);
	if (mm_passes(verdict)) {
		skb_put(out, length);
		skb_reset_network_header(out);
		skb_set_transport_header(out, sizeof(struct ipv6hdr));
		out->mark = skb->mark;
		out->priority = skb->priority;
		verdict = mm_find_route(mm, out, ipv6_hdr(out), &route);
	}
	if (!mm_passes(verdict)) {
		kfree_skb(out);
		return verdict;
	}
	mm_count_passed(mm, MM_4TO6, 1);
	dev_sw_netstats_tx_add(mm->dev, 1, skb->len);
	mm_send6(mm, out, route);
	consume_skb(skb);
	return mm_pass();
}

static void mm_answer4(struct sk_buff *skb, struct mm_verdict verdict)
{
	if (!verdict.icmp_type)
		return;
	/* A queue may have written into the control block. */
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	icmp_send(skb, verdict.icmp_type, verdict.icmp_code, htonl(verdict.icmp_rest));
}

/* The largest piece of a packet that may be cut. @mtu6: the largest packet of the path. */
static unsigned int mm_piece(struct mm_dev *mm, const struct dst_entry *route, unsigned int mtu6)
{
	/* s4: where nobody has told what the path takes, what every path does. */
	if (dst_metric_raw(route, RTAX_MTU))
		return mtu6;
	return min(mtu6, READ_ONCE(mm->lowest_mtu));
}

static void mm_transmit_segments(struct mm_dev *mm, struct sk_buff *skb)
{
	struct sk_buff *segment, *next;

	segment = mm_segment(skb);
	if (!segment)
		mm_count_drop(mm, MM_DROP_MEMORY, MM_OUT);
	for (; segment; segment = next) {
		next = segment->next;
		skb_mark_not_on_list(segment);
		mm_transmit(mm, segment);
	}
}

/* UDP without a checksum (RFC 7915 s4.5). */
static void mm_complete(struct sk_buff *skb, const struct ipv6hdr *ip6h, struct mm_xlat *x)
{
	x->check = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, x->sum, IPPROTO_UDP,
				   skb_checksum(skb, x->strip, x->sum, 0)) ?: CSUM_MANGLED_0;
}

/*
 * Whether a packet fits the path, or may be cut into pieces of *@piece octets. A super-packet whose
 * segments do not fit is to be taken apart.
 */
static struct mm_verdict mm_fit(struct mm_dev *mm, struct sk_buff *skb,
				const struct dst_entry *route, const struct mm_xlat *x,
				unsigned int *piece)
{
	unsigned int limit = max_t(unsigned int, dst_mtu(route), IPV6_MIN_MTU);
	int growth = x->size - x->strip;

	if (x->df && !IPCB(skb)->frag_max_size && !skb->ignore_df) {
		*piece = limit;
		if (!mm_exceeds(skb, limit - growth))
			return mm_pass();
		/* The size that a packet without options may have: options are left out. */
		return mm_refuse(MM_DROP_TOO_BIG, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED,
				 limit + sizeof(struct iphdr) - x->size);
	}
	*piece = mm_piece(mm, route, limit);
	if (skb_is_gso(skb) && mm_exceeds(skb, *piece - growth))
		return mm_outcome(MM_SEGMENT);
	return mm_pass();
}

/* If it passes, the packet has been taken over. */
static struct mm_verdict mm_translate_out(struct mm_dev *mm, const struct mm_rules *rules,
					  struct sk_buff *skb)
{
	unsigned int length = skb->len, packets = skb_shinfo(skb)->gso_segs ?: 1;
	unsigned int piece = IPV6_MIN_MTU;
	struct mm_verdict verdict;
	struct mm_packet packet;
	struct dst_entry *route;
	struct mm_xlat x;

	mm_show(skb, IPCB(skb)->frag_max_size, &packet);
	verdict = mm_xlat4(rules, &packet, &x);
	if (unlikely(verdict.outcome == MM_SHOW_MORE)) {
		if (!mm_show_more(skb, &packet))
			return mm_drop(MM_DROP_MEMORY);
		verdict = mm_xlat4(rules, &packet, &x);
	}
	if (unlikely(verdict.outcome == MM_ICMP_ERROR))
		return mm_transmit_error(mm, rules, skb);
	/* No IPv4 header is longer than what it has been shown now. */
	if (unlikely(verdict.outcome == MM_SHOW_MORE))
		return mm_drop(MM_DROP_HEADER);
	if (!mm_passes(verdict))
		return verdict;
	verdict = mm_find_route(mm, skb, (struct ipv6hdr *)x.header, &route);
	if (!mm_passes(verdict))
		return verdict;
	/* No IPv6 path is narrower (RFC 8200 s5), so a small packet fits every path. */
	if (skb_is_gso(skb) || x.payload + x.size > IPV6_MIN_MTU) {
		verdict = mm_fit(mm, skb, route, &x, &piece);
		if (!mm_passes(verdict))
			return verdict;
	}
	if (x.sum)
		mm_complete(skb, (struct ipv6hdr *)x.header, &x);
	if (mm_apply(skb, &x, LL_RESERVED_SPACE(route->dev)))
		return mm_drop(MM_DROP_MEMORY);
	mm_count_passed(mm, MM_4TO6, packets);
	dev_sw_netstats_tx_add(mm->dev, packets, length);
	if (!skb_is_gso(skb) && skb->len > piece)
		return mm_send_fragments(mm, skb, route, piece, &x);
	mm_send6(mm, skb, route);
	return mm_pass();
}

/* Takes over a packet that goes out. With bottom halves off. */
void mm_transmit(struct mm_dev *mm, struct sk_buff *skb)
{
	struct mm_verdict verdict = mm_drop(MM_DROP_SOURCE4);
	const struct mm_rules *rules;

	rcu_read_lock();
	rules = rcu_dereference(mm->rules);
	if (likely(rules)) {
		if (mm_gso_foreign(skb))
			verdict = mm_outcome(MM_SEGMENT);
		else if (rules->tunnel.on)
			verdict = mm_encapsulate(mm, rules, skb);
		else
			verdict = mm_translate_out(mm, rules, skb);
	}
	if (verdict.outcome == MM_SEGMENT) {
		mm_transmit_segments(mm, skb);
	} else if (verdict.outcome == MM_DROP) {
		mm_answer4(skb, verdict);
		mm_count_drop(mm, verdict.counter, MM_OUT);
		kfree_skb(skb);
	}
	rcu_read_unlock();
}
