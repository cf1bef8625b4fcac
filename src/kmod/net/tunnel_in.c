// SPDX-License-Identifier: GPL-2.0-only
/* Packets on their way in out of the tunnel: its header taken off, and received as IPv4. */
#include <linux/icmpv6.h>
#include <net/dsfield.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>

#include "core/tunnel.h"
#include "mapmint.h"
#include "net/skb.h"

/* An error about a packet of ours; takes it over. */
static int mm_decapsulate_error(struct mm_dev *mm, const struct mm_rules *rules,
				struct sk_buff *skb, bool direct)
{
	struct mm_env env = { rules, READ_ONCE(mm->dev->mtu), mm_env_mtu6, mm };
	struct sk_buff *out;
	unsigned int length;
	int verdict;
	bool learn;

	if (skb->len > MM_ERROR_MOST)
		return MM_XLAT_PASS;
	if (skb_linearize(skb))
		return MM_DROP_MEMORY;
	out = alloc_skb(LL_MAX_HEADER + MM_ERROR4_MAX, GFP_ATOMIC);
	if (!out)
		return MM_DROP_MEMORY;
	skb_reserve(out, LL_MAX_HEADER);
	verdict = mm_tunnel_error(&env, skb->data, skb->len, out->data, &length, &learn);
	if (!verdict && learn)
		mm_learn_mtu(mm, skb);
	if (verdict || !length) {
		kfree_skb(out);
		if (!verdict)
			consume_skb(skb);
		return verdict;
	}
	skb_put(out, length);
	mm_finish_error4(mm, out, skb);
	consume_skb(skb);
	mm_deliver(mm, out, direct, MM_DECAPSULATED);
	return MM_XLAT_OK;
}

/* RFC 6040 s4.2. */
static int mm_set_ecn(struct sk_buff *skb, u8 ecn)
{
	if (skb_ensure_writable(skb, sizeof(struct iphdr)))
		return -ENOMEM;
	ipv4_change_dsfield(ip_hdr(skb), (u8)~INET_ECN_MASK, ecn);
	return 0;
}

/* Gives MM_XLAT_OK when the packet has been taken over, MM_XLAT_PASS, or why it is dropped. */
int mm_decapsulate(struct mm_dev *mm, const struct mm_rules *rules, struct sk_buff *skb,
		   bool direct)
{
	struct mm_packet packet;
	struct mm_decap d;
	int verdict;

	mm_show(skb, false, &packet);
	verdict = mm_decap6(rules, &packet, &d);
	if (unlikely(verdict == MM_XLAT_MORE)) {
		if (!mm_show_more(skb, &packet))
			return MM_DROP_MEMORY;
		verdict = mm_decap6(rules, &packet, &d);
	}
	if (unlikely(verdict == MM_XLAT_MORE)) {
		if (skb_linearize(skb))
			return MM_DROP_MEMORY;
		mm_show(skb, false, &packet);
		verdict = mm_decap6(rules, &packet, &d);
	}
	if (verdict == MM_XLAT_ERROR)
		return mm_decapsulate_error(mm, rules, skb, direct);
	if (verdict == MM_XLAT_MORE)
		return MM_DROP_HEADER;
	if (d.answer.due && verdict != MM_XLAT_PASS)
		icmpv6_send(skb, d.answer.type, d.answer.code, d.answer.rest);
	if (verdict)
		return verdict;
	/* A list of whole packets holds the tunnel's header in each. */
	if (skb_is_gso(skb) && skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST)
		return mm_receive_segments(mm, skb, direct);
	if (__iptunnel_pull_header(skb, d.strip, htons(ETH_P_IP), false, false))
		return MM_DROP_MEMORY;
	skb_reset_network_header(skb);
	skb_reset_mac_header(skb);
	skb->mac_len = 0;
	if (d.mark) {
		if (!pskb_may_pull(skb, sizeof(struct iphdr)) || mm_set_ecn(skb, d.ecn))
			return MM_DROP_MEMORY;
		mm_count_passed(mm, MM_ECN_MARKED, 1);
	}
	mm_deliver(mm, skb, direct, MM_DECAPSULATED);
	return MM_XLAT_OK;
}

/*
 * RFC 7597 s8.3.2: an IPv4 packet that came out of the tunnel in pieces is whole now, and has a
 * port to be judged by.
 */
unsigned int mm_judge_whole(struct mm_dev *mm, struct sk_buff *skb)
{
	const struct mm_rules *rules = rcu_dereference(mm->rules);
	struct mm_packet packet;
	int verdict;

	if (!rules || !rules->tunnel.on)
		return NF_ACCEPT;
	mm_show(skb, true, &packet);
	verdict = mm_decap_whole(rules, &packet);
	if (verdict == MM_XLAT_MORE) {
		if (!mm_show_more(skb, &packet))
			return NF_DROP;
		verdict = mm_decap_whole(rules, &packet);
	}
	if (!verdict)
		return NF_ACCEPT;
	mm_count_drop(mm, verdict == MM_XLAT_MORE ? MM_DROP_HEADER : verdict, false);
	return NF_DROP;
}
