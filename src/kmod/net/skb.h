/* SPDX-License-Identifier: GPL-2.0-only */
/* What both directions do to a socket buffer. */
#ifndef MAPMINT_SKB_H
#define MAPMINT_SKB_H

#include <linux/skbuff.h>

#include "compat.h"
#include "core/errors.h"
#include "core/xlat.h"
#include "net/device.h"

/*
 * The longest ICMP error that is looked at, in octets: more than an error has any use for, and
 * little enough to be put into one piece.
 */
#define MM_ERROR_MOST 9216

bool mm_gso_foreign(const struct sk_buff *skb);
struct sk_buff *mm_segment(struct sk_buff *skb);
int mm_apply(struct sk_buff *skb, const struct mm_xlat *x, unsigned int room);
void mm_show(const struct sk_buff *skb, bool cut, struct mm_packet *packet);
bool mm_show_more(struct sk_buff *skb, struct mm_packet *packet);
struct mm_env mm_environment(struct mm_dev *mm, const struct mm_rules *rules);

/* Whether a packet, or of a super-packet a segment, has more than @limit octets. */
static inline bool mm_exceeds(const struct sk_buff *skb, unsigned int limit)
{
	if (skb_is_gso(skb))
		return !skb_gso_validate_network_len(skb, limit);
	return skb->len > limit;
}

#endif
