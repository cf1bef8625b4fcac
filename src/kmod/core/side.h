/* SPDX-License-Identifier: GPL-2.0-only */
/* One side of a rule: which IPv6 address an IPv4 address and port has, and the other way round. */
#ifndef MAPMINT_SIDE_H
#define MAPMINT_SIDE_H

#include "core/portset.h"
#include "core/rule.h"

/* The octet of a MAP address at which the IPv4 address begins (RFC 7597 s6). */
static inline int mm_address4_octet(const struct mm_side *side)
{
	return side->style == MM_STYLE_MAP0 ? 9 : 10;
}

bool mm_in6(const struct mm_side *side, const struct in6_addr *v6);
int mm_side_to_v6(const struct mm_side *side, __be32 v4, struct mm_port port, struct in6_addr *v6);
int mm_side_to_v4(const struct mm_side *side, const struct in6_addr *v6, struct mm_port port,
		  __be32 *v4);
int mm_check_end(const struct mm_side *side, const struct in6_addr *v6, __be32 v4,
		 struct mm_port port);
bool mm_valid_side(const struct mm_side *side, const char **why);

#endif
