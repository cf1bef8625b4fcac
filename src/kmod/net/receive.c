// SPDX-License-Identifier: GPL-2.0-only
/* Packets on their way in: translated or decapsulated as the core says, and received as IPv4. */
#include <linux/icmpv6.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "net/receive.h"
#include "net/skb.h"
#include "net/stats.h"
#include "net/tunnel_in.h"

/* An error about a packet of ours. If it passes, it has been taken over. */
static struct mm_verdict mm_receive_error(struct mm_dev *mm, const struct mm_rules *rules,
					  struct sk_buff *skb, enum mm_delivery delivery)
{
	const struct mm_env env = mm_environment(mm, rules);
	struct mm_verdict verdict;
	struct sk_buff *out;
	unsigned int length;

	if (skb->len > MM_ERROR_MOST)
		return mm_drop(MM_DROP_HEADER);
	if (skb_linearize(skb))
		return mm_drop(MM_DROP_MEMORY);
	out = alloc_skb(LL_MAX_HEADER + MM_ERROR4_MAX, GFP_ATOMIC);
	if (!out)
		return mm_drop(MM_DROP_MEMORY);
	skb_reserve(out, LL_MAX_HEADER);
	verdict = mm_error6(&env, skb->data, skb->len, out->data, &length);
	if (!mm_passes(verdict)) {
		kfree_skb(out);
		return verdict;
	}
	mm_learn_mtu(mm, skb);
	skb_put(out, length);
	mm_finish_error4(mm, out, skb);
	consume_skb(skb);
	mm_deliver(mm, out, delivery, MM_6TO4);
	return mm_pass();
}

static void mm_receive_segments(struct mm_dev *mm, struct sk_buff *skb, enum mm_delivery delivery)
{
	struct sk_buff *segment, *next;

	segment = mm_segment(skb);
	if (!segment)
		mm_count_drop(mm, MM_DROP_MEMORY, MM_IN);
	for (; segment; segment = next) {
		next = segment->next;
		skb_mark_not_on_list(segment);
		/* All of them are of one flow: if it was ours, each of them is. */
		if (!mm_receive(mm, segment, delivery))
			kfree_skb(segment);
	}
}

/* If it passes, the packet has been taken over. */
static struct mm_verdict mm_translate_in(struct mm_dev *mm, const struct mm_rules *rules,
					 struct sk_buff *skb, enum mm_delivery delivery)
{
	bool cut = IP6CB(skb)->frag_max_size || (skb_has_frag_list(skb) && !skb_is_gso(skb));
	struct mm_verdict verdict;
	struct mm_packet packet;
	struct mm_xlat x;

	mm_show(skb, cut, &packet);
	verdict = mm_xlat6(rules, &packet, &x);
	if (unlikely(verdict.outcome == MM_SHOW_MORE)) {
		if (!mm_show_more(skb, &packet))
			return mm_drop(MM_DROP_MEMORY);
		verdict = mm_xlat6(rules, &packet, &x);
	}
	if (unlikely(verdict.outcome == MM_SHOW_MORE)) {
		/* It has more extension headers than usual, so the core is shown all of it. */
		if (skb_linearize(skb))
			return mm_drop(MM_DROP_MEMORY);
		mm_show(skb, cut, &packet);
		verdict = mm_xlat6(rules, &packet, &x);
	}
	if (unlikely(verdict.outcome == MM_ICMP_ERROR))
		return mm_receive_error(mm, rules, skb, delivery);
	if (!mm_passes(verdict))
		return verdict;
	if (mm_gso_foreign(skb))
		return mm_outcome(MM_SEGMENT);
	if (x.id_due) {
		struct iphdr *iph = (struct iphdr *)x.header;

		__ip_select_ident(mm->net, iph, skb_shinfo(skb)->gso_segs ?: 1);
		mm_set_id(&x, iph->id);
	}
	if (mm_apply(skb, &x, 0))
		return mm_drop(MM_DROP_MEMORY);
	mm_deliver(mm, skb, delivery, MM_6TO4);
	return mm_pass();
}

/*
 * True: the packet was ours; it was received or dropped, and taken over. False: it is ordinary
 * IPv6. With bottom halves off, under RCU.
 */
bool mm_receive(struct mm_dev *mm, struct sk_buff *skb, enum mm_delivery delivery)
{
	const struct mm_rules *rules = rcu_dereference(mm->rules);
	struct mm_verdict verdict = mm_outcome(MM_ORDINARY);

	if (likely(rules)) {
		if (rules->tunnel.on)
			verdict = mm_decapsulate(mm, rules, skb, delivery);
		else
			verdict = mm_translate_in(mm, rules, skb, delivery);
	}
	switch (verdict.outcome) {
	case MM_ORDINARY:
		return false;
	case MM_SEGMENT:
		mm_receive_segments(mm, skb, delivery);
		break;
	case MM_DROP:
		if (verdict.icmp_type)
			icmpv6_send(skb, verdict.icmp_type, verdict.icmp_code, verdict.icmp_rest);
		mm_count_drop(mm, verdict.counter, MM_IN);
		kfree_skb(skb);
		break;
	}
	return true;
}
