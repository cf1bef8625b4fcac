/* SPDX-License-Identifier: GPL-2.0-only */
/* Routes of the IPv6 side. */
#ifndef MAPMINT_ROUTES_H
#define MAPMINT_ROUTES_H

#include <linux/in6.h>
#include <net/dst.h>

#include "net/device.h"

int mm_routes_init(struct mm_dev *mm);
void mm_routes_flush(struct mm_dev *mm);
void mm_routes_free(struct mm_dev *mm);
struct dst_entry *mm_route6(struct mm_dev *mm, const struct in6_addr *src,
			    const struct in6_addr *dst, u32 mark, u8 tclass);
unsigned int mm_mtu6(struct mm_dev *mm, const struct in6_addr *dst, u32 mark);

#endif
