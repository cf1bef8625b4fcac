// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules: which IPv6 address an IPv4 address and port has, and the other way round (RFC 7597 s5, s6;
 * RFC 6052 s2.2).
 */
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/sort.h>
#include <net/ipv6.h>

#include "mapmint.h"

/*
 * RFC 6052 s2.2: the octets of the address that hold the IPv4 address, by prefix length; octet 8 is
 * zero.
 */
static const struct {
	u8 length;
	u8 octet[4];
} mm_rfc6052[] = {
	{ 32, { 4, 5, 6, 7 } },	   { 40, { 5, 6, 7, 9 } },    { 48, { 6, 7, 9, 10 } },
	{ 56, { 7, 9, 10, 11 } },  { 64, { 9, 10, 11, 12 } }, { 96, { 12, 13, 14, 15 } },
};

static const u8 *mm_rfc6052_octets(u8 length)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mm_rfc6052); i++)
		if (mm_rfc6052[i].length == length)
			return mm_rfc6052[i].octet;
	return NULL;
}

static bool mm_in4(const struct mm_side *side, __be32 v4)
{
	return !((side->v4 ^ v4) & mm_mask4(side->v4_len));
}

static bool mm_in6(const struct mm_side *side, const struct in6_addr *v6)
{
	return ipv6_prefix_equal(&side->v6, v6, side->v6_len);
}

bool mm_valid_side(const struct mm_side *side, const char **why)
{
	int psid_len = (int)side->ea_len - (32 - side->v4_len);

	if (side->style == MM_STYLE_RFC6052 && !mm_rfc6052_octets(side->v6_len)) {
		*why = "v6";
		return false;
	}
	if (side->style != MM_STYLE_MAP && side->style != MM_STYLE_MAP0)
		return true;
	if (side->v6_len + side->ea_len > 128) {
		*why = "ea-len";
		return false;
	}
	/* RFC 7597 s5.1: a + k <= 16. */
	if (psid_len > 0 && side->psid_offset + psid_len > 16) {
		*why = "psid-offset";
		return false;
	}
	return true;
}

/* In one 64-bit word: the low @count bits of @value at bit @start, bit 0 being the highest. */
static u64 mm_put_word(u64 word, int start, int count, u64 value)
{
	u64 mask = count == 64 ? ~0ULL : ((1ULL << count) - 1) << (64 - start - count);

	return (word & ~mask) | (value << (64 - start - count) & mask);
}

static u64 mm_get_word(u64 word, int start, int count)
{
	return word << start >> (64 - count);
}

static u64 mm_load(const struct in6_addr *v6, int half)
{
	__be64 word;

	memcpy(&word, &v6->s6_addr[8 * half], sizeof(word));
	return be64_to_cpu(word);
}

static void mm_store(struct in6_addr *v6, int half, u64 value)
{
	__be64 word = cpu_to_be64(value);

	memcpy(&v6->s6_addr[8 * half], &word, sizeof(word));
}

/* Writes the low @count bits of @value at bit @start, bit 0 being the highest of the address. */
static void mm_put_bits(struct in6_addr *v6, int start, int count, u64 value)
{
	int first = clamp(64 - start, 0, count);

	if (first)
		mm_store(v6, 0, mm_put_word(mm_load(v6, 0), start, first,
					    value >> (count - first)));
	if (count > first)
		mm_store(v6, 1, mm_put_word(mm_load(v6, 1), max(start - 64, 0), count - first,
					    value));
}

/* The @count bits at bit @start, as a number. */
static u64 mm_get_bits(const struct in6_addr *v6, int start, int count)
{
	int first = clamp(64 - start, 0, count);
	u64 value = 0;

	if (first)
		value = mm_get_word(mm_load(v6, 0), start, first);
	if (count > first)
		value = (first ? value << (count - first) : 0) |
			mm_get_word(mm_load(v6, 1), max(start - 64, 0), count - first);
	return value;
}

static int mm_psid_len(const struct mm_side *side)
{
	return max(0, (int)side->ea_len - (32 - side->v4_len));
}

/* RFC 7597 App. B: the PSID of a port; -1 where the port belongs to nobody (A = 0). */
static int mm_psid_of(u8 offset, u8 length, u16 port)
{
	if (offset && !(port >> (16 - offset)))
		return -1;
	return (port >> (16 - offset - length)) & ((1U << length) - 1);
}

