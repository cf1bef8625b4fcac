/* SPDX-License-Identifier: GPL-2.0-only */
/* What both directions do with socket buffers. */
#ifndef MAPMINT_SKB_H
#define MAPMINT_SKB_H

#include "xlat.h"

/* More than an error has any use for, and little enough to be put into one piece. */
#define MM_ERROR_MOST 9216

/* transmit.c */
bool mm_gso_foreign(const struct sk_buff *skb);
struct sk_buff *mm_segment(struct sk_buff *skb);
int mm_apply(struct sk_buff *skb, const struct mm_xlat *x, unsigned int room);
void mm_show(const struct sk_buff *skb, bool cut, u8 *buffer, struct mm_packet *packet);
u32 mm_env_mtu6(const struct mm_env *env, const struct in6_addr *dst);

#endif
