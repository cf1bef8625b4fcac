/* SPDX-License-Identifier: GPL-2.0-only */
/* Control lines put into a rule set, as the module does it. */
#ifndef MAPMIN_TEST_CONTROL_H
#define MAPMIN_TEST_CONTROL_H

#include "user_space.h"
#include "core/line.h"
#include "core/lookup.h"
#include "core/pair.h"

#define MOST_PAIRS 1200

struct mm_rules *new_rules(void);
void forget_rules(struct mm_rules *rules);
/* What a line that has been understood does. NULL, or why its values do not fit one another. */
const char *apply_line(struct mm_rules *rules, const struct mm_line *line);

#endif
