// SPDX-License-Identifier: GPL-2.0-only
/* ICMP errors from IPv4 to IPv6, with the packet that they quote (RFC 7915 s4.2, s4.3). */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "core/errors.h"
#include "core/icmp_map.h"
#include "core/quote.h"

static bool mm_read_quoted4(const struct mm_error *error, struct mm_quoted *quoted)
{
	struct iphdr iph;

	if (error->quote_len < sizeof(iph))
		return false;
	memcpy(&iph, error->quote, sizeof(iph));
	if (iph.version != 4 || iph.ihl < 5)
		return false;
	*quoted = (struct mm_quoted){
		.header = iph.ihl * 4,
		.length = (int)ntohs(iph.tot_len) - iph.ihl * 4,
		.protocol = iph.protocol,
		.tos = iph.tos,
		.ttl = iph.ttl,
		.id = ntohs(iph.id),
		.offset = ntohs(iph.frag_off) & IP_OFFSET,
		.more = iph.frag_off & htons(IP_MF),
	};
	quoted->fragment = quoted->offset || quoted->more;
	return quoted->length >= 0 && quoted->header <= error->quote_len &&
	       mm_quoted_ports(error, MM_IPV4, quoted);
}

static void mm_write_quoted6(struct mm_writer *w, const struct mm_quoted *quoted,
			     const struct in6_addr *addr)
{
	u8 next = quoted->protocol == IPPROTO_ICMP ? IPPROTO_ICMPV6 : quoted->protocol;
	struct ipv6hdr ip6h = {};
	struct frag_hdr fh = {};

	*(__be32 *)&ip6h = htonl(6U << 28 | (u32)quoted->tos << 20);
	ip6h.payload_len = htons(min_t(int, 65535, quoted->length + (quoted->fragment ? 8 : 0)));
	ip6h.nexthdr = quoted->fragment ? NEXTHDR_FRAGMENT : next;
	ip6h.hop_limit = quoted->ttl;
	ip6h.saddr = addr[0];
	ip6h.daddr = addr[1];
	memcpy(w->out + w->len, &ip6h, sizeof(ip6h));
	w->len += sizeof(ip6h);
	if (!quoted->fragment)
		return;
	fh.nexthdr = next;
	fh.frag_off = htons(quoted->offset << 3 | quoted->more);
	fh.identification = htonl(quoted->id);
	memcpy(w->out + w->len, &fh, sizeof(fh));
	w->len += sizeof(fh);
}

static void mm_finish6(struct mm_writer *w, const struct iphdr *outer, const struct in6_addr *addr,
		       const struct mm_icmp_map *map)
{
	unsigned int length = w->len - sizeof(struct ipv6hdr);
	struct ipv6hdr *ip6h = (struct ipv6hdr *)w->out;
	struct icmp6hdr *icmp = (struct icmp6hdr *)(ip6h + 1);

	*(__be32 *)ip6h = htonl(6U << 28 | (u32)outer->tos << 20);
	ip6h->payload_len = htons(length);
	ip6h->nexthdr = IPPROTO_ICMPV6;
	ip6h->hop_limit = outer->ttl;
	ip6h->saddr = addr[0];
	ip6h->daddr = addr[1];
	icmp->icmp6_type = map->type;
	icmp->icmp6_code = map->code;
	icmp->icmp6_cksum = 0;
	icmp->icmp6_dataun.un_data32[0] = htonl(map->rest);
	icmp->icmp6_cksum = csum_ipv6_magic(&addr[0], &addr[1], length, IPPROTO_ICMPV6,
					    csum_partial(icmp, length, 0));
}

/*
 * An error that goes out, about a packet that came in: the quoted source is the remote end, the
 * quoted destination is ours.
 */
struct mm_verdict mm_error4(const struct mm_env *env, const u8 *in, unsigned int len, u8 *out,
			    unsigned int *out_len)
{
	const struct iphdr *outer = (const struct iphdr *)in;
	struct mm_writer w = { .out = out, .limit = MM_ERROR6_MAX };
	const struct mm_rules *rules = env->rules;
	struct in6_addr addr[2], inner[2];
	unsigned int at = outer->ihl * 4;
	const struct mm_edge *edge;
	struct mm_quoted quoted;
	struct mm_icmp_map map;
	struct mm_error error;
	__be32 inner4[2];
	int domain;

	if (!mm_read_error(in, len, at, MM_IPV4, &error))
		return mm_drop(MM_DROP_HEADER);
	/* The checksum is computed anew, so a damaged error must not get that far. */
	if (csum_fold(csum_partial(in + at, len - at, 0)))
		return mm_drop(MM_DROP_HEADER);
	if (!mm_icmp_map_4to6(error.type, error.code, ntohl(error.rest) >> 24, &map))
		return mm_drop(MM_DROP_ICMP_TYPE);
	if (!mm_read_quoted4(&error, &quoted))
		return mm_drop(MM_DROP_ICMP_INNER);
	memcpy(inner4, error.quote + offsetof(struct iphdr, saddr), sizeof(inner4));
	if (mm_local_to_v6(rules, inner4[1], quoted.dst, &inner[1], &edge, &domain) ||
	    mm_remote_to_v6(rules, inner4[0], quoted.src, domain, &inner[0]) ||
	    mm_local_to_v6(rules, outer->saddr, quoted.dst, &addr[0], &edge, &domain) ||
	    mm_remote_to_v6(rules, outer->daddr, quoted.src, domain, &addr[1]))
		return mm_drop(MM_DROP_ICMP_INNER);
	if (map.type == ICMPV6_PKT_TOOBIG)
		map.rest = mm_mtu_4to6(ntohl(error.rest) & 0xffff, quoted.header + quoted.length,
				       env->mtu6(env, &addr[1]), env->mtu4);
	w.start = sizeof(struct ipv6hdr) + MM_ICMP_LEN;
	w.len = w.start;
	mm_write_quoted6(&w, &quoted, inner);
	mm_copy_quoted(&w, &error, &quoted, inner4, inner, MM_IPV6);
	if (map.extensions)
		map.rest = mm_append_extension(&w, &error, MM_IPV6) << 24;
	mm_finish6(&w, outer, addr, &map);
	*out_len = w.len;
	return mm_pass();
}
