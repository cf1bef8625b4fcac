// SPDX-License-Identifier: GPL-2.0-only
/* The keys of a control line. */
#include <linux/kernel.h>

#include "core/keys.h"

const struct mm_key mm_keys[MM_KEYS] = {
#define MM_AT(member) offsetof(struct mm_pair, member)
	[MM_KEY_LOCAL_STYLE] = { "local.style", MM_KIND_STYLE, MM_AT(local.style) },
	[MM_KEY_LOCAL_V4] = { "local.v4", MM_KIND_PREFIX4, MM_AT(local.v4),
		MM_AT(local.v4_len), 32 },
	[MM_KEY_LOCAL_V6] = { "local.v6", MM_KIND_PREFIX6, MM_AT(local.v6),
		MM_AT(local.v6_len), 128 },
	[MM_KEY_LOCAL_EA] = { "local.ea-len", MM_KIND_NUMBER8, MM_AT(local.ea_len), 0, 48 },
	[MM_KEY_LOCAL_OFFSET] = { "local.psid-offset", MM_KIND_NUMBER8, MM_AT(local.psid_offset), 0,
				  15 },
	[MM_KEY_REMOTE_STYLE] = { "remote.style", MM_KIND_STYLE, MM_AT(remote.style) },
	[MM_KEY_REMOTE_V4] = { "remote.v4", MM_KIND_PREFIX4, MM_AT(remote.v4),
		MM_AT(remote.v4_len), 32 },
	[MM_KEY_REMOTE_V6] = { "remote.v6", MM_KIND_PREFIX6, MM_AT(remote.v6),
		MM_AT(remote.v6_len), 128 },
	[MM_KEY_REMOTE_EA] = { "remote.ea-len", MM_KIND_NUMBER8, MM_AT(remote.ea_len), 0, 48 },
	[MM_KEY_REMOTE_OFFSET] = { "remote.psid-offset", MM_KIND_NUMBER8,
				   MM_AT(remote.psid_offset), 0, 15 },
	[MM_KEY_CE_V4] = { "ce.v4", MM_KIND_PREFIX4, MM_AT(edge.v4),
		MM_AT(edge.v4_len), 32 },
	[MM_KEY_CE_V6] = { "ce.v6", MM_KIND_ADDRESS6, MM_AT(edge.v6) },
	[MM_KEY_CE_OFFSET] = { "ce.psid-offset", MM_KIND_NUMBER8, MM_AT(edge.psid_offset), 0, 15 },
	[MM_KEY_CE_PSID_LEN] = { "ce.psid-len", MM_KIND_NUMBER8, MM_AT(edge.psid_len), 0, 16 },
	[MM_KEY_CE_PSID] = { "ce.psid", MM_KIND_NUMBER16, MM_AT(edge.psid), 0, 65535 },
	[MM_KEY_DEBUG] = { "debug", MM_KIND_DEBUG, 0, 0, INT_MAX },
	[MM_KEY_LOWEST_MTU] = { "lowest-ipv6-mtu", MM_KIND_MTU, 0, 0, 65535 },
	[MM_KEY_NAT_MODE] = { "nat.mode", MM_KIND_MODE },
	[MM_KEY_NAT_DEVICE] = { "nat.device", MM_KIND_DEVICE },
	[MM_KEY_NAT_FILTER] = { "nat.filter", MM_KIND_FILTER },
	[MM_KEY_NAT_RESERVED] = { "nat.reserved", MM_KIND_PORTS },
	[MM_KEY_TRANSPORT] = { "transport", MM_KIND_TRANSPORT },
	[MM_KEY_HOP_LIMIT] = { "tunnel.hop-limit", MM_KIND_HOP_LIMIT, 0, 0, 255 },
	[MM_KEY_ENCAP_LIMIT] = { "tunnel.encap-limit", MM_KIND_ENCAP_LIMIT, 0, 0, 255 },
	[MM_KEY_CLASS] = { "tunnel.traffic-class", MM_KIND_CLASS, 0, 0, 255 },
};

const char *const mm_styles[MM_STYLES] = {
	[MM_STYLE_NONE] = "NONE",
	[MM_STYLE_MAP] = "MAP",
	[MM_STYLE_MAP0] = "MAP0",
	[MM_STYLE_RFC6052] = "RFC6052",
};
