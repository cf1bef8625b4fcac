// SPDX-License-Identifier: GPL-2.0-only
/* Named counters, for ethtool -S and /proc/net/mapmint. */
#include <linux/ethtool.h>

#include "mapmint.h"

const char *const mm_counter_names[MM_COUNTERS] = {
	[MM_4TO6] = "translated_4to6",
	[MM_6TO4] = "translated_6to4",
	[MM_DROP_HEADER] = "drop_bad_header",
	[MM_DROP_SOURCE4] = "drop_source_not_ours",
	[MM_DROP_DEST4] = "drop_destination_without_rule",
	[MM_DROP_PORT_OUT] = "drop_port_outside_set_out",
	[MM_DROP_PORT_IN] = "drop_port_outside_set_in",
	[MM_DROP_PROTOCOL] = "drop_protocol_without_ports",
	[MM_DROP_ICMP_TYPE] = "drop_icmp_type",
	[MM_DROP_ICMP_INNER] = "drop_icmp_error_about_others",
	[MM_DROP_FRAGMENT] = "drop_fragment",
	[MM_DROP_SOURCE_ROUTE] = "drop_source_route",
	[MM_DROP_SPOOFED6] = "drop_source_does_not_match_rule",
	[MM_DROP_EXTENSION] = "drop_extension_header",
	[MM_DROP_NO_ROUTE] = "drop_no_route",
	[MM_DROP_LOOP] = "drop_route_leads_back",
	[MM_DROP_TOO_BIG] = "drop_too_big",
	[MM_DROP_MEMORY] = "drop_no_memory",
};

u64 mm_stats_sum(const struct mm_dev *mm, enum mm_counter which)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(mm->stats, cpu)->count[which];
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