/* The MAP address of an IPv4 address and PSID under a rule (RFC 7597 s5.2, s6). */
static void mm_build(const struct mm_side *side, __be32 v4, u16 psid, struct in6_addr *v6)
{
	int suffix_len = min_t(int, side->ea_len, 32 - side->v4_len);
	int shift = 32 - side->v4_len - suffix_len;
	int at = side->style == MM_STYLE_MAP0 ? 72 : 80;
	int end = side->v6_len + side->ea_len;
	struct in6_addr id = {};
	u64 suffix;

	suffix = ((u64)ntohl(v4) & ((1ULL << (32 - side->v4_len)) - 1)) >> shift;
	mm_put_bits(&id, at, 32, ntohl(v4));
	mm_put_bits(&id, at + 32, 16, psid);
	ipv6_addr_prefix(v6, &side->v6, side->v6_len);
	mm_put_bits(v6, side->v6_len, suffix_len, suffix);
	mm_put_bits(v6, side->v6_len + suffix_len, mm_psid_len(side), psid);
	/* s6: a prefix longer than 64 overwrites the top of the interface identifier. */
	end = max(end, 64);
	if (end < 128)
		mm_put_bits(v6, end, 128 - end, mm_get_bits(&id, end, 128 - end));
}

static int mm_side_to_v6(const struct mm_side *side, __be32 v4, struct mm_port port,
			 struct in6_addr *v6)
{
	int psid_len, psid = 0;
	const u8 *octet;
	int i;

	switch (side->style) {
	case MM_STYLE_RFC6052:
		octet = mm_rfc6052_octets(side->v6_len);
		if (!octet)
			return -EINVAL;
		ipv6_addr_prefix(v6, &side->v6, side->v6_len);
		for (i = 0; i < 4; i++)
			v6->s6_addr[octet[i]] = ntohl(v4) >> (24 - 8 * i);
		return 0;
	case MM_STYLE_MAP:
	case MM_STYLE_MAP0:
		psid_len = mm_psid_len(side);
		if (psid_len) {
			if (!port.known)
				return -ENOENT;
			psid = mm_psid_of(side->psid_offset, psid_len, port.port);
			if (psid < 0)
				return -ENOENT;
		}
		mm_build(side, v4, psid, v6);
		return 0;
	case MM_STYLE_NONE:
		/* One address for one address. */
		if (side->v4_len != 32 || side->v6_len != 128)
			return -ENOENT;
		*v6 = side->v6;
		return 0;
	default:
		return -ENOENT;
	}
}

static int mm_side_to_v4(const struct mm_side *side, const struct in6_addr *v6,
			 struct mm_port port, __be32 *v4)
{
	struct in6_addr expected;
	const u8 *octet;
	u32 address = 0;
	int psid_len, psid, suffix_len, rest, i;

	switch (side->style) {
	case MM_STYLE_RFC6052:
		octet = mm_rfc6052_octets(side->v6_len);
		if (!octet)
			return -EINVAL;
		for (i = 0; i < 4; i++)
			address = address << 8 | v6->s6_addr[octet[i]];
		*v4 = htonl(address);
		return 0;
	case MM_STYLE_MAP:
	case MM_STYLE_MAP0:
		/*
		 * What the prefix says comes from there: one longer than 64 bits lies over the
		 * interface identifier (RFC 7597 s6).
		 */
		psid_len = mm_psid_len(side);
		suffix_len = min_t(int, side->ea_len, 32 - side->v4_len);
		i = side->style == MM_STYLE_MAP0 ? 72 : 80;
		rest = 32 - side->v4_len - suffix_len;
		address = mm_get_bits(v6, i, 32) & ((1ULL << rest) - 1);
		address |= mm_get_bits(v6, side->v6_len, suffix_len) << rest;
		address |= ntohl(side->v4 & mm_mask4(side->v4_len));
		psid = psid_len ? mm_get_bits(v6, side->v6_len + suffix_len, psid_len) :
				  mm_get_bits(v6, i + 32, 16);
		*v4 = htonl(address);
		mm_build(side, *v4, psid, &expected);
		/* Subnet bits between the EA bits and the interface identifier are the CE's own. */
		if (!ipv6_prefix_equal(&expected, v6, side->v6_len + side->ea_len) ||
		    memcmp(&expected.s6_addr[8], &v6->s6_addr[8], 8))
			return -EPERM;
		/*
		 * RFC 7597 s8.1: the port must be one of the set that the address names; a shared
		 * address has nothing without a port.
		 */
		if (psid_len && !port.any &&
		    (!port.known || mm_psid_of(side->psid_offset, psid_len, port.port) != psid))
			return -EPERM;
		return 0;
	case MM_STYLE_NONE:
		if (side->v4_len != 32 || side->v6_len != 128)
			return -ENOENT;
		*v4 = side->v4;
		return 0;
	default:
		return -ENOENT;
	}
}

