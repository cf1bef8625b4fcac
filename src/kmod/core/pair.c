// SPDX-License-Identifier: GPL-2.0-only
/* Rule pairs and control lines: what a line changes of a pair, and the line that makes a pair. */
#include <linux/in6.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "core/keys.h"
#include "core/lookup.h"
#include "core/pair.h"
#include "core/side.h"

/* The size of a value in struct mm_pair, in octets. */
static int mm_size(const struct mm_key *key)
{
	switch (key->kind) {
	case MM_KIND_PREFIX4:
		return sizeof(__be32);
	case MM_KIND_PREFIX6:
	case MM_KIND_ADDRESS6:
		return sizeof(struct in6_addr);
	case MM_KIND_NUMBER16:
		return sizeof(u16);
	default:
		return sizeof(u8);
	}
}

/* Puts the values that a line gives into a pair. The other values stay. */
void mm_merge(struct mm_pair *pair, const struct mm_line *line)
{
	int i;

	for (i = 0; i < MM_KEY_DEBUG; i++) {
		const struct mm_key *key = &mm_keys[i];

		if (!(line->keys & BIT(i)))
			continue;
		memcpy((char *)pair + key->at, (char *)&line->pair + key->at, mm_size(key));
		if (key->length)
			*((u8 *)pair + key->length) = *((u8 *)&line->pair + key->length);
	}
	pair->has_local |= !!(line->keys & MM_LOCAL_KEYS);
	pair->has_remote |= !!(line->keys & MM_REMOTE_KEYS);
	pair->edge.has_v4 |= !!(line->keys & BIT(MM_KEY_CE_V4));
	pair->edge.has_v6 |= !!(line->keys & BIT(MM_KEY_CE_V6));
}

/* Whether a pair has all values that a line gives. */
bool mm_matches(const struct mm_pair *pair, const struct mm_line *line)
{
	int i;

	if ((line->keys & MM_LOCAL_KEYS && !pair->has_local) ||
	    (line->keys & MM_REMOTE_KEYS && !pair->has_remote) ||
	    (line->keys & MM_CE_KEYS && !pair->edge.has_v4))
		return false;
	for (i = 0; i < MM_KEY_DEBUG; i++) {
		const struct mm_key *key = &mm_keys[i];

		if (!(line->keys & BIT(i)))
			continue;
		if (memcmp((char *)pair + key->at, (char *)&line->pair + key->at, mm_size(key)))
			return false;
		if (key->length &&
		    *((u8 *)pair + key->length) != *((u8 *)&line->pair + key->length))
			return false;
	}
	return true;
}

/* The values of a pair must fit one another; if they do not, *@why is the key at fault. */
bool mm_valid_pair(const struct mm_pair *pair, const char **why)
{
	const struct mm_edge *edge = &pair->edge;

	if (!mm_valid_side(&pair->local, why) || !mm_valid_side(&pair->remote, why))
		return false;
	/*
	 * An address and its ports alone will do for a NAT whose flows leave by another device.
	 * mm_nat_valid checks that.
	 */
	if (edge->has_v6 && !edge->has_v4) {
		*why = "ce.v4";
		return false;
	}
	if (edge->has_v4 && pair->has_local && !edge->has_v6) {
		*why = "ce.v6";
		return false;
	}
	if (edge->has_v6 && !pair->has_local) {
		*why = "local.style";
		return false;
	}
	if (edge->psid_offset + edge->psid_len > 16) {
		*why = "ce.psid-offset";
		return false;
	}
	/* RFC 7597 s5.2: a CE with an IPv4 prefix has all ports. */
	if (edge->psid >> edge->psid_len || (edge->psid_len && edge->v4_len < 32)) {
		*why = "ce.psid-len";
		return false;
	}
	return true;
}

/* A tunnel has ends. A prefix for embedded addresses is not one. */
static bool mm_valid_end(const struct mm_side *side)
{
	return side->style == MM_STYLE_MAP || side->style == MM_STYLE_MAP0 ||
	       (side->style == MM_STYLE_NONE && side->v6_len == 128);
}

/* All pairs of a device must fit its transport; if they do not, *@why is the key at fault. */
bool mm_valid_transport(const struct mm_rules *rules, const char **why)
{
	int i;

	for (i = 0; rules->tunnel.on && i < rules->count; i++) {
		const struct mm_pair *pair = &rules->pair[i];

		if (pair->has_local && !pair->edge.has_v6 && !mm_valid_end(&pair->local)) {
			*why = "local.style";
			return false;
		}
		if (pair->has_remote && !mm_valid_end(&pair->remote)) {
			*why = "remote.style";
			return false;
		}
	}
	return true;
}

/* Writes the keys of a pair, each with a space before it. The number of octets. */
int mm_print_pair(const struct mm_pair *pair, char *to, int size)
{
	int i, at = 0;

	for (i = 0; i < MM_KEY_DEBUG; i++) {
		const struct mm_key *key = &mm_keys[i];
		const void *from = (const char *)pair + key->at;
		u8 length = *((const u8 *)pair + key->length);

		if ((BIT(i) & MM_LOCAL_KEYS && !pair->has_local) ||
		    (BIT(i) & MM_REMOTE_KEYS && !pair->has_remote) ||
		    (BIT(i) & MM_CE_KEYS && !pair->edge.has_v4) ||
		    (i == MM_KEY_CE_V6 && !pair->edge.has_v6))
			continue;
		at += scnprintf(to + at, size - at, " %s ", key->name);
		switch (key->kind) {
		case MM_KIND_STYLE:
			at += scnprintf(to + at, size - at, "%s", mm_styles[*(const u8 *)from]);
			break;
		case MM_KIND_PREFIX4:
			at += scnprintf(to + at, size - at, "%pI4/%u", from, length);
			break;
		case MM_KIND_PREFIX6:
			at += scnprintf(to + at, size - at, "%pI6c/%u", from, length);
			break;
		case MM_KIND_ADDRESS6:
			at += scnprintf(to + at, size - at, "%pI6c", from);
			break;
		case MM_KIND_NUMBER8:
			at += scnprintf(to + at, size - at, "%u", *(const u8 *)from);
			break;
		case MM_KIND_NUMBER16:
			at += scnprintf(to + at, size - at, "%u", *(const u16 *)from);
			break;
		default:
			break;
		}
	}
	return at;
}
