// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: text as written to the control file. What is taken reads back as lines that make the same rules, and each
 * address that a rule makes is led back to what it was made of.
 */
#include "control.h"

static struct mm_rules *rules, *again;

static void __attribute__((noreturn)) broken(const char *what)
{
	fprintf(stderr, "fuzz: broken: %s\n", what);
	abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	rules = new_rules();
	again = new_rules();
	return 0;
}

static bool within(const struct mm_line *line, const char *from, size_t size)
{
	return line->word >= from && line->word + line->word_len <= from + size;
}

/* What is printed is a line that is taken, and prints the same. */
static void check_print(const struct mm_pair *pair)
{
	char text[2048] = "config map0", other[2048];
	struct mm_pair copy = {};
	struct mm_line line;
	int length;

	length = mm_print_pair(pair, text + 11, sizeof(text) - 11) + 11;
	if (length == 11)
		return;
	if (mm_parse_line(text, length, &line))
		broken("what is printed is not taken");
	mm_merge(&copy, &line);
	mm_print_pair(&copy, other, sizeof(other));
	if (strcmp(text + 11, other))
		broken("what is printed prints as something else");
}

/* There and back by the remote side, where the address holds all of what it is made of (RFC 7597 s5.2). */
static void check_remote(const struct mm_pair *pair, u32 host, u16 number)
{
	const struct mm_side *side = &pair->remote;
	struct mm_port port = { number, true };
	struct in6_addr v6;
	__be32 v4, back;

	if (!pair->has_remote || (side->style != MM_STYLE_RFC6052 && side->v6_len + side->ea_len > 64))
		return;
	forget_rules(again);
	again->pair[0] = *pair;
	again->count = 1;
	mm_rules_index(again);
	v4 = side->v4_len < 32 ? side->v4 | htonl(host >> side->v4_len) : side->v4;
	if (side->v4_len == 0)
		v4 = htonl(host);
	if (mm_remote_to_v6(again, v4, port, MM_ANY_DOMAIN, &v6))
		return;
	if (mm_remote_to_v4(again, &v6, port, MM_ANY_DOMAIN, &back) || back != v4)
		broken("an address is not led back");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *text = (const char *)data, *end = text + size;
	bool fits = true;
	int i;

	forget_rules(rules);
	while (text < end && rules->count < 64) {
		const char *stop = memchr(text, '\n', end - text) ?: end;
		/* Memory of its own, so that a read behind the line is seen. */
		char *copy = malloc(stop > text ? stop - text : 1);
		struct mm_line line;

		if (!copy)
			exit(3);
		memcpy(copy, text, stop - text);
		if (mm_parse_line(copy, stop - text, &line)) {
			/* The word at fault is one of the text, or the name of the device. */
			if (!line.why || (line.word_len && !within(&line, copy, stop - text) &&
					  !within(&line, line.device, sizeof(line.device))))
				broken("a refused line does not say why");
		} else if (apply_line(rules, &line)) {
			fits = false;
		}
		free(copy);
		text = stop + 1;
		/* The module takes nothing of a write one of whose lines does not fit. */
		if (!fits)
			return 0;
	}
	for (i = 0; i < rules->count; i++) {
		u32 host = size * 2654435761U ^ data[size / 2] << 11;

		check_print(&rules->pair[i]);
		check_remote(&rules->pair[i], host, host >> 3);
	}
	return 0;
}
