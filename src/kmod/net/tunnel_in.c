// SPDX-License-Identifier: GPL-2.0-only
/* Packets on their way out of the tunnel: its header goes, and they are received as IPv4. */
#include <linux/netfilter.h>
#include <net/dsfield.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>

#include "core/tunnel.h"
#include "net/skb.h"
#include "net/stats.h"
#include "net/tunnel_in.h"

/* An error about a packet of ours. If it passes, it has been taken over. */
static struct mm_verdict mm_decapsulate_error(struct mm_dev *mm, const struct mm_rules *rules,
					      struct sk_buff *skb, enum mm_delivery delivery)
{
	const struct mm_env env = mm_environment(mm, rules);
	struct mm_verdict verdict;
	struct sk_buff *out;
	unsigned int length;
	bool learn;

	if (skb->len > MM_ERROR_MOST)
		return mm_outcome(MM_ORDINARY);
	if (skb_linearize(skb))
		return mm_drop(MM_DROP_MEMORY);
	out = alloc_skb(LL_MAX_HEADER + MM_ERROR4_MAX, GFP_ATOMIC);
	if (!out)
		return mm_drop(MM_DROP_MEMORY);
	skb_reserve(out, LL_MAX_HEADER);
	verdict = mm_tunnel_error(&env, skb->data, skb->len, out->data, &length, &learn);
	if (!mm_passes(verdict)) {
		kfree_skb(out);
		return verdict;
	}
	if (learn)
		mm_learn_mtu(mm, skb);
	if (length) {
		skb_put(out, length);
		mm_finish_error4(mm, out, skb);
		mm_deliver(mm, out, delivery, MM_DECAPSULATED);
	} else {
		/* Nobody is to be told. */
		kfree_skb(out);
	}
	consume_skb(skb);
	return mm_pass();
}

/* Writes the ECN field of an IPv4 packet (RFC 6040 s4.2). */
static int mm_set_ecn(struct sk_buff *skb, u8 ecn)
{
	if (skb_ensure_writable(skb, sizeof(struct iphdr)))
		return -ENOMEM;
	ipv4_change_dsfield(ip_hdr(skb), (u8)~INET_ECN_MASK, ecn);
	return 0;
}

/* If it passes, the packet has been taken over. */
struct mm_verdict mm_decapsulate(struct mm_dev *mm, const struct mm_rules *rules,
				 struct sk_buff *skb, enum mm_delivery delivery)
{
	struct mm_verdict verdict;
	struct mm_packet packet;
	struct mm_decap d;

	mm_show(skb, false, &packet);
	verdict = mm_decap6(rules, &packet, &d);
	if (unlikely(verdict.outcome == MM_SHOW_MORE)) {
		if (!mm_show_more(skb, &packet))
			return mm_drop(MM_DROP_MEMORY);
		verdict = mm_decap6(rules, &packet, &d);
	}
	if (unlikely(verdict.outcome == MM_SHOW_MORE)) {
		/* It has more extension headers than usual, so the core is shown all of it. */
		if (skb_linearize(skb))
			return mm_drop(MM_DROP_MEMORY);
		mm_show(skb, false, &packet);
		verdict = mm_decap6(rules, &packet, &d);
	}
	if (unlikely(verdict.outcome == MM_ICMP_ERROR))
		return mm_decapsulate_error(mm, rules, skb, delivery);
	if (!mm_passes(verdict))
		return verdict;
	/* In a list of whole packets each has a tunnel's header of its own. */
	if (skb_is_gso(skb) && skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST)
		return mm_outcome(MM_SEGMENT);
	if (__iptunnel_pull_header(skb, d.strip, htons(ETH_P_IP), false, false))
		return mm_drop(MM_DROP_MEMORY);
	skb_reset_network_header(skb);
	skb_reset_mac_header(skb);
	skb->mac_len = 0;
	if (d.mark) {
		if (!pskb_may_pull(skb, sizeof(struct iphdr)) || mm_set_ecn(skb, d.ecn))
			return mm_drop(MM_DROP_MEMORY);
		mm_count_passed(mm, MM_ECN_MARKED, 1);
	}
	mm_deliver(mm, skb, delivery, MM_DECAPSULATED);
	return mm_pass();
}

/*
 * RFC 7597 s8.3.2: an IPv4 packet that came out of the tunnel in pieces is whole now, and has a
 * port to be judged by. Gives a netfilter verdict.
 */
unsigned int mm_judge_whole(struct mm_dev *mm, struct sk_buff *skb)
{
	const struct mm_rules *rules = rcu_dereference(mm->rules);
	struct mm_verdict verdict;
	struct mm_packet packet;

	if (!rules || !rules->tunnel.on)
		return NF_ACCEPT;
	mm_show(skb, true, &packet);
	verdict = mm_decap_whole(rules, &packet);
	if (verdict.outcome == MM_SHOW_MORE) {
		if (!mm_show_more(skb, &packet))
			return NF_DROP;
		verdict = mm_decap_whole(rules, &packet);
	}
	if (verdict.outcome == MM_SHOW_MORE)
		verdict = mm_drop(MM_DROP_HEADER);
	if (mm_passes(verdict))
		return NF_ACCEPT;
	mm_count_drop(mm, verdict.counter, MM_IN);
	return NF_DROP;
}
