// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which rule an address belongs to. Remote sides are found by longest match: one look into a hash
 * table for each prefix length that occurs, however many rules there are.
 */
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <net/ipv6.h>

#include "mapmint.h"

/* Spreads keys over all bits (Knuth's multiplicative hash). */
#define MM_GOLDEN 0x9e3779b1U

#define MM_END 0xffff

static bool mm_edge_has4(const struct mm_edge *edge, __be32 v4)
{
	return edge->has_v4 && !((edge->v4 ^ v4) & mm_mask4(edge->v4_len));
}

static int mm_buckets(int room)
{
	return roundup_pow_of_two(max(room, 1));
}

/* Octets of a rule set for @room pairs, its indexes included. */
size_t mm_rules_size(int room)
{
	return struct_size((struct mm_rules *)NULL, pair, room) +
	       (room * 4 + mm_buckets(room) * 2) * sizeof(u16);
}

/* @rules: zeroed memory of that size. */
void mm_rules_init(struct mm_rules *rules, int room)
{
	u16 *words = (u16 *)&rules->pair[room];
	int buckets = mm_buckets(room);

	rules->room = room;
	rules->tunnel.hop_limit = MM_HOP_LIMIT;
	rules->local = words;
	rules->domain = (s16 *)(words + room);
	rules->by4.next = words + 2 * room;
	rules->by6.next = words + 3 * room;
	rules->by4.bucket = words + 4 * room;
	rules->by6.bucket = words + 4 * room + buckets;
	rules->by4.mask = buckets - 1;
	rules->by6.mask = buckets - 1;
}

static u16 *mm_bucket4(const struct mm_rules *rules, __be32 v4, u8 length)
{
	u32 hash = (ntohl(v4) + length) * MM_GOLDEN;

	return &rules->by4.bucket[hash >> 16 & rules->by4.mask];
}

static u16 *mm_bucket6(const struct mm_rules *rules, const struct in6_addr *v6, u8 length)
{
	u32 hash = length;
	int i;

	for (i = 0; i < 4; i++)
		hash = (hash ^ ntohl(v6->s6_addr32[i])) * MM_GOLDEN;
	return &rules->by6.bucket[hash >> 16 & rules->by6.mask];
}

static void mm_index_lengths(const struct mm_rules *rules, struct mm_index *index, bool v6)
{
	bool there[129] = {};
	int i;

	for (i = 0; i < rules->count; i++)
		if (rules->pair[i].has_remote)
			there[v6 ? rules->pair[i].remote.v6_len : rules->pair[i].remote.v4_len] =
				true;
	index->lengths = 0;
	for (i = 128; i >= 0; i--)
		if (there[i])
			index->length[index->lengths++] = i;
}

static void mm_index_remotes(struct mm_rules *rules)
{
	u16 *bucket;
	int i;

	mm_index_lengths(rules, &rules->by4, false);
	mm_index_lengths(rules, &rules->by6, true);
	for (i = 0; i <= rules->by4.mask; i++) {
		rules->by4.bucket[i] = MM_END;
		rules->by6.bucket[i] = MM_END;
	}
	/* Of equal ones the first counts, so it is put in front last. */
	for (i = rules->count - 1; i >= 0; i--) {
		const struct mm_side *side = &rules->pair[i].remote;

		if (!rules->pair[i].has_remote)
			continue;
		bucket = mm_bucket4(rules, side->v4, side->v4_len);
		rules->by4.next[i] = *bucket;
		*bucket = i;
		bucket = mm_bucket6(rules, &side->v6, side->v6_len);
		rules->by6.next[i] = *bucket;
		*bucket = i;
	}
}

/* The next pair, from @at on, whose remote prefix is this one; MM_END behind the last. */
static u16 mm_next4(const struct mm_rules *rules, u16 at, __be32 v4, u8 length)
{
	while (at != MM_END && (rules->pair[at].remote.v4_len != length ||
				rules->pair[at].remote.v4 != v4))
		at = rules->by4.next[at];
	return at;
}

static u16 mm_next6(const struct mm_rules *rules, u16 at, const struct in6_addr *v6, u8 length)
{
	while (at != MM_END && (rules->pair[at].remote.v6_len != length ||
				!ipv6_addr_equal(&rules->pair[at].remote.v6, v6)))
		at = rules->by6.next[at];
	return at;
}

static bool mm_same_local(const struct mm_side *a, const struct mm_side *b)
{
	return a->style == b->style && a->v4 == b->v4 && a->v4_len == b->v4_len &&
	       a->v6_len == b->v6_len && ipv6_addr_equal(&a->v6, &b->v6) &&
	       a->ea_len == b->ea_len && a->psid_offset == b->psid_offset;
}

