// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which rule an address belongs to. Remote sides are found by longest match: one look into a hash
 * table for each prefix length that occurs. The number of rules does not matter.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <net/ipv6.h>

#include "core/index.h"
#include "core/lookup.h"
#include "core/side.h"

static bool mm_edge_has4(const struct mm_edge *edge, __be32 v4)
{
	return edge->has_v4 && mm_in_prefix4(edge->v4, edge->v4_len, v4);
}

/*
 * The IPv6 address of one of our IPv4 addresses. -ENOENT: the address is not ours. -EPERM: it is
 * ours, and the port is outside the set. *@domain tells whose remote sides count for the packet.
 * *@edge is NULL where the address alone says what the port set is.
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
			 * RFC 7599 s6: with a prefix, each translated packet embeds its own full
			 * address. A tunnel has one end.
			 */
			if (pair->edge.v4_len < 32 && !pair->local.tunnel)
				memcpy(&v6->s6_addr[mm_address4_octet(&pair->local)], &v4, 4);
			return 0;
		}
		if (mm_in_prefix4(pair->local.v4, pair->local.v4_len, v4) &&
		    (best < 0 || pair->local.v4_len > rules->pair[best].local.v4_len))
			best = rules->local[i];
	}
	if (best < 0)
		return -ENOENT;
	*domain = rules->domain[best];
	return mm_side_to_v6(&rules->pair[best].local, v4, port, v6) ? -EPERM : 0;
}

/*
 * The pair whose remote side has an address and port, or -1; *@v6 is its IPv6 address there. RFC
 * 7599 s8.1: a packet whose port is not in an FMR, or that has no port, belongs to the next shorter
 * prefix, and in the end to the DMR.
 */
static int mm_find_remote(const struct mm_rules *rules, __be32 v4, struct mm_port port, int domain,
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
				return at;
			at = rules->by4.next[at];
		}
	}
	return -1;
}

/* -ENOENT: no rule has this remote address. */
int mm_remote_to_v6(const struct mm_rules *rules, __be32 v4, struct mm_port port, int domain,
		    struct in6_addr *v6)
{
	return mm_find_remote(rules, v4, port, domain, v6) < 0 ? -ENOENT : 0;
}

/* The domain that the rule of a remote address and port belongs to. */
int mm_remote_domain(const struct mm_rules *rules, __be32 v4, struct mm_port port)
{
	struct in6_addr unused;
	int found = mm_find_remote(rules, v4, port, MM_ANY_DOMAIN, &unused);

	return found < 0 ? MM_ANY_DOMAIN : rules->domain[found];
}

/* The IPv4 address of one of our IPv6 addresses, the other way round. -ENOENT: it is not ours. */
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
			int at = mm_address4_octet(&pair->local);

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
 * Whether a port is in the set of @own, one of our IPv6 addresses. Without an @edge the address
 * itself says what its set is (RFC 7597 s6).
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
 * The IPv4 address of a remote IPv6 address. -ENOENT: no rule has the address, so its packets are
 * not MAP traffic. -EPERM: a rule has it, and address and port do not fit each other (RFC 7597
 * s8.1).
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

/* The pair whose tunnel end on our side is this address; NULL: the address is not ours. */
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
		} else if (side->v6_len && mm_in6(side, v6)) {
			if (side->style == MM_STYLE_NONE && side->v6_len == 128)
				return pair;
			if (side->style != MM_STYLE_NONE && !mm_side_to_v4(side, v6, any, &unused))
				return pair;
		}
	}
	return NULL;
}

/*
 * Whether an IPv4 address and port are ours, by the pair that mm_local_end has found. -ENOENT: the
 * address is another. -EPERM: the address is ours, and the port is outside the set.
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
 * Whether a packet from an IPv4 address and port may come from a tunnel end. -ENOENT: no rule has
 * the end. -EPERM: it is the end of another address or port (RFC 7597 s8.1).
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
