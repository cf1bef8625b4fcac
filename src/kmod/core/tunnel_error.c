// SPDX-License-Identifier: GPL-2.0-only
/*
 * ICMPv6 errors from within the tunnel about a packet of ours. They become the error that the
 * tunnel's entry sends to the packet's IPv4 source (RFC 2473 s8).
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "core/extension.h"
#include "core/icmp_map.h"
#include "core/inner.h"
#include "core/quote.h"
#include "core/tunnel.h"

/* The TTL of an error that we send. */
#define MM_TTL 64

/* What an error tells: the ICMPv6 header, and the packet that it quotes. */
struct mm_told {
	const struct icmp6hdr *icmp;
	struct mm_packet quote;
	const struct ipv6hdr *outer;
	/* Octets of the quote before the IPv4 packet, and where the encapsulation limit is. */
	unsigned int at;
	unsigned int limit_at;
};

/*
 * Finds IPv4 in the quoted packet, behind our own Destination Options header if there is one. We
 * send nothing else, and no fragments.
 */
static bool mm_quotes_ipv4(struct mm_told *told)
{
	const u8 *options = (const u8 *)(told->outer + 1);

	told->at = sizeof(*told->outer);
	told->limit_at = 0;
	if (told->outer->nexthdr == IPPROTO_IPIP)
		return true;
	if (told->outer->nexthdr != NEXTHDR_DEST ||
	    told->quote.len < sizeof(*told->outer) + MM_LIMIT_HEADER)
		return false;
	told->at += MM_LIMIT_HEADER;
	told->limit_at = sizeof(*told->outer) + 4;
	return options[0] == IPPROTO_IPIP && !options[1];
}

/* An error about something else than our IPv4 in IPv6 is ordinary. */
static struct mm_verdict mm_read_told(const u8 *in, unsigned int len, struct mm_told *told)
{
	const struct mm_packet packet = { .head = in, .head_len = len, .len = len };
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)in;
	unsigned int at;
	u8 next;

	if (!mm_passes(mm_skip_extensions(&packet, &next, &at)))
		return mm_outcome(MM_ORDINARY);
	if (next == NEXTHDR_FRAGMENT)
		at += sizeof(struct frag_hdr);
	if (at + MM_ICMP_LEN + sizeof(*told->outer) > len)
		return mm_outcome(MM_ORDINARY);
	told->icmp = (const struct icmp6hdr *)(in + at);
	told->quote.head = in + at + MM_ICMP_LEN;
	told->quote.len = len - at - MM_ICMP_LEN;
	told->quote.head_len = told->quote.len;
	told->outer = (const struct ipv6hdr *)told->quote.head;
	if (told->outer->version != 6 || !mm_quotes_ipv4(told))
		return mm_outcome(MM_ORDINARY);
	if (csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, len - at, IPPROTO_ICMPV6,
			    csum_partial(in + at, len - at, 0)))
		return mm_drop(MM_DROP_HEADER);
	return mm_pass();
}

/*
 * RFC 2473 s8.3: whatever is wrong within the tunnel, the host behind it cannot be reached. False:
 * nobody is told, because IPv4 has no part in what is wrong.
 */
static bool mm_map_told(const struct mm_told *told, struct mm_icmp_map *map)
{
	*map = (struct mm_icmp_map){ .type = ICMP_DEST_UNREACH, .code = ICMP_HOST_UNREACH };
	switch (told->icmp->icmp6_type) {
	case ICMPV6_DEST_UNREACH:
	case ICMPV6_TIME_EXCEED:
		return true;
	case ICMPV6_PKT_TOOBIG:
		map->code = ICMP_FRAG_NEEDED;
		return true;
	case ICMPV6_PARAMPROB:
		/* s8.1: only the one about the limit on encapsulations. */
		return told->limit_at && told->icmp->icmp6_code == ICMPV6_HDR_FIELD &&
		       ntohl(told->icmp->icmp6_dataun.un_data32[0]) == told->limit_at;
	default:
		return false;
	}
}