bool mm_in_set(const struct mm_edge *edge, struct mm_port port)
{
	if (!edge->psid_len)
		return true;
	return port.known && port.port &&
	       mm_psid_of(edge->psid_offset, edge->psid_len, port.port) == edge->psid;
}

/* How many ports a set has, port 0 among them where it is of the set. */
u32 mm_port_count(const struct mm_edge *edge)
{
	u32 ranges = edge->psid_offset ? (1U << edge->psid_offset) - 1 : 1;

	return ranges << (16 - edge->psid_offset - edge->psid_len);
}

/* The @number-th port of a set, for any number: they begin anew behind the last. */
u16 mm_nth_port(const struct mm_edge *edge, u32 number)
{
	int bits = 16 - edge->psid_offset - edge->psid_len;
	u32 place = number % mm_port_count(edge);
	u32 range = edge->psid_offset ? (place >> bits) + 1 : 0;

	return (range << edge->psid_len | edge->psid) << bits | (place & ((1U << bits) - 1));
}

static bool mm_edge_has4(const struct mm_edge *edge, __be32 v4)
{
	return edge->has_v4 && !((edge->v4 ^ v4) & mm_mask4(edge->v4_len));
}

/* Octets of a rule set for @room pairs, its indexes included. */
size_t mm_rules_size(int room)
{
	return struct_size((struct mm_rules *)NULL, pair, room) + room * 4 * sizeof(u16);
}

/* @rules: zeroed memory of that size. */
void mm_rules_init(struct mm_rules *rules, int room)
{
	u16 *words = (u16 *)&rules->pair[room];

	rules->room = room;
	rules->local = words;
	rules->domain = (s16 *)(words + room);
	rules->by4.pair = words + 2 * room;
	rules->by6.pair = words + 3 * room;
}

static int mm_compare4(const void *a, const void *b, const void *rules)
{
	const struct mm_side *x = &((const struct mm_rules *)rules)->pair[*(const u16 *)a].remote;
	const struct mm_side *y = &((const struct mm_rules *)rules)->pair[*(const u16 *)b].remote;

	if (x->v4_len != y->v4_len)
		return y->v4_len - x->v4_len;
	if (x->v4 != y->v4)
		return ntohl(x->v4) < ntohl(y->v4) ? -1 : 1;
	/* Of equal ones the first counts. */
	return *(const u16 *)a - *(const u16 *)b;
}

static int mm_compare6(const void *a, const void *b, const void *rules)
{
	const struct mm_side *x = &((const struct mm_rules *)rules)->pair[*(const u16 *)a].remote;
	const struct mm_side *y = &((const struct mm_rules *)rules)->pair[*(const u16 *)b].remote;
	int order;

	if (x->v6_len != y->v6_len)
		return y->v6_len - x->v6_len;
	order = memcmp(&x->v6, &y->v6, sizeof(x->v6));
	return order ?: *(const u16 *)a - *(const u16 *)b;
}