/* To be called once, when all pairs are there and before they are looked up. */
void mm_rules_index(struct mm_rules *rules)
{
	int i, j, next = MM_ANY_DOMAIN;

	rules->locals = 0;
	for (i = 0; i < rules->count; i++) {
		rules->pair[i].local.tunnel = rules->tunnel.on;
		rules->pair[i].remote.tunnel = rules->tunnel.on;
		if (rules->pair[i].has_local)
			rules->local[rules->locals++] = i;
	}
	/* A pair with a remote side alone is of the domain that the next complete pair has. */
	for (i = rules->count - 1; i >= 0; i--) {
		if (rules->pair[i].has_local) {
			for (j = 0; rules->local[j] != i; j++)
				if (mm_same_local(&rules->pair[rules->local[j]].local,
						  &rules->pair[i].local))
					break;
			next = rules->local[j];
		}
		rules->domain[i] = next;
	}
	mm_index_remotes(rules);
}

static bool mm_of_domain(const struct mm_rules *rules, int pair, int domain)
{
	return domain == MM_ANY_DOMAIN || rules->domain[pair] == MM_ANY_DOMAIN ||
	       rules->domain[pair] == domain;
}

/*
 * -ENOENT: not our address. -EPERM: our address, and a port outside the set. @domain is what tells
 * apart the remote sides of several domains; @edge is set where the port set is known.
 */
int mm_local_to_v6(const struct mm_rules *rules, __be32 v4, struct mm_port port,
		   struct in6_addr *v6, const struct mm_edge **edge, int *domain)
{
	int i, best = -1;

	*edge = NULL;
	*domain = MM_ANY_DOMAIN;
	for (i = 0; i < rules->locals; i++) {
		const struct mm_pair *pair = &rules->pair[rules->local[i]];

		if (pair->edge.has_v4) {
			if (!mm_edge_has4(&pair->edge, v4))
				continue;
			*edge = &pair->edge;
			*domain = rules->domain[rules->local[i]];
			if (!mm_in_set(&pair->edge, port))
				return -EPERM;
			*v6 = pair->edge.v6;
			/*
			 * An IPv4-prefix CE: every translated packet embeds its own full address
			 * (RFC 7599 s6); a tunnel has one end.
			 */
			if (pair->edge.v4_len < 32 && !pair->local.tunnel)
				mm_put_bits(v6, pair->local.style == MM_STYLE_MAP0 ? 72 : 80, 32,
					    ntohl(v4));
			return 0;
		}
		if (mm_in4(&pair->local, v4) &&
		    (best < 0 || pair->local.v4_len > rules->pair[best].local.v4_len))
			best = rules->local[i];
	}
	if (best < 0)
		return -ENOENT;
	*domain = rules->domain[best];
	return mm_side_to_v6(&rules->pair[best].local, v4, port, v6) ? -EPERM : 0;
}

/*
 * RFC 7599 s8.1: an FMR is chosen by address and port; a packet whose port it leaves out, or that
 * has none, goes to the next shorter prefix, in the end the DMR.
 */
int mm_remote_to_v6(const struct mm_rules *rules, __be32 v4, struct mm_port port, int domain,
		    struct in6_addr *v6)
{
	int i;

	for (i = 0; i < rules->by4.lengths; i++) {
		u8 length = rules->by4.length[i];
		__be32 prefix = v4 & mm_mask4(length);
		u16 at = *mm_bucket4(rules, prefix, length);

		while ((at = mm_next4(rules, at, prefix, length)) != MM_END) {
			if (mm_of_domain(rules, at, domain) &&
			    !mm_side_to_v6(&rules->pair[at].remote, v4, port, v6))
				return 0;
			at = rules->by4.next[at];
		}
	}
	return -ENOENT;
}

/* The domain that the rule of a remote address and port belongs to. */
int mm_remote_domain(const struct mm_rules *rules, __be32 v4, struct mm_port port)
{
	struct in6_addr v6;
	int i;

	for (i = 0; i < rules->by4.lengths; i++) {
		u8 length = rules->by4.length[i];
		__be32 prefix = v4 & mm_mask4(length);
		u16 at = *mm_bucket4(rules, prefix, length);

		while ((at = mm_next4(rules, at, prefix, length)) != MM_END) {
			if (!mm_side_to_v6(&rules->pair[at].remote, v4, port, &v6))
				return rules->domain[at];
			at = rules->by4.next[at];
		}
	}
	return MM_ANY_DOMAIN;
}

