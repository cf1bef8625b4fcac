/* SPDX-License-Identifier: GPL-2.0-only */
/* What translation and encapsulation both need to send IPv6. */
#ifndef MAPMINT_SEND_H
#define MAPMINT_SEND_H

#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/dst.h>

#include "core/rule.h"
#include "core/verdict.h"
#include "net/device.h"

struct mm_verdict mm_find_route(struct mm_dev *mm, const struct sk_buff *skb,
				const struct ipv6hdr *ip6h, struct dst_entry **route);
__be32 mm_fragment_id(struct mm_dev *mm, const struct mm_edge *edge);
void mm_untrack6(struct sk_buff *skb, const struct dst_entry *route);
void mm_send6(struct mm_dev *mm, struct sk_buff *skb, struct dst_entry *route);

#endif
