/* SPDX-License-Identifier: GPL-2.0-only */
/* The hash tables in which pairs are found by their remote prefix. */
#ifndef MAPMINT_INDEX_H
#define MAPMINT_INDEX_H

#include <net/ipv6.h>

#include "core/lookup.h"

/* Spreads keys over all bits (Knuth's multiplicative hash). */
#define MM_GOLDEN 0x9e3779b1U

/* The end of a chain of the hash table. */
#define MM_END 0xffff

static inline u16 *mm_bucket4(const struct mm_rules *rules, __be32 v4, u8 length)
{
	u32 hash = (ntohl(v4) + length) * MM_GOLDEN;

	return &rules->by4.bucket[hash >> 16 & rules->by4.mask];
}

static inline u16 *mm_bucket6(const struct mm_rules *rules, const struct in6_addr *v6, u8 length)
{
	u32 hash = length;
	int i;

	for (i = 0; i < 4; i++)
		hash = (hash ^ ntohl(v6->s6_addr32[i])) * MM_GOLDEN;
	return &rules->by6.bucket[hash >> 16 & rules->by6.mask];
}

/* The next pair, from @at on, whose remote prefix is this one; MM_END if there is none. */
static inline u16 mm_next4(const struct mm_rules *rules, u16 at, __be32 v4, u8 length)
{
	while (at != MM_END && (rules->pair[at].remote.v4_len != length ||
				rules->pair[at].remote.v4 != v4))
		at = rules->by4.next[at];
	return at;
}

static inline u16 mm_next6(const struct mm_rules *rules, u16 at, const struct in6_addr *v6,
			   u8 length)
{
	while (at != MM_END && (rules->pair[at].remote.v6_len != length ||
				!ipv6_addr_equal(&rules->pair[at].remote.v6, v6)))
		at = rules->by6.next[at];
	return at;
}

static inline bool mm_of_domain(const struct mm_rules *rules, int pair, int domain)
{
	return domain == MM_ANY_DOMAIN || rules->domain[pair] == MM_ANY_DOMAIN ||
	       rules->domain[pair] == domain;
}

#endif
