// SPDX-License-Identifier: GPL-2.0-only
/* The words of a control line, and the values that a word can be. All else is rejected. */
#include <linux/ctype.h>
#include <linux/inet.h>
#include <linux/kernel.h>
#include <linux/netdevice.h>
#include <linux/string.h>
#include <net/ipv6.h>

#include "core/word.h"

bool mm_equal(struct mm_word word, const char *name)
{
	return name && (int)strlen(name) == word.length && !memcmp(name, word.text, word.length);
}

/* Takes the next word off a line; at the end of the line its length is 0. */
struct mm_word mm_next_word(const char **text, int *left)
{
	struct mm_word word;

	while (*left && (**text == ' ' || **text == '\t' || **text == '\r')) {
		(*text)++;
		(*left)--;
	}
	word.text = *text;
	while (*left && **text != ' ' && **text != '\t' && **text != '\r') {
		(*text)++;
		(*left)--;
	}
	word.length = *text - word.text;
	return word;
}

/* Decimal digits and nothing else, no leading zero. */
bool mm_number(struct mm_word word, u32 most, u32 *value)
{
	u64 sum = 0;
	int i;

	if (!word.length || word.length > 10 || (word.length > 1 && *word.text == '0'))
		return false;
	for (i = 0; i < word.length; i++) {
		if (!isdigit(word.text[i]))
			return false;
		sum = sum * 10 + (word.text[i] - '0');
	}
	*value = sum;
	return sum <= most;
}

bool mm_address4(struct mm_word word, __be32 *v4)
{
	u32 address = 0;
	int part;

	for (part = 0; part < 4; part++) {
		struct mm_word digits = { word.text, 0 };
		u32 octet;

		while (word.length && *word.text != '.') {
			word.text++;
			word.length--;
			digits.length++;
		}
		if (!mm_number(digits, 255, &octet))
			return false;
		address = address << 8 | octet;
		if (part < 3) {
			if (!word.length)
				return false;
			word.text++;
			word.length--;
		}
	}
	*v4 = htonl(address);
	return !word.length;
}

bool mm_address6(struct mm_word word, struct in6_addr *v6)
{
	const char *end;

	return word.length && word.length < INET6_ADDRSTRLEN &&
	       in6_pton(word.text, word.length, v6->s6_addr, -1, &end) &&
	       end == word.text + word.length;
}

/* ADDRESS/LENGTH; an address alone is a prefix of all its bits. */
bool mm_split(struct mm_word word, u32 most, struct mm_word *address, u32 *length)
{
	int i;

	*address = word;
	*length = most;
	for (i = 0; i < word.length; i++)
		if (word.text[i] == '/') {
			address->length = i;
			return mm_number((struct mm_word){ word.text + i + 1, word.length - i - 1 },
					 most, length);
		}
	return true;
}

/* One of two words: the first means false, the second true. */
bool mm_either(struct mm_word word, const char *no, const char *yes, bool *value)
{
	*value = mm_equal(word, yes);
	return *value || mm_equal(word, no);
}

/* @name has room for IFNAMSIZ octets. */
bool mm_device_name(struct mm_word word, char *name)
{
	memset(name, 0, IFNAMSIZ);
	if (!word.length || word.length >= IFNAMSIZ || memchr(word.text, 0, word.length))
		return false;
	memcpy(name, word.text, word.length);
	return dev_valid_name(name);
}

/* Takes the part before @end off a word; the word goes on behind it. */
struct mm_word mm_until(struct mm_word *word, char end)
{
	struct mm_word part = { word->text, 0 };

	while (part.length < word->length && part.text[part.length] != end)
		part.length++;
	word->text += min(word->length, part.length + 1);
	word->length -= min(word->length, part.length + 1);
	return part;
}