/* The IPv4 address of one of our own IPv6 addresses; @edge is set where the port set is known. */
int mm_local_to_v4(const struct mm_rules *rules, const struct in6_addr *v6, __be32 *v4,
		   const struct mm_edge **edge, int *domain)
{
	const struct mm_port any = { .any = true };
	int i;

	*edge = NULL;
	for (i = 0; i < rules->locals; i++) {
		const struct mm_pair *pair = &rules->pair[rules->local[i]];

		*domain = rules->domain[rules->local[i]];
		if (pair->edge.has_v6) {
			struct in6_addr own = pair->edge.v6;
			int at = pair->local.style == MM_STYLE_MAP0 ? 9 : 10;

			if (pair->edge.v4_len < 32)
				memcpy(&own.s6_addr[at], &v6->s6_addr[at], 4);
			if (!ipv6_addr_equal(&own, v6))
				continue;
			*v4 = pair->edge.v4;
			if (pair->edge.v4_len < 32) {
				memcpy(v4, &v6->s6_addr[at], 4);
				if (!mm_edge_has4(&pair->edge, *v4))
					continue;
			}
			*edge = &pair->edge;
			return 0;
		}
		if (mm_in6(&pair->local, v6) && !mm_side_to_v4(&pair->local, v6, any, v4))
			return 0;
	}
	return -ENOENT;
}

/*
 * Whether a port is of the set of one of our own addresses. Without an @edge the address itself
 * says what its set is (RFC 7597 s6).
 */
bool mm_takes(const struct mm_rules *rules, const struct mm_edge *edge, const struct in6_addr *own,
	      struct mm_port port)
{
	__be32 v4;
	int i;

	if (edge)
		return mm_in_set(edge, port);
	for (i = 0; i < rules->locals; i++) {
		const struct mm_pair *pair = &rules->pair[rules->local[i]];

		if (!pair->edge.has_v6 && mm_in6(&pair->local, own) &&
		    !mm_side_to_v4(&pair->local, own, port, &v4))
			return true;
	}
	return false;
}

/*
 * -ENOENT: no MAP traffic. -EPERM: an FMR's source that does not match its address and port (RFC
 * 7597 s8.1).
 */
int mm_remote_to_v4(const struct mm_rules *rules, const struct in6_addr *v6,
		    struct mm_port port, int domain, __be32 *v4)
{
	int i;

	for (i = 0; i < rules->by6.lengths; i++) {
		u8 length = rules->by6.length[i];
		struct in6_addr prefix;
		u16 at;

		ipv6_addr_prefix(&prefix, v6, length);
		at = *mm_bucket6(rules, &prefix, length);
		while ((at = mm_next6(rules, at, &prefix, length)) != MM_END) {
			if (mm_of_domain(rules, at, domain))
				return mm_side_to_v4(&rules->pair[at].remote, v6, port, v4);
			at = rules->by6.next[at];
		}
	}
	return -ENOENT;
}

/* The pair whose tunnel end on our side is this address, or NULL: it is none of ours. */
const struct mm_pair *mm_local_end(const struct mm_rules *rules, const struct in6_addr *v6,
				   int *domain)
{
	const struct mm_port any = { .any = true };
	__be32 unused;
	int i;

	for (i = 0; i < rules->locals; i++) {
		const struct mm_pair *pair = &rules->pair[rules->local[i]];
		const struct mm_side *side = &pair->local;

		*domain = rules->domain[rules->local[i]];
		if (pair->edge.has_v6) {
			if (ipv6_addr_equal(&pair->edge.v6, v6))
				return pair;
		} else if (side->v6_len && mm_in6(side, v6) &&
			   (side->style == MM_STYLE_NONE ? side->v6_len == 128 :
							   !mm_side_to_v4(side, v6, any, &unused))) {
			return pair;
		}
	}
	return NULL;
}

/*
 * Whether an IPv4 address and port are ours, by a tunnel end that mm_local_end has found. -ENOENT:
 * another address. -EPERM: ours, and a port outside the set.
 */
int mm_check_local_end(const struct mm_pair *pair, const struct in6_addr *v6, __be32 v4,
		       struct mm_port port)
{
	if (!pair->edge.has_v6)
		return mm_check_end(&pair->local, v6, v4, port);
	if (!mm_edge_has4(&pair->edge, v4))
		return -ENOENT;
	return port.any || mm_in_set(&pair->edge, port) ? 0 : -EPERM;
}

/*
 * Whether a packet from an IPv4 address and port may come from this tunnel end. -ENOENT: no rule
 * knows the end. -EPERM: it is the end of another address or port (RFC 7597 s8.1).
 */
int mm_check_remote_end(const struct mm_rules *rules, const struct in6_addr *v6, __be32 v4,
			struct mm_port port, int domain)
{
	int i;

	for (i = 0; i < rules->by6.lengths; i++) {
		u8 length = rules->by6.length[i];
		struct in6_addr prefix;
		bool found = false;
		u16 at;

		ipv6_addr_prefix(&prefix, v6, length);
		at = *mm_bucket6(rules, &prefix, length);
		while ((at = mm_next6(rules, at, &prefix, length)) != MM_END) {
			if (mm_of_domain(rules, at, domain)) {
				if (!mm_check_end(&rules->pair[at].remote, v6, v4, port))
					return 0;
				found = true;
			}
			at = rules->by6.next[at];
		}
		if (found)
			return -EPERM;
	}
	return -ENOENT;
}
