// SPDX-License-Identifier: GPL-2.0-only
/* Packets on their way into the tunnel: a header is put before them, and they are sent as IPv6. */
#include <linux/icmp.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>

#include "core/inner.h"
#include "core/tunnel.h"
#include "net/send.h"
#include "net/skb.h"
#include "net/stats.h"
#include "net/tunnel_out.h"

/* Puts the tunnel's header before a packet, and sends it. If it passes, it has been taken over. */
static struct mm_verdict mm_send_encapsulated(struct mm_dev *mm, struct sk_buff *skb,
					      struct dst_entry *route, const struct mm_encap *e)
{
	if (skb_cow_head(skb, e->size + LL_RESERVED_SPACE(route->dev)) ||
	    iptunnel_handle_offloads(skb, SKB_GSO_IPXIP6))
		return mm_drop(MM_DROP_MEMORY);
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
	return mm_pass();
}

/*
 * RFC 7597 s8.3.1, RFC 2473 s7.2: a packet is cut before it is encapsulated, so that nobody has to
 * put IPv6 together. The pieces have an identification of our port set (s8.3.3). If it passes, the
 * packet has been taken over.
 */
static struct mm_verdict mm_send_pieces(struct mm_dev *mm, struct sk_buff *skb,
					struct dst_entry *route, unsigned int mtu,
					const struct mm_encap *e)
{
	struct ip_frag_state state;
	struct mm_verdict verdict;
	struct sk_buff *piece;
	unsigned int head;
	struct iphdr *iph;

	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return mm_drop(MM_DROP_MEMORY);
	if (skb_ensure_writable(skb, ip_hdrlen(skb)))
		return mm_drop(MM_DROP_MEMORY);
	iph = ip_hdr(skb);
	/* If it is a piece already, other pieces have its identification. */
	if (!ip_is_fragment(iph))
		iph->id = htons(ntohl(mm_fragment_id(mm, e->edge)));
	head = iph->ihl * 4;
	ip_frag_init(skb, head, LL_RESERVED_SPACE(route->dev) + e->size, mtu - head, false, &state);
	while (state.left > 0) {
		piece = ip_frag_next(skb, &state);
		if (IS_ERR(piece))
			return mm_drop(MM_DROP_MEMORY);
		/* The other pieces do not have all options of the first one. */
		mm_blank_options((u8 *)(ip_hdr(skb) + 1), head - sizeof(*iph));
		mm_count_passed(mm, MM_ENCAPSULATED, 1);
		dev_sw_netstats_tx_add(mm->dev, 1, piece->len);
		verdict = mm_send_encapsulated(mm, piece, route, e);
		if (!mm_passes(verdict)) {
			kfree_skb(piece);
			return verdict;
		}
	}
	consume_skb(skb);
	return mm_pass();
}

/*
 * Whether a packet fits the path, or is to be cut into pieces of *@piece octets (0: it is not). A
 * super-packet whose segments do not fit is to be taken apart.
 */
static struct mm_verdict mm_fit(struct mm_dev *mm, struct sk_buff *skb,
				const struct dst_entry *route, const struct mm_encap *e,
				unsigned int *piece)
{
	unsigned int limit = max_t(unsigned int, dst_mtu(route), IPV6_MIN_MTU) - e->size;

	if (!mm_exceeds(skb, limit))
		return mm_pass();
	if (e->df && !IPCB(skb)->frag_max_size && !skb->ignore_df)
		return mm_refuse(MM_DROP_TOO_BIG, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, limit);
	if (skb_is_gso(skb))
		return mm_outcome(MM_SEGMENT);
	*piece = min(limit, READ_ONCE(mm->dev->mtu));
	return mm_pass();
}

/* If it passes, the packet has been taken over. */
struct mm_verdict mm_encapsulate(struct mm_dev *mm, const struct mm_rules *rules,
				 struct sk_buff *skb)
{
	unsigned int length = skb->len, packets = skb_shinfo(skb)->gso_segs ?: 1;
	struct mm_verdict verdict;
	struct mm_packet packet;
	struct dst_entry *route;
	unsigned int piece = 0;
	struct mm_encap e;

	mm_show(skb, IPCB(skb)->frag_max_size, &packet);
	verdict = mm_encap4(rules, &packet, &e);
	if (unlikely(verdict.outcome == MM_SHOW_MORE)) {
		if (!mm_show_more(skb, &packet))
			return mm_drop(MM_DROP_MEMORY);
		verdict = mm_encap4(rules, &packet, &e);
	}
	if (unlikely(verdict.outcome == MM_SHOW_MORE))
		return mm_drop(MM_DROP_HEADER);
	if (!mm_passes(verdict))
		return verdict;
	verdict = mm_find_route(mm, skb, (struct ipv6hdr *)e.header, &route);
	if (!mm_passes(verdict))
		return verdict;
	/* No IPv6 path is narrower (RFC 8200 s5), so a small packet fits every path. */
	if (skb_is_gso(skb) || length + e.size > IPV6_MIN_MTU) {
		verdict = mm_fit(mm, skb, route, &e, &piece);
		if (!mm_passes(verdict))
			return verdict;
	}
	if (piece)
		return mm_send_pieces(mm, skb, route, piece, &e);
	verdict = mm_send_encapsulated(mm, skb, route, &e);
	if (!mm_passes(verdict))
		return verdict;
	mm_count_passed(mm, MM_ENCAPSULATED, packets);
	dev_sw_netstats_tx_add(mm->dev, packets, length);
	return mm_pass();
}
