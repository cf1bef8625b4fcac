// SPDX-License-Identifier: GPL-2.0-only
/* What the counters are called, for ethtool -S, /proc/net/mapmint and the log. */
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