static unsigned int mm_write_told(const struct mm_told *told, const struct mm_inner *inner,
				  const struct mm_icmp_map *map, u8 *out)
{
	unsigned int head = sizeof(struct iphdr) + MM_ICMP_LEN;
	unsigned int quoted = min3(told->quote.len - told->at, inner->length,
				   MM_ERROR4_MAX - head);
	struct iphdr *iph = (struct iphdr *)out;
	struct icmphdr *icmp = (struct icmphdr *)(iph + 1);

	*iph = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = htons(head + quoted),
		.ttl = MM_TTL,
		.protocol = IPPROTO_ICMP,
		.saddr = htonl(MM_DUMMY4),
		.daddr = inner->saddr,
	};
	iph->check = ip_fast_csum(iph, 5);
	icmp->type = map->type;
	icmp->code = map->code;
	icmp->checksum = 0;
	icmp->un.gateway = htonl(map->rest);
	memcpy(icmp + 1, told->quote.head + told->at, quoted);
	icmp->checksum = csum_fold(csum_partial(icmp, MM_ICMP_LEN + quoted, 0));
	return head + quoted;
}

/* Whether we can have sent the packet that is quoted, to the tunnel end that it went to. */
static bool mm_sent_by_us(const struct mm_rules *rules, const struct mm_told *told,
			  const struct mm_inner *inner)
{
	const struct mm_edge *edge;
	struct in6_addr from, to;
	int domain;

	return !mm_local_to_v6(rules, inner->saddr, inner->sport, &from, &edge, &domain) &&
	       ipv6_addr_equal(&from, &told->outer->saddr) &&
	       !mm_remote_to_v6(rules, inner->daddr, inner->dport, domain, &to) &&
	       ipv6_addr_equal(&to, &told->outer->daddr);
}

/*
 * An error that came in, from anybody, to one of our MAP addresses. If it passes with *@out_len 0,
 * nobody is to be told. *@learn: the path to the tunnel's end takes less than it did. The new
 * packet's identification is 0.
 */
struct mm_verdict mm_tunnel_error(const struct mm_env *env, const u8 *in, unsigned int len,
				  u8 *out, unsigned int *out_len, bool *learn)
{
	const struct mm_rules *rules = env->rules;
	unsigned int size = mm_encap_size(rules);
	struct mm_verdict verdict;
	struct mm_icmp_map map;
	struct mm_inner inner;
	struct mm_told told;

	*out_len = 0;
	*learn = false;
	verdict = mm_read_told(in, len, &told);
	if (!mm_passes(verdict))
		return verdict;
	if (!mm_passes(mm_read_inner(&told.quote, told.at, true, &inner)))
		return mm_drop(MM_DROP_ICMP_INNER);
	/* A later piece has no ports. There is an error about the first one, too. */
	if (inner.later)
		return mm_drop(MM_DROP_FRAGMENT);
	if (!mm_sent_by_us(rules, &told, &inner))
		return mm_drop(MM_DROP_ICMP_INNER);
	if (!mm_map_told(&told, &map))
		return mm_drop(MM_DROP_ICMP_TYPE);
	if (map.code == ICMP_FRAG_NEEDED) {
		u32 mtu = max_t(u32, ntohl(told.icmp->icmp6_dataun.un_data32[0]), IPV6_MIN_MTU);

		/* A packet that fits is not too big, whoever says so. */
		if (inner.length + size <= mtu)
			return mm_drop(MM_DROP_ICMP_INNER);
		*learn = true;
		/* s7.2: a packet that may be cut will be cut from now on. */
		if (!inner.df)
			return mm_pass();
		map.rest = min3(mtu - size, env->mtu6(env, &told.outer->daddr) - size, env->mtu4);
	}
	*out_len = mm_write_told(&told, &inner, &map, out);
	return mm_pass();
}
