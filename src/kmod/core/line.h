/* SPDX-License-Identifier: GPL-2.0-only */
/* One line of the control file: VERB DEVICE [KEY VALUE ...]. */
#ifndef MAPMINT_LINE_H
#define MAPMINT_LINE_H

#include <linux/if.h>
#include <linux/types.h>

#include "core/nat_keys.h"
#include "core/rule.h"
#include "core/tunnel_keys.h"

enum mm_verb {
	MM_VERB_NONE,
	MM_VERB_ADD,
	MM_VERB_DEL,
	MM_VERB_CONFIG,
	MM_VERB_INSERT,
	MM_VERB_REMOVE,
};

struct mm_line {
	/* The word at fault, for the log, and what is wrong with it. */
	const char *word;
	int word_len;
	const char *why;
	enum mm_verb verb;
	char device[IFNAMSIZ];
	/* Which keys are given, as bits by number (keys.h), and their values. */
	u32 keys;
	struct mm_pair pair;
	int debug;
	/* 0: it is not given. */
	u32 lowest_mtu;
	struct mm_nat_keys nat;
	struct mm_tunnel_keys tunnel;
};

int mm_parse_line(const char *text, int length, struct mm_line *line);
bool mm_sets_debug(const struct mm_line *line);
bool mm_sets_pair(const struct mm_line *line);
void mm_merge_nat(struct mm_nat_keys *nat, const struct mm_line *line);
int mm_print_nat(const struct mm_nat_keys *nat, char *to, int size);
void mm_merge_tunnel(struct mm_tunnel_keys *tunnel, const struct mm_line *line);
int mm_print_tunnel(const struct mm_tunnel_keys *tunnel, char *to, int size);

#endif
