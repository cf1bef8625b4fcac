/* SPDX-License-Identifier: GPL-2.0-only */
/* The counters of a device. */
#ifndef MAPMINT_STATS_H
#define MAPMINT_STATS_H

#include <linux/ethtool.h>
#include <linux/percpu.h>

#include "core/counters.h"
#include "core/direction.h"
#include "net/device.h"

static inline void mm_count_add(struct mm_dev *mm, enum mm_counter which, unsigned int number)
{
	struct mm_stats *stats = get_cpu_ptr(mm->stats);
	unsigned long flags = u64_stats_update_begin_irqsave(&stats->syncp);

	u64_stats_add(&stats->count[which], number);
	u64_stats_update_end_irqrestore(&stats->syncp, flags);
	put_cpu_ptr(mm->stats);
}

static inline void mm_count(struct mm_dev *mm, enum mm_counter which)
{
	mm_count_add(mm, which, 1);
}

/* Translated packets, which are counted only with bottom halves off: interrupts may stay on. */
static inline void mm_count_passed(struct mm_dev *mm, enum mm_counter which, unsigned int packets)
{
	struct mm_stats *stats = this_cpu_ptr(mm->stats);

	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->count[which], packets);
	u64_stats_update_end(&stats->syncp);
}

void mm_count_drop(struct mm_dev *mm, enum mm_counter why, enum mm_direction direction);
u64 mm_stats_sum(const struct mm_dev *mm, enum mm_counter which);

extern const struct ethtool_ops mm_ethtool_ops;

#endif
