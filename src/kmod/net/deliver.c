// SPDX-License-Identifier: GPL-2.0-only
/* What translation and encapsulation both need to receive IPv4. */
#include <linux/icmpv6.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>

#include "core/extension.h"
#include "net/deliver.h"
#include "net/stats.h"

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

/* Takes over an IPv4 packet, and hands it to the stack as received on the device. */
void mm_deliver(struct mm_dev *mm, struct sk_buff *skb, enum mm_delivery delivery,
		enum mm_counter which)
{
	unsigned int packets = skb_shinfo(skb)->gso_segs ?: 1;

	skb_scrub_packet(skb, false);
	skb->protocol = htons(ETH_P_IP);
	skb->dev = mm->dev;
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	mm_count_in(mm, which, packets, skb->len);
	if (delivery == MM_AT_ONCE)
		netif_receive_skb(skb);
	else
		netif_rx(skb);
}

/*
 * A router's Packet Too Big is about our own path. The route learns the MTU, and then we answer
 * packets that are too big ourselves.
 */
void mm_learn_mtu(struct mm_dev *mm, struct sk_buff *skb)
{
	const struct icmp6hdr *icmp;
	struct mm_packet packet;
	unsigned int at;
	u8 next;

	packet = (struct mm_packet){ .head = skb->data, .head_len = skb->len, .len = skb->len };
	if (!mm_passes(mm_skip_extensions(&packet, &next, &at)) || next != IPPROTO_ICMPV6)
		return;
	icmp = (const struct icmp6hdr *)(skb->data + at);
	if (icmp->icmp6_type != ICMPV6_PKT_TOOBIG)
		return;
	at += sizeof(*icmp);
	__skb_pull(skb, at);
	ip6_update_pmtu(skb, mm->net, icmp->icmp6_dataun.un_data32[0], 0, skb->mark, INVALID_UID);
	__skb_push(skb, at);
}

/* Completes @out, an IPv4 error that has been made of the IPv6 error @of. */
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