static void mm_index_runs(const struct mm_rules *rules, struct mm_index *index, int count, bool v6)
{
	int i;

	index->runs = 0;
	for (i = 0; i < count; i++) {
		const struct mm_side *side = &rules->pair[index->pair[i]].remote;
		u8 length = v6 ? side->v6_len : side->v4_len;
		struct mm_run *run = &index->run[index->runs - 1];

		if (!index->runs || run->length != length) {
			run = &index->run[index->runs++];
			*run = (struct mm_run){ .start = i, .length = length };
		}
		run->count++;
	}
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
	int i, j, remotes = 0, next = MM_ANY_DOMAIN;

	rules->locals = 0;
	for (i = 0; i < rules->count; i++) {
		if (rules->pair[i].has_local)
			rules->local[rules->locals++] = i;
		if (rules->pair[i].has_remote) {
			rules->by4.pair[remotes] = i;
			rules->by6.pair[remotes++] = i;
		}
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
	sort_r(rules->by4.pair, remotes, sizeof(u16), mm_compare4, NULL, rules);
	sort_r(rules->by6.pair, remotes, sizeof(u16), mm_compare6, NULL, rules);
	mm_index_runs(rules, &rules->by4, remotes, false);
	mm_index_runs(rules, &rules->by6, remotes, true);
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
			 * An IPv4-prefix CE: every packet embeds its own full address (RFC 7597
			 * s6).
			 */
			if (pair->edge.v4_len < 32)
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

/* The first place of a run whose pair's prefix is not below that of @v4. */
static int mm_search4(const struct mm_rules *rules, const struct mm_run *run, __be32 v4)
{
	u32 wanted = ntohl(v4 & mm_mask4(run->length));
	int low = run->start, high = run->start + run->count;

	while (low < high) {
		int middle = (low + high) / 2;

		if (ntohl(rules->pair[rules->by4.pair[middle]].remote.v4) < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * RFC 7599 s8.1: an FMR is chosen by address and port; a packet whose port it leaves out, or that
 * has none, goes to the next shorter prefix, in the end the DMR.
 */
int mm_remote_to_v6(const struct mm_rules *rules, __be32 v4, struct mm_port port, int domain,
		    struct in6_addr *v6)
{
	int r, i;

	for (r = 0; r < rules->by4.runs; r++) {
		const struct mm_run *run = &rules->by4.run[r];

		for (i = mm_search4(rules, run, v4); i < run->start + run->count; i++) {
			int at = rules->by4.pair[i];

			if (!mm_in4(&rules->pair[at].remote, v4))
				break;
			if (mm_of_domain(rules, at, domain) &&
			    !mm_side_to_v6(&rules->pair[at].remote, v4, port, v6))
				return 0;
		}
	}
	return -ENOENT;
}

/* The domain that the rule of a remote address and port belongs to. */
int mm_remote_domain(const struct mm_rules *rules, __be32 v4, struct mm_port port)
{
	struct in6_addr v6;
	int r, i;

	for (r = 0; r < rules->by4.runs; r++) {
		const struct mm_run *run = &rules->by4.run[r];

		for (i = mm_search4(rules, run, v4); i < run->start + run->count; i++) {
			int at = rules->by4.pair[i];

			if (!mm_in4(&rules->pair[at].remote, v4))
				break;
			if (!mm_side_to_v6(&rules->pair[at].remote, v4, port, &v6))
				return rules->domain[at];
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

/* The first place of a run whose pair's prefix is not below that of @v6. */
static int mm_search6(const struct mm_rules *rules, const struct mm_run *run,
		      const struct in6_addr *v6)
{
	int low = run->start, high = run->start + run->count;
	struct in6_addr wanted;

	ipv6_addr_prefix(&wanted, v6, run->length);
	while (low < high) {
		int middle = (low + high) / 2;

		if (memcmp(&rules->pair[rules->by6.pair[middle]].remote.v6, &wanted,
			   sizeof(wanted)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * -ENOENT: no MAP traffic. -EPERM: an FMR's source that does not match its address and port (RFC
 * 7597 s8.1).
 */
int mm_remote_to_v4(const struct mm_rules *rules, const struct in6_addr *v6,
		    struct mm_port port, int domain, __be32 *v4)
{
	int r, i;

	for (r = 0; r < rules->by6.runs; r++) {
		const struct mm_run *run = &rules->by6.run[r];

		for (i = mm_search6(rules, run, v6); i < run->start + run->count; i++) {
			int at = rules->by6.pair[i];

			if (!mm_in6(&rules->pair[at].remote, v6))
				break;
			if (mm_of_domain(rules, at, domain))
				return mm_side_to_v4(&rules->pair[at].remote, v6, port, v4);
		}
	}
	return -ENOENT;
}
