// SPDX-License-Identifier: GPL-2.0-only
#include "control.h"

struct mm_rules *new_rules(void)
{
	struct mm_rules *rules = calloc(1, mm_rules_size(MOST_PAIRS));

	if (!rules)
		exit(3);
	mm_rules_init(rules, MOST_PAIRS);
	return rules;
}

void forget_rules(struct mm_rules *rules)
{
	memset(rules, 0, mm_rules_size(MOST_PAIRS));
	mm_rules_init(rules, MOST_PAIRS);
}

const char *apply_line(struct mm_rules *rules, const struct mm_line *line)
{
	const char *why = NULL;
	struct mm_pair *pair;

	if (line->verb < MM_VERB_CONFIG)
		return NULL;
	mm_merge_tunnel(&rules->tunnel, line);
	if (!mm_sets_pair(line)) {
		mm_rules_index(rules);
		return mm_valid_transport(rules, &why) ? NULL : why;
	}
	if (line->verb == MM_VERB_INSERT) {
		if (rules->count == MOST_PAIRS)
			exit(3);
		memmove(rules->pair + 1, rules->pair, rules->count * sizeof(*rules->pair));
		memset(rules->pair, 0, sizeof(*rules->pair));
		rules->count++;
		pair = rules->pair;
	} else {
		if (!rules->count)
			memset(&rules->pair[rules->count++], 0, sizeof(*rules->pair));
		pair = &rules->pair[rules->count - 1];
	}
	mm_merge(pair, line);
	mm_rules_index(rules);
	return mm_valid_pair(pair, &why) ? NULL : why;
}
