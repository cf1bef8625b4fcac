/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets on their way into the tunnel. */
#ifndef MAPMINT_TUNNEL_OUT_H
#define MAPMINT_TUNNEL_OUT_H

#include <linux/skbuff.h>

#include "core/lookup.h"
#include "core/verdict.h"
#include "net/device.h"

struct mm_verdict mm_encapsulate(struct mm_dev *mm, const struct mm_rules *rules,
				 struct sk_buff *skb);

#endif
