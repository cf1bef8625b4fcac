/* SPDX-License-Identifier: GPL-2.0-only */
/* What translation and encapsulation both need to receive IPv4. */
#ifndef MAPMINT_DELIVER_H
#define MAPMINT_DELIVER_H

#include <linux/skbuff.h>

#include "core/counters.h"
#include "net/device.h"

/* How an IPv4 packet is handed to the stack. */
enum mm_delivery {
	MM_AT_ONCE,
	/* By the queue of received packets: the caller is deep in the stack already. */
	MM_QUEUED,
};

void mm_deliver(struct mm_dev *mm, struct sk_buff *skb, enum mm_delivery delivery,
		enum mm_counter which);
void mm_learn_mtu(struct mm_dev *mm, struct sk_buff *skb);
void mm_finish_error4(struct mm_dev *mm, struct sk_buff *out, const struct sk_buff *of);

#endif
