/* SPDX-License-Identifier: GPL-2.0-only */
/* Fields of an IPv6 address that begin at any bit; bit 0 is the highest of the address. */
#ifndef MAPMINT_BITS_H
#define MAPMINT_BITS_H

#include <linux/in6.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>

/* One half of an address as a number. */
static inline u64 mm_load(const struct in6_addr *v6, int half)
{
	__be64 word;

	memcpy(&word, &v6->s6_addr[8 * half], sizeof(word));
	return be64_to_cpu(word);
}

static inline void mm_store(struct in6_addr *v6, int half, u64 value)
{
	__be64 word = cpu_to_be64(value);

	memcpy(&v6->s6_addr[8 * half], &word, sizeof(word));
}

/* Writes the low @count bits of @value at bit @start of one half. */
static inline u64 mm_put_word(u64 word, int start, int count, u64 value)
{
	u64 mask = count == 64 ? ~0ULL : ((1ULL << count) - 1) << (64 - start - count);

	return (word & ~mask) | (value << (64 - start - count) & mask);
}

static inline u64 mm_get_word(u64 word, int start, int count)
{
	return word << start >> (64 - count);
}

/* Writes the low @count bits of @value at bit @start. */
static inline void mm_put_bits(struct in6_addr *v6, int start, int count, u64 value)
{
	int first = clamp(64 - start, 0, count);

	if (first)
		mm_store(v6, 0, mm_put_word(mm_load(v6, 0), start, first,
					    value >> (count - first)));
	if (count > first)
		mm_store(v6, 1, mm_put_word(mm_load(v6, 1), max(start - 64, 0), count - first,
					    value));
}

/* The @count bits at bit @start, as a number. */
static inline u64 mm_get_bits(const struct in6_addr *v6, int start, int count)
{
	int first = clamp(64 - start, 0, count);
	u64 value = 0;

	if (first)
		value = mm_get_word(mm_load(v6, 0), start, first);
	if (count > first)
		value = (first ? value << (count - first) : 0) |
			mm_get_word(mm_load(v6, 1), max(start - 64, 0), count - first);
	return value;
}

#endif
