/* SPDX-License-Identifier: GPL-2.0-only */
/* Rule pairs and control lines: what a line changes of a pair, and the line that makes a pair. */
#ifndef MAPMINT_PAIR_H
#define MAPMINT_PAIR_H

#include "core/line.h"
#include "core/lookup.h"
#include "core/rule.h"

void mm_merge(struct mm_pair *pair, const struct mm_line *line);
bool mm_matches(const struct mm_pair *pair, const struct mm_line *line);
bool mm_valid_pair(const struct mm_pair *pair, const char **why);
bool mm_valid_transport(const struct mm_rules *rules, const char **why);
int mm_print_pair(const struct mm_pair *pair, char *to, int size);

#endif
