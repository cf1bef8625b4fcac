/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of KUnit tests share. */
#ifndef MAPMINT_KUNIT_H
#define MAPMINT_KUNIT_H

#include <kunit/test.h>

#include "core/lookup.h"

extern const char *const mm_test_ce[];
extern struct kunit_suite mm_packets_suite;

/* Rules with the one pair that the control lines make; gone with the test. */
struct mm_rules *mm_test_rules(struct kunit *test, const char *const lines[]);

#endif
