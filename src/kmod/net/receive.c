// SPDX-License-Identifier: GPL-2.0-only
/* Packets on their way in: what the core says, done to a socket buffer, and received as IPv4. */
#include <linux/icmpv6.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>

#include "mapmint.h"
#include "net/skb.h"
#include "core/xlat.h"

static void mm_count_in(struct mm_dev *mm, enum mm_counter which, unsigned int packets,
			unsigned int octets)
{
	struct pcpu_sw_netstats *stats = this_cpu_ptr(mm->dev->tstats);

	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->rx_packets, packets);
	u64_stats_add(&stats->rx_bytes, octets);
	u64_stats_update_end(&stats->syncp);
	mm_count_passed(mm, which, packets);
}

/*
 * Hands an IPv4 packet to the stack as received on the device; takes it over. @direct: at once,
 * rather than by way of a queue.
 */
void mm_deliver(struct mm_dev *mm, struct sk_buff *skb, bool direct, enum mm_counter which)
{
	unsigned int packets = skb_shinfo(skb)->gso_segs ?: 1;

	skb_scrub_packet(skb, false);
	skb->protocol = htons(ETH_P_IP);
	skb->dev = mm->dev;
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	mm_count_in(mm, which, packets, skb->len);
	if (direct)
		netif_receive_skb(skb);
	else
		netif_rx(skb);
}

/*
 * A router's Packet Too Big is about our own path: the route learns it, and later packets are
 * answered by us.
 */
void mm_learn_mtu(struct mm_dev *mm, struct sk_buff *skb)
{
	const struct icmp6hdr *icmp;
	struct mm_packet packet;
	struct mm_answer unused;
	unsigned int at;
	u8 next;

	packet = (struct mm_packet){ .head = skb->data, .head_len = skb->len, .len = skb->len };
	if (mm_skip_extensions(&packet, &next, &at, &unused) || next != IPPROTO_ICMPV6)
		return;
	icmp = (const struct icmp6hdr *)(skb->data + at);
	if (icmp->icmp6_type != ICMPV6_PKT_TOOBIG)
		return;
	at += sizeof(*icmp);
	__skb_pull(skb, at);
	ip6_update_pmtu(skb, mm->net, icmp->icmp6_dataun.un_data32[0], 0, skb->mark, INVALID_UID);
	__skb_push(skb, at);
}

/* An error that has been made of another. */
void mm_finish_error4(struct mm_dev *mm, struct sk_buff *out, const struct sk_buff *of)
{
	struct iphdr *iph;

	skb_reset_mac_header(out);
	skb_reset_network_header(out);
	skb_set_transport_header(out, sizeof(*iph));
	iph = ip_hdr(out);
	__ip_select_ident(mm->net, iph, 1);
	iph->check = 0;
	iph->check = ip_fast_csum(iph, 5);
	out->mark = of->mark;
	out->priority = of->priority;
}

/* An error about a packet of ours. */
static int mm_receive_error(struct mm_dev *mm, const struct mm_rules *rules, struct sk_buff *skb,
			    bool direct)
{
	struct mm_env env = { rules, READ_ONCE(mm->dev->mtu), mm_env_mtu6, mm };
	struct sk_buff *out;
	unsigned int length;
	int verdict;

	if (skb->len > MM_ERROR_MOST)
		return MM_DROP_HEADER;
	if (skb_linearize(skb))
		return MM_DROP_MEMORY;
	out = alloc_skb(LL_MAX_HEADER + MM_ERROR4_MAX, GFP_ATOMIC);
	if (!out)
		return MM_DROP_MEMORY;
	skb_reserve(out, LL_MAX_HEADER);
	verdict = mm_error6(&env, skb->data, skb->len, out->data, &length);
	if (verdict) {
		kfree_skb(out);
		return verdict;
	}
	mm_learn_mtu(mm, skb);
	skb_put(out, length);
	mm_finish_error4(mm, out, skb);
	consume_skb(skb);
	mm_deliver(mm, out, direct, MM_6TO4);
	return MM_XLAT_OK;
}

int mm_receive_segments(struct mm_dev *mm, struct sk_buff *skb, bool direct)
{
	struct sk_buff *segment, *next;

	segment = mm_segment(skb);
	if (!segment)
		mm_count_drop(mm, MM_DROP_MEMORY, false);
	for (; segment; segment = next) {
		next = segment->next;
		skb_mark_not_on_list(segment);
		/* All of them are of one flow: if it was ours, each of them is. */
		if (!mm_receive(mm, segment, direct))
			kfree_skb(segment);
	}
	return MM_XLAT_OK;
}

/* Gives MM_XLAT_OK when the packet has been taken over, MM_XLAT_PASS, or why it is dropped. */
static int mm_receive_one(struct mm_dev *mm, const struct mm_rules *rules, struct sk_buff *skb,
			  bool direct)
{
	bool cut = IP6CB(skb)->frag_max_size || (skb_has_frag_list(skb) && !skb_is_gso(skb));
	struct mm_packet packet;
	struct mm_xlat x;
	int verdict;

	mm_show(skb, cut, &packet);
	verdict = mm_xlat6(rules, &packet, &x);
	if (unlikely(verdict == MM_XLAT_MORE)) {
		if (!mm_show_more(skb, &packet))
			return MM_DROP_MEMORY;
		verdict = mm_xlat6(rules, &packet, &x);
	}
	if (unlikely(verdict == MM_XLAT_MORE)) {
		/* Extension headers beyond what is usual: all that they can reach is looked at. */
		if (skb_linearize(skb))
			return MM_DROP_MEMORY;
		mm_show(skb, cut, &packet);
		verdict = mm_xlat6(rules, &packet, &x);
	}
	if (verdict == MM_XLAT_ERROR)
		return mm_receive_error(mm, rules, skb, direct);
	if (x.answer.due && verdict != MM_XLAT_PASS)
		icmpv6_send(skb, x.answer.type, x.answer.code, x.answer.rest);
	if (verdict)
		return verdict;
	if (mm_gso_foreign(skb))
		return mm_receive_segments(mm, skb, direct);
	if (x.id_due) {
		struct iphdr *iph = (struct iphdr *)x.header;

		__ip_select_ident(mm->net, iph, skb_shinfo(skb)->gso_segs ?: 1);
		mm_set_id(&x, iph->id);
	}
	if (mm_apply(skb, &x, 0))
		return MM_DROP_MEMORY;
	mm_deliver(mm, skb, direct, MM_6TO4);
	return MM_XLAT_OK;
}

/*
 * True when the packet was ours: translated or dropped, and taken over. False: ordinary IPv6. With
 * bottom halves off, under RCU.
 */
bool mm_receive(struct mm_dev *mm, struct sk_buff *skb, bool direct)
{
	const struct mm_rules *rules = rcu_dereference(mm->rules);
	int verdict = MM_XLAT_PASS;

	if (rules)
		verdict = rules->tunnel.on ? mm_decapsulate(mm, rules, skb, direct) :
					     mm_receive_one(mm, rules, skb, direct);
	if (verdict == MM_XLAT_PASS)
		return false;
	if (verdict) {
		mm_count_drop(mm, verdict, false);
		kfree_skb(skb);
	}
	return true;
}
