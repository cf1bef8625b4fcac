// SPDX-License-Identifier: GPL-2.0-only
/* Named counters, for ethtool -S and /proc/net/mapmint. */
#include <linux/ethtool.h>
#include <linux/net.h>

#include "net/stats.h"

/* Counts a packet that is dropped. With debug on, the log says why it is. */
void mm_count_drop(struct mm_dev *mm, enum mm_counter why, enum mm_direction direction)
{
	const struct mm_rules *rules;

	mm_count(mm, why);
	if (direction == MM_OUT)
		DEV_STATS_INC(mm->dev, tx_dropped);
	else
		DEV_STATS_INC(mm->dev, rx_dropped);
	rcu_read_lock();
	rules = rcu_dereference(mm->rules);
	if (rules && rules->debug)
		net_info_ratelimited("mapmint: %s: %s: %s\n", mm->dev->name,
				     direction == MM_OUT ? "out" : "in", mm_counter_names[why]);
	rcu_read_unlock();
}

u64 mm_stats_sum(const struct mm_dev *mm, enum mm_counter which)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct mm_stats *stats = per_cpu_ptr(mm->stats, cpu);
		unsigned int start;
		u64 value;

		do {
			start = u64_stats_fetch_begin(&stats->syncp);
			value = u64_stats_read(&stats->count[which]);
		} while (u64_stats_fetch_retry(&stats->syncp, start));
		sum += value;
	}
	return sum;
}

static int mm_get_sset_count(struct net_device *dev, int sset)
{
	return sset == ETH_SS_STATS ? MM_COUNTERS : -EOPNOTSUPP;
}

static void mm_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	int i;

	if (sset != ETH_SS_STATS)
		return;
	for (i = 0; i < MM_COUNTERS; i++)
		snprintf(data + i * ETH_GSTRING_LEN, ETH_GSTRING_LEN, "%s", mm_counter_names[i]);
}

static void mm_get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	const struct mm_dev *mm = netdev_priv(dev);
	int i;

	for (i = 0; i < MM_COUNTERS; i++)
		data[i] = mm_stats_sum(mm, i);
}

const struct ethtool_ops mm_ethtool_ops = {
	.get_sset_count = mm_get_sset_count,
	.get_strings = mm_get_strings,
	.get_ethtool_stats = mm_get_ethtool_stats,
};
