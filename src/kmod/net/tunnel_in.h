/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets on their way out of the tunnel. */
#ifndef MAPMINT_TUNNEL_IN_H
#define MAPMINT_TUNNEL_IN_H

#include <linux/skbuff.h>

#include "core/lookup.h"
#include "core/verdict.h"
#include "net/deliver.h"
#include "net/device.h"

struct mm_verdict mm_decapsulate(struct mm_dev *mm, const struct mm_rules *rules,
				 struct sk_buff *skb, enum mm_delivery delivery);
unsigned int mm_judge_whole(struct mm_dev *mm, struct sk_buff *skb);

#endif
