// SPDX-License-Identifier: GPL-2.0-only
/* What both directions do to a socket buffer. */
#include <linux/skbuff.h>
#include <net/checksum.h>
#include <net/ipv6.h>

#include "compat.h"
#include "net/routes.h"
#include "net/skb.h"

/*
 * The kinds of super-packet that stay right when their IP header changes. Others (lists of whole
 * packets, tunnels) have further headers inside.
 */
#define MM_GSO_KEPT (SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID |      \
		     SKB_GSO_DODGY | SKB_GSO_UDP_L4)

/* Whether it is a super-packet that cannot be translated whole. */
bool mm_gso_foreign(const struct sk_buff *skb)
{
	return skb_is_gso(skb) && skb_shinfo(skb)->gso_type & ~MM_GSO_KEPT;
}

/* Takes a super-packet over and gives its segments; NULL where there is no memory. */
struct sk_buff *mm_segment(struct sk_buff *skb)
{
	struct sk_buff *segments;

	skb_reset_mac_header(skb);
	skb->mac_len = 0;
	segments = skb_gso_segment(skb, 0);
	if (IS_ERR_OR_NULL(segments)) {
		kfree_skb(skb);
		return NULL;
	}
	consume_skb(skb);
	return segments;
}

/*
 * Puts the new headers in the place of the old ones, with @room octets before them. On -ENOMEM the
 * packet is as it was.
 */
int mm_apply(struct sk_buff *skb, const struct mm_xlat *x, unsigned int room)
{
	int more = (int)(x->size - x->strip + room) - (int)skb_headroom(skb);
	struct skb_shared_info *info;
	unsigned int reach = x->strip;

	if (x->check_at)
		reach = x->check_at + sizeof(x->check);
	else if (x->retype)
		reach = x->strip + 1;
	if (!pskb_may_pull(skb, reach))
		return -ENOMEM;
	if ((more > 0 || (skb_cloned(skb) && !skb_clone_writable(skb, reach))) &&
	    pskb_expand_head(skb, SKB_DATA_ALIGN(max(more, 0)), 0, GFP_ATOMIC))
		return -ENOMEM;
	if (x->check_at) {
		__sum16 *check = (__sum16 *)(skb->data + x->check_at);

		if (skb->ip_summed == CHECKSUM_COMPLETE)
			skb->csum = csum_add(csum_sub(skb->csum, csum_unfold(*check)),
					     csum_unfold(x->check));
		*check = x->check;
	}
	if (x->retype) {
		skb->data[x->strip] = x->type;
		/* The sum that the hardware made covers the old type. */
		if (skb->ip_summed == CHECKSUM_COMPLETE)
			skb->ip_summed = CHECKSUM_NONE;
	}
	skb_postpull_rcsum(skb, skb->data, x->strip);
	__skb_pull(skb, x->strip);
	skb_reset_transport_header(skb);
	__skb_push(skb, x->size);
	/* A size that the compiler knows needs no call. */
	if (likely(x->size == sizeof(struct ipv6hdr)))
		memcpy(skb->data, x->header, sizeof(struct ipv6hdr));
	else
		memcpy(skb->data, x->header, x->size);
	skb_postpush_rcsum(skb, skb->data, x->size);
	skb_reset_network_header(skb);
	skb_reset_mac_header(skb);
	skb->mac_len = 0;
	info = skb_shinfo(skb);
	if (skb_is_gso(skb) && info->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6))
		info->gso_type = (info->gso_type & ~SKB_GSO_TCP_FIXEDID) ^
				 (SKB_GSO_TCPV4 | SKB_GSO_TCPV6);
	return 0;
}

/* What the core is shown of a packet: its first piece, which as a rule has all headers. */
void mm_show(const struct sk_buff *skb, bool cut, struct mm_packet *packet)
{
	packet->head = skb->data;
	packet->head_len = skb_headlen(skb);
	packet->len = skb->len;
	packet->partial = skb->ip_summed == CHECKSUM_PARTIAL;
	packet->cut = cut;
}

/* Shows more of it, where that was not enough. False: there is no memory. */
bool mm_show_more(struct sk_buff *skb, struct mm_packet *packet)
{
	if (!pskb_may_pull(skb, min_t(unsigned int, skb->len, MM_HEAD)))
		return false;
	mm_show(skb, packet->cut, packet);
	return true;
}

static u32 mm_path_mtu(const struct mm_env *env, const struct in6_addr *dst)
{
	return mm_mtu6(env->context, dst, 0);
}

/* What the core is told about the paths when it translates an ICMP error. */
struct mm_env mm_environment(struct mm_dev *mm, const struct mm_rules *rules)
{
	return (struct mm_env){ rules, READ_ONCE(mm->dev->mtu), mm_path_mtu, mm };
}
