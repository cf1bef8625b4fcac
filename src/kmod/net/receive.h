/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets on their way in. */
#ifndef MAPMINT_RECEIVE_H
#define MAPMINT_RECEIVE_H

#include <linux/skbuff.h>

#include "net/deliver.h"
#include "net/device.h"

bool mm_receive(struct mm_dev *mm, struct sk_buff *skb, enum mm_delivery delivery);

#endif
