// SPDX-License-Identifier: GPL-2.0-only
/* Packets on their way out into the tunnel: headers in front of a socket buffer, sent as IPv6. */
#include <linux/icmp.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>

#include "core/tunnel.h"
#include "mapmint.h"
#include "net/skb.h"

/* The tunnel's header before a packet that is the buffer's own; takes the packet over. */
static int mm_send_encapsulated(struct mm_dev *mm, struct sk_buff *skb, struct dst_entry *route,
				const struct mm_encap *e)
{
	if (skb_cow_head(skb, e->size + LL_RESERVED_SPACE(route->dev)) ||
	    iptunnel_handle_offloads(skb, SKB_GSO_IPXIP6))
		return MM_DROP_MEMORY;
	skb_set_inner_ipproto(skb, IPPROTO_IPIP);
	/* A size that the compiler knows needs no call. */
	if (likely(e->size == sizeof(struct ipv6hdr)))
		memcpy(skb_push(skb, sizeof(struct ipv6hdr)), e->header, sizeof(struct ipv6hdr));
	else
		memcpy(skb_push(skb, e->size), e->header, e->size);
	skb_reset_network_header(skb);
	skb_reset_mac_header(skb);
	skb->mac_len = 0;
	mm_send6(mm, skb, route);
	return MM_XLAT_OK;
}

/*
 * RFC 7597 s8.3.1, RFC 2473 s7.2: what may be cut is cut before it is encapsulated, so that nobody
 * has to put IPv6 together. The pieces have an identification of our port set (s8.3.3).
 */
static int mm_send_pieces(struct mm_dev *mm, struct sk_buff *skb, struct dst_entry *route,
			  unsigned int mtu, const struct mm_encap *e)
{
	struct ip_frag_state state;
	struct sk_buff *piece;
	unsigned int head;
	struct iphdr *iph;
	int verdict;

	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return MM_DROP_MEMORY;
	if (skb_ensure_writable(skb, ip_hdrlen(skb)))
		return MM_DROP_MEMORY;
	iph = ip_hdr(skb);
	/* What is a piece already belongs to others that have its identification. */
	if (!ip_is_fragment(iph))
		iph->id = htons(ntohl(mm_fragment_id(mm, e->edge)));
	head = iph->ihl * 4;
	ip_frag_init(skb, head, LL_RESERVED_SPACE(route->dev) + e->size, mtu - head, false, &state);
	while (state.left > 0) {
		piece = ip_frag_next(skb, &state);
		if (IS_ERR(piece))
			return MM_DROP_MEMORY;
		/* Further pieces have not all of the first one's options. */
		mm_blank_options((u8 *)(ip_hdr(skb) + 1), head - sizeof(*iph));
		mm_count_passed(mm, MM_ENCAPSULATED, 1);
		dev_sw_netstats_tx_add(mm->dev, 1, piece->len);
		verdict = mm_send_encapsulated(mm, piece, route, e);
		if (verdict) {
			kfree_skb(piece);
			return verdict;
		}
	}
	consume_skb(skb);
	return MM_XLAT_OK;
}

/* Gives MM_XLAT_OK when the packet has been taken over, or why it is to be dropped. */
int mm_encapsulate(struct mm_dev *mm, const struct mm_rules *rules, struct sk_buff *skb)
{
	unsigned int length = skb->len, packets = skb_shinfo(skb)->gso_segs ?: 1;
	struct mm_packet packet;
	struct dst_entry *route;
	unsigned int limit;
	struct mm_encap e;
	int verdict;

	mm_show(skb, IPCB(skb)->frag_max_size, &packet);
	verdict = mm_encap4(rules, &packet, &e);
	if (unlikely(verdict == MM_XLAT_MORE)) {
		if (!mm_show_more(skb, &packet))
			return MM_DROP_MEMORY;
		verdict = mm_encap4(rules, &packet, &e);
	}
	if (verdict)
		return verdict == MM_XLAT_MORE ? MM_DROP_HEADER : verdict;
	verdict = mm_find_route(mm, skb, (struct ipv6hdr *)e.header, &route);
	if (verdict)
		return verdict;
	/* No IPv6 path is narrower (RFC 8200 s5): a small packet fits whatever it is. */
	if (skb_is_gso(skb) || length + e.size > IPV6_MIN_MTU) {
		limit = max_t(unsigned int, dst_mtu(route), IPV6_MIN_MTU) - e.size;
		if (mm_exceeds(skb, limit)) {
			if (e.df && !packet.cut && !skb->ignore_df) {
				mm_answer4(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, limit);
				return MM_DROP_TOO_BIG;
			}
			if (skb_is_gso(skb))
				return mm_transmit_segments(mm, skb);
			limit = min(limit, READ_ONCE(mm->dev->mtu));
			return mm_send_pieces(mm, skb, route, limit, &e);
		}
	}
	verdict = mm_send_encapsulated(mm, skb, route, &e);
	if (verdict)
		return verdict;
	mm_count_passed(mm, MM_ENCAPSULATED, packets);
	dev_sw_netstats_tx_add(mm->dev, packets, length);
	return MM_XLAT_OK;
}
