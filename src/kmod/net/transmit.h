/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets on their way out. */
#ifndef MAPMINT_TRANSMIT_H
#define MAPMINT_TRANSMIT_H

#include <linux/skbuff.h>

#include "net/device.h"

void mm_transmit(struct mm_dev *mm, struct sk_buff *skb);

#endif
