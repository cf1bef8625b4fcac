/* SPDX-License-Identifier: GPL-2.0-only */
/* The rules of a device as values: what the control file says, and nothing that is derived. */
#ifndef MAPMINT_RULE_H
#define MAPMINT_RULE_H

#include <linux/in6.h>
#include <linux/types.h>

/* The most rule pairs that one device may have. */
#define MM_MAX_PAIRS 4096

/* How an IPv6 address is made of an IPv4 address. */
enum mm_style {
	/* One fixed address for one address. */
	MM_STYLE_NONE,
	/* RFC 7597's interface identifier. */
	MM_STYLE_MAP,
	/* That of the drafts before it. */
	MM_STYLE_MAP0,
	/* The IPv4 address is embedded. */
	MM_STYLE_RFC6052,
};

/* One side of a rule pair: how addresses of one family map to the other's. */
struct mm_side {
	struct in6_addr v6;
	__be32 v4;
	u8 v6_len;
	u8 v4_len;
	u8 ea_len;
	u8 psid_offset;
	u8 style;
	/* mm_rules_index sets it: the addresses are those of tunnel ends, not of hosts. */
	bool tunnel;
};

/* The CE's own address and port set, where a rule does not give them. */
struct mm_edge {
	struct in6_addr v6;
	__be32 v4;
	u16 psid;
	u8 v4_len;
	u8 psid_offset;
	u8 psid_len;
	bool has_v4;
	bool has_v6;
};

struct mm_pair {
	struct mm_side local;
	struct mm_side remote;
	struct mm_edge edge;
	/* Which sides were written: reading the control file gives what was written. */
	bool has_local;
	bool has_remote;
};

static inline __be32 mm_mask4(u8 length)
{
	return length ? htonl(~0U << (32 - length)) : 0;
}

/* Whether an IPv4 address is in a prefix of @length bits. */
static inline bool mm_in_prefix4(__be32 prefix, u8 length, __be32 v4)
{
	return !((prefix ^ v4) & mm_mask4(length));
}

#endif
