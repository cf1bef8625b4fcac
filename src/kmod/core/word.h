/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of a control line, and the values that a word can be. */
#ifndef MAPMINT_WORD_H
#define MAPMINT_WORD_H

#include <linux/in6.h>
#include <linux/types.h>

struct mm_word {
	const char *text;
	int length;
};

bool mm_equal(struct mm_word word, const char *name);
struct mm_word mm_next_word(const char **text, int *left);
bool mm_number(struct mm_word word, u32 most, u32 *value);
bool mm_address4(struct mm_word word, __be32 *v4);
bool mm_address6(struct mm_word word, struct in6_addr *v6);
bool mm_split(struct mm_word word, u32 most, struct mm_word *address, u32 *length);
bool mm_either(struct mm_word word, const char *no, const char *yes, bool *value);
bool mm_device_name(struct mm_word word, char *name);
struct mm_word mm_until(struct mm_word *word, char end);

#endif
