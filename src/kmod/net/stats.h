/* SPDX-License-Identifier: GPL-2.0-only */
/* The counters of a device. */
#ifndef MAPMINT_STATS_H
#define MAPMINT_STATS_H

#include <linux/ethtool.h>
#include <linux/percpu.h>

#include "core/counters.h"
#include "core/direction.h"
#include "net/device.h"

static inline void mm_count_add(struct mm_dev *mm, enum mm_counter which, u64 number)
{
	this_cpu_add(mm->stats->count[which], number);
}

static inline void mm_count(struct mm_dev *mm, enum mm_counter which)
{
	this_cpu_inc(mm->stats->count[which]);
}

/* Translated packets, which are counted only with bottom halves off: interrupts may stay on. */
static inline void mm_count_passed(struct mm_dev *mm, enum mm_counter which, unsigned int packets)
{
	__this_cpu_add(mm->stats->count[which], packets);
}

void mm_count_drop(struct mm_dev *mm, enum mm_counter why, enum mm_direction direction);
u64 mm_stats_sum(const struct mm_dev *mm, enum mm_counter which);

extern const struct ethtool_ops mm_ethtool_ops;

#endif
