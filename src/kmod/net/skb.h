/* SPDX-License-Identifier: GPL-2.0-only */
/* What is done with socket buffers and devices, of which the core knows nothing. */
#ifndef MAPMINT_SKB_H
#define MAPMINT_SKB_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

#include "core/xlat.h"

/* More than an error has any use for, and little enough to be put into one piece. */
#define MM_ERROR_MOST 9216

/* device.c */
extern const struct net_device_ops mm_netdev_ops;

static inline bool mm_is_device(const struct net_device *dev)
{
	return dev->netdev_ops == &mm_netdev_ops;
}

/* transmit.c */
bool mm_gso_foreign(const struct sk_buff *skb);
struct sk_buff *mm_segment(struct sk_buff *skb);
int mm_apply(struct sk_buff *skb, const struct mm_xlat *x, unsigned int room);
void mm_show(const struct sk_buff *skb, bool cut, struct mm_packet *packet);
bool mm_show_more(struct sk_buff *skb, struct mm_packet *packet);
u32 mm_env_mtu6(const struct mm_env *env, const struct in6_addr *dst);
int mm_send6(struct mm_dev *mm, struct sk_buff *skb, struct dst_entry *route);
int mm_find_route(struct mm_dev *mm, const struct sk_buff *skb, const struct ipv6hdr *ip6h,
		  struct dst_entry **route);
__be32 mm_fragment_id(struct mm_dev *mm, const struct mm_edge *edge);
void mm_answer4(struct sk_buff *skb, u8 type, u8 code, u32 rest);
int mm_transmit_segments(struct mm_dev *mm, struct sk_buff *skb);

/* receive.c */
void mm_deliver(struct mm_dev *mm, struct sk_buff *skb, bool direct, enum mm_counter which);
void mm_learn_mtu(struct mm_dev *mm, struct sk_buff *skb);
void mm_finish_error4(struct mm_dev *mm, struct sk_buff *out, const struct sk_buff *of);
int mm_receive_segments(struct mm_dev *mm, struct sk_buff *skb, bool direct);

/* tunnel_out.c, tunnel_in.c */
int mm_encapsulate(struct mm_dev *mm, const struct mm_rules *rules, struct sk_buff *skb);
int mm_decapsulate(struct mm_dev *mm, const struct mm_rules *rules, struct sk_buff *skb,
		   bool direct);
unsigned int mm_judge_whole(struct mm_dev *mm, struct sk_buff *skb);

/* Whether a packet, or of a super-packet a segment, has more than @limit octets. */
static inline bool mm_exceeds(const struct sk_buff *skb, unsigned int limit)
{
	if (skb_is_gso(skb))
		return !skb_gso_validate_network_len(skb, limit);
	return skb->len > limit;
}

/* MM_4TO6 or MM_6TO4, which nobody counts with bottom halves on: no interrupts to be kept away. */
static inline void mm_count_passed(struct mm_dev *mm, enum mm_counter which, unsigned int packets)
{
	__this_cpu_add(mm->stats->count[which], packets);
}

#endif
