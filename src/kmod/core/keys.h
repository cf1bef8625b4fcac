/* SPDX-License-Identifier: GPL-2.0-only */
/* The keys of a control line: one row each, which reading, writing and README.md share. */
#ifndef MAPMINT_KEYS_H
#define MAPMINT_KEYS_H

#include <linux/types.h>

#include "core/rule.h"

enum mm_kind {
	MM_KIND_STYLE,
	MM_KIND_PREFIX4,
	MM_KIND_PREFIX6,
	MM_KIND_ADDRESS6,
	MM_KIND_NUMBER8,
	MM_KIND_NUMBER16,
	MM_KIND_DEBUG,
	MM_KIND_MTU,
	MM_KIND_MODE,
	MM_KIND_DEVICE,
	MM_KIND_FILTER,
	MM_KIND_PORTS,
	MM_KIND_TRANSPORT,
	MM_KIND_HOP_LIMIT,
	MM_KIND_ENCAP_LIMIT,
	MM_KIND_CLASS,
};

enum mm_key_number {
	MM_KEY_LOCAL_STYLE,
	MM_KEY_LOCAL_V4,
	MM_KEY_LOCAL_V6,
	MM_KEY_LOCAL_EA,
	MM_KEY_LOCAL_OFFSET,
	MM_KEY_REMOTE_STYLE,
	MM_KEY_REMOTE_V4,
	MM_KEY_REMOTE_V6,
	MM_KEY_REMOTE_EA,
	MM_KEY_REMOTE_OFFSET,
	MM_KEY_CE_V4,
	MM_KEY_CE_V6,
	MM_KEY_CE_OFFSET,
	MM_KEY_CE_PSID_LEN,
	MM_KEY_CE_PSID,
	/* From here on, keys of the device. */
	MM_KEY_DEBUG,
	MM_KEY_LOWEST_MTU,
	MM_KEY_NAT_MODE,
	MM_KEY_NAT_DEVICE,
	MM_KEY_NAT_FILTER,
	MM_KEY_NAT_RESERVED,
	MM_KEY_TRANSPORT,
	MM_KEY_HOP_LIMIT,
	MM_KEY_ENCAP_LIMIT,
	MM_KEY_CLASS,
	MM_KEYS,
};

#define MM_LOCAL_KEYS (BIT(MM_KEY_LOCAL_OFFSET + 1) - 1)
#define MM_REMOTE_KEYS ((BIT(MM_KEY_REMOTE_OFFSET + 1) - 1) & ~MM_LOCAL_KEYS)
#define MM_CE_KEYS ((BIT(MM_KEY_CE_PSID + 1) - 1) & ~(MM_LOCAL_KEYS | MM_REMOTE_KEYS))
#define MM_PAIR_KEYS (BIT(MM_KEY_DEBUG) - 1)
#define MM_DEVICE_KEYS (BIT(MM_KEYS) - BIT(MM_KEY_LOWEST_MTU))

struct mm_key {
	const char *name;
	enum mm_kind kind;
	/* Where the value is in struct mm_pair, and where the length of a prefix is. */
	unsigned int at;
	unsigned int length;
	/* The largest number, or prefix length. */
	u32 most;
};

extern const struct mm_key mm_keys[MM_KEYS];

/* The words for enum mm_style. */
#define MM_STYLES (MM_STYLE_RFC6052 + 1)
extern const char *const mm_styles[MM_STYLES];

#endif
